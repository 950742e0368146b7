"""Serializers that take nothing they do not know."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers


class StrictMixin:
    """Refuse unknown fields with the code `unknown_field`."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated values; raises ValidationError naming every unknown field."""
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))  # type: ignore[attr-defined]
            if unknown:
                raise serializers.ValidationError(
                    dict.fromkeys(unknown, _("There is no such field.")), code="unknown_field"
                )
        return super().to_internal_value(data)  # type: ignore[misc]


class StrictSerializer(StrictMixin, serializers.Serializer):
    """A serializer for input."""


class StrictModelSerializer(StrictMixin, serializers.ModelSerializer):
    """A model serializer for input."""
