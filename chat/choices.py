"""Fixed vocabularies of chat."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class MessageRole(models.TextChoices):
    """Who wrote a message."""

    USER = "user", _("User")
    ASSISTANT = "assistant", _("Assistant")


class TurnStatus(models.TextChoices):
    """Where an answering stands."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    COMPLETED = "completed", _("Completed")
    STOPPED = "stopped", _("Stopped")
    FAILED = "failed", _("Failed")


class TurnRoute(models.TextChoices):
    """Who answers."""

    AI = "ai", _("Model")
    EXTRACTIVE = "extractive", _("Extractive answerer")
    HUMAN = "human", _("Person")
    BRIEF = "brief", _("Set answer")


class MessageClass(models.TextChoices):
    """What kind of message it is (`chat.dispatching.classify`)."""

    QUESTION = "question", _("Question")
    FOLLOW_UP = "follow_up", _("Follow-up")
    SMALL_TALK = "small_talk", _("Small talk")
    COMMAND = "command", _("Command")
    PERSON = "person", _("Asks for a person")
    OUT_OF_SCOPE = "out_of_scope", _("Out of scope")


class DispatchRoute(models.TextChoices):
    """Where a message was sent (`chat.dispatching`)."""

    AI = "ai", _("Acervo")
    HUMAN = "human", _("A person")
    TRIAGE = "triage", _("Triage")


class AttachmentStatus(models.TextChoices):
    """Where a file of a conversation stands."""

    READING = "reading", _("Being read")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Failed")


class HandoffStatus(models.TextChoices):
    """Where a handoff stands. While it is open the AI does not answer."""

    WAITING = "waiting", _("Waiting")
    ACTIVE = "active", _("With a person")
    RELEASED = "released", _("Given back to the AI")
    CLOSED = "closed", _("Closed")


class HandoffOrigin(models.TextChoices):
    """How a person was asked for."""

    BUTTON = "button", _("The button")
    WORDS = "words", _("Words of a message")
    API = "api", _("A program")
    TRIAGE = "triage", _("Triage")


class CacheOutcome(models.TextChoices):
    """What the answer caches said."""

    NONE = "none", _("Not asked")
    MISS = "miss", _("Miss")
    EXACT = "exact", _("Exact hit")
    SEMANTIC = "semantic", _("Semantic hit")


class GapStatus(models.TextChoices):
    """What became of a knowledge gap."""

    OPEN = "open", _("Open")
    DRAFTED = "drafted", _("Being written")
    CLOSED = "closed", _("Closed")
    DISMISSED = "dismissed", _("Dismissed")


class GapReason(models.TextChoices):
    """Why a question counts as a gap."""

    UNANSWERED = "unanswered", _("Nothing was found")
    UNSURE = "unsure", _("Nothing sure was found")
    UNCITED = "uncited", _("The answer cites nothing")
    BAD = "bad", _("The answer was marked as bad")


class FeedbackReason(models.TextChoices):
    """Why an answer was good or bad; which of them fit which is `REASONS_OF`."""

    CORRECT = "correct", _("Correct")
    CLEAR = "clear", _("Easy to understand")
    WELL_FOUNDED = "well_founded", _("Good sources")
    WRONG = "wrong", _("Wrong")
    INCOMPLETE = "incomplete", _("Something is missing")
    OUTDATED = "outdated", _("Out of date")
    UNSUPPORTED = "unsupported", _("The sources do not say that")
    OFF_TOPIC = "off_topic", _("Not what was asked")
    UNCLEAR = "unclear", _("Hard to understand")


REASONS_OF = {
    1: (FeedbackReason.CORRECT, FeedbackReason.CLEAR, FeedbackReason.WELL_FOUNDED),
    -1: (
        FeedbackReason.WRONG,
        FeedbackReason.INCOMPLETE,
        FeedbackReason.OUTDATED,
        FeedbackReason.UNSUPPORTED,
        FeedbackReason.OFF_TOPIC,
        FeedbackReason.UNCLEAR,
    ),
}

OPEN_HANDOFFS = (HandoffStatus.WAITING, HandoffStatus.ACTIVE)


class WordAction(models.TextChoices):
    """What a watched word does to a message."""

    REFUSE = "refuse", _("Refuse the message")
    FLAG = "flag", _("Mark the message")


class ExperimentStatus(models.TextChoices):
    """Where an experiment stands."""

    DRAFT = "draft", _("Draft")
    RUNNING = "running", _("Running")
    ENDED = "ended", _("Ended")


class ExperimentSubject(models.TextChoices):
    """What the arms of an experiment differ in; of each, one runs in a space at a time."""

    MODEL = "model", _("Model")
    PROMPT = "prompt", _("Prompt and temperature")


FINAL_STATUSES = (TurnStatus.COMPLETED, TurnStatus.STOPPED, TurnStatus.FAILED)
