"""Kinds: whose they are, and that no write of any surface gets past their schema."""

import uuid
from typing import Any

import pytest

from knowledge import services
from knowledge.bulk import rows_check
from knowledge.choices import JobStatus, NodeStatus
from knowledge.ingestion import job_work
from knowledge.kinds import kind_of
from knowledge.models import IngestJob, Kind, Node, NodeVersion, Space
from knowledge.proposal_checks import proposal_check
from project.accounts.models import User
from project.http.errors import ApiError, Conflict, Forbidden, Invalid, NotFound
from tests.conftest import Api
from tests.support.admin_client import signed_in

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"area": {"enum": ["sea", "land"]}, "level": {"type": "integer", "minimum": 1}},
    "required": ["area"],
}


@pytest.fixture
def kind(owner: User, space: Space) -> Kind:
    return services.kind_create(
        acting_user=owner, space=space, name="policy", metadata_schema=SCHEMA
    )


def made(user: User, space: Space, **fields: Any) -> Node:
    values = {"kind": "policy", "title": "Tides", "metadata": {"area": "sea"}}
    return services.node_create(acting_user=user, space=space, **(values | fields))


def test_metadata_that_does_not_fit_is_refused_with_its_places(
    owner: User, space: Space, kind: Kind
) -> None:
    with pytest.raises(Invalid) as caught:
        made(owner, space, metadata={"level": 0})
    assert (caught.value.code, caught.value.field) == ("metadata_invalid", "metadata")
    assert sorted(caught.value.details["metadata"]) == ["area", "level"]
    assert not Node.objects.exists()


def test_drafts_and_published_nodes_are_held_to_it_alike(
    owner: User, teammate: User, space: Space, kind: Kind
) -> None:
    for user, status in ((teammate, NodeStatus.DRAFT), (owner, NodeStatus.PUBLISHED)):
        with pytest.raises(Invalid, match="area"):
            made(user, space, status=status, metadata={})
    assert made(owner, space).version == 1


def test_a_kind_without_a_row_and_another_space_stay_free(
    owner: User, admin_user: User, space: Space, kind: Kind
) -> None:
    free = made(owner, space, kind="article", metadata={"anything": [1]})
    other = Space.objects.create(name="Other", slug="other")
    elsewhere = made(admin_user, other, metadata={"anything": 1})
    stored = dict(Node.objects.values_list("pk", "metadata"))
    assert stored == {free.pk: {"anything": [1]}, elsewhere.pk: {"anything": 1}}


def test_an_edit_and_a_change_of_kind_are_checked(owner: User, space: Space, kind: Kind) -> None:
    node = made(owner, space)
    with pytest.raises(Invalid, match="level"):
        services.node_update(acting_user=owner, node=node, metadata={"area": "sea", "level": "x"})
    free = made(owner, space, kind="article", metadata={})
    with pytest.raises(Invalid, match="area"):
        services.node_update(acting_user=owner, node=free, kind="policy")
    node = services.node_update(acting_user=owner, node=node, title="Tides and moons")
    assert node.version == 2


def test_going_back_to_a_version_that_fits_no_longer_is_refused(owner: User, space: Space) -> None:
    node = made(owner, space, metadata={"old": True})
    services.node_update(acting_user=owner, node=node, metadata={"area": "sea"})
    services.kind_create(acting_user=owner, space=space, name="policy", metadata_schema=SCHEMA)
    with pytest.raises(Invalid, match="area"):
        services.node_revert(acting_user=owner, node=node, version=1)


def test_every_row_of_a_bulk_call_is_told_of(owner: User, space: Space, kind: Kind) -> None:
    rows = [
        {"title": "a", "kind": "policy", "metadata": {"area": "sea"}},
        {"title": "b", "kind": "policy", "metadata": {"area": "air"}},
        {"title": "c", "kind": "policy"},
    ]
    with pytest.raises(Invalid) as caught:
        services.nodes_bulk(acting_user=owner, space=space, rows=rows)
    assert sorted(caught.value.details) == ["1", "2"]
    assert "area" in caught.value.details["1"]["metadata"]


def test_checking_many_rows_asks_for_their_kinds_once(
    owner: User, space: Space, kind: Kind, django_assert_max_num_queries: Any
) -> None:
    rows = [
        {"title": f"{n}", "kind": "policy", "metadata": {"area": "sea"}, "external_id": f"{n}"}
        for n in range(300)
    ]
    with django_assert_max_num_queries(4):
        rows_check(owner, space, rows)
    with django_assert_max_num_queries(30):
        services.nodes_upsert(acting_user=owner, space=space, rows=rows)


def test_a_bulk_job_whose_schema_came_meanwhile_fails_and_says_why(
    owner: User, space: Space
) -> None:
    job = services.nodes_bulk(
        acting_user=owner, space=space, rows=[{"title": "a", "kind": "policy"}]
    )
    services.kind_create(acting_user=owner, space=space, name="policy", metadata_schema=SCHEMA)
    job_work(job.pk)
    job = IngestJob.objects.get()
    assert (job.status, Node.objects.count()) == (JobStatus.FAILED, 0)


