"""Reads of knowledge. `visible_to` is the one gate: every read for a person passes through it."""

import datetime
from typing import Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.utils import timezone

from knowledge.choices import (
    GenerationStatus,
    JobStatus,
    NodeStatus,
    ProposalStatus,
    Visibility,
)
from project.accounts.choices import Role
from project.accounts.models import User

Reader = User | AnonymousUser


def rows_behind(model: type[models.Model], field: str) -> Any:
    """Return the manager of the model that a relation leads to: models import this module."""
    related: Any = model._meta.get_field(field).related_model
    return related._default_manager


class SpaceQuerySet(models.QuerySet):
    """Chainable reads of spaces."""

    def with_role(self, user: Reader, role: Role) -> Self:
        """Keep the spaces in which `user` has at least `role` through a group."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        held = self.model._default_manager.filter(
            roles__group__user=user, roles__role__gte=role
        ).values("pk")
        return self.filter(pk__in=held)

    def visible_to(self, user: Reader) -> Self:
        """Keep the spaces whose published nodes `user` may read; a guest, those for guests."""
        if isinstance(user, User) and user.is_guest:
            return self.open_to_guests() if user.is_active else self.none()
        if not user.is_authenticated or not user.is_active:
            return self.filter(visibility=Visibility.PUBLIC)
        if user.is_superuser:
            return self
        held = self.model._default_manager.filter(
            roles__group__user=user, roles__role__gte=Role.READER
        ).values("pk")
        return self.filter(
            Q(visibility__in=[Visibility.PUBLIC, Visibility.SIGNED_IN]) | Q(pk__in=held)
        )

    def open_to_guests(self) -> Self:
        """Keep the spaces that visitors may ask without signing in."""
        return self.filter(visibility=Visibility.PUBLIC, allows_guests=True)

    def editable_by(self, user: Reader) -> Self:
        """Keep the spaces in which `user` may write nodes."""
        return self.with_role(user, Role.EDITOR)


class SpaceScopedQuerySet(models.QuerySet):
    """Shared helpers of rows that belong to a space."""

    def _spaces(self) -> Any:
        return rows_behind(self.model, "space")

    def in_spaces_with_role(self, user: Reader, role: Role) -> Self:
        """Keep the rows of spaces in which `user` has at least `role`."""
        return self.filter(space__in=self._spaces().with_role(user, role))


class NodeQuerySet(SpaceScopedQuerySet):
    """Chainable reads of nodes."""

    def current(self) -> Self:
        """Keep published nodes inside their validity window."""
        now = timezone.now()
        return self.filter(
            Q(valid_from=None) | Q(valid_from__lte=now),
            Q(valid_until=None) | Q(valid_until__gt=now),
            status=NodeStatus.PUBLISHED,
        )

    def searchable_by(self, user: Reader) -> Self:
        """Keep what search and answers may use for `user`: current nodes of readable spaces."""
        return self.current().filter(space__in=self._spaces().visible_to(user))

    def visible_to(self, user: Reader) -> Self:
        """Keep what `user` may open: published ones of readable spaces, all of editable ones."""
        return self.filter(
            Q(status=NodeStatus.PUBLISHED, space__in=self._spaces().visible_to(user))
            | Q(space__in=self._spaces().editable_by(user))
        )

    def editable_by(self, user: Reader) -> Self:
        """Keep the nodes that `user` may change."""
        return self.filter(space__in=self._spaces().editable_by(user))


class ProposalQuerySet(SpaceScopedQuerySet):
    """Chainable reads of proposals."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the proposals of the spaces that `user` may edit."""
        return self.filter(space__in=self._spaces().editable_by(user))

    def undecided(self) -> Self:
        """Keep the proposals that are neither merged nor rejected."""
        return self.exclude(status__in=[ProposalStatus.MERGED, ProposalStatus.REJECTED])


class RelationQuerySet(models.QuerySet):
    """Chainable reads of relations."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the relations both of whose ends `user` may open."""
        nodes = rows_behind(self.model, "source").visible_to(user)
        return self.filter(source__in=nodes, target__in=nodes)


class SourceQuerySet(SpaceScopedQuerySet):
    """Chainable reads of sources."""

    def visible_to(self, user: Reader) -> Self:
        """Keep a user's own sources, those of editable spaces, and those behind readable nodes."""
        if not user.is_authenticated:
            return self.none()
        nodes = rows_behind(self.model, "nodes")
        return self.filter(
            Q(created_by=user, space__in=self._spaces().visible_to(user))
            | Q(space__in=self._spaces().editable_by(user))
            | Q(pk__in=nodes.searchable_by(user).exclude(source=None).values("source"))
        )


class JobQuerySet(SpaceScopedQuerySet):
    """Chainable reads of ingest jobs."""

    def visible_to(self, user: Reader) -> Self:
        """Keep a user's own jobs and those of the spaces they may edit."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(
            Q(created_by=user, space__in=self._spaces().visible_to(user))
            | Q(space__in=self._spaces().editable_by(user))
        )

    def with_duplicates(self) -> Self:
        """Add `earlier_source`: the first source of the space with the bytes of the job's."""
        sources = rows_behind(self.model, "source")
        earlier = sources.filter(
            space=models.OuterRef("space"),
            sha256=models.OuterRef("source__sha256"),
            created_at__lt=models.OuterRef("source__created_at"),
        ).order_by("created_at", "pk")
        return self.annotate(earlier_source=models.Subquery(earlier.values("pk")[:1]))

    def dead(self) -> Self:
        """Keep what failed for good and nobody has dismissed."""
        return self.filter(status=JobStatus.FAILED, dismissed_at=None)


