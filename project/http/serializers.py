"""Serializers that take nothing they do not know, and nothing for what it is not."""

from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework import serializers

_JSON_TYPES: tuple[tuple[type[serializers.Field], tuple[type, ...]], ...] = (
    (serializers.BooleanField, (bool,)),
    (serializers.CharField, (str,)),
    (serializers.UUIDField, (str,)),
    (serializers.IntegerField, (int, float)),
    (serializers.FloatField, (int, float)),
)
"""What a field may be written as in JSON; the framework would make a text of the number 5."""


class StrictMixin:
    """Refuse unknown fields with the code `unknown_field`, and values of another JSON type."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated values; raises ValidationError naming every wrong field."""
        if isinstance(data, dict):
            fields: dict[str, Any] = self.fields  # type: ignore[attr-defined]
            unknown = sorted(set(data) - set(fields))
            if unknown:
                raise serializers.ValidationError(
                    dict.fromkeys(unknown, _("There is no such field.")), code="unknown_field"
                )
            if not isinstance(data, QueryDict):  # in a form all is text
                _refuse_other_types(fields, data)
        return super().to_internal_value(data)  # type: ignore[misc]


def _refuse_other_types(fields: dict[str, Any], data: dict[str, Any]) -> None:
    wrong = {}
    for name, value in data.items():
        try:
            _check(fields[name], value)
        except serializers.ValidationError as error:
            wrong[name] = error.detail
    if wrong:
        raise serializers.ValidationError(wrong)


def _check(field: Any, value: Any) -> None:
    if value is None or field.read_only:
        return
    if isinstance(field, serializers.ListField) and isinstance(value, list):
        for each in value:
            _check(field.child, each)
    elif type(field) is serializers.ChoiceField:
        if not any(isinstance(each, type(value)) for each in field.choices):
            field.fail("invalid_choice", input=value)
    else:
        allowed = next((types for kind, types in _JSON_TYPES if isinstance(field, kind)), ())
        if allowed and (
            not isinstance(value, allowed) or isinstance(value, bool) != (bool in allowed)
        ):
            field.fail("invalid", value=value)


class StrictSerializer(StrictMixin, serializers.Serializer):
    """A serializer for input."""


class StrictModelSerializer(StrictMixin, serializers.ModelSerializer):
    """A model serializer for input."""
