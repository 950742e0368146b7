"""Where versions come from and what became of them, and who is told how much of it."""

import uuid
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from chat.choices import MessageRole
from chat.models import Citation, Conversation, Message, Turn
from knowledge import services
from knowledge.choices import JobKind, JobStatus, NodeStatus, VersionOrigin, Visibility
from knowledge.ingestion import job_work
from knowledge.kind_work import migration_work
from knowledge.lineage.graph import Lineage, ThingType
from knowledge.lineage.tracing import lineage_of, pages_of
from knowledge.models import IngestJob, Node, NodeVersion, Source, Space
from project.accounts.models import User
from tests.conftest import Api
from tests.support.admin_client import signed_in


def edited(user: User, node: Node, times: int) -> Node:
    for number in range(times):
        node = services.node_update(
            acting_user=user, node=node, content=f"Text {number}.", reason=f"Edit {number}"
        )
    return node


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    return services.node_create(
        acting_user=owner, space=space, title="Tides", status=NodeStatus.PUBLISHED
    )


def links(lineage: Lineage) -> set[tuple[str, str]]:
    return set(lineage.edges())


def answered(user: User, node: Node, version: int, question: str = "When?") -> Turn:
    conversation = Conversation.objects.create(user=user)
    asked = Message.objects.create(
        conversation=conversation, role=MessageRole.USER, content=question
    )
    turn = Turn.objects.create(conversation=conversation, question=asked)
    facts: dict[str, Any] = {
        "cited_id": node.pk,
        "title": "x",
        "snippet": "x",
        "start": 0,
        "end": 1,
    }
    Citation.objects.create(
        turn=turn, index=1, node=node, version=version, chunk_id=uuid.uuid4(), **facts
    )
    return turn


def test_versions_follow_each_other(owner: User, node: Node) -> None:
    node = edited(owner, node, 2)
    lineage = lineage_of(node, 2, owner)
    assert links(lineage) == {("version:1", "version:2"), ("version:2", "version:3")}
    assert [each.is_focus for each in lineage.things.values()] == [False, True, False]


def test_a_merge_has_both_its_parents(owner: User, node: Node) -> None:
    node = edited(owner, node, 2)
    services.node_update(
        acting_user=owner, node=node, expected_version=3, merged_from=1, content="Both."
    )
    lineage = lineage_of(node, 4, owner)
    assert {("version:3", "version:4"), ("version:1", "version:4")} <= links(lineage)
    assert "merge" in {label for _thing, label in lineage.before("version:4")}


def test_a_long_history_is_counted_between_its_ends(owner: User, node: Node) -> None:
    node = edited(owner, node, 20)
    lineage = lineage_of(node, 20, owner)
    shown = {name for name in lineage.things if name.startswith("version:")}
    assert shown == {"version:1", "version:17", "version:18", "version:19", "version:20",
                     "version:21"}  # fmt: skip
    gap = lineage.things["versions:17"]
    assert (gap.count, gap.type) == (15, ThingType.VERSIONS)
    assert {("version:1", gap.id), (gap.id, "version:17")} <= links(lineage)


def test_a_file_is_named_with_its_pages_and_its_import(owner: User, space: Space) -> None:
    source, job, _duplicate = services.source_upload(
        acting_user=owner,
        space=space,
        file=ContentFile(b"# Tides\n\nThey come and go."),
        filename="tides.md",
    )
    job_work(job.pk)
    node = Node.objects.get(source=source)
    lineage = lineage_of(node, 1, owner)
    assert links(lineage) == {
        (f"job:{job.pk}", f"source:{source.pk}"),
        (f"source:{source.pk}", "version:1"),
    }
    thing = lineage.things[f"source:{source.pk}"]
    assert (thing.title, thing.url) == ("tides.md", f"/knowledge/sources/{source.pk}/file/")


@pytest.mark.parametrize(
    ("anchors", "words"),
    [
        ([], ""),
        ([{"page": 3}], "page 3"),
        ([{"page": 3}, {"page": 5}, {"page": 4}], "pages 3–5"),
        ([{"label": "Prices"}], "Prices"),
        ([{"label": "A"}, {"label": "B"}], "A – B"),
    ],
)
def test_pages_are_told_in_words(anchors: list[dict[str, Any]], words: str) -> None:
    assert pages_of(anchors) == words


def test_a_bulk_import_is_the_origin_of_its_nodes(owner: User, space: Space) -> None:
    job = services.nodes_bulk(acting_user=owner, space=space, rows=[{"title": "a"}])
    job_work(job.pk)
    lineage = lineage_of(Node.objects.get(), 1, owner)
    assert links(lineage) == {(f"job:{job.pk}", "version:1")}


def test_a_migration_is_named_to_those_who_manage_the_kind_only(
    owner: User, teammate: User, space: Space, node: Node
) -> None:
    kind = services.kind_create(acting_user=owner, space=space, name="article")
    steps = [{"op": "default", "path": "area", "value": "sea"}]
    migration = services.kind_migration_plan(acting_user=owner, kind=kind, schema={}, steps=steps)
    services.kind_migration_apply(acting_user=owner, migration=migration)
    migration_work(migration.pk)
    node.refresh_from_db()
    assert (f"migration:{migration.pk}", "version:2") in links(lineage_of(node, 2, owner))
    thing = lineage_of(node, 2, teammate).things["migration-of:2"]
    assert (thing.title, thing.url) == ("", "")


