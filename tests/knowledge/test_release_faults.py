"""Archives that were tampered with, cut short, or made to do harm: refused, naming the file."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from knowledge import services
from knowledge.exporting.faults import ArchiveFault
from knowledge.exporting.zip_reader import Limits
from knowledge.models import Space
from knowledge.release_import import ReleaseArchive
from project.accounts.models import User
from tests.support.releases import (
    archive_of,
    exported,
    files_of,
    node,
    node_of,
    released,
    tampered,
)

Files = dict[str, bytes]
Change = Callable[[Files], object]
MANIFEST = "manifest.json"

pytestmark = pytest.mark.django_db  # the database is made for modules that say so


@pytest.fixture(scope="module")
def archive(django_db_setup: None, django_db_blocker: Any) -> bytes:
    """An archive with a bit of everything: two nodes, a past, a relation, an attachment.

    Made once, and rolled back.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        owner = User.objects.create(username="owner", is_superuser=True)
        space = Space.objects.create(name="Harbour", slug="harbour")
        tides = node(owner, space, "Tides", content="The harbour is deep.")
        services.node_update(acting_user=owner, node=tides, content="The harbour is deeper.")
        waves = node_of(owner, space, "Waves", b"# Chart\n", "c.md")
        services.relation_create(acting_user=owner, source=tides, target=waves, weight=0.25)
        archive = exported(released(owner, space))
        assert waves.source is not None
        (settings.MEDIA_ROOT / waves.source.file.name).unlink()
        transaction.set_rollback(True)
    return archive


def fault_of(archive: bytes, **limits: int) -> ArchiveFault:
    """The refusal of an archive, with the file at fault in it."""
    with pytest.raises(ArchiveFault) as refusal:
        ReleaseArchive(io.BytesIO(archive), limits=Limits(**limits))
    fault = refusal.value
    assert fault.status == 422
    assert fault.code == "release_unreadable"
    assert fault.details["file"] in fault.message
    return fault


def name_of(files: Files, start: str, has: bytes = b"") -> str:
    return next(name for name in files if name.startswith(start) and has in files[name])


def replaced(start: str, old: bytes, new: bytes) -> Change:
    """A change of the first file under `start` that has some bytes."""

    def change(files: Files) -> None:
        name = name_of(files, start, old)
        files[name] = files[name].replace(old, new)

    return change


def without(start: str) -> Change:
    return lambda files: files.pop(name_of(files, start))


def edited(**values: Any) -> Change:
    """A change of fields in the manifest's release."""

    def change(files: Files) -> None:
        manifest = json.loads(files[MANIFEST])
        manifest["release"] |= values
        files[MANIFEST] = json.dumps(manifest).encode()

    return change


def added(name: str, data: bytes = b"x") -> Change:
    return lambda files: files.update({name: data})


PARTS = ["nodes/", "history/", "attachments/", "relations.json", "nodes.jsonl", "SHA256SUMS"]


@pytest.mark.parametrize("start", [*PARTS, "sources.jsonl", "README"])
def test_a_changed_byte_anywhere_is_found(archive: bytes, start: str) -> None:
    def change(files: Files) -> None:
        name = name_of(files, start)
        files[name] = files[name][:-2] + bytes([files[name][-2] ^ 1]) + files[name][-1:]

    fault = fault_of(tampered(archive, change, sums=False))
    assert fault.details["file"].startswith(start)


@pytest.mark.parametrize("start", [*PARTS, "sources.jsonl", "README", "manifest.json"])
def test_a_missing_file_is_named(archive: bytes, start: str) -> None:
    fault = fault_of(tampered(archive, without(start), sums=False))
    assert fault.details["file"].startswith(start)
    assert "missing" in fault.message


