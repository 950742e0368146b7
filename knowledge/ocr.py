"""Whether text in pictures can be read here, by which program, and in which languages."""

import functools
import shutil
import subprocess
from dataclasses import dataclass

from django.conf import settings

from knowledge.parsing import Ocr

_ALWAYS = ("eng", "por")  # read beside a document's own language, where they are installed
_SPECIAL = {"zh": "chi_sim", "zh-tw": "chi_tra", "zh-hant": "chi_tra"}
# tesseract names languages by ISO 639-2/T, people by 639-1.
_NAMES = {
    "ar": "ara", "ca": "cat", "cs": "ces", "da": "dan", "de": "deu", "el": "ell", "en": "eng",
    "es": "spa", "et": "est", "eu": "eus", "fi": "fin", "fr": "fra", "ga": "gle", "gl": "glg",
    "he": "heb", "hi": "hin", "hr": "hrv", "hu": "hun", "hy": "hye", "id": "ind", "it": "ita",
    "ja": "jpn", "ko": "kor", "lt": "lit", "nb": "nor", "nl": "nld", "no": "nor", "pl": "pol",
    "pt": "por", "ro": "ron", "ru": "rus", "sk": "slk", "sl": "slv", "sr": "srp", "sv": "swe",
    "ta": "tam", "th": "tha", "tr": "tur", "uk": "ukr", "vi": "vie",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tesseract:
    """The program that is installed: its path, version, and the languages it has."""

    program: str
    version: str
    languages: tuple[str, ...]


def tesseract() -> Tesseract | None:
    """Return the program that reads pictures; None where there is none, or none is wanted.

    Asked anew at every call, so that it is found as soon as it is installed.
    """
    wanted = str(settings.ACERVO_OCR)
    if wanted == "off":
        return None
    program = shutil.which("tesseract" if wanted == "auto" else wanted)
    return _asked(program) if program else None


def ocr_for(language: str) -> Ocr | None:
    """Return how to read pictures of texts in a language, None where that is not possible."""
    found = tesseract()
    if found is None or not found.languages:
        return None
    base = language.lower().replace("_", "-")
    own = _SPECIAL.get(base) or _NAMES.get(base.partition("-")[0], "")
    wanted = [each for each in dict.fromkeys((own, *_ALWAYS)) if each in found.languages]
    return Ocr(found.program, tuple(wanted) or found.languages[:1])


@functools.lru_cache(maxsize=4)
def _asked(program: str) -> Tesseract | None:
    version = _told(program, "--version")
    if version is None:
        return None
    names = (_told(program, "--list-langs") or "").splitlines()[1:]
    languages = tuple(sorted({name.strip() for name in names} - {"", "osd", "snum", "equ"}))
    return Tesseract(program, (version.split() or ["", "?"])[1], languages)


def _told(program: str, question: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - the operator's program, no shell
            [program, question], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout or done.stderr) if not done.returncode else None