def test_a_release_that_holds_a_version_is_named(owner: User, space: Space, node: Node) -> None:
    release = services.release_create(acting_user=owner, space=space, name="Spring")
    edited(owner, node, 1)
    lineage = lineage_of(node, 2, owner)
    assert ("version:1", f"release:{release.pk}") in links(lineage)
    assert lineage.things[f"release:{release.pk}"].title == "Spring"


def test_own_answers_are_named_and_those_of_others_counted(
    owner: User, teammate: User, node: Node
) -> None:
    mine = answered(owner, node, 1, "When is the tide?")
    for _ in range(3):
        answered(teammate, node, 1, "A secret question")
    lineage = lineage_of(node, 1, owner)
    assert lineage.things[f"answer:{mine.pk}"].title == "When is the tide?"
    assert lineage.things["answers:1"].count == 3
    assert not any("secret" in each.title for each in lineage.things.values())


def test_not_even_a_superuser_reads_the_questions_of_others(
    owner: User, admin_user: User, node: Node
) -> None:
    answered(owner, node, 1, "A secret question")
    things = lineage_of(node, 1, admin_user).things
    assert things["answers:1"].count == 1
    assert not any("secret" in each.title for each in things.values())


def test_only_the_newest_answers_are_named(owner: User, node: Node) -> None:
    for number in range(8):
        answered(owner, node, 1, f"Question {number}")
    things = lineage_of(node, 1, owner).things
    assert sum(each.type == ThingType.ANSWER for each in things.values()) == 5
    assert things["answers:1"].count == 3


def test_readers_are_not_shown_drafts_sources_or_jobs(
    owner: User, space: Space, client: Client
) -> None:
    space.visibility = Visibility.PUBLIC
    space.save()
    source = Source.objects.create(space=space, filename="secret.pdf", sha256="x", size=1)
    IngestJob.objects.create(
        space=space, source=source, kind=JobKind.SOURCE, status=JobStatus.COMPLETED
    )
    node = services.node_create(acting_user=owner, space=space, title="Draft")
    Node.objects.filter(pk=node.pk).update(source=source)
    node.refresh_from_db()
    node = services.node_update(acting_user=owner, node=node, title="Tides", reason="Secret reason")
    node = services.node_update(acting_user=owner, node=node, content="Out.", reason="Final")
    services.node_publish(acting_user=owner, node=node)
    page = client.get(f"/knowledge/nodes/{node.pk}/lineage/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "Final" in text
    assert "Secret reason" not in text
    assert "secret.pdf" not in text
    assert "2 versions" in text
    assert client.get(f"/knowledge/nodes/{node.pk}/lineage/?version=2").status_code == 404


def test_the_page_has_the_graph_and_the_list(owner: User, node: Node) -> None:
    node = edited(owner, node, 1)
    client = signed_in(owner)
    text = client.get(f"/knowledge/nodes/{node.pk}/lineage/?version=2").content.decode()
    assert text.count("<svg") > 0
    assert 'aria-label="Version 2, Edit 0, owner"' in text
    assert "comes from:" in text
    assert " style=" not in text
    owner.language = "pt-br"
    owner.save()
    assert 'transform="translate(12.0 ' in text  # numbers of an SVG keep their points
    text = client.get(f"/knowledge/nodes/{node.pk}/lineage/?version=2").content.decode()
    assert 'transform="translate(12.0 ' in text


def test_the_reading_page_and_the_panel_lead_to_it(owner: User, node: Node) -> None:
    client = signed_in(owner)
    address = f"/knowledge/nodes/{node.pk}/lineage/?version=1"
    for path in (f"/knowledge/nodes/{node.pk}/", f"/knowledge/nodes/{node.pk}/passage/",
                 f"/admin/knowledge/node/{node.pk}/versions/"):  # fmt: skip
        assert address in client.get(path).content.decode(), path


def test_a_stranger_and_nobody_meet_nothing(stranger: User, client: Client, node: Node) -> None:
    address = f"/knowledge/nodes/{node.pk}/lineage/"
    assert client.get(address).status_code == 302
    assert signed_in(stranger, staff=False).get(address).status_code == 404


def test_rest_gives_nodes_and_edges(api: Api, stranger_api: Api, owner: User, node: Node) -> None:
    node = edited(owner, node, 1)
    address = f"/api/v1/nodes/{node.pk}/lineage/"
    answer = api.get(address).json()
    assert [each["id"] for each in answer["nodes"]] == ["version:1", "version:2"]
    assert answer["nodes"][1] | {"at": None} == {
        "id": "version:2", "type": "version", "name": "Version 2", "title": "Edit 0",
        "detail": "owner", "url": f"/knowledge/nodes/{node.pk}/?version=2", "at": None, "count": 1,
        "is_focus": True,
    }  # fmt: skip
    assert answer["edges"] == [{"from": "version:1", "to": "version:2", "name": ""}]
    assert api.get(f"{address}?version=1").json()["nodes"][0]["is_focus"]
    assert api.get(f"{address}?version=9").status_code == 404
    assert api.get(f"{address}?version=x").status_code == 400
    assert stranger_api.get(address).status_code == 404


def test_a_hundred_versions_take_few_statements(
    owner: User, node: Node, django_assert_max_num_queries: Any
) -> None:
    node = edited(owner, node, 100)
    assert NodeVersion.objects.filter(change_origin=VersionOrigin.EDIT).count() == 101
    with django_assert_max_num_queries(16):
        lineage_of(node, 90, owner)
