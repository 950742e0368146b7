"""The admin of kinds: who may, the schema as text, plans, and following a migration."""

import json
from typing import Any

import pytest
from django.test import Client

from knowledge import services
from knowledge.kind_work import migration_work
from knowledge.models import Kind, KindMigration, Node, Space
from project.accounts.models import User
from tests.support.admin_client import signed_in

KINDS, MIGRATIONS = "/admin/knowledge/kind/", "/admin/knowledge/kindmigration/"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"area": {"type": "string", "description": "Where it is"}},
    "required": ["area"],
}
STEPS = [{"op": "rename", "path": "zone", "to": "area"}]


@pytest.fixture
def kind(owner: User, space: Space) -> Kind:
    return services.kind_create(acting_user=owner, space=space, name="policy", title="Policies")


@pytest.fixture
def node(owner: User, space: Space, kind: Kind) -> Node:
    return services.node_create(
        acting_user=owner, space=space, title="Tides", kind="policy", metadata={"zone": "sea"}
    )


@pytest.fixture
def client(owner: User, space: Space) -> Client:
    return signed_in(owner)


def test_a_manager_makes_a_kind_with_its_schema(client: Client, space: Space, owner: User) -> None:
    sent = {"space": space.pk, "name": "guide", "title": "Guides", "description": "",
            "metadata_schema": json.dumps(SCHEMA)}  # fmt: skip
    assert client.post(f"{KINDS}add/", sent).status_code == 302
    made = Kind.objects.get()
    assert (made.space, made.metadata_schema, made.updated_by) == (space, SCHEMA, owner)


def test_a_schema_that_cannot_be_used_is_shown_with_its_places(
    client: Client, space: Space
) -> None:
    schema = {"properties": {"a": {"pattern": "(a+)+"}, "b": {"format": "zip"}}}
    sent = {"space": space.pk, "name": "guide", "title": "", "metadata_schema": json.dumps(schema)}
    answer = client.post(f"{KINDS}add/", sent)
    text = answer.content.decode()
    assert (answer.status_code, Kind.objects.count()) == (200, 0)
    assert "properties.a.pattern" in text
    assert "properties.b.format" in text


def test_only_superusers_make_kinds_of_all_spaces(
    client: Client, admin_user: User, space: Space
) -> None:
    sent = {"space": "", "name": "guide", "title": "", "metadata_schema": ""}
    assert client.post(f"{KINDS}add/", sent).status_code == 200
    assert not Kind.objects.exists()
    assert signed_in(admin_user).post(f"{KINDS}add/", sent).status_code == 302
    assert Kind.objects.get().space is None
    assert client.get(f"{KINDS}{Kind.objects.get().pk}/change/").status_code == 200
    assert client.get(f"{KINDS}{Kind.objects.get().pk}/plan/").status_code == 404


def test_the_list_counts_the_nodes(client: Client, node: Node) -> None:
    text = client.get(KINDS).content.decode()
    assert "Policies" in text
    assert f'href="/admin/knowledge/node/?kind={node.kind}"' in text


def test_editors_read_kinds_and_others_see_nothing(
    teammate: User, stranger: User, kind: Kind, node: Node
) -> None:
    editor, other = signed_in(teammate), signed_in(stranger)
    page = f"{KINDS}{kind.pk}/change/"
    assert editor.get(page).status_code == 200
    assert editor.post(page, {"title": "Mine"}).status_code == 403
    assert editor.get(f"{KINDS}{kind.pk}/plan/").status_code == 404
    assert other.get(page).status_code in {302, 403, 404}
    migration = services.kind_migration_plan(
        acting_user=User.objects.get(username="owner"), kind=kind, schema={}, steps=[]
    )
    for client in (editor, other):
        answer = client.get(f"{MIGRATIONS}{migration.pk}/change/")
        assert answer.status_code in {302, 403, 404}
        assert client.post(f"{MIGRATIONS}{migration.pk}/apply/").status_code in {302, 403, 404}
    migration.refresh_from_db()
    assert not migration.is_running


def test_the_schema_of_a_kind_in_use_is_not_typed_over(
    client: Client, kind: Kind, node: Node
) -> None:
    page = f"{KINDS}{kind.pk}/change/"
    text = client.get(page).content.decode()
    assert 'name="metadata_schema"' not in text
    assert f"{KINDS}{kind.pk}/plan/" in text
    client.post(page, {"title": "Rules", "description": "", "metadata_schema": "{}"})
    kind.refresh_from_db()
    assert (kind.title, kind.schema_version) == ("Rules", 1)


