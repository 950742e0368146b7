"""How often a person may have a model write a summary."""

from django.conf import settings
from django.utils.translation import gettext as _

from project import ratelimit
from project.http.errors import TooMany


def rate_require(user_pk: int) -> None:
    """Count a summary that a model may write, by the limit of messages. Raises TooMany."""
    if not settings.ACERVO_RATE_MESSAGES:
        return
    state = ratelimit.hit("synthesis", str(user_pk), settings.ACERVO_RATE_MESSAGES)
    if not state.allowed:
        message = _("You are asking for summaries too fast. Wait a moment and try again.")
        raise TooMany(message, retry_after=state.retry_after)
