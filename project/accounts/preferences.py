"""The sentences of the scripts, where gettext finds them.

Scripts get them as one JSON element of the page, so that there is one catalogue a language.
`{name}` stands for what the script fills in.
"""

from django.utils.translation import gettext as _


def interface_strings() -> dict[str, str]:
    """Return every sentence by the key that scripts use, in the active language."""
    return {**_everywhere(), **_connection(), **_answers(), **_conversations()}


def _everywhere() -> dict[str, str]:
    return {
        "copied": _("Copied"),
        "link_copied": _("Link copied"),
        "copy_failed": _("The browser did not allow copying."),
    }


def _connection() -> dict[str, str]:
    return {
        "offline": _("You are offline. What you write is kept here and sent when you are back."),
        "reconnecting": _("Connection lost. Trying again…"),
        "slow_line": _("Live connection not possible here; answers arrive a little slower."),
        "signed_out": _("You are signed out. Sign in again; your text is kept."),
        "not_yours": _("This conversation does not exist, or is not yours."),
        "flood": _("That was too fast. Wait a few seconds, then try again."),
        "too_long": _("The message is too long: {count} of {limit} characters."),
        "server_away": _("The server does not answer. Your text is kept; try again."),
        "not_sent": _("Not sent."),
        "sending": _("Sending…"),
    }


def _answers() -> dict[str, str]:
    return {
        "stage_started": _("Getting ready…"),
        "stage_understand": _("Understanding the question…"),
        "stage_recall": _("Remembering earlier conversations…"),
        "stage_retrieve": _("Searching the knowledge…"),
        "stage_generate": _("Writing the answer…"),
        "stage_fallback": _("The language model is away; quoting the sources instead…"),
        "stage_verify": _("Checking the citations…"),
        "stage_other": _("Working…"),
        "reset": _("Starting over…"),
        "attachment_reading": _("A file is still being read. Send again when it is ready."),
        "answer_completed": _("Answer complete. Sources: {count}."),
        "answer_stopped": _("Answer stopped."),
        "answer_failed": _("The answer failed."),
        "answering": _("Question sent. Answering…"),
        "state_day": _("As the knowledge stood on {day}"),
        "state_release": _("As of the release “{name}”"),
        "state_today": _("You ask today’s knowledge again."),
        "still_answering": _("An answer is being written. Stop it first, or wait."),
        "source_number": _("Source {number}: {title}"),
        "source_gone": _("This text can no longer be opened. It was cited like this:"),
        "source_failed": _("The passage could not be loaded."),
        "opening_source": _("Opening the passage…"),
        "golden_made": _("Made a golden question. Nodes that answer it: {count}."),
        "golden_known": _("This is a golden question already."),
        "golden_undone": _("The golden question is gone again."),
        "feedback_thanks": _("Thank you. The people who keep this knowledge will see it."),
        "failed_default": _("Something went wrong while answering."),
        "chars_left": _("{count} characters left"),
        "messages_left": _("{count} messages left. All are back in {minutes} minutes."),
        "chars_over": _("{count} characters too many"),
    }


def _conversations() -> dict[str, str]:
    return {
        "deleted": _("“{title}” was deleted."),
        "list_failed": _("The list could not be loaded."),
        "change_failed": _("The conversation could not be changed."),
        "delete_failed": _("“{title}” could not be deleted."),
        "earlier_failed": _("Earlier messages could not be loaded."),
    }