def test_a_trial_shows_what_would_happen_and_stores_nothing(
    client: Client, kind: Kind, node: Node
) -> None:
    page = f"{KINDS}{kind.pk}/plan/"
    assert client.get(page).status_code == 200
    sent = {"schema": json.dumps(SCHEMA), "steps": "", "_try": "1"}
    text = client.post(page, sent).content.decode()
    assert "This field is required." in text
    assert f"/admin/knowledge/node/{node.pk}/change/" in text
    text = client.post(page, sent | {"steps": json.dumps(STEPS)}).content.decode()
    assert "&quot;area&quot;: &quot;sea&quot;" in text
    assert not KindMigration.objects.exists()


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("schema", '{"type": "array"}', "type: Metadata is a JSON object"),
        ("schema", "[]", ""),
        ("steps", '[{"op": "exec"}]', "[0].op"),
        ("steps", "nonsense", "valid JSON"),
        ("steps", "[" * 200_000, "deeply"),
        ("schema", '{"title": "\\u0000"}', "U+0000"),
        ("steps", '[{"op": "default", "path": "a", "value": "\\ud800"}]', "stored"),
    ],
)
def test_what_cannot_be_planned_is_told_at_the_field(
    client: Client, kind: Kind, field: str, typed: str, told: str
) -> None:
    sent = {"schema": "{}", "steps": "[]", "_plan": "1"} | {field: typed}
    answer = client.post(f"{KINDS}{kind.pk}/plan/", sent)
    if typed == "[]":
        assert answer.status_code in {200, 302}
        return
    assert answer.status_code == 200
    assert told in " ".join(answer.context["form"].errors[field])
    assert not KindMigration.objects.exists()


def test_a_plan_is_kept_applied_followed_and_rolled_back(
    client: Client, kind: Kind, node: Node
) -> None:
    sent = {"schema": json.dumps(SCHEMA), "steps": json.dumps(STEPS), "_plan": "1"}
    answer = client.post(f"{KINDS}{kind.pk}/plan/", sent)
    migration = KindMigration.objects.get()
    page = f"{MIGRATIONS}{migration.pk}/"
    assert answer["Location"] == f"{page}change/"
    text = client.get(f"{page}change/").content.decode()
    assert "Validated" in text
    assert f"{page}apply/" in text
    assert "all of it, or nothing" in client.get(f"{page}apply/").content.decode()
    assert client.post(f"{page}apply/").status_code == 302
    assert "data-migration" in client.get(f"{page}change/").content.decode()
    assert client.get(f"{page}progress/").json()["is_running"]
    migration_work(migration.pk)
    assert not client.get(f"{page}progress/").json()["is_running"]
    text = client.get(f"{page}change/").content.decode()
    assert "Completed" in text
    assert "Version 1 → 2" in text
    kept = json.loads(b"".join(client.get(f"{page}backup/")))  # type: ignore[arg-type]  # streamed
    assert kept["nodes"][0]["metadata"] == {"zone": "sea"}
    assert "keep_later" in client.get(f"{page}rollback/").content.decode()
    assert client.post(f"{page}rollback/").status_code == 302
    migration_work(migration.pk)
    node.refresh_from_db()
    assert node.metadata == {"zone": "sea"}
    assert client.get(MIGRATIONS).status_code == 200


def test_what_stands_in_the_way_is_listed(client: Client, kind: Kind, node: Node) -> None:
    sent = {"schema": json.dumps(SCHEMA), "steps": "[]", "_plan": "1"}
    client.post(f"{KINDS}{kind.pk}/plan/", sent)
    page = f"{MIGRATIONS}{KindMigration.objects.get().pk}/"
    text = client.get(f"{page}change/").content.decode()
    assert "Would not fit" in text
    assert "This field is required." in text
    assert f"{page}apply/" not in text
    assert "cannot be done" in client.get(f"{page}apply/").content.decode()
    assert client.post(f"{page}replan/").status_code == 302
    assert client.get(f"{page}replan/").status_code == 405


def test_the_node_form_says_what_its_kind_wants(client: Client, owner: User, space: Space) -> None:
    services.kind_create(acting_user=owner, space=space, name="policy", metadata_schema=SCHEMA)
    node = services.node_create(
        acting_user=owner, space=space, title="x", kind="policy", metadata={"area": "sea"}
    )
    text = client.get(f"/admin/knowledge/node/{node.pk}/change/").content.decode()
    assert 'data-kind-fields="policy"' in text
    assert "Where it is" in text
    assert 'data-kind-fields="policy" data-space="' in text
    other = services.node_create(acting_user=owner, space=space, title="y")
    text = client.get(f"/admin/knowledge/node/{other.pk}/change/").content.decode()
    assert (
        text.split('data-kind-fields="policy"')[1]
        .split(">")[0]
        .endswith('hidden aria-live="polite"')
    )
