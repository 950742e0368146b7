"""How the OpenAPI schema is made: what holds for every operation is said in one place."""

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

ERRORS = {
    "400": "The input cannot be accepted; `field` names what is at fault.",
    "401": "Nobody is signed in, or the key is unusable.",
    "403": "You may see it, but not do this, or the key lacks the scope.",
    "404": "It does not exist, or it is not yours to see.",
    "409": "It changed since you read it, or collides with something.",
    "429": "Over a rate limit; `Retry-After` says when to come back.",
}
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
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
        for code, description in ERRORS.items():
            if code in responses or (code == "409" and self.method == "GET"):
                continue
            body = OpenApiResponse(ErrorEnvelope, description)
            responses[code] = self._get_response_for_code(body, code)  # type: ignore[no-untyped-call]
        return responses
