"""The admin's pages of histories: tags, bulk reverts, erasures, rules of a space."""

import pytest
from django.test import Client
from django.urls import reverse

from knowledge import services
from knowledge.models import IngestJob, Node, NodeVersion, Space, VersionTag
from project.accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    made = services.node_create(acting_user=owner, space=space, title="Tides", content="One.\n")
    return services.node_update(acting_user=owner, node=made, content="Two.\n")


def staffed(client: Client, user: User) -> Client:
    User.objects.filter(pk=user.pk).update(is_staff=True)
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def page(name: str, *args: object) -> str:
    return reverse(f"admin:knowledge_node_{name}", args=args)


def test_a_version_is_tagged_on_its_page(client: Client, owner: User, node: Node) -> None:
    staffed(client, owner)
    answer = client.post(page("tag", node.pk, 1), {"name": "board 2026"}, follow=True)
    text = answer.content.decode()
    assert "board 2026" in text
    assert VersionTag.objects.get().version == 1
    client.post(page("tag", node.pk, 1), {"remove": "board 2026"})
    assert not VersionTag.objects.exists()
    refused = client.post(page("tag", node.pk, 1), {"name": " "}, follow=True)
    assert "between 1 and 64" in refused.content.decode()


def test_a_comparison_names_relations(
    client: Client, owner: User, node: Node, space: Space
) -> None:
    services.node_create(acting_user=owner, space=space, title="Pier & co")
    services.node_update(acting_user=owner, node=node, content="See [[Pier & co]].")
    staffed(client, owner)
    text = client.get(page("compare", node.pk), {"from": 2, "to": 3}).content.decode()
    assert "Relations to others" in text
    assert "Pier &amp; co" in text
    assert (
        "Relations to others"
        not in client.get(page("compare", node.pk), {"from": 1, "to": 2}).content.decode()
    )


def test_changes_are_shown_before_they_are_taken_out(
    client: Client, owner: User, teammate: User, node: Node, space: Space
) -> None:
    services.node_update(acting_user=teammate, node=node, content="Spam.\n")
    staffed(client, owner)
    body = {"space": space.pk, "author": teammate.pk}
    shown = client.post(page("bulk_revert"), body).content.decode()
    assert "What would happen" in shown
    assert "taken out" in shown
    node.refresh_from_db()
    assert node.content == "Spam.\n"
    done = client.post(page("bulk_revert"), {**body, "confirm": "1", "reason": "Spam"})
    assert "What was done" in done.content.decode()
    node.refresh_from_db()
    assert node.content == "Two.\n"
    last = NodeVersion.objects.get(id=node.pk, version=node.version)
    assert last.history_change_reason == "Spam"
    empty = client.post(page("bulk_revert"), {"space": space.pk}).content.decode()
    assert "Say whose changes" in empty


def test_old_versions_are_erased_by_managers_only(
    client: Client, owner: User, teammate: User, node: Node
) -> None:
    staffed(client, teammate)
    assert client.get(page("erase", node.pk)).status_code == 403
    staffed(client, owner)
    assert "Erase for good" in client.get(page("erase", node.pk)).content.decode()
    body = {"scope": "versions", "versions": ["1"], "reason": "File 7"}
    kept = client.post(page("erase", node.pk), {**body, "reason": " "})
    assert 'value="1" checked' in kept.content.decode()
    text = client.post(page("erase", node.pk), body, follow=True).content.decode()
    assert "Erased" in text
    assert NodeVersion.objects.get(id=node.pk, version=1).content == ""
    client.post(page("erase", node.pk), {"scope": "node", "reason": "File 7"})
    assert not Node.objects.filter(pk=node.pk).exists()


def test_a_space_has_its_rules_on_its_page(client: Client, owner: User, space: Space) -> None:
    staffed(client, owner)
    url = reverse("admin:knowledge_space_change", args=[space.pk])
    assert 'name="required_approvals"' in client.get(url).content.decode()


def test_an_import_leads_to_its_way_out(client: Client, owner: User, space: Space) -> None:
    made = services.node_create(acting_user=owner, space=space, title="From a file")
    job = IngestJob.objects.create(
        space=space, created_by=owner, status="completed", nodes=[made.pk]
    )
    staffed(client, owner)
    way = f"{page('bulk_revert')}?job={job.pk}"
    shown = client.get(reverse("admin:knowledge_ingestjob_change", args=[job.pk]))
    assert way in shown.content.decode()
    asked = client.get(way).content.decode()
    assert "The import" in asked
    assert f'value="{job.pk}"' in asked
    nodes = client.get(reverse("admin:knowledge_node_changelist")).content.decode()
    assert page("bulk_revert") in nodes
