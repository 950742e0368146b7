"""REST: asking for another state of knowledge than the present one."""

from datetime import datetime
from typing import Any

from rest_framework import serializers

from knowledge.moments import time_of


class MomentField(serializers.DateTimeField):
    """A moment of the past: a time with its zone, or a date, which stands for its end."""

    def to_internal_value(self, value: Any) -> datetime:
        """Return the moment. Raises Invalid."""
        return time_of(str(value))


class StateQuery(serializers.Serializer):
    """Which state of a node to show; without either, the present one."""

    as_of = MomentField(required=False, help_text="A moment: what was public then.")
    release = serializers.CharField(
        required=False, max_length=120, help_text="The id or the name of a release."
    )
