"""How the OpenAPI schema is made: what holds for every operation is said in one place."""

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser

ERRORS = {
    "400": "The input cannot be accepted; `field` names what is at fault.",
    "401": "Nobody is signed in, or the key is unusable.",
    "403": "You may see it, but not do this, or the key lacks the scope.",
    "404": "It does not exist, or it is not yours to see.",
    "409": "It changed since you read it, or collides with something.",
    "429": "Over a rate limit; `Retry-After` says when to come back.",
    "503": "Something Acervo depends on is away; `Retry-After` says when to come back.",
}
ERRORS_OF_BODIES = {
    "413": "The body is larger than is allowed.",
    "415": "A kind of content that is not read.",
}
ERRORS_OF_FILES = {
    "422": "The right kind of file, but it cannot be read.",
    "507": "There is no room on the disk; nothing was kept.",
}
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]{1,200}$"},
    OpenApiParameter.HEADER,
    description="Repeats with the same key and body get the stored answer.",
)


class ErrorDetail(serializers.Serializer):
    """What went wrong."""

    code = serializers.CharField(help_text="Stable, for programs.")
    message = serializers.CharField(help_text="For people: what happened and what to do.")
    field = serializers.CharField(required=False, help_text="The input at fault.")
    details = serializers.JSONField(required=False)
    request_id = serializers.CharField()


class ErrorEnvelope(serializers.Serializer):
    """Every error of the API."""

    error = ErrorDetail()


class AcervoSchema(AutoSchema):
    """Adds the error envelope to every operation, and the idempotency key to every POST."""

    def get_override_parameters(self) -> list[Any]:
        """Return the parameters that every POST has."""
        return [IDEMPOTENCY_KEY] if self.method == "POST" else []

    def _get_response_bodies(
        self, direction: Literal["request", "response"] = "response"
    ) -> dict[str, Any]:
        responses = super()._get_response_bodies(direction)
        described = dict(ERRORS)
        if self.method in {"POST", "PUT", "PATCH"}:
            described |= ERRORS_OF_BODIES
            if MultiPartParser in self.view.parser_classes:
                described |= ERRORS_OF_FILES
        for code, description in described.items():
            if code in responses or (code == "409" and self.method == "GET"):
                continue
            body = OpenApiResponse(ErrorEnvelope, description)
            responses[code] = self._get_response_for_code(body, code)  # type: ignore[no-untyped-call]
        return responses
