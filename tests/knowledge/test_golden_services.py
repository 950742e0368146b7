"""Golden questions: who makes them, of what, and what becomes of them."""

import uuid

import pytest

from knowledge import services
from knowledge.choices import GoldenOrigin, NodeStatus
from knowledge.models import GoldenQuestion, GoldenTarget, Node, Space
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Conflict, Forbidden, Invalid, NotFound
from tests.conftest import grant


def make_node(user: User, space: Space, title: str, **extra: object) -> Node:
    fields: dict[str, object] = {"content": f"About {title}.", "status": NodeStatus.PUBLISHED}
    return services.node_create(acting_user=user, space=space, title=title, **fields | extra)  # type: ignore[arg-type]


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    return make_node(owner, space, "Mooring fees", external_id="PRO-104")


def make_golden(user: User, *nodes: Node, question: str = "What is a berth?") -> GoldenQuestion:
    grades = {node.pk: 3 for node in nodes}
    return services.golden_create(acting_user=user, question=question, nodes=grades)


def test_a_question_belongs_to_the_space_of_its_nodes(teammate: User, node: Node) -> None:
    golden = make_golden(teammate, node, question="  What   is a berth? ")
    assert (golden.space_id, golden.question) == (node.space_id, "What is a berth?")
    assert (golden.created_by, golden.origin) == (teammate, GoldenOrigin.API)
    target = golden.targets.get()
    assert (target.node, target.node_key, target.title, target.grade) == (
        node, node.pk, "Mooring fees", 3,
    )  # fmt: skip


def test_a_question_is_asked_once_a_space_whatever_its_case(teammate: User, node: Node) -> None:
    first = make_golden(teammate, node)
    with pytest.raises(Conflict) as caught:
        make_golden(teammate, node, question="what is a BERTH?")
    assert caught.value.code == "golden_exists"
    assert caught.value.details == {"golden_question": str(first.pk)}


def test_readers_and_strangers_make_none(
    teammate: User, stranger: User, space: Space, node: Node
) -> None:
    with pytest.raises(NotFound):
        make_golden(stranger, node)
    grant(space, stranger, Role.READER)
    with pytest.raises(Forbidden):
        make_golden(stranger, node)
    golden = make_golden(teammate, node)
    with pytest.raises(NotFound):
        services.golden_delete(acting_user=stranger, golden=golden)
    assert not GoldenQuestion.objects.visible_to(stranger).exists()
    assert GoldenQuestion.objects.visible_to(teammate).get() == golden


def test_nodes_of_another_space_are_refused(owner: User, admin_user: User, node: Node) -> None:
    elsewhere = Space.objects.create(name="Elsewhere", slug="elsewhere")
    other = make_node(admin_user, elsewhere, "Other")
    with pytest.raises(NotFound):
        make_golden(owner, node, other)
    with pytest.raises(Invalid) as caught:
        make_golden(admin_user, node, other)
    assert caught.value.field == "nodes"
    golden = make_golden(admin_user, node)
    with pytest.raises(Invalid) as caught:
        services.golden_update(acting_user=admin_user, golden=golden, nodes={other.pk: 3})
    assert caught.value.code == "other_space"
    assert golden.targets.get().node == node


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"question": " "}, "question"),
        ({"question": "x" * 2001}, "question"),
        ({"nodes": {}}, "nodes"),
        ({"tags": ["x" * 65]}, "tags"),
        ({"language": "much too long"}, "language"),
    ],
)
def test_nonsense_is_refused_at_its_field(
    owner: User, node: Node, fields: dict[str, object], field: str
) -> None:
    given: dict[str, object] = {"question": "Which berth?", "nodes": {node.pk: 1}, **fields}
    with pytest.raises(Invalid) as caught:
        services.golden_create(acting_user=owner, **given)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_a_grade_is_one_two_or_three(owner: User, node: Node) -> None:
    with pytest.raises(Invalid):
        services.golden_create(acting_user=owner, question="Which berth?", nodes={node.pk: 4})


def test_a_deleted_node_stays_known_as_lost(owner: User, space: Space, node: Node) -> None:
    second = make_node(owner, space, "Tides")
    golden = make_golden(owner, node, second)
    services.node_archive(acting_user=owner, node=node)
    services.node_delete(acting_user=owner, node=node)
    lost = GoldenTarget.objects.get(question=golden, node_key=node.pk)
    assert (lost.node, lost.title, lost.is_lost) == (None, "Mooring fees", True)
    services.golden_update(acting_user=owner, golden=golden, nodes={second.pk: 2})
    assert [(each.node, each.grade) for each in golden.targets.all()] == [(second, 2)]


def test_a_chat_message_gives_one_question(owner: User, teammate: User, node: Node) -> None:
    message = uuid.uuid4()
    asked = {"message_id": message, "question": "What is a berth?", "cited": [node.pk]}
    first = services.golden_from_message(acting_user=teammate, **asked)
    second = services.golden_from_message(acting_user=owner, **asked)
    assert (first.is_new, second.is_new) == (True, False)
    assert first.golden == second.golden
    assert first.golden.origin == GoldenOrigin.CHAT
    repeated = services.golden_from_message(
        acting_user=owner, **{**asked, "message_id": uuid.uuid4(), "question": "what IS a berth?"}
    )
    assert (repeated.golden, repeated.is_new) == (first.golden, False)


def test_a_chat_message_takes_the_space_of_most_nodes_that_one_edits(
    owner: User, teammate: User, admin_user: User, space: Space, node: Node
) -> None:
    elsewhere = Space.objects.create(name="Elsewhere", slug="elsewhere", visibility="public")
    others = [make_node(admin_user, elsewhere, title) for title in ("A", "B")]
    cited = [others[0].pk, node.pk, others[1].pk]
    asked = {"question": "Which?", "cited": cited}
    mine = services.golden_from_message(acting_user=teammate, message_id=uuid.uuid4(), **asked)
    assert [target.node for target in mine.golden.targets.all()] == [node]
    most = services.golden_from_message(acting_user=admin_user, message_id=uuid.uuid4(), **asked)
    assert most.golden.space == elsewhere
    assert {target.node for target in most.golden.targets.all()} == set(others)
    with pytest.raises(NotFound):
        services.golden_from_message(
            acting_user=teammate, message_id=uuid.uuid4(), question="Q", cited=[others[0].pk]
        )
