"""What spaces look like in REST."""

from rest_framework import serializers

from knowledge.choices import Visibility
from knowledge.models import Space
from project.http.serializers import StrictSerializer


class SpaceSerializer(serializers.ModelSerializer):
    """A space."""

    class Meta:
        model = Space
        fields = [
            "id",
            "name",
            "slug",
            "description",
            "visibility",
            "allows_guests",
            "language",
            "suggested_questions",
            "required_approvals",
            "allows_self_approval",
            "requires_no_regression",
            "gate_k",
            "past_vectors_days",
            "created_at",
            "updated_at",
        ]


class SpaceInput(StrictSerializer):
    """What a space is made of."""

    name = serializers.CharField(max_length=120)
    slug = serializers.SlugField(max_length=80, required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False)
    allows_guests = serializers.BooleanField(
        required=False, help_text="Whether visitors may ask a public space without signing in."
    )
    language = serializers.CharField(required=False, max_length=10)
    suggested_questions = serializers.JSONField(required=False)
    required_approvals = serializers.IntegerField(
        min_value=0,
        max_value=20,
        required=False,
        help_text="How many curators must approve a proposal before it can be merged.",
    )
    allows_self_approval = serializers.BooleanField(
        required=False, help_text="Whether authors may approve their own proposals."
    )
    requires_no_regression = serializers.BooleanField(
        required=False,
        help_text="Whether merging a proposal must not lose recall or MRR on golden questions.",
    )
    gate_k = serializers.IntegerField(
        min_value=1,
        max_value=100,
        required=False,
        help_text="How many results count for golden questions.",
    )
    past_vectors_days = serializers.IntegerField(
        min_value=0,
        max_value=36500,
        required=False,
        allow_null=True,
        help_text="How long vectors of past versions are kept; null is for ever.",
    )
