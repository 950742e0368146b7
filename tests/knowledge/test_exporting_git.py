"""Bundles of git: what is written, the git program itself takes, checks and clones."""

import datetime
import io
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.exporting.git_bundle import BundleWriter, Signature, subject_of
from knowledge.exporting.packs import delta_of

GIT = shutil.which("git") or ""
AT = datetime.datetime(2026, 3, 1, 12, 30, tzinfo=datetime.UTC)
needs_git = pytest.mark.skipif(not GIT, reason="the git program is not installed")


def git(folder: Path, *args: str) -> str:
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "HOME": str(folder),
    }
    done = subprocess.run(
        [GIT, *args], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def cloned(data: bytes, folder: Path) -> Path:
    """Clone a bundle with the strictest checks there are; return the work tree."""
    (folder / "x.bundle").write_bytes(data)
    git(folder, "-c", "transfer.fsckObjects=true", "clone", "-q", "x.bundle", "clone")
    git(folder / "clone", "fsck", "--strict", "--full", "--no-dangling")
    return folder / "clone"


@needs_git
def test_git_clones_what_was_written(tmp_path: Path) -> None:
    target = io.BytesIO()
    bundle = BundleWriter(target, "spring-2026")
    ana, odd = Signature("ana", AT), Signature("<o> \n x", AT + datetime.timedelta(days=1))
    one, two = bundle.file(b"one\r\n"), bundle.file("zwei ä".encode())
    bundle.commit({"nodes/a.md": one, "nodes.txt": one}, ana, "First.\n\nWhy.")
    bundle.commit({"nodes/faq/ünï.md": two}, odd, "Second\0.")
    large = b"0123456789" * 300_000
    blob = bundle.large_file(len(large), lambda: [large[:7], large[7:]])
    bundle.commit({"attachments/x.bin": blob, "nodes/a.md": two}, ana, "Third.")
    bundle.close(ana, "Spring 2026\n\nAll of it.")
    clone = cloned(target.getvalue(), tmp_path)
    assert (clone / "nodes.txt").read_bytes() == b"one\r\n"
    assert (clone / "nodes/a.md").read_text() == "zwei ä"
    assert (clone / "nodes/faq/ünï.md").read_text() == "zwei ä"
    assert (clone / "attachments/x.bin").read_bytes() == large
    log = git(clone, "log", "--reverse", "--format=%an|%ae|%aI|%s|%b").splitlines()
    assert log[0] == "ana|ana@acervo.invalid|2026-03-01T12:30:00+00:00|First.|Why."
    assert [line for line in log if line][1] == (
        "o x|ox@acervo.invalid|2026-03-02T12:30:00+00:00|Second.|"
    )
    assert git(clone, "tag", "-n9").split() == ["spring-2026", "Spring", "2026", "All", "of", "it."]
    assert git(clone, "symbolic-ref", "--short", "HEAD").strip() == "main"


@needs_git
def test_many_small_changes_stay_small(tmp_path: Path) -> None:
    """3,000 commits in a folder of 500: folders are kept as differences, and git reads them."""
    target = io.BytesIO()
    bundle = BundleWriter(target, "r")
    chance = random.Random(3)
    content: dict[str, bytes] = {}
    for number in range(3000):
        path = f"nodes/faq/{chance.randrange(500):03}.md"
        content[path] = f"{number}".encode()
        bundle.commit({path: bundle.file(content[path])}, Signature("ana", AT), f"{number}")
    bundle.close(Signature("ana", AT), "r")
    assert len(target.getvalue()) < 3_000_000  # whole folders would take 20 MB
    clone = cloned(target.getvalue(), tmp_path)
    assert {path: (clone / path).read_bytes() for path in content} == content
    assert git(clone, "rev-list", "--count", "HEAD").strip() == "3000"


@needs_git
def test_what_comes_back_is_written_once(tmp_path: Path) -> None:
    target = io.BytesIO()
    bundle = BundleWriter(target, "r")
    for content in (b"a", b"b", b"a", b"b", b"c"):
        files = {"deep/er/x": bundle.file(content), "y": bundle.file(b"same")}
        bundle.commit(files, Signature("ana", AT), "again")
    bundle.close(Signature("ana", AT), "r")
    clone = cloned(target.getvalue(), tmp_path)
    assert (clone / "deep/er/x").read_bytes() == b"c"


def test_an_empty_repository_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to tag"):
        BundleWriter(io.BytesIO(), "r").close(Signature("ana", AT), "r")


def test_a_file_of_another_size_is_refused() -> None:
    bundle = BundleWriter(io.BytesIO(), "r")
    with pytest.raises(ValueError, match="3 bytes, not 5"):
        bundle.large_file(5, lambda: [b"abc"])
    answers = iter([[b"abc"], [b"abd"]])
    with pytest.raises(ValueError, match="changed"):
        bundle.large_file(3, lambda: next(answers))


def applied(delta: bytes, base: bytes) -> bytes:
    """Apply a difference, after gitformat-pack(5)."""

    def number(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = delta[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not byte & 0x80:
                return value, at

    source, at = number(0)
    size, at = number(at)
    assert source == len(base)
    out = b""
    while at < len(delta):
        code = delta[at]
        at += 1
        if not code & 0x80:
            out, at = out + delta[at : at + code], at + code
            continue
        numbers = [0, 0]
        for bit in range(7):
            if code >> bit & 1:
                numbers[bit > 3] |= delta[at] << 8 * (bit % 4)
                at += 1
        out += base[numbers[0] : numbers[0] + (numbers[1] or 0x10000)]
    assert len(out) == size
    return out


@given(st.binary(max_size=400), st.binary(max_size=300), st.binary(max_size=400), st.binary())
def test_differences_make_the_new_of_the_old(
    head: bytes, middle: bytes, tail: bytes, other: bytes
) -> None:
    old, new = head + middle + tail, head + other + tail
    assert applied(delta_of(old, new), old) == new
    assert applied(delta_of(new, old), new) == old


def test_long_common_parts_are_copied_in_pieces() -> None:
    old = b"x" * (2**24 + 10)
    assert applied(delta_of(old, old + b"y"), old) == old + b"y"


@pytest.mark.parametrize(
    ("text", "subject"),
    [("", "Tides"), (" \n Why.\nMore.", "Why."), ("x" * 300, "x" * 199 + "…")],
)
def test_the_subject_is_the_first_line(text: str, subject: str) -> None:
    assert subject_of(text, "Tides") == subject
