"""What retrieval profiles look like over REST."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from knowledge.knobs import BUILT_IN, GROUPS, KNOBS
from knowledge.models import ProfileActivation, RetrievalProfile
from knowledge.profiles import profile_of
from project.http.serializers import StrictSerializer


class ActivationSerializer(serializers.ModelSerializer):
    """That a version began to hold. Without `space`: for the installation."""

    class Meta:
        model = ProfileActivation
        fields = [
            "id",
            "space",
            "profile",
            "previous",
            "is_current",
            "is_rollback",
            "reason",
            "activated_by",
            "author_name",
            "created_at",
        ]


class ProfileSerializer(serializers.ModelSerializer):
    """A version of all knobs of a search."""

    knobs = serializers.SerializerMethodField()
    active_in = serializers.SerializerMethodField(
        help_text="Spaces it holds for now; null stands for the installation."
    )

    class Meta:
        model = RetrievalProfile
        fields = [
            "id",
            "version",
            "knobs",
            "note",
            "origin",
            "based_on",
            "evaluation",
            "figures",
            "active_in",
            "created_by",
            "author_name",
            "created_at",
        ]

    @extend_schema_field(serializers.DictField())
    def get_knobs(self, row: RetrievalProfile) -> dict[str, Any]:
        """Return all knobs as a search uses them."""
        return profile_of(row).values()

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField(allow_null=True)))
    def get_active_in(self, row: RetrievalProfile) -> list[Any]:
        """Return where the version holds, as far as the caller may see it."""
        rows = ProfileActivation.objects.visible_to(self.context["request"].user)
        current = rows.filter(profile=row, is_current=True).order_by("created_at")
        return list(current.values_list("space", flat=True))


class KnobSerializer(serializers.Serializer):
    """What a knob does, in the caller's language, and what it may be."""

    name = serializers.CharField()
    group = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # Field has one of its own
    help = serializers.CharField()
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    built_in = serializers.JSONField()


class ProfileInput(StrictSerializer):
    """A new version: another one with some other knobs."""

    knobs = serializers.DictField(help_text="By name; the others stay as in `based_on`.")
    note = serializers.CharField(max_length=2000)
    based_on = serializers.UUIDField(
        required=False, help_text="The version to begin from; without it, the built-in one."
    )
    evaluation = serializers.UUIDField(
        required=False, help_text="An evaluation that speaks for this version."
    )


class ActivationInput(StrictSerializer):
    """For what a version is to hold, and why."""

    space = serializers.UUIDField(required=False, help_text="Without it: the installation.")
    reason = serializers.CharField(max_length=2000)


def knobs_shown() -> list[dict[str, Any]]:
    """Return all knobs as `KnobSerializer` shows them."""
    rows = []
    for name, each in KNOBS.items():
        is_number = not isinstance(each.default, str)
        rows.append(
            {
                "name": name,
                "group": str(GROUPS[each.metadata["group"]]),
                "label": str(each.metadata["label"]),
                "help": str(each.metadata["help"]),
                "low": each.metadata["low"] if is_number else None,
                "high": each.metadata["high"] if is_number else None,
                "built_in": getattr(BUILT_IN, name),
            }
        )
    return rows
