"""REST: the files of one conversation."""

from typing import ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from chat import services
from chat.models import Attachment, Conversation
from project.accounts.choices import Scope
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, find
from project.http.serializers import StrictSerializer


class AttachmentInput(StrictSerializer):
    """A file."""

    file = serializers.FileField(max_length=255, allow_empty_file=True)


class AttachmentSerializer(serializers.ModelSerializer):
    """An attached file; `error` says what to do where it could not be read."""

    error = serializers.CharField(source="problem", read_only=True)

    class Meta:
        model = Attachment
        fields: ClassVar = [
            "id",
            "conversation",
            "filename",
            "content_type",
            "size",
            "status",
            "error_code",
            "error",
            "created_at",
        ]
        read_only_fields: ClassVar = fields


class AttachmentViewSet(ApiViewSet):
    """Files that the caller attached to a conversation of theirs."""

    read_scope = Scope.CHAT
    write_scope = Scope.CHAT
    serializer_class = AttachmentSerializer
    parser_classes = [MultiPartParser, JSONParser]

    def get_queryset(self) -> QuerySet:
        """Return the attachments of the conversation at hand."""
        conversations = Conversation.objects.visible_to(self.request.user)
        conversation = find(conversations, self.kwargs["pk"])
        rows = Attachment.objects.visible_to(self.request.user).without_content()
        return rows.filter(conversation=conversation)

    @extend_schema(responses=AttachmentSerializer(many=True))
    def list(self, request: Request, pk: str) -> Response:
        """List what is attached, newest first."""
        return self.page_of(self.get_queryset(), AttachmentSerializer)

    @extend_schema(request=AttachmentInput, responses={202: AttachmentSerializer})
    def create(self, request: Request, pk: str) -> Response:
        """Attach a file; it takes part in answers of this conversation as soon as it is read."""
        conversation = find(Conversation.objects.visible_to(request.user), pk)
        upload = self.validated(AttachmentInput)["file"]
        row = services.attachment_add(
            acting_user=caller(request),
            conversation_id=conversation.pk,
            file=upload,
            filename=upload.name,
            content_type=upload.content_type or "",
        )
        return Response(AttachmentSerializer(row).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str, attachment: str) -> Response:
        """Take an attachment away."""
        services.attachment_remove(
            acting_user=caller(request), attachment=find(self.get_queryset(), attachment)
        )
        return Response(status=status.HTTP_204_NO_CONTENT)
