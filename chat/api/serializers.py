"""What chat looks like over REST. The rows are made by `chat.representation`."""

from typing import Any

from django.urls import reverse
from rest_framework import serializers

from chat import representation
from chat.api.verification import VerificationSerializer
from chat.choices import CacheOutcome, FeedbackReason, MessageRole, TurnStatus
from chat.models import Conversation, Message, Turn
from knowledge.api.evaluation_serializers import GoldenSerializer
from knowledge.api.moments import MomentField
from knowledge.services import Asked
from project.http.serializers import StrictSerializer
from project.inference.choices import Tier


class ConversationSerializer(serializers.Serializer):
    """A conversation."""

    id = serializers.UUIDField()
    space = serializers.UUIDField(allow_null=True)
    title = serializers.CharField()
    model_tier = serializers.CharField(help_text="Empty: the default tier.")
    pinned = serializers.BooleanField()
    archived = serializers.BooleanField()
    url = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def to_representation(self, instance: Conversation) -> dict[str, Any]:
        """Return the row."""
        return representation.conversation_body(instance)


class CitationSerializer(serializers.Serializer):
    """A passage that an answer stands on: `content[start:end]` of that version of the node."""

    index = serializers.IntegerField()
    node = serializers.UUIDField(allow_null=True)
    version = serializers.IntegerField()
    chunk = serializers.UUIDField()
    title = serializers.CharField()
    snippet = serializers.CharField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    page = serializers.IntegerField(allow_null=True)
    place = serializers.CharField(
        allow_blank=True, help_text="A sheet, slide, message or file of an archive, if it has one."
    )
    url = serializers.CharField()


class AskedReleaseSerializer(serializers.Serializer):
    """A release that was asked; without an id it is gone."""

    id = serializers.UUIDField(allow_null=True)
    name = serializers.CharField()


class AuthorSerializer(serializers.Serializer):
    """The person who wrote an answer."""

    name = serializers.CharField()


class MessageSerializer(serializers.Serializer):
    """A message; `turn` is the newest that answers it, or the one that wrote it."""

    id = serializers.UUIDField()
    conversation = serializers.UUIDField()
    parent = serializers.UUIDField(allow_null=True)
    role = serializers.ChoiceField(choices=MessageRole.choices)
    author = AuthorSerializer(
        allow_null=True, help_text="Of an answer by a person; null where a model answered."
    )
    content = serializers.CharField()
    html = serializers.CharField()
    client_message_id = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    turn = serializers.UUIDField(allow_null=True)
    turn_status = serializers.ChoiceField(choices=TurnStatus.choices, allow_null=True)
    partial = serializers.BooleanField()
    notice = serializers.CharField()
    as_of = serializers.DateTimeField(allow_null=True)
    release = AskedReleaseSerializer(allow_null=True)
    citations = CitationSerializer(many=True)

    def to_representation(self, instance: Message) -> dict[str, Any]:
        """Return the row."""
        return representation.message_body(instance)


class TokensSerializer(serializers.Serializer):
    """Tokens of a turn."""

    prompt = serializers.IntegerField()
    completion = serializers.IntegerField()


class TurnErrorSerializer(serializers.Serializer):
    """Why a turn failed."""

    code = serializers.CharField()
    message = serializers.CharField()


class TurnSerializer(serializers.Serializer):
    """One answering of a question."""

    id = serializers.UUIDField()
    conversation = serializers.UUIDField()
    question = serializers.UUIDField()
    status = serializers.ChoiceField(choices=TurnStatus.choices)
    route = serializers.CharField(help_text="ai, extractive, human or brief; empty while queued.")
    message_class = serializers.CharField(help_text="What kind of message it is; empty at first.")
    dispatched_to = serializers.CharField(help_text="ai, human or triage; empty at first.")
    cache = serializers.ChoiceField(choices=CacheOutcome.choices)
    model = serializers.CharField()
    prompt_version = serializers.CharField()
    timings = serializers.DictField(
        child=serializers.IntegerField(), help_text="Milliseconds since the question was stored."
    )
    tokens = TokensSerializer()
    cost = serializers.FloatField()
    message = serializers.UUIDField(allow_null=True, help_text="The answer's message.")
    answer = serializers.CharField(allow_null=True)
    html = serializers.CharField()
    citations = CitationSerializer(many=True)
    verification = VerificationSerializer(
        allow_null=True, help_text="Null while there is no answer, or where none was checked."
    )
    partial = serializers.BooleanField()
    degraded = serializers.ListField(
        child=serializers.CharField(), help_text="What could not take part in finding passages."
    )
    notice = serializers.CharField()
    as_of = serializers.DateTimeField(
        allow_null=True, help_text="The moment whose knowledge was asked; null for today's."
    )
    release = AskedReleaseSerializer(allow_null=True)
    error = TurnErrorSerializer(allow_null=True)
    attempts = serializers.IntegerField()
    last_seq = serializers.IntegerField()
    trace_id = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: Turn) -> dict[str, Any]:
        """Return the row."""
        return representation.turn_body(instance)