def test_rest_answers_400_at_the_field(api: Api, space: Space, kind: Kind) -> None:
    body = {"space": str(space.pk), "title": "x", "kind": "policy", "metadata": {"area": "air"}}
    answer = api.post("/api/v1/nodes/", body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == ("metadata_invalid", "metadata")
    assert list(error["details"]["metadata"]) == ["area"]


def test_the_admin_form_shows_it_at_the_field(owner: User, space: Space, kind: Kind) -> None:
    client = signed_in(owner)
    node = made(owner, space)
    sent = {
        "title": "Tides", "content": "", "kind": "policy", "language": "en", "tags": "",
        "metadata": '{"area": "air"}', "owner": "", "external_id": "", "reason": "",
        "expected_version": 1,
        "relations_out-TOTAL_FORMS": 0, "relations_out-INITIAL_FORMS": 0,
        "relations_in-TOTAL_FORMS": 0, "relations_in-INITIAL_FORMS": 0,
    }  # fmt: skip
    answer = client.post(f"/admin/knowledge/node/{node.pk}/change/", sent)
    assert answer.status_code == 200
    assert "area: This must be one of" in str(answer.context["adminform"].form.errors["metadata"])
    assert NodeVersion.objects.filter(id=node.pk).count() == 1


def test_a_kind_of_the_space_goes_before_that_of_all(
    owner: User, admin_user: User, space: Space
) -> None:
    shared = services.kind_create(
        acting_user=admin_user, space=None, name="policy", metadata_schema=SCHEMA
    )
    assert kind_of(space.pk, "policy") == shared
    with pytest.raises(Invalid):
        made(owner, space, metadata={})
    own = services.kind_create(acting_user=owner, space=space, name="policy")
    assert kind_of(space.pk, "policy") == own
    made(owner, space, metadata={})
    with pytest.raises(Conflict) as caught:  # that node would not fit the kind of all spaces
        services.kind_delete(acting_user=owner, kind=own)
    assert caught.value.code == "migration_needed"


def test_only_managers_change_kinds_and_only_superusers_those_of_all(
    owner: User, teammate: User, stranger: User, admin_user: User, space: Space, kind: Kind
) -> None:
    def refusal(user: User, where: Space | None) -> type[ApiError]:
        name = f"k{uuid.uuid4().hex[:8]}"
        with pytest.raises(ApiError) as caught:
            services.kind_create(acting_user=user, space=where, name=name)
        return type(caught.value)

    assert refusal(teammate, space) is Forbidden
    assert refusal(stranger, space) is NotFound
    assert refusal(owner, None) is Forbidden
    assert services.kind_create(acting_user=admin_user, space=None, name="all").space is None
    with pytest.raises(Forbidden):
        services.kind_update(acting_user=teammate, kind=kind, title="Mine")
    with pytest.raises(NotFound):
        services.kind_update(acting_user=stranger, kind=kind, title="Mine")


def test_a_name_is_taken_once_a_space(owner: User, space: Space, kind: Kind) -> None:
    with pytest.raises(Conflict) as caught:
        services.kind_create(acting_user=owner, space=space, name="policy")
    assert caught.value.code == "kind_exists"


def test_a_kind_whose_nodes_do_not_fit_is_refused_with_their_names(
    owner: User, space: Space
) -> None:
    node = made(owner, space, metadata={})
    with pytest.raises(Conflict) as caught:
        services.kind_create(acting_user=owner, space=space, name="policy", metadata_schema=SCHEMA)
    assert caught.value.code == "migration_needed"
    assert list(caught.value.details["nodes"]) == [str(node.pk)]


def test_a_schema_is_changed_directly_only_while_there_are_no_nodes(
    owner: User, space: Space, kind: Kind
) -> None:
    changed = services.kind_update(acting_user=owner, kind=kind, metadata_schema={})
    assert changed.schema_version == 2
    made(owner, space)
    with pytest.raises(Conflict) as caught:
        services.kind_update(acting_user=owner, kind=kind, metadata_schema=SCHEMA)
    assert caught.value.code == "migration_needed"
    assert services.kind_update(acting_user=owner, kind=kind, title="Rules").title == "Rules"


def test_a_schema_that_cannot_be_used_names_the_place(owner: User, space: Space) -> None:
    schema = {"properties": {"a": {"pattern": "(a+)+"}}}
    with pytest.raises(Invalid) as caught:
        services.kind_create(acting_user=owner, space=space, name="x", metadata_schema=schema)
    assert caught.value.field == "metadata_schema"
    assert list(caught.value.details["metadata_schema"]) == ["properties.a.pattern"]


def test_a_kind_can_be_deleted_and_its_nodes_are_free_again(
    owner: User, space: Space, kind: Kind
) -> None:
    made(owner, space)
    services.kind_delete(acting_user=owner, kind=kind)
    assert not Kind.objects.filter(pk=kind.pk).exists()
    assert made(owner, space, metadata={}).metadata == {}


def test_a_proposal_says_so_before_it_is_merged_and_the_merge_is_refused(
    owner: User, space: Space, kind: Kind
) -> None:
    node = made(owner, space)
    change = {"action": "edit", "node": node.pk, "fields": {"metadata": {"area": "air"}}}
    proposal = services.proposal_create(
        acting_user=owner, space=space, title="Air", changes=[change]
    )
    services.proposal_submit(acting_user=owner, proposal=proposal)
    services.proposal_review(acting_user=owner, proposal=proposal, verdict="approved")
    proposal.refresh_from_db()
    checks = proposal_check(proposal)
    failed = [(each.code, each.node) for each in checks.checks if each.state == "failed"]
    assert failed == [("metadata", node.pk)]
    with pytest.raises(Invalid) as caught:
        services.proposal_merge(acting_user=owner, proposal=proposal)
    assert caught.value.field == "metadata"
    node.refresh_from_db()
    assert node.version == 1


def test_a_change_that_python_takes_for_none_is_a_version(owner: User, space: Space) -> None:
    node = made(owner, space, metadata={"level": 1})
    for value in (True, 1.5, 1, "1"):
        node = services.node_update(acting_user=owner, node=node, metadata={"level": value})
        assert Node.objects.get(pk=node.pk).metadata == {"level": value}
    assert node.version == 5
