"""What webhooks look like over REST."""

from typing import Any

from rest_framework import serializers

from project.events.choices import DeliveryStatus
from project.events.models import Webhook, WebhookDelivery
from project.events.webhooks.services import OVERLAP_HOURS
from project.http.serializers import StrictSerializer

MOST_OVERLAP = 7 * 24  # hours


class WebhookSerializer(serializers.ModelSerializer):
    """A webhook, without its secret."""

    class Meta:
        model = Webhook
        fields = [
            "id",
            "owner",
            "name",
            "url",
            "types",
            "spaces",
            "is_enabled",
            "disabled_reason",
            "disabled_at",
            "failures",
            "failing_since",
            "last_success_at",
            "former_secret_until",
            "created_at",
            "updated_at",
        ]


class WebhookMade(WebhookSerializer):
    """A webhook with its secret, which is shown this once."""

    secret = serializers.CharField(help_text="`whsec_…`, shown this once.")

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]


class WebhookInput(StrictSerializer):
    """What a caller sets on a webhook."""

    name = serializers.CharField(max_length=100)
    url = serializers.CharField(max_length=2000)
    types = serializers.ListField(
        child=serializers.CharField(max_length=80), min_length=1, max_length=100
    )
    spaces = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=50,
        help_text="Only events of these spaces; none for every space that the owner may read.",
    )
    is_enabled = serializers.BooleanField(required=False)


class RotateInput(StrictSerializer):
    """How long the former secret signs as well."""

    overlap_hours = serializers.IntegerField(
        required=False, min_value=0, max_value=MOST_OVERLAP, default=OVERLAP_HOURS
    )


class TriedSerializer(serializers.Serializer):
    """One try."""

    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True, help_text="Of HTTP; null without an answer.")
    error = serializers.CharField()
    ms = serializers.IntegerField()


class DeliverySerializer(serializers.ModelSerializer):
    """A delivery, with its last tries, the newest first."""

    message_id = serializers.SerializerMethodField(help_text="What goes as `webhook-id`.")
    next_attempt_at = serializers.DateTimeField(
        allow_null=True, help_text="Null unless the delivery waits."
    )
    history = TriedSerializer(many=True)

    class Meta:
        model = WebhookDelivery
        fields = [
            "id",
            "webhook",
            "message_id",
            "position",
            "type",
            "space_id",
            "subject_id",
            "status",
            "attempts",
            "next_attempt_at",
            "give_up_at",
            "last_status",
            "last_error",
            "excerpt",
            "history",
            "trace_id",
            "happened_at",
            "created_at",
            "finished_at",
        ]

    def get_message_id(self, row: WebhookDelivery) -> str:
        """Return the id that the receiver gets."""
        return row.message_id

    def to_representation(self, instance: WebhookDelivery) -> dict[str, Any]:
        """Return the row; a next try only where there will be one."""
        body = dict(super().to_representation(instance))
        if instance.status != DeliveryStatus.WAITING:
            body["next_attempt_at"] = body["give_up_at"] = None
        return body


class DeliveryListQuery(serializers.Serializer):
    """Filters of the list of deliveries."""

    status = serializers.ChoiceField(choices=DeliveryStatus.choices, required=False)
    type = serializers.CharField(required=False, max_length=80)


class ReplayInput(StrictSerializer):
    """Which deliveries are sent once more."""

    status = serializers.ChoiceField(
        choices=[each for each in DeliveryStatus.choices if each[0] != DeliveryStatus.WAITING],
        required=False,
        default=DeliveryStatus.FAILED,
    )
    since = serializers.DateTimeField(
        required=False, help_text="Only what happened at or after this time."
    )


class ReplayAnswer(serializers.Serializer):
    """How many are sent once more."""

    replayed = serializers.IntegerField()


class EventTypeSerializer(serializers.Serializer):
    """A type of events that webhooks may ask for."""

    type = serializers.CharField()
    description = serializers.CharField()
    scope = serializers.CharField(help_text="What a key needs that makes a webhook of it.")
    tells = serializers.ListField(
        child=serializers.CharField(), help_text="What `data` may hold, beside `space`."
    )