@pytest.mark.parametrize(
    ("start", "old", "new", "said"),
    [
        ("nodes/", b"harbour is deeper", b"harbour is shallow", "not those of its version"),
        ("nodes/", b'"language": "en"', b"", ""),
        ("nodes/", b'title: "Tides"', b'title: "Tidal"', "not those of its version"),
        ("nodes/", b"version: 2", b"version: 1", "another node or version"),
        ("nodes/", b"---\n", b"", "front matter"),
        ("nodes/", b"tags: []", b"tags: [", "cannot be read"),
        ("history/", b"harbour is deep.", b"harbour is flat.", "another content"),
        ("history/", b'"author":"owner"', b'"author":"nobody"', "does not follow"),
        ("history/", b'"reason":""', b'"reason":"I said so"', "does not follow"),
        ("history/", b'"parents":[1]', b'"parents":[]', "does not follow"),
        ("history/", b'"version":2', b'"version":3', "out of place"),
        ("history/", b'"parents":[1]', b'"parents":[2]', "out of place"),
        ("history/", b'"type":"~"', b'"type":"-"', "out of place"),
        ("history/", b'"status":', b'"state":', "missing or unknown"),
        ("history/", b'"tags":[]', b'"tags":5', "cannot have"),
        ("relations.json", b'"weight":0.25', b'"weight":0.75', "another content"),
        ("relations.json", b"[\n", b"", "no list"),
        ("relations.json", b"\n]", b"", "no list"),
        ("relations.json", b'"kind":"related_to"', b'"kind":5', "cannot have"),
        ("nodes.jsonl", b'"ended_at":null', b'"ended_at":"2001-01-01T00:00:00Z"', "contradict"),
        ("nodes.jsonl", b"history/", b"nodes/../history/", "another name"),
        ("sources.jsonl", b'"size":8', b'"size":9', "another size"),
        ("sources.jsonl", b"attachments/", b"nodes/", "another name"),
        ("sources.jsonl", b"{", b"[", "no JSON object"),
        ("attachments/", b"Chart", b"Trahc", "changed"),
    ],
)  # fmt: skip
def test_a_change_with_mended_checksums_is_found(
    archive: bytes, start: str, old: bytes, new: bytes, said: str
) -> None:
    if not said:
        old, new, said = b'language: "en"\n', b"", "not those of its version"
    fault = fault_of(tampered(archive, replaced(start, old, new)))
    assert fault.details["file"].startswith(start)
    assert said in fault.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edited(checksum="0" * 64), "checksum is another"),
        (edited(node_count=3), "counts other"),
        (edited(name=5), "has a value"),
        (edited(name=""), "has a value"),
        (edited(name="two\nlines"), "has a value"),
        (edited(extra=5), "missing or unknown"),
        (lambda files: files.update({"manifest.json": b"{"}), "no JSON"),
        (lambda files: files.update({"manifest.json": b"[]"}), "no release of Acervo"),
        (lambda files: files.update({"manifest.json": b"\xff"}), "UTF-8"),
        (replaced("manifest.json", b'"acervo-release"', b'"other"'), "no release of Acervo"),
        (
            replaced("manifest.json", b'"format_version": 1', b'"format_version": 2'),
            "format is 2; this Acervo reads format 1",
        ),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(archive: bytes, change: Change, said: str) -> None:
    fault = fault_of(tampered(archive, change, sums=False))
    assert fault.details["file"] == "manifest.json"
    assert said in fault.message


def test_a_whole_node_cannot_be_taken_out(archive: bytes) -> None:
    def change(files: Files) -> None:
        lines = files["nodes.jsonl"].splitlines(keepends=True)
        files["nodes.jsonl"] = lines[0]
        manifest = json.loads(files["manifest.json"])
        manifest["release"] |= {"node_count": 1, "relation_count": 0}
        files["manifest.json"] = json.dumps(manifest).encode()
        files["relations.json"] = b"[\n]\n"

    assert "checksum is another" in fault_of(tampered(archive, change)).message


def test_lines_are_in_order_and_once(archive: bytes) -> None:
    def swap(files: Files) -> None:
        files["nodes.jsonl"] = b"".join(files["nodes.jsonl"].splitlines(keepends=True)[::-1])

    def double(files: Files) -> None:
        files["sources.jsonl"] *= 2

    for change in (swap, double):
        assert "out of order" in fault_of(tampered(archive, change)).message


def test_a_history_ends_with_the_released_version(archive: bytes) -> None:
    fault = fault_of(tampered(archive, replaced("nodes.jsonl", b'"version":2', b'"version":1')))
    assert fault.details["file"].startswith("history/")
    assert "does not end with the version of the release" in fault.message


