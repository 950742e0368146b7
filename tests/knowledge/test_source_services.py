"""Taking in a file: all of it, or nothing of it."""

import hashlib
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.db import transaction
from pytest_django import Settings

from knowledge import services
from knowledge.models import IngestJob, Source, Space
from project.accounts.models import User
from project.events.models import Event
from project.http.errors import (
    ApiError,
    Forbidden,
    InsufficientStorage,
    Invalid,
    NotFound,
    TooLarge,
    Unreadable,
    UnsupportedType,
)


@pytest.fixture(autouse=True)
def uploads(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def upload(user: User, space: Space, data: bytes = b"# Tides\n", **fields: object) -> Source:
    values = {"filename": "tides.md", **fields}
    return services.source_upload(
        acting_user=user, space=space, file=ContentFile(data), **values
    ).source


def files(root: Path) -> list[str]:
    return [path.name for path in root.rglob("*") if path.is_file()]


def test_the_row_and_the_file_tell_the_same(owner: User, space: Space, uploads: Path) -> None:
    data = b"# Tides\n" * 100_000
    source = upload(owner, space, data, title=" The  tides ", tags=["sea", "sea "], language="en")
    assert files(uploads) == [str(source.pk)]
    assert Path(source.file.path).read_bytes() == data
    assert (source.size, source.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (source.title, source.tags, source.filename) == ("The tides", ["sea"], "tides.md")
    job = IngestJob.objects.get()
    assert (job.source, job.created_by) == (source, owner)
    assert Event.objects.filter(type="knowledge.source.stored", subject_id=source.pk).count() == 1


@pytest.mark.parametrize(
    ("filename", "kept"),
    [
        ("../../etc/passwd.md", "passwd.md"),
        ("C:\\Users\\me\\notes.md", "notes.md"),
        ("a\x00b\x1b\u202ec.md", "abc.md"),
        ("x" * 300 + ".md", "x" * 252 + ".md"),
        ("", "file"),
    ],
)
def test_a_file_name_is_only_a_name(owner: User, space: Space, filename: str, kept: str) -> None:
    assert upload(owner, space, filename=filename).filename == kept


@pytest.mark.parametrize(
    ("data", "fields", "error"),
    [
        (b"", {}, Unreadable),
        (b"x" * (2**20 + 1), {}, TooLarge),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, {"filename": "film.mp4"}, UnsupportedType),
        (b"%PDF-1.7\n", {"filename": "tides.docx"}, UnsupportedType),
        (b"MZ\0\0", {"filename": "tides.md"}, UnsupportedType),
        (b"# Tides", {"title": "x" * 301}, Invalid),
        (b"# Tides", {"tags": ["x" * 65]}, Invalid),
        (b"# Tides", {"language": "xx-nope"}, Invalid),
    ],
)
def test_what_is_refused_leaves_nothing(
    owner: User,
    space: Space,
    uploads: Path,
    settings: Settings,
    data: bytes,
    fields: dict[str, object],
    error: type[ApiError],
) -> None:
    settings.ACERVO_MAX_UPLOAD_BYTES = 2**20
    with pytest.raises(error):
        upload(owner, space, data, **fields)
    assert files(uploads) == []
    assert not Source.objects.exists()
    assert not IngestJob.objects.exists()


def test_only_editors_upload(owner: User, stranger: User, space: Space, uploads: Path) -> None:
    with pytest.raises(NotFound):
        upload(stranger, space)
    services.space_update(acting_user=owner, space=space, visibility="signed_in")
    with pytest.raises(Forbidden):
        upload(stranger, space)
    assert files(uploads) == []


@pytest.fixture
def little_room() -> Iterator[None]:
    """Let no file of this process grow beyond 100 kB, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("little_room")
def test_a_full_disk_is_told_and_leaves_nothing(owner: User, space: Space, uploads: Path) -> None:
    with pytest.raises(InsufficientStorage) as refused:
        upload(owner, space, b"# Tides\n" * 100_000)
    assert refused.value.status == 507
    assert files(uploads) == []
    assert not Source.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_failing_row_takes_its_file_along(
    owner: User, space: Space, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_rows: object) -> None:
        raise ConnectionError

    monkeypatch.setattr("knowledge.services.sources.emit_status", fail)
    with pytest.raises(ConnectionError):
        upload(owner, space)
    assert files(uploads) == []
    assert not Source.objects.exists()
    assert not transaction.get_connection().in_atomic_block
