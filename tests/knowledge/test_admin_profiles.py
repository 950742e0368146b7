"""The admin's pages of retrieval profiles and of learning them."""

import uuid

import pytest
from django.test import Client

from knowledge.evaluating import run_work
from knowledge.indexing import index_node
from knowledge.knobs import BUILT_IN
from knowledge.models import RetrievalProfile, RetrievalTuning, Space
from knowledge.profiles import active_profile
from knowledge.services import evaluation_start, golden_create, node_create, node_publish
from project.accounts.models import User

pytestmark = pytest.mark.django_db
RUNS = "/admin/knowledge/evaluationrun/"
LIST = "/admin/knowledge/retrievalprofile/"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def manager(client: Client, owner: User) -> Client:
    owner.is_staff = True
    owner.save()
    client.force_login(owner, BACKEND)
    return client


def test_a_version_is_made_compared_activated_and_rolled_back(
    manager: Client, space: Space
) -> None:
    assert "Version 1" in manager.get(LIST).content.decode()
    first = RetrievalProfile.objects.get()
    form = {"note": "Deeper", **BUILT_IN.values(), "depth": 9}
    refused = manager.post(f"{LIST}{first.pk}/new/", form).content.decode()
    assert "greater than or equal to 20" in refused
    made = manager.post(f"{LIST}{first.pk}/new/", {**form, "depth": 150})
    second = RetrievalProfile.objects.get(version=2)
    assert made["Location"] == f"{LIST}{second.pk}/change/"
    page = manager.get(f"{LIST}{second.pk}/change/?compare={first.pk}").content.decode()
    assert "Deeper" in page
    assert page.count("▲") == 1
    place = {"place": str(space.pk), "reason": "Try"}
    assert "Installation, now" in manager.get(f"{LIST}{second.pk}/activate/").content.decode()
    manager.post(f"{LIST}{second.pk}/activate/", place)
    assert active_profile([space.pk]).depth == 150
    manager.post(f"{LIST}{second.pk}/activate/", {"place": "installation", "reason": "All"})
    assert active_profile([]).depth == BUILT_IN.depth
    manager.post(f"{LIST}roll-back/", {**place, "profile": str(second.pk)})
    assert active_profile([space.pk]).depth == BUILT_IN.depth
    assert "holds now" not in manager.get(f"{LIST}{second.pk}/change/").content.decode()


def test_learning_is_started_watched_and_cancelled(manager: Client, space: Space) -> None:
    path = "/admin/knowledge/retrievaltuning/"
    said = manager.post(f"{path}add/", {"space": str(space.pk)}).content.decode()
    assert "30 more are needed" in said
    row = RetrievalTuning.objects.create(space=space, done=0.4)
    assert str(space) in manager.get(path).content.decode()
    assert 'value="40"' in manager.get(f"{path}{row.pk}/change/").content.decode()
    assert manager.get(f"{path}{row.pk}/progress/").json() == {"percent": 40, "ended": False}
    manager.post(f"{path}{row.pk}/cancel/")
    assert manager.get(f"{path}{row.pk}/progress/").json()["ended"]


def test_the_figures_of_each_leg_are_shown_over_time(
    manager: Client, space: Space, owner: User
) -> None:
    assert "Nothing to show yet" in manager.get(f"{RUNS}history/").content.decode()
    made = node_create(
        acting_user=owner, space=space, title="Sluice", content="The sluice opens at low tide."
    )
    node_publish(acting_user=owner, node=made)
    index_node(made.pk)
    golden_create(acting_user=owner, question="When does the sluice open?", nodes={made.pk: 3})
    run = evaluation_start(acting_user=owner, space=space)
    run_work(run.pk)
    run.refresh_from_db()
    assert run.metrics["legs"]["keyword"] == {"recall": 1.0, "mrr": 1.0, "ndcg": 1.0}
    assert set(run.metrics["legs"]) == {"keyword", "vector"}
    assert (run.profile_version, run.generation_id is None) == (0, False)
    page = manager.get(f"{RUNS}history/?space={space.pk}&measure=mrr").content.decode()
    assert 'points="0.0,0.0"' in page
    assert "Each leg alone" in manager.get(f"{RUNS}{run.pk}/change/").content.decode()


def test_editors_and_strangers_see_no_profile(
    client: Client, teammate: User, stranger: User, space: Space, admin_user: User
) -> None:
    row = RetrievalProfile.objects.create(version=1, origin="built_in", knobs={})
    tuning = RetrievalTuning.objects.create(space=space)
    for user in (teammate, stranger):
        user.is_staff = True
        user.save()
        client.force_login(user, BACKEND)
        for path in (
            f"{LIST}{row.pk}/change/",
            f"{LIST}{row.pk}/new/",
            f"{LIST}{row.pk}/activate/",
            f"/admin/knowledge/retrievaltuning/{tuning.pk}/progress/",
            f"{LIST}{uuid.uuid4()}/change/",
        ):
            answer = client.get(path)
            assert answer.status_code in {302, 403, 404}, path
            assert answer.status_code != 302 or answer["Location"] == "/admin/"
