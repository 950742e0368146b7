"""What the doctor says: one line a finding, and what to do after each that is not well."""

from dataclasses import dataclass
from typing import Literal

Health = Literal["well", "note", "ill"]


@dataclass(frozen=True)
class Finding:
    """`note` is worth knowing and no fault; only `ill` makes the doctor's exit status 1."""

    health: Health
    subject: str
    text: str
    advice: str = ""


def well(subject: str, text: str) -> Finding:
    return Finding("well", subject, text)


def note(subject: str, text: str, advice: str) -> Finding:
    return Finding("note", subject, text, advice)


def ill(subject: str, text: str, advice: str) -> Finding:
    return Finding("ill", subject, text, advice)
