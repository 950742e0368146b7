"""REST: kinds, and the changes of their schemas."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.api.kind_serializers import (
    KindCreateInput,
    KindListQuery,
    KindMigrationAnswer,
    KindMigrationInput,
    KindMigrationSerializer,
    KindRollbackInput,
    KindSerializer,
    KindUpdateInput,
    MigratedNodeQuery,
    MigratedNodeSerializer,
)
from knowledge.choices import MigratedState
from knowledge.models import Kind, KindMigration, MigratedNode, Space
from project.accounts.choices import Scope
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, find
from project.http.errors import Invalid
from project.http.pagination import CursorPages

SHOWN = 50  # nodes of a plan in the answer to making it


class MigratedNodePages(CursorPages):
    """Nodes of a migration, in the order of the plan."""

    ordering = ("id", "node_id")


class KindViewSet(ApiViewSet):
    """Kinds: what the metadata of nodes must be."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = KindSerializer

    def get_queryset(self) -> QuerySet:
        """Return the kinds that the caller may read."""
        return Kind.objects.visible_to(self.request.user)

    @extend_schema(parameters=[KindListQuery])
    def list(self, request: Request) -> Response:
        """List kinds, newest first."""
        return self.page_of(self.get_queryset().filter(**self.query(KindListQuery)), KindSerializer)

    @extend_schema(request=KindCreateInput, responses={201: KindSerializer})
    def create(self, request: Request) -> Response:
        """Make a kind; nodes that have its name must fit its schema."""
        body = self.validated(KindCreateInput)
        if "space" not in body:
            message = _("Name a space, or null for all of them.")
            raise Invalid(message, code="required", field="space")
        wanted = body.pop("space")
        rows = Space.objects.visible_to(caller(request))
        space = find(rows, wanted) if wanted is not None else None
        kind = services.kind_create(acting_user=caller(request), space=space, **body)
        return Response(KindSerializer(kind).data, status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a kind."""
        return Response(KindSerializer(find(self.get_queryset(), pk)).data)

    @extend_schema(request=KindUpdateInput, responses=KindSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a kind; the schema of one with nodes is changed by a migration."""
        kind = find(self.get_queryset(), pk)
        changes = self.validated(KindUpdateInput, partial=True)
        kind = services.kind_update(acting_user=caller(request), kind=kind, **changes)
        return Response(KindSerializer(kind).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a kind whose schema was never changed; its nodes stay."""
        services.kind_delete(acting_user=caller(request), kind=find(self.get_queryset(), pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(methods=["get"], responses=KindMigrationSerializer(many=True))
    @extend_schema(
        methods=["post"],
        request=KindMigrationInput,
        responses={200: KindMigrationAnswer, 201: KindMigrationAnswer, 202: KindMigrationAnswer},
    )
    @action(detail=True, methods=["get", "post"])
    def migrations(self, request: Request, pk: str) -> Response:
        """List a kind's migrations, or plan one: 200 for a dry run, 202 while a worker plans it."""
        kind = find(self.get_queryset().select_related("space"), pk)
        if request.method == "GET":
            rows = KindMigration.objects.visible_to(request.user).filter(kind=kind)
            return self.page_of(rows, KindMigrationSerializer)
        body = self.validated(KindMigrationInput)
        wanted = {"kind": kind, "schema": body["schema"], "steps": body["steps"]}
        if body["dry_run"]:
            trial = services.kind_migration_try(acting_user=caller(request), limit=SHOWN, **wanted)
            answer = _answer(trial.migration, trial.rows) | {"id": None}
            return Response(answer)
        migration = services.kind_migration_plan(acting_user=caller(request), **wanted)
        code = status.HTTP_202_ACCEPTED if migration.is_running else status.HTTP_201_CREATED
        return Response(_answer(migration, _first(migration)), status=code)


class KindMigrationViewSet(ApiViewSet):
    """Changes of the schemas of kinds, for those who manage the kind."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = KindMigrationSerializer

    def get_queryset(self) -> QuerySet:
        """Return the migrations of the kinds that the caller may change."""
        return KindMigration.objects.visible_to(self.request.user)

    def list(self, request: Request) -> Response:
        """List migrations, newest first."""
        return self.page_of(self.get_queryset(), KindMigrationSerializer)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a migration."""
        return Response(KindMigrationSerializer(find(self.get_queryset(), pk)).data)

    @extend_schema(parameters=[MigratedNodeQuery], responses=MigratedNodeSerializer(many=True))
    @action(detail=True, pagination_class=MigratedNodePages)
    def nodes(self, request: Request, pk: str) -> Response:
        """List what a migration is to each node: before, after, problems."""
        migration = find(self.get_queryset(), pk)
        rows = MigratedNode.objects.filter(migration=migration, **self.query(MigratedNodeQuery))
        return self.page_of(rows, MigratedNodeSerializer)

    @extend_schema(request=None, responses=KindMigrationSerializer)
    @action(detail=True, methods=["post"])
    def plan(self, request: Request, pk: str) -> Response:
        """Make the plan anew, as the nodes are now."""
        return self._done(services.kind_migration_replan(**self._subject(request, pk)))

    @extend_schema(
        request=None, responses={200: KindMigrationSerializer, 202: KindMigrationSerializer}
    )
    @action(detail=True, methods=["post"])
    def apply(self, request: Request, pk: str) -> Response:
        """Migrate all nodes at once, or none: a worker does it."""
        return self._done(services.kind_migration_apply(**self._subject(request, pk)))

    @extend_schema(
        request=KindRollbackInput,
        responses={200: KindMigrationSerializer, 202: KindMigrationSerializer},
    )
    @action(detail=True, methods=["post"])
    def rollback(self, request: Request, pk: str) -> Response:
        """Give all nodes their old metadata back, later edits merged in: a worker does it."""
        subject = self._subject(request, pk)
        return self._done(
            services.kind_migration_rollback(**subject, **self.validated(KindRollbackInput))
        )

    def _subject(self, request: Request, pk: str) -> dict[str, Any]:
        return {"acting_user": caller(request), "migration": find(self.get_queryset(), pk)}

    def _done(self, migration: KindMigration) -> Response:
        code = status.HTTP_202_ACCEPTED if migration.is_running else status.HTTP_200_OK
        return Response(KindMigrationSerializer(migration).data, status=code)


def _first(migration: KindMigration) -> list[MigratedNode]:
    """Return the first nodes of a stored plan, those that would not fit before others."""
    order = (MigratedState.INVALID, MigratedState.CHANGED, MigratedState.UNCHANGED)
    rows = [row for state in order for row in migration.nodes.filter(state=state)[:SHOWN]]
    return rows[:SHOWN]


def _answer(migration: KindMigration, rows: list[MigratedNode]) -> dict[str, Any]:
    return dict(KindMigrationSerializer(migration).data) | {
        "nodes": MigratedNodeSerializer(rows, many=True).data
    }