@pytest.mark.parametrize(
    "name",
    ["../outside.md", "/etc/passwd", "nodes/../../x", "C:\\x", "nodes\\x.md", "nodes//x", "./x"],
)
def test_no_name_leads_out_of_the_archive(archive: bytes, name: str) -> None:
    fault = fault_of(tampered(archive, added(name)))
    assert "no name of a file in a release" in fault.message


def test_files_that_nobody_named_are_refused(archive: bytes) -> None:
    fault = fault_of(tampered(archive, added("extra.txt"), sums=False))
    assert fault.details["file"] == "extra.txt"
    assert "does not belong" in fault.message


def test_a_file_that_is_there_twice_is_refused(archive: bytes) -> None:
    target = io.BytesIO(archive)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(target, "a") as opened:
        opened.writestr("nodes.jsonl", b"")
    assert "there twice" in fault_of(target.getvalue()).message


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all" * 100, b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_zip_file_is_refused(data: bytes) -> None:
    assert fault_of(data).details["file"] in {"archive", "manifest.json"}


def test_an_archive_that_was_cut_short_is_refused(archive: bytes) -> None:
    for size in (1, len(archive) // 2, len(archive) - 1):
        assert fault_of(archive[:size]).details["file"] == "archive"


def test_damage_inside_a_member_is_told_of_that_member(archive: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        info = next(each for each in opened.infolist() if each.filename.startswith("history/"))
    at = info.header_offset + 30 + len(info.filename) + 24
    damaged = archive[:at] + b"\xff" * 12 + archive[at + 12 :]
    assert fault_of(damaged).details["file"] == info.filename


def test_a_bomb_is_refused_before_it_is_unpacked(archive: bytes) -> None:
    bomb = tampered(archive, added("bomb.txt", b"\0" * 30_000_000))
    assert len(bomb) < 100_000
    assert "more than is allowed" in fault_of(bomb, unpacked=1_000_000).message


def test_a_bomb_that_lies_about_its_size_is_refused(archive: bytes) -> None:
    bomb = bytearray(tampered(archive, added("bomb.txt", b"\0" * 3_000_000)))
    for head, size_at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = -1
        while (at := bomb.find(head, at + 1)) >= 0:
            (size,) = struct.unpack_from("<L", bomb, at + size_at)
            if size == 3_000_000:
                struct.pack_into("<L", bomb, at + size_at, 10)
    fault = fault_of(bytes(bomb), unpacked=1_000_000)
    assert fault.details["file"] == "bomb.txt"


def test_too_many_files_are_refused_before_they_are_listed(archive: bytes) -> None:
    assert "too many files" in fault_of(archive, members=3).message
    assert "too many files" in fault_of(archive, directory=100).message


def test_texts_and_lines_have_a_length(archive: bytes) -> None:
    fault = fault_of(archive, text=100)
    assert "too long" in fault.message
    assert "too long" in fault_of(archive, sums=100).message


def test_endless_front_matter_is_refused(archive: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.exporting.front_matter.MAX_HEADER", 200)
    fault = fault_of(archive)
    assert fault.details["file"].startswith("nodes/")
    assert "too long" in fault.message


def test_a_protected_archive_is_refused(archive: bytes) -> None:
    locked = bytearray(archive)
    at = locked.find(b"PK\x01\x02")
    locked[at + 8] |= 1
    assert "password" in fault_of(bytes(locked)).message


def test_names_are_shown_without_what_would_mislead(archive: bytes) -> None:
    fault = fault_of(tampered(archive, added("a\u202eb\n" + "x" * 500), sums=False))
    assert "\n" not in fault.message
    assert "\u202e" not in fault.message
    assert len(fault.details["file"]) == 200


def test_the_archive_itself_is_read(archive: bytes) -> None:
    """Whatever the tests above refuse, they refuse for the change and not for the packing."""
    read = ReleaseArchive(io.BytesIO(archive_of(files_of(archive))))
    assert (len(read.checked.nodes), read.checked.versions, read.checked.relations) == (2, 3, 1)
