"""Names for the files of a release: readable, safe on every system, and never the same twice."""

import re
import unicodedata
import uuid
from collections.abc import Collection
from pathlib import PurePosixPath

STEM_BYTES = 80
SHORT_ID = 12  # hexadecimal digits of an id that make a name unique, unless they do not
CROWD = 1000  # files; a kind with more is spread over folders


def slug_of(title: str) -> str:
    """Return a title as part of a file name: small letters and digits, joined by hyphens.

    Accents go where the letter stays readable without; other scripts keep their letters. May be
    empty.
    """
    plain = unicodedata.normalize("NFKD", title)
    plain = "".join(char for char in plain if not _is_latin_accent(char))
    plain = unicodedata.normalize("NFC", plain).lower()
    words = re.sub(r"[^\w]+|_", "-", plain).strip("-")
    cut = words.encode("utf-8", "ignore")[:STEM_BYTES].decode("utf-8", "ignore")
    return cut.strip("-")


def _is_latin_accent(char: str) -> bool:
    return "\u0300" <= char <= "\u036f"


class FileNames:
    """Gives out the paths of one release; the same nodes in the same order get the same ones."""

    def __init__(self, crowded_kinds: Collection[str] = ()) -> None:
        self._crowded = frozenset(crowded_kinds)
        self._taken: set[str] = set()

    def node(self, pk: uuid.UUID, kind: str, title: str) -> str:
        """Return the path of a node's text, such as `nodes/policy/opening-hours-3f2a….md`."""
        folder = f"nodes/{kind}"
        if kind in self._crowded:
            folder = f"{folder}/{pk.hex[:2]}"
        return self._free(folder, slug_of(title), pk, ".md")

    def relation(self, pk: uuid.UUID) -> str:
        """Return the path of a relation in a repository."""
        return self._free(f"relations/{pk.hex[:2]}", "", pk, ".json")

    def _free(self, folder: str, slug: str, pk: uuid.UUID, ending: str) -> str:
        for digits in (SHORT_ID, 32):
            stem = "-".join(filter(None, [slug, pk.hex[:digits]]))
            path = f"{folder}/{stem}{ending}"
            # Systems differ in what they take for the same name: letters' case, their composition.
            key = unicodedata.normalize("NFC", path.casefold())
            if key not in self._taken:
                self._taken.add(key)
                return path
        message = f"{pk} has a file already"
        raise ValueError(message)


def history_path(pk: uuid.UUID) -> str:
    """Return the path of a node's history."""
    return f"history/{pk.hex[:2]}/{pk}.jsonl"


def attachment_path(sha256: str, filename: str) -> str:
    """Return the path of a stored file: by its content, with the ending that tells its type."""
    ending = PurePosixPath(filename).suffix.lower()
    safe = ending if re.fullmatch(r"\.[a-z0-9]{1,10}", ending) else ""
    return f"attachments/{sha256[:2]}/{sha256}{safe}"


def tag_name(name: str) -> str:
    """Return a release's name as a tag of git. After git-check-ref-format(1)."""
    kept = re.sub(r"[^\w.+-]+", "-", unicodedata.normalize("NFC", name))
    kept = re.sub(r"\.{2,}", ".", kept).strip("-.")
    while kept.endswith((".lock", ".")):
        kept = kept.removesuffix(".lock").rstrip(".")
    return kept[:100].rstrip("-.") or "release"