class GoldenQuestionQuerySet(SpaceScopedQuerySet):
    """Chainable reads of golden questions."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the questions of the spaces that `user` may edit."""
        return self.in_spaces_with_role(user, Role.EDITOR)

    def with_targets(self) -> Self:
        """Fetch the targets and their nodes along, without the texts."""
        targets = rows_behind(self.model, "targets").select_related("node")
        light = targets.defer("node__content", "node__metadata", "node__anchors")
        return self.prefetch_related(models.Prefetch("targets", light))


class EvaluationRunQuerySet(SpaceScopedQuerySet):
    """Chainable reads of evaluations."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the runs of the spaces that `user` may edit: what they found is seen by editors."""
        return self.in_spaces_with_role(user, Role.EDITOR)


class GenerationQuerySet(SpaceScopedQuerySet):
    """Chainable reads of index generations."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the generations of the spaces that `user` curates."""
        return self.in_spaces_with_role(user, Role.CURATOR)

    def searchable_by(self, user: Reader) -> Self:
        """Keep those that `user` may name in a search: none whose vectors are being deleted."""
        return self.visible_to(user).exclude(status=GenerationStatus.DELETING)

    def written(self, now: datetime.datetime) -> Self:
        """Keep those that new passages get vectors for.

        What serves, what may serve soon, and what served until lately, for the way back. A build
        that failed or was cancelled is left alone until it is tried again.
        """
        has_failed = Q(job__status__in=[JobStatus.FAILED, JobStatus.CANCELLED])
        return self.filter(
            Q(status__in=[GenerationStatus.READY, GenerationStatus.ACTIVE])
            | Q(status=GenerationStatus.RETIRED, written_until__gt=now)
            | (Q(status=GenerationStatus.BUILDING) & ~has_failed)
        )


class GenerationSwitchQuerySet(SpaceScopedQuerySet):
    """Chainable reads of when which generation took over."""

    def visible_to(self, user: Reader) -> Self:
        """Keep those of the spaces that `user` curates."""
        return self.in_spaces_with_role(user, Role.CURATOR)


class ReleaseQuerySet(SpaceScopedQuerySet):
    """Chainable reads of releases."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the releases of readable spaces: they hold only what was published there."""
        return self.filter(space__in=self._spaces().visible_to(user))


class KindQuerySet(SpaceScopedQuerySet):
    """Chainable reads of kinds. Those without a space are for all of them."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the kinds of readable spaces, and those of all spaces."""
        return self.filter(Q(space__in=self._spaces().visible_to(user)) | Q(space=None))

    def managed_by(self, user: Reader) -> Self:
        """Keep the kinds that `user` may change: of managed spaces; of all for superusers."""
        if user.is_authenticated and user.is_active and user.is_superuser:
            return self
        return self.in_spaces_with_role(user, Role.MANAGER)


class KindMigrationQuerySet(models.QuerySet):
    """Chainable reads of migrations: they show the metadata of every node, drafts as well."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the migrations of the kinds that `user` may change."""
        return self.filter(kind__in=rows_behind(self.model, "kind").managed_by(user))


class FeedQuerySet(SpaceScopedQuerySet):
    """Chainable reads of feeds."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the feeds of the spaces that `user` may edit."""
        return self.in_spaces_with_role(user, Role.EDITOR)


class FeedRunQuerySet(models.QuerySet):
    """Chainable reads of the runs of feeds."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the runs of the feeds that `user` may see."""
        return self.filter(feed__in=rows_behind(self.model, "feed").visible_to(user))

    def in_spaces_with_role(self, user: Reader, role: Role) -> Self:
        """Keep the runs of feeds of spaces in which `user` has at least `role`."""
        return self.filter(feed__in=rows_behind(self.model, "feed").in_spaces_with_role(user, role))


class RetrievalProfileQuerySet(models.QuerySet):
    """Chainable reads of retrieval profiles."""

    def visible_to(self, user: Reader) -> Self:
        """Keep all of them for curators of any space and up, none for others."""
        if user.is_authenticated and user.is_active and user.is_superuser:
            return self
        spaces = rows_behind(rows_behind(self.model, "activations").model, "space")
        return self.filter(models.Exists(spaces.with_role(user, Role.CURATOR)))


class ProfileActivationQuerySet(models.QuerySet):
    """Chainable reads of when which profile held."""

    def visible_to(self, user: Reader) -> Self:
        """Keep those of the installation and of the spaces that `user` curates."""
        profiles = rows_behind(self.model, "profile").visible_to(user)
        spaces = rows_behind(self.model, "space").with_role(user, Role.CURATOR)
        return self.filter(Q(space=None) | Q(space__in=spaces), models.Exists(profiles))


class RetrievalTuningQuerySet(SpaceScopedQuerySet):
    """Chainable reads of tunings."""

    def visible_to(self, user: Reader) -> Self:
        """Keep those of the spaces that `user` curates."""
        return self.in_spaces_with_role(user, Role.CURATOR)
