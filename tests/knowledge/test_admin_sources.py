"""The admin of sources, jobs, spaces and members."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from knowledge.choices import JobStatus
from knowledge.models import IngestJob, Source, Space
from knowledge.services import member_set
from project.accounts.choices import Role
from project.accounts.models import User
from tests.support.admin_client import signed_in

SOURCES, JOBS, SPACES = (f"/admin/knowledge/{name}/" for name in ("source", "ingestjob", "space"))


@pytest.fixture
def uploads(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def client(owner: User, space: Space) -> Client:
    return signed_in(owner)


@pytest.fixture
def job(owner: User, space: Space) -> IngestJob:
    return IngestJob.objects.create(space=space, created_by=owner, status=JobStatus.FAILED)


def upload(client: Client, space: Space, name: str, content: bytes) -> Any:
    sent = {"space": space.pk, "file": SimpleUploadedFile(name, content), "tags": "sea, moon"}
    return client.post(f"{SOURCES}upload/", sent)


@pytest.mark.usefixtures("uploads")
def test_an_upload_is_stored_and_its_job_linked(client: Client, space: Space) -> None:
    answer = upload(client, space, "tides.md", b"# Tides\n\nThey come and go.\n")
    assert answer.status_code == 202
    source = Source.objects.get()
    assert (source.filename, source.tags) == ("tides.md", ["sea", "moon"])
    assert str(source.jobs.get().pk) == answer.json()["job"]
    page = client.get(f"{SOURCES}{source.pk}/change/").content.decode()
    assert answer.json()["job"] in page


@pytest.mark.usefixtures("uploads")
def test_a_refused_file_says_why(client: Client, space: Space) -> None:
    answer = upload(client, space, "empty.md", b"")
    assert answer.status_code == 422
    assert "empty" in answer.json()["message"]
    assert not Source.objects.exists()


@pytest.mark.usefixtures("uploads")
def test_many_files_go_without_scripts(client: Client, space: Space) -> None:
    files = [SimpleUploadedFile("a.md", b"# A\n\nText."), SimpleUploadedFile("b.exe", b"MZ\0\1")]
    answer = client.post(f"{SOURCES}add/", {"space": space.pk, "file": files}, follow=True)
    html = answer.content.decode()
    assert "1 files are being read." in html
    assert "b.exe: " in html
    assert Source.objects.count() == 1


@pytest.mark.usefixtures("uploads")
def test_nobody_uploads_into_a_space_of_others(stranger: User, space: Space) -> None:
    assert upload(signed_in(stranger), space, "a.md", b"# A").status_code == 403
    elsewhere = Space.objects.create(name="Elsewhere", slug="elsewhere")
    member_set(acting_user=_root(), space=elsewhere, user=stranger, role=Role.EDITOR)
    assert upload(signed_in(stranger), space, "a.md", b"# A").status_code == 400
    assert not Source.objects.exists()


def _root() -> User:
    return User.objects.create_superuser("root-of-tests")


def test_a_failed_job_is_tried_again_by_a_post_only(client: Client, job: IngestJob) -> None:
    assert client.get(f"{JOBS}{job.pk}/retry/").status_code == 405
    client.post(f"{JOBS}{job.pk}/retry/")
    job.refresh_from_db()
    assert job.status == JobStatus.QUEUED
    client.post(f"{JOBS}{job.pk}/cancel/")
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED


def test_the_progress_of_jobs_is_told_to_those_who_may_see_them(
    client: Client, job: IngestJob, stranger: User
) -> None:
    address = f"{JOBS}progress/?id={job.pk}&id=nonsense"
    found = client.get(address).json()["jobs"]
    assert found[str(job.pk)]["ended"] is True
    assert "Failed" in found[str(job.pk)]["html"]
    assert signed_in(stranger).get(address).json()["jobs"] == {}


def test_a_space_keeps_its_questions_by_language(client: Client, space: Space) -> None:
    space.suggested_questions = {"en": ["Old?"], "fr": ["Quoi ?"]}
    space.save()
    sent = {
        "name": "Harbour",
        "slug": "harbour",
        "visibility": "members",
        "language": "en",
        "required_approvals": 1,
        "gate_k": 10,
        "questions_any": "",
        "questions_en": "When is the tide?\n\n Where is the boat? ",
        "questions_pt_br": "Quando é a maré?",
        "roles-TOTAL_FORMS": 0,
        "roles-INITIAL_FORMS": 0,
        "review_intervals-TOTAL_FORMS": 0,
        "review_intervals-INITIAL_FORMS": 0,
    }
    answer = client.post(f"{SPACES}{space.pk}/change/", sent)
    assert answer.status_code == 302
    space.refresh_from_db()
    assert space.suggested_questions == {
        "en": ["When is the tide?", "Where is the boat?"],
        "fr": ["Quoi ?"],
        "pt-br": ["Quando é a maré?"],
    }


def test_members_are_added_changed_and_removed(
    client: Client, space: Space, stranger: User
) -> None:
    address = f"{SPACES}{space.pk}/members/set/"
    client.post(address, {"person": "stranger", "role": Role.EDITOR})
    assert Space.objects.with_role(stranger, Role.EDITOR).filter(pk=space.pk).exists()
    assert "stranger" in client.get(f"{SPACES}{space.pk}/members/").content.decode()
    client.post(address, {"person": "stranger", "role": ""})
    assert not Space.objects.with_role(stranger, Role.READER).filter(pk=space.pk).exists()


def test_an_editor_sees_members_and_changes_none(
    space: Space, teammate: User, stranger: User
) -> None:
    client = signed_in(teammate)
    assert client.get(f"{SPACES}{space.pk}/members/").status_code == 200
    client.post(f"{SPACES}{space.pk}/members/set/", {"person": "stranger", "role": Role.EDITOR})
    assert not Space.objects.with_role(stranger, Role.READER).filter(pk=space.pk).exists()
    assert client.post(f"{SPACES}{space.pk}/change/", {"name": "Mine"}).status_code == 403


def test_a_name_that_nobody_has_is_told(client: Client, space: Space) -> None:
    address = f"{SPACES}{space.pk}/members/set/"
    answer = client.post(address, {"person": "nobody-here", "role": Role.EDITOR}, follow=True)
    assert "nobody-here" in answer.content.decode()