class AllowanceSerializer(serializers.Serializer):
    """What is left of the limit of messages; seconds."""

    limit = serializers.IntegerField()
    remaining = serializers.IntegerField()
    reset = serializers.IntegerField(help_text="Until all of it is there again.")
    window = serializers.IntegerField(help_text="The time that the limit is for.")


class SentSerializer(serializers.Serializer):
    """A stored question and the turn that answers it."""

    message = MessageSerializer()
    turn = TurnSerializer()
    allowance = AllowanceSerializer(
        required=False,
        allow_null=True,
        help_text="Of sending; null without a limit, and for a repetition, which counts not.",
    )


class EventSerializer(serializers.Serializer):
    """An event of a turn; the other fields depend on `type`."""

    type = serializers.CharField()
    turn = serializers.UUIDField()
    seq = serializers.IntegerField()


class PollSerializer(serializers.Serializer):
    """What a long poll brought."""

    events = EventSerializer(many=True)
    done = serializers.BooleanField(help_text="Whether no more events will come.")


class FeedbackSerializer(serializers.Serializer):
    """What a person thought of an answer."""

    message = serializers.UUIDField(source="message_id")
    value = serializers.IntegerField()
    reasons = serializers.ListField(child=serializers.ChoiceField(choices=FeedbackReason.choices))
    reason = serializers.CharField()


class SocketTokenSerializer(serializers.Serializer):
    """A token for `?token=` of a socket."""

    token = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds in which to open the socket.")


class ConversationInput(StrictSerializer):
    """What a conversation is made of."""

    space = serializers.UUIDField(required=False, allow_null=True)
    title = serializers.CharField(required=False, allow_blank=True, max_length=200)
    model_tier = serializers.ChoiceField(choices=Tier.choices, required=False, allow_blank=True)


class ConversationQuery(serializers.Serializer):
    """What to list of the conversations."""

    q = serializers.CharField(required=False, allow_blank=True, max_length=200)
    archived = serializers.BooleanField(required=False)
    pinned = serializers.BooleanField(required=False)


class ConversationChanges(ConversationInput):
    """What can be changed of a conversation."""

    pinned = serializers.BooleanField(required=False)
    archived = serializers.BooleanField(
        required=False, help_text="A new question brings an archived conversation back."
    )


class ShareInput(StrictSerializer):
    """With whom to share what was said so far."""

    space = serializers.UUIDField()


class ShareSerializer(serializers.Serializer):
    """A link to a conversation for those who may read the space."""

    id = serializers.UUIDField()
    conversation = serializers.UUIDField(source="conversation_id")
    space = serializers.UUIDField(source="space_id")
    last_message = serializers.UUIDField(source="leaf_id")
    url = serializers.CharField(source="get_absolute_url")
    created_at = serializers.DateTimeField()


class MessageInput(StrictSerializer):
    """A question. Without `parent` it goes under the newest message; null starts the tree anew."""

    content = serializers.CharField(trim_whitespace=False, allow_blank=True)
    client_message_id = serializers.CharField(trim_whitespace=False, max_length=100)
    parent = serializers.UUIDField(required=False, allow_null=True)
    as_of = MomentField(
        required=False, help_text="Ask the knowledge as it stood at that moment of the past."
    )
    release = serializers.CharField(
        required=False, max_length=120, help_text="Ask a release, by its id or name."
    )


class FeedbackInput(StrictSerializer):
    """1 for good, -1 for bad."""

    value = serializers.ChoiceField(choices=[1, -1])
    reasons = serializers.ListField(
        child=serializers.ChoiceField(choices=FeedbackReason.choices),
        required=False,
        max_length=len(FeedbackReason),
        help_text="Only those that fit the value.",
    )
    reason = serializers.CharField(required=False, allow_blank=True, max_length=2000)


class GoldenMadeSerializer(serializers.Serializer):
    """The golden question of an answer; `edit_url` is its page in the admin, for staff."""

    golden_question = GoldenSerializer()
    created = serializers.BooleanField()
    edit_url = serializers.CharField(allow_null=True)

    def to_representation(self, instance: Asked) -> dict[str, Any]:
        """Return the golden question, whole."""
        is_staff = self.context["request"].user.is_staff
        page = reverse("admin:knowledge_goldenquestion_change", args=[instance.golden.pk])
        return {
            "golden_question": GoldenSerializer(instance.golden).data,
            "created": instance.is_new,
            "edit_url": page if is_staff else None,
        }


class EmptyInput(StrictSerializer):
    """No fields."""
