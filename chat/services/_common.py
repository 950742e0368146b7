"""What the writes of chat share."""

import uuid

from django.utils.translation import gettext as _

from knowledge.models import Space
from project.accounts.models import User
from project.guarding import cleaned
from project.http.errors import Invalid, NotFound


class Absent(NotFound):
    """What the caller named does not exist, or is not theirs."""


def absent() -> Absent:
    """Return the one answer for what does not exist and for what is not yours."""
    return Absent(_("There is no such object, or it is not yours to see."))


def as_title(text: str, *, limit: int = 200) -> str:
    """Return a text as a title: one line, cut at a word, without characters that nobody sees."""
    line = " ".join(cleaned(text).text.split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > limit // 2 else cut).rstrip(" ,;:.") + "…"


def space_of(user: User, space: uuid.UUID | None) -> Space | None:
    """Return the space with that id, if one is given; raises NotFound for one not to be seen.

    A guest always asks one space: the only one there is, or Invalid is raised.
    """
    if space is None and user.is_guest:
        open_ones = list(Space.objects.visible_to(user)[:2])
        if len(open_ones) != 1:
            raise Invalid(_("Choose the space to ask."), code="required", field="space")
        return open_ones[0]
    if space is None:
        return None
    found = Space.objects.visible_to(user).filter(pk=space).first()
    if found is None:
        raise NotFound(_("There is no such space, or it is not yours to see."), field="space")
    return found
