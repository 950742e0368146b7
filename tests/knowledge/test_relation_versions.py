"""Relations that change: as versions, with optimistic locking, over REST and in the admin."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from knowledge import services
from knowledge.models import Node, Relation, RelationVersion, Space
from project.accounts.models import User
from project.http.errors import Conflict
from tests.conftest import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def relation(owner: User, space: Space) -> Relation:
    ends = [
        services.node_create(acting_user=owner, space=space, title=title, status="published")
        for title in ("Tides", "Pier")
    ]
    return services.relation_create(
        acting_user=owner, source=ends[0], target=ends[1], status="suggested", weight=0.5
    )


def test_a_change_is_a_version(api: Api, relation: Relation, space: Space) -> None:
    url = f"/api/v1/relations/{relation.pk}/"
    space.refresh_from_db()
    revision = space.index_revision
    changed = api.patch(url, {"status": "confirmed", "version": 1, "reason": "Looked it up"})
    assert (changed.json()["version"], changed.json()["status"]) == (2, "confirmed")
    assert changed["ETag"] == '"2"'
    rows = api.get(f"{url}versions/").json()["results"]
    assert [(row["version"], row["change"], row["status"], row["reason"]) for row in rows] == [
        (2, "~", "confirmed", "Looked it up"),
        (1, "+", "suggested", ""),
    ]
    assert rows[0]["parents"] == [1]
    space.refresh_from_db()
    assert space.index_revision > revision
    same = api.patch(url, {"status": "confirmed"}).json()
    assert same["version"] == 2


def test_who_comes_too_late_is_told(api: Api, relation: Relation) -> None:
    url = f"/api/v1/relations/{relation.pk}/"
    api.patch(url, {"weight": 0.9, "version": 1})
    late = api.patch(url, {"weight": 0.1, "version": 1})
    assert (late.status_code, late.json()["error"]["details"]) == (409, {"current": 2})
    assert Relation.objects.get().weight == 0.9


@pytest.mark.parametrize(
    ("body", "code"),
    [({"weight": 2}, 400), ({"kind": "Not a kind"}, 400), ({"target": "x"}, 400), ({}, 200)],
)
def test_bad_changes_are_refused(
    api: Api, relation: Relation, body: dict[str, Any], code: int
) -> None:
    assert api.patch(f"/api/v1/relations/{relation.pk}/", body).status_code == code
    assert RelationVersion.objects.count() == 1


def test_two_relations_do_not_become_one(owner: User, relation: Relation) -> None:
    other = services.relation_create(
        acting_user=owner, source=relation.source, target=relation.target, kind="part_of"
    )
    with pytest.raises(Conflict) as refusal:
        services.relation_update(acting_user=owner, relation=other, kind="related_to")
    assert refusal.value.details == {"relation": str(relation.pk)}


def test_what_a_text_makes_is_changed_in_the_text(owner: User, space: Space) -> None:
    pier = services.node_create(acting_user=owner, space=space, title="Pier")
    services.node_create(acting_user=owner, space=space, title="Tides", content="[[Pier]]")
    made = Relation.objects.get(target=pier)
    with pytest.raises(Conflict, match="text"):
        services.relation_update(acting_user=owner, relation=made, weight=0.1)


def test_the_admin_changes_and_confirms(
    client: Client, owner: User, relation: Relation, stranger: User
) -> None:
    User.objects.update(is_staff=True)
    client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    page = reverse("admin:knowledge_relation_change", args=[relation.pk])
    body = {"kind": "part_of", "weight": "0.25", "metadata": "{}", "status": "suggested"}
    assert client.post(page, body).status_code == 302
    relation.refresh_from_db()
    assert (relation.kind, relation.weight, relation.version) == ("part_of", 0.25, 2)
    every = reverse("admin:knowledge_relation_changelist")
    body = {"action": "relations_confirm", "_selected_action": [relation.pk]}
    client.post(every, body)
    relation.refresh_from_db()
    assert (relation.status, relation.version) == ("confirmed", 3)
    client.force_login(stranger, "django.contrib.auth.backends.ModelBackend")
    assert client.post(page, body).status_code in {302, 403, 404}
    relation.refresh_from_db()
    assert relation.version == 3
    assert Node.objects.count() == 2
