"""Kinds and the changes of their schemas over REST and on the command line."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from knowledge.kind_work import migration_work
from knowledge.models import Kind, KindMigration, Node, Space
from project.accounts.models import User
from tests.conftest import Api

SCHEMA = {"type": "object", "required": ["area"], "properties": {"area": {"type": "string"}}}
STEPS = [{"op": "rename", "path": "zone", "to": "area"}]


@pytest.fixture
def kind(api: Api, space: Space) -> str:
    body = {"space": str(space.pk), "name": "policy", "title": "Policies"}
    answer = api.post("/api/v1/kinds/", body)
    assert answer.status_code == 201, answer.json()
    return str(answer.json()["id"])


@pytest.fixture
def node(api: Api, space: Space) -> str:
    body = {"space": str(space.pk), "title": "x", "kind": "policy", "metadata": {"zone": "sea"}}
    return str(api.post("/api/v1/nodes/", body).json()["id"])


def test_a_kind_is_made_read_changed_and_deleted(
    api: Api, teammate_api: Api, space: Space, kind: str
) -> None:
    shown = teammate_api.get(f"/api/v1/kinds/{kind}/").json()
    assert (shown["name"], shown["schema_version"], shown["outline"]) == ("policy", 1, [])
    answer = api.patch(f"/api/v1/kinds/{kind}/", {"metadata_schema": SCHEMA})
    assert answer.json()["outline"] == [
        {"path": "area", "type": "text", "is_required": True, "description": ""}
    ]
    assert teammate_api.patch(f"/api/v1/kinds/{kind}/", {"title": "x"}).status_code == 403
    listed = teammate_api.get(f"/api/v1/kinds/?space={space.pk}&name=policy").json()["results"]
    assert [each["id"] for each in listed] == [kind]
    assert api.delete(f"/api/v1/kinds/{kind}/").status_code == 204


def test_kinds_of_all_spaces_are_for_superusers_and_readable_by_all(
    api: Api, stranger_api: Api, admin_user: User
) -> None:
    body = {"space": None, "name": "policy"}
    assert api.post("/api/v1/kinds/", body).status_code == 403
    made = Api(admin_user).post("/api/v1/kinds/", body)
    assert made.status_code == 201
    address = f"/api/v1/kinds/{made.json()['id']}/"
    assert stranger_api.get(address).status_code == 200
    assert stranger_api.post(f"{address}migrations/", {"schema": {}}).status_code == 403
    assert stranger_api.get(f"{address}migrations/").json()["results"] == []


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"name": "x"}, "required", "space"),
        ({"name": "No Good", "space": None}, "invalid", "name"),
        ({"name": "x", "space": None, "colour": 1}, "unknown_field", "colour"),
        ({"name": "x", "space": None, "metadata_schema": {"type": "array"}}, "schema_invalid",
         "metadata_schema"),
        ({"name": "x", "space": None, "metadata_schema": []}, "invalid", "metadata_schema"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_kind_names_the_field(
    admin_user: User, body: Any, code: str, field: str
) -> None:
    answer = Api(admin_user).post("/api/v1/kinds/", body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == (code, field)


def test_a_dry_run_shows_the_nodes_and_stores_nothing(api: Api, kind: str, node: str) -> None:
    body: dict[str, Any] = {"schema": SCHEMA, "dry_run": True}
    answer = api.post(f"/api/v1/kinds/{kind}/migrations/", body)
    assert (answer.status_code, answer.json()["id"]) == (200, None)
    assert answer.json()["status"] == "planned"
    shown = answer.json()["nodes"][0]
    assert (shown["node"], shown["state"]) == (node, "invalid")
    assert shown["problems"] == [{"path": "area", "message": "This field is required."}]
    answer = api.post(f"/api/v1/kinds/{kind}/migrations/", body | {"steps": STEPS})
    assert (answer.json()["status"], answer.json()["nodes"][0]["after"]) == (
        "validated",
        {"area": "sea"},
    )
    assert not KindMigration.objects.exists()


def test_a_plan_is_applied_and_rolled_back(api: Api, kind: str, node: str) -> None:
    address = f"/api/v1/kinds/{kind}/migrations/"
    planned = api.post(address, {"schema": SCHEMA, "steps": STEPS})
    assert planned.status_code == 201
    own = f"/api/v1/kind-migrations/{planned.json()['id']}/"
    assert api.post(f"{own}plan/", {}).json()["status"] == "validated"
    started = api.post(f"{own}apply/", {})
    assert (started.status_code, started.json()["status"]) == (202, "running")
    assert api.post(f"{own}apply/", {}).json()["error"]["code"] == "migration_status"
    migration_work(KindMigration.objects.get().pk)
    shown = api.get(own).json()
    assert (shown["status"], shown["counts"]["changed"], shown["progress"]) == ("completed", 1, 1.0)
    listed = api.get(f"{own}nodes/?state=changed").json()["results"]
    assert [(each["node"], each["version_after"]) for each in listed] == [(node, 2)]
    assert api.post(f"{own}rollback/", {"keep_later": True}).status_code == 202
    migration_work(KindMigration.objects.get().pk)
    assert api.get(own).json()["status"] == "rolled_back"
    assert api.get(f"/api/v1/nodes/{node}/").json()["metadata"] == {"zone": "sea"}


def test_steps_that_cannot_be_read_name_their_places(api: Api, kind: str) -> None:
    body = {"schema": {}, "steps": [{"op": "remove", "path": "a..b"}, {"op": "exec"}]}
    error = api.post(f"/api/v1/kinds/{kind}/migrations/", body).json()["error"]
    assert (error["code"], error["field"]) == ("steps_invalid", "steps")
    assert sorted(error["details"]["steps"]) == ["[0].path", "[1].op"]


def test_editors_and_strangers_see_no_migration(
    api: Api, teammate_api: Api, stranger_api: Api, kind: str, node: str
) -> None:
    pk = api.post(f"/api/v1/kinds/{kind}/migrations/", {"schema": {}}).json()["id"]
    for other in (teammate_api, stranger_api):
        assert other.get(f"/api/v1/kind-migrations/{pk}/").status_code == 404
        assert other.get("/api/v1/kind-migrations/").json()["results"] == []


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "steps.json").write_text(json.dumps(STEPS))
    return {"schema": str(tmp_path / "schema.json"), "steps": str(tmp_path / "steps.json")}


def said(*args: str) -> str:
    out = StringIO()
    call_command("kind_migrate", *args, stdout=out)
    return out.getvalue()


def test_the_command_prints_its_plan_and_migrates(
    admin_user: User, space: Space, kind: str, node: str, files: dict[str, str]
) -> None:
    args = ["policy", "--space", space.slug, "--schema", files["schema"]]
    with pytest.raises(CommandError, match="would not fit"):
        said(*args, "--dry-run")
    text = said(*args, "--steps", files["steps"], "--dry-run")
    assert "1 nodes: 1 change, 0 fit already, 0 would not fit" in text
    assert "1. rename" in text
    assert '+ {"area": "sea"}' in text
    assert Node.objects.get().version == 1
    assert "Done." in said(*args, "--steps", files["steps"])
    assert Node.objects.get().metadata == {"area": "sea"}
    assert Kind.objects.get().schema_version == 2


def test_the_command_says_what_is_missing(
    admin_user: User, kind: str, files: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match="say --space"):
        said("policy", "--schema", files["schema"])
    with pytest.raises(CommandError, match="cannot be read"):
        said("policy", "--space", "harbour", "--schema", str(tmp_path / "none.json"))
    (tmp_path / "bad.json").write_text('[{"op": "exec"}]')
    with pytest.raises(CommandError, match="op"):
        said("policy", "--space", "harbour", "--schema", files["schema"], "--steps",
             str(tmp_path / "bad.json"))  # fmt: skip
