"""Tags and filters that every page uses."""

import datetime
import math
from functools import cache
from pathlib import Path

from django import template
from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language_info
from django.utils.translation import gettext as _

from project.accounts.preferences import interface_strings
from project.markdown import render_markdown

register = template.Library()

ICONS = settings.BASE_DIR / "project" / "static" / "acervo" / "icons"


@cache
def _drawing(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw `static/acervo/icons/{name}.svg` in the text; hidden from screen readers."""
    # The files are our own, so their markup is as trustworthy as the template's.
    drawing = mark_safe(_drawing(ICONS / f"{name}.svg"))  # noqa: S308
    return format_html('<span class="icon" aria-hidden="true">{}</span>', drawing)


@register.simple_tag
def script_strings() -> dict[str, str]:
    """Return the sentences that the scripts of the pages say, in the reader's language."""
    return interface_strings()


@register.filter
def minutes(duration: datetime.timedelta | None) -> int:
    """Return how many minutes a duration lasts, begun ones included."""
    return math.ceil(duration.total_seconds() / 60) if duration else 0


@register.filter
def kind_name(kind: str) -> str:
    """Return what a page calls a kind of node; unknown ones such as `how_to` as their words."""
    known = {
        "article": _("Article"),
        "policy": _("Policy"),
        "procedure": _("Procedure"),
        "faq": _("Questions and answers"),
        "product": _("Product"),
        "incident": _("Incident"),
        "guide": _("Guide"),
        "glossary": _("Glossary"),
        "document": _("Document"),
    }
    return known.get(kind) or kind.replace("_", " ").replace("-", " ").capitalize()


@register.filter
def language_name(code: str) -> str:
    """Return what speakers of a language call it, or its code when Django does not know it."""
    try:
        return str(get_language_info(code)["name_local"]).capitalize()
    except KeyError:
        return code


@register.filter
def markdown(text: str) -> SafeString:
    """Return what somebody wrote in Markdown as safe HTML."""
    return mark_safe(render_markdown(text))  # noqa: S308 - the renderer lets nothing unsafe through
