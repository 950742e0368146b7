"""An archive as a source: one job, a node for each document, and a later edition of it."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from pytest_django import Settings

from knowledge import services
from knowledge.choices import JobStatus, NodeStatus
from knowledge.ingestion import job_work
from knowledge.models import IngestJob, JobLogLine, Node, Relation, Source, Space
from knowledge.retrieval import retrieve_passages, search
from knowledge.types import SearchRequest
from project.accounts.models import User
from tests.conftest import Api
from tests.support.files import make_eml, make_pdf, make_xlsx, make_zip

pytestmark = pytest.mark.django_db(transaction=True)

PLAN = make_pdf([["Winter plan of the northern line."], ["Boats leave the pier at nine."]])
LETTER = make_eml("Ferry delayed", "The ferry waits for the tide.\n", attachment=("plan.pdf", PLAN))
FIRST: dict[str, bytes | str] = {
    "rules/dogs.md": "# Dogs\n\nDogs travel on a lead.",
    "rules/bikes.md": "# Bikes\n\nBicycles travel in the hold.",
    "mail/late.eml": LETTER,
    "run.exe": b"MZ\x90",
}


@pytest.fixture(autouse=True)
def uploads(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.ACERVO_EMBEDDING = "hashing"


def upload(
    user: User, space: Space, data: bytes, name: str, replaces: Source | None = None
) -> tuple[Source, IngestJob]:
    taken = services.source_upload(
        acting_user=user, space=space, file=ContentFile(data), filename=name, replaces=replaces
    )
    assert job_work(taken.job.pk) is None
    taken.job.refresh_from_db()
    assert taken.job.status == JobStatus.COMPLETED, taken.job.error_message
    return taken.source, taken.job


def by_place(job: IngestJob) -> dict[str, Node]:
    nodes = Node.objects.filter(pk__in=job.nodes)
    return {str(node.metadata.get("entry", "")): node for node in nodes}


def places(user: User, space: Space, query: str) -> Any:
    """Where the best passage stands; a search for nodes tells the same of it."""
    best = retrieve_passages(query, user=user, spaces=[space.pk], limit=1)[0]
    request = SearchRequest(query, limit=1, spaces=(space.pk,))
    [found] = search(request, user=user).results
    assert (found.node, found.page, found.place) == (best.node, best.page, best.place)
    return best.node, best.page, best.place


def test_an_archive_becomes_nodes_that_a_later_edition_follows(owner: User, space: Space) -> None:
    source, job = upload(owner, space, make_zip(FIRST), "bundle.zip")
    nodes = by_place(job)
    assert sorted(nodes) == [
        "",
        "mail/late.eml",
        "mail/late.eml/plan.pdf",
        "rules/bikes.md",
        "rules/dogs.md",
    ]
    whole = nodes.pop("")
    assert Relation.objects.filter(target=whole, kind="part_of").count() == 4
    assert "[[Dogs]]" in whole.content
    assert "run.exe: " in whole.content
    said = JobLogLine.objects.filter(job=job, code="said")
    assert ["run.exe" in str(line.data["text"]) for line in said] == [True]

    plan = nodes["mail/late.eml/plan.pdf"]
    found = places(owner, space, "When do boats leave the pier?")
    assert found == (plan.pk, 2, "mail/late.eml/plan.pdf · page 2")
    found = places(owner, space, "ferry waits for the tide")
    assert found == (nodes["mail/late.eml"].pk, None, "message of 2026-11-20")

    later = {**FIRST, "a new one.md": "# Cats\n\nCats stay in a box."}
    later["rules/dogs.md"] = "# Hounds\n\nDogs travel on a lead, and large ones with a muzzle."
    del later["rules/bikes.md"]
    edition = make_zip(later)
    _later, again = upload(owner, space, edition, "bundle.zip", replaces=source)
    after = by_place(again)
    assert after["rules/dogs.md"].pk == nodes["rules/dogs.md"].pk
    assert (after["rules/dogs.md"].title, after["rules/dogs.md"].version) == ("Hounds", 2)
    assert after["mail/late.eml/plan.pdf"].version == 1
    assert after["a new one.md"].status == NodeStatus.PUBLISHED
    nodes["rules/bikes.md"].refresh_from_db()
    assert nodes["rules/bikes.md"].status == NodeStatus.ARCHIVED

    same, third = upload(owner, space, edition, "copy.zip")
    assert sorted(map(str, third.nodes)) == sorted(str(node.pk) for node in after.values())
    assert not Node.objects.filter(source=same).exists()  # the bytes were known


def test_citations_name_the_sheet(owner: User, space: Space) -> None:
    book = make_xlsx({"Fares": [["Line", "Price"], ["North", 5]], "Crew": [["Name"], ["Ana"]]})
    upload(owner, space, book, "book.xlsx")
    assert places(owner, space, "price of the North line")[1:] == (None, "Fares")
    body = {"query": "price of the North line", "space": str(space.pk)}
    answer = Api(owner).post("/api/v1/search/", body).json()
    past = Api(owner).post("/api/v1/search/", body | {"as_of": timezone.now().isoformat()}).json()
    assert answer["results"][0]["place"] == past["results"][0]["place"] == "Fares"
    upload(owner, space, PLAN, "plan.pdf")
    assert places(owner, space, "boats leave the pier at nine")[1:] == (2, "")
