"""REST: uploads and sources."""

import json
import uuid
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.access import space_for_writing
from knowledge.api.job_serializers import JobSerializer, UploadAnswer
from knowledge.api.serializers import SAME_NAME, SourceSerializer, UploadInput
from knowledge.api.spaces import chosen_space
from knowledge.models import Source, Space
from project import ratelimit
from project.accounts.choices import Scope
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, find, id_of, missing
from project.http.errors import Invalid, TooMany


class UploadViewSet(ApiViewSet):
    """Files on their way to become knowledge."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = UploadInput
    parser_classes = [MultiPartParser]

    @extend_schema(request=UploadInput, responses={202: UploadAnswer})
    def create(self, request: Request) -> Response:
        """Store a file and begin to read it; follow the job for what becomes of it."""
        self._limit(request)
        body = self.validated(UploadInput)
        if len(request.FILES.getlist("file")) > 1:
            message = _("Send one file a request.")
            raise Invalid(message, field="file")
        upload = body["file"]
        space = _space(request, body.get("space"))
        source, job, duplicate_of = services.source_upload(
            acting_user=caller(request),
            space=space,
            file=upload,
            filename=upload.name,
            content_type=upload.content_type or "",
            title=body.get("title", ""),
            tags=_tags(request.data),
            language=body.get("language", ""),
            replaces=self._replaced(body, space, upload.name),
        )
        answer: dict[str, Any] = {
            "job": JobSerializer(job).data,
            "source": SourceSerializer(source).data,
        }
        if duplicate_of is not None:
            answer["duplicate_of"] = duplicate_of
        return Response(answer, status=status.HTTP_202_ACCEPTED)

    def _replaced(self, body: dict[str, Any], space: Space, filename: str) -> Source | None:
        """Return the source that the file replaces; raises Invalid for none of that id."""
        wanted = body.get("replaces", "")
        if wanted == SAME_NAME:
            return services.source_named(caller(self.request), space, filename)
        if not wanted:
            return None
        found = Source.objects.visible_to(self.request.user).filter(pk=id_of(wanted)).first()
        if found is None:
            raise missing()
        return found

    def _limit(self, request: Request) -> None:
        if not settings.ACERVO_RATE_UPLOADS:
            return
        state = ratelimit.hit("uploads", str(request.user.pk), settings.ACERVO_RATE_UPLOADS)
        if not state.allowed:
            message = _("Too many uploads. Wait and try again.")
            raise TooMany(message, retry_after=state.retry_after)


def _space(request: Request, pk: uuid.UUID | None) -> Space:
    """Return the space to write to; whoever may not write there is refused by the service."""
    space = chosen_space(caller(request), None) if pk is None else space_for_writing(pk)
    if space is None:
        raise missing()
    return space


def _tags(data: Any) -> list[str]:
    given = data.getlist("tags") if isinstance(data, QueryDict) else [data.get("tags") or ""]
    return [tag.strip() for text in given for tag in _told(text) if tag.strip()]


def _told(text: str) -> list[str]:
    """Return the tags of one field: a JSON array of strings, or separated by commas."""
    if text.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            value = json.loads(text)
            if isinstance(value, list) and all(isinstance(each, str) for each in value):
                return value
    return text.split(",")


class SourceViewSet(ApiViewSet):
    """Stored uploads."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = SourceSerializer

    def get_queryset(self) -> QuerySet:
        """Return the sources that the caller may see."""
        return Source.objects.visible_to(self.request.user)

    def list(self, request: Request) -> Response:
        """List sources, newest first."""
        return self.page_of(self.get_queryset(), SourceSerializer)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a source."""
        return Response(SourceSerializer(find(self.get_queryset(), pk)).data)
