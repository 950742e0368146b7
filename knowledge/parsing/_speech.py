"""Words for people, with Django or without it.

In Acervo's processes Django's translations of the active language speak. The process that parses
has no Django: it reads the same catalogue with the standard library, in the language that its
order names (:func:`speak`).
"""

import gettext as standard
from pathlib import Path
from typing import Protocol

LOCALES = Path(__file__).resolve().parents[2] / "project" / "locale"


class _Translations(Protocol):
    def gettext(self, message: str) -> str: ...
    def ngettext(self, singular: str, plural: str, number: int) -> str: ...
    def pgettext(self, context: str, message: str) -> str: ...


class _Django:
    """The language of the request or task that asks."""

    def gettext(self, message: str) -> str:
        from django.utils.translation import gettext

        return gettext(message)

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        from django.utils.translation import ngettext

        return ngettext(singular, plural, number)

    def pgettext(self, context: str, message: str) -> str:
        from django.utils.translation import pgettext

        return str(pgettext(context, message))


_voice: list[_Translations] = [_Django()]


def speak(language: str) -> None:
    """Speak `language` (`pt-br`) from now on, without Django; English where it has no catalogue."""
    first, _dash, region = language.partition("-")
    names = [f"{first}_{region.upper()}", first] if region else [first]
    _voice[0] = standard.translation("django", LOCALES, languages=names, fallback=True)


def gettext(message: str) -> str:
    """Return a message in the language of whoever reads it."""
    return _voice[0].gettext(message)


def ngettext(singular: str, plural: str, number: int) -> str:
    """Return the form of a message for a number."""
    return _voice[0].ngettext(singular, plural, number)


def pgettext(context: str, message: str) -> str:
    """Return a message that means something else elsewhere."""
    return _voice[0].pgettext(context, message)
