"""The searches of a page of the workbench, and how a person calls them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from knowledge.types import SearchRequest


@dataclass(frozen=True, slots=True)
class Side:
    """One search of a page: what is asked, and how a person calls it."""

    key: str
    request: SearchRequest
    name: str


def generation_name(generation: Any) -> str:
    """Return a generation as a list offers it."""
    state = generation.get_status_display()
    return f"{generation.space.name} · {generation.model_key} · {state}"


def profile_name(profile: Any) -> str:
    """Return a profile as a list offers it."""
    name = _("Version %(number)s") % {"number": profile.version}
    note = str(profile.note).strip().splitlines()
    return f"{name} · {note[0][:60]}" if note else name


def side_name(asked: SearchRequest, profile: Any, generation: Any) -> str:
    """Return what a side is, in words: what it differs in from a plain search."""
    parts = [str(asked.mode.label)]
    if profile:
        parts.append(profile_name(profile))
    if generation:
        parts.append(f"{generation.model_key} ({generation.get_status_display()})")
    if asked.release:
        parts.append(_("release %(name)s") % {"name": asked.release})
    if asked.as_of:
        parts.append(_("as of %(day)s") % {"day": f"{asked.as_of:%Y-%m-%d %H:%M}"})
    return " · ".join(parts)
