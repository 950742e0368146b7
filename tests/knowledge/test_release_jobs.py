"""Importing a release as a job, and with the commands."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from knowledge import services
from knowledge.choices import JobStatus
from knowledge.exporting.faults import ArchiveFault
from knowledge.ingestion import job_work
from knowledge.models import IngestJob, Node, NodeVersion, Release, Space
from knowledge.retrieval import search
from knowledge.stored_work import RELEASE_FILE
from knowledge.types import SearchRequest
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Forbidden, NotFound, TooLarge
from tests.conftest import grant
from tests.support.releases import emptied, exported, node, released, tampered


@pytest.fixture
def archive(owner: User, space: Space) -> bytes:
    """The archive of a release of two nodes, which are gone."""
    node(owner, space, "Tides", content="The saltmarsh floods at spring tide.")
    node(owner, space, "Waves", content="Swell comes from the west.")
    data = exported(released(owner, space))
    emptied()
    return data


def imported(owner: User, space: Space, data: bytes) -> IngestJob:
    job = services.release_import(acting_user=owner, space=space, file=ContentFile(data))
    while job_work(job.pk) is not None:
        IngestJob.objects.filter(pk=job.pk).update(lease_until=None)
    job.refresh_from_db()
    return job


def folder_of(job: IngestJob) -> Path:
    return Path(settings.MEDIA_ROOT) / "jobs" / str(job.pk)


@pytest.mark.django_db(transaction=True)
def test_a_job_restores_and_indexes_a_release(owner: User, space: Space, archive: bytes) -> None:
    job = imported(owner, space, archive)
    assert (job.status, job.progress) == (JobStatus.COMPLETED, 1.0)
    assert job.checkpoint["restored"]["nodes_created"] == 2
    assert set(job.nodes) == set(Node.objects.values_list("pk", flat=True))
    found = search(SearchRequest("saltmarsh floods"), user=owner).results
    assert found[0].title == "Tides"
    assert not folder_of(job).exists()
    again = imported(owner, space, archive)
    assert again.checkpoint["restored"]["nodes_equal"] == 2
    assert (NodeVersion.objects.count(), Release.objects.count()) == (2, 1)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_in_the_middle_leaves_nothing(
    owner: User, space: Space, archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    job = services.release_import(acting_user=owner, space=space, file=ContentFile(archive))
    monkeypatch.setattr("knowledge.release_import._release_write", die)
    with pytest.raises(KeyboardInterrupt):
        job_work(job.pk)
    assert (Node.objects.count(), NodeVersion.objects.count()) == (0, 0)
    monkeypatch.undo()
    assert job_work(job.pk) is None
    job.refresh_from_db()
    assert job.status == JobStatus.COMPLETED
    assert Node.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_after_storing_goes_on_with_the_index(
    owner: User, space: Space, archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    job = services.release_import(acting_user=owner, space=space, file=ContentFile(archive))
    monkeypatch.setattr("knowledge.stored_work._StoredWork.index", die)
    with pytest.raises(KeyboardInterrupt):
        job_work(job.pk)
    assert Node.objects.filter(indexed_version=None).count() == 2
    monkeypatch.undo()
    (folder_of(job) / RELEASE_FILE).unlink()  # it is not needed any more
    assert job_work(job.pk) is None
    assert Node.objects.filter(indexed_version=1).count() == 2


@pytest.mark.django_db(transaction=True)
def test_what_stands_in_the_way_is_said_on_the_job(
    owner: User, space: Space, archive: bytes
) -> None:
    other = Space.objects.create(name="Other", slug="other")
    grant(other, owner, Role.MANAGER)
    imported(owner, other, archive)
    job = imported(owner, space, archive)
    assert (job.status, job.error_code) == (JobStatus.FAILED, "release_conflicts")
    assert "in another space" in job.error_message
    changed = tampered(
        archive, lambda files: files.update({name: b"x" for name in files if "history/" in name})
    )
    job = imported(owner, other, changed)
    assert (job.status, job.error_code) == (JobStatus.FAILED, "release_unreadable")
    assert job.error_message.startswith("history/")
    assert folder_of(job).exists()  # for another try


@pytest.mark.django_db
def test_only_managers_import(
    owner: User, teammate: User, stranger: User, space: Space, archive: bytes, settings: Settings
) -> None:
    for user, refusal in ((teammate, Forbidden), (stranger, NotFound)):
        with pytest.raises(refusal):
            services.release_import(acting_user=user, space=space, file=ContentFile(archive))
    with pytest.raises(ArchiveFault, match="archive"):
        services.release_import(acting_user=owner, space=space, file=ContentFile(b"no zip"))
    settings.ACERVO_MAX_UPLOAD_BYTES = 1000
    with pytest.raises(TooLarge):
        services.release_import(acting_user=owner, space=space, file=ContentFile(archive))
    assert not IngestJob.objects.exists()


@pytest.mark.django_db
def test_somebody_who_is_no_manager_any_more_imports_nothing(
    owner: User, space: Space, archive: bytes
) -> None:
    job = services.release_import(acting_user=owner, space=space, file=ContentFile(archive))
    owner.groups.clear()
    grant(space, owner, Role.CURATOR)
    assert job_work(job.pk) is None
    job.refresh_from_db()
    assert (job.status, job.error_code) == (JobStatus.FAILED, "role_needed")
    assert not Node.objects.exists()


@pytest.mark.django_db
def test_the_commands_export_and_import(
    owner: User,
    space: Space,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    node(owner, space, "Tides")
    release = released(owner, space)
    path = tmp_path / "spring.zip"
    call_command("release_export", "Spring 2026", str(path), "--space", "harbour")
    assert release.checksum in capsys.readouterr().out
    with pytest.raises(CommandError, match="--overwrite"):
        call_command("release_export", str(release.pk), str(path))
    call_command("release_export", str(release.pk), str(path), "--overwrite")
    bundle = tmp_path / "spring.bundle"
    call_command("release_export", str(release.pk), str(bundle), "--format", "git")
    assert bundle.read_bytes().startswith(b"# v2 git bundle\n")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["spring.bundle", "spring.zip"]
    emptied()
    call_command("release_import", str(path), "--space", "harbour", "--check")
    assert not Node.objects.exists()
    with pytest.raises(CommandError, match="another checksum"):
        call_command("release_import", str(path), "--space", "harbour", "--checksum", "0" * 64)
    with django_capture_on_commit_callbacks() as sent:
        call_command("release_import", str(path), "--space", "harbour")
    assert "1 nodes are new" in capsys.readouterr().out
    assert len(sent) >= 1
    call_command("release_import", str(path), "--space", "harbour")
    assert "here already" in capsys.readouterr().out


@pytest.mark.django_db
def test_the_commands_say_what_is_wrong(owner: User, space: Space, tmp_path: Path) -> None:
    node(owner, space, "Tides")
    release = released(owner, space)
    path = tmp_path / "x.zip"
    path.write_bytes(exported(release))
    Space.objects.create(name="Other", slug="other")
    wrong = [
        (["release_export", str(uuid.uuid4()), "x"], "There is no release"),
        (["release_export", "Spring 2026", "x"], "Say with --space"),
        (["release_export", "Autumn", "x", "--space", "harbour"], "“Spring 2026”"),
        (["release_export", "Spring 2026", "x", "--space", "nowhere"], "There is no space"),
        (["release_export", str(release.pk), str(tmp_path / "no" / "x")], "cannot be written"),
        (["release_import", str(tmp_path / "none.zip"), "--space", "harbour"], "cannot be read"),
        (["release_import", str(path), "--space", "other"], "other_space: The node"),
    ]
    for command, said in wrong:
        with pytest.raises(CommandError, match=said):
            call_command(*command)
