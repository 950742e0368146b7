"""Filters of the inbox."""

from django import template
from django.utils.translation import gettext as _

from chat.timings import TRACE_WORDS

register = template.Library()


@register.filter
def waited(seconds: int) -> str:
    """Return a waiting time in the largest unit that says enough."""
    if seconds < 60:
        return _("less than a minute")
    if seconds < 3600:
        return _("%(count)s min") % {"count": seconds // 60}
    if seconds < 86400:
        return _("%(hours)s h %(minutes)s min") % {
            "hours": seconds // 3600,
            "minutes": seconds % 3600 // 60,
        }
    return _("%(count)s d") % {"count": seconds // 86400}


@register.filter
def flag_words(flag: str) -> str:
    """Return what a flag of a trace means."""
    return str(TRACE_WORDS.get(flag, flag))
