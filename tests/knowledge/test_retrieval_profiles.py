"""Retrieval profiles: versions that never change, which of them holds, and the way back."""

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from knowledge import services
from knowledge.choices import ProfileOrigin
from knowledge.knobs import BUILT_IN, profile_from
from knowledge.models import ProfileActivation, RetrievalProfile, Space
from knowledge.profiles import active_profile, builtin_store, stored_profile
from project.accounts.models import User
from project.events.models import Event
from project.http.errors import Conflict, Forbidden, Invalid, NotFound
from tests.conftest import Api

pytestmark = pytest.mark.django_db
PATH = "/api/v1/retrieval-profiles/"


def made(user: User, **knobs: Any) -> RetrievalProfile:
    return services.profile_create(acting_user=user, knobs=knobs, note="Try this.")


def test_without_any_activation_the_built_in_profile_holds(space: Space) -> None:
    assert active_profile([space.pk]) == BUILT_IN
    row = builtin_store()
    assert builtin_store() == row
    assert active_profile([]).values() == BUILT_IN.values()
    assert active_profile([space.pk]).version == row.version == 1


def test_other_built_in_values_take_over_unless_somebody_chose(
    space: Space, admin_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    builtin_store()
    other = profile_from({"depth": 150})
    monkeypatch.setattr("knowledge.profiles.BUILT_IN", other)
    assert builtin_store().version == 2
    assert active_profile([]).depth == 150
    mine = made(admin_user, depth=70)
    services.profile_activate(acting_user=admin_user, profile=mine, reason="Faster")
    monkeypatch.setattr("knowledge.profiles.BUILT_IN", profile_from({"depth": 160}))
    assert builtin_store().version == 4
    assert active_profile([]).depth == 70


def test_a_space_may_have_its_own_profile(space: Space, owner: User, admin_user: User) -> None:
    other = Space.objects.create(name="Other", slug="other")
    first, second = made(admin_user, depth=60), made(owner, depth=70)
    services.profile_activate(acting_user=admin_user, profile=first, reason="All")
    services.profile_activate(acting_user=owner, profile=second, reason="Ours", space=space)
    assert active_profile([space.pk]).depth == 70
    assert active_profile([other.pk]).depth == 60
    assert active_profile([space.pk, other.pk]).depth == 60
    assert active_profile([space.pk]).id == second.pk


def test_rolling_back_goes_back_step_by_step_and_keeps_who_and_why(
    space: Space, owner: User
) -> None:
    first, second = made(owner, depth=60), made(owner, depth=70)
    for row in (first, second, second):
        services.profile_activate(acting_user=owner, profile=row, reason="Try", space=space)
    assert ProfileActivation.objects.filter(space=space).count() == 2
    back = services.profile_roll_back(acting_user=owner, reason="Worse", space=space)
    assert (back.profile, back.previous) == (first, second)
    assert active_profile([space.pk]).depth == 60
    services.profile_roll_back(acting_user=owner, reason="Worse, too", space=space)
    assert active_profile([space.pk]) == active_profile([])
    with pytest.raises(Conflict):
        services.profile_roll_back(acting_user=owner, reason="Again", space=space)
    kept = ProfileActivation.objects.filter(space=space).order_by("created_at")
    assert [row.reason for row in kept] == ["Try", "Try", "Worse", "Worse, too"]
    assert {row.author_name for row in kept} == {owner.username}
    assert Event.objects.filter(type="knowledge.profile.activated").count() == 4


def test_who_may_make_and_choose(space: Space, owner: User, teammate: User, stranger: User) -> None:
    row = made(owner, depth=60)
    for user, error in ((stranger, NotFound), (teammate, NotFound)):
        with pytest.raises(error):
            made(user, depth=60)
    with pytest.raises(Forbidden):
        services.profile_activate(acting_user=owner, profile=row, reason="All")
    with pytest.raises(Forbidden):
        services.profile_activate(acting_user=teammate, profile=row, reason="x", space=space)
    with pytest.raises(Invalid):
        services.profile_activate(acting_user=owner, profile=row, reason=" ", space=space)


@pytest.mark.parametrize(
    ("knobs", "name"),
    [
        ({"depth": 7}, "depth"),
        ({"depth": 70.5}, "depth"),
        ({"phrase_share": float("nan")}, "phrase_share"),
        ({"phrase_share": True}, "phrase_share"),
        ({"speed": 1}, "speed"),
        ({"rerank_endpoint": "nonsense"}, "rerank_endpoint"),
        ({"rerank_endpoint": "00000000-0000-4000-8000-000000000000"}, "rerank_endpoint"),
    ],
)
def test_a_knob_out_of_bounds_is_refused_by_name(
    owner: User, space: Space, knobs: dict[str, Any], name: str
) -> None:
    with pytest.raises(Invalid) as refused:
        services.profile_create(acting_user=owner, knobs=knobs, note="x")
    assert refused.value.field == f"knobs.{name}"


def test_a_version_never_changes(owner: User, space: Space) -> None:
    row = made(owner, depth=60)
    for change in ("UPDATE {} SET note = 'x'", "DELETE FROM {}"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change.format("knowledge_retrievalprofile"))
    assert RetrievalProfile.objects.get(pk=row.pk).note == row.note


def test_what_is_stored_and_no_longer_fits_has_its_built_in_value(db: None) -> None:
    row = RetrievalProfile.objects.create(
        version=9, origin=ProfileOrigin.MANUAL, knobs={"depth": 1, "gone": 2, "phrase_share": 0.3}
    )
    found = stored_profile(row.pk)
    assert found is not None
    assert (found.depth, found.phrase_share, found.version) == (BUILT_IN.depth, 0.3, 9)


def test_programs_make_and_activate_profiles(api: Api, teammate_api: Api, space: Space) -> None:
    body = {"knobs": {"depth": 60}, "note": "Less"}
    first = api.post(PATH, body).json()
    second = api.post(PATH, {"knobs": {"neighbours": 3}, "note": "b", "based_on": first["id"]})
    assert second.json()["knobs"] == {**BUILT_IN.values(), "depth": 60, "neighbours": 3}
    place = {"space": str(space.pk), "reason": "Try"}
    activated = api.post(f"{PATH}{first['id']}/activate/", place)
    assert activated.json()["profile"] == first["id"]
    assert api.get(f"{PATH}{first['id']}/").json()["active_in"] == [str(space.pk)]
    assert [row["version"] for row in api.get(PATH).json()["results"]] == [3, 2, 1]
    assert api.post(f"{PATH}roll-back/", place).json()["profile"] is None
    assert len(api.get(f"{PATH}activations/").json()["results"]) == 3
    assert {row["name"] for row in api.get(f"{PATH}knobs/").json()} == set(BUILT_IN.values())
    assert teammate_api.get(PATH).json()["results"] == []
    refused = teammate_api.post("/api/v1/search/", {"query": "x", "profile": first["id"]})
    assert (refused.status_code, refused.json()["error"]["field"]) == (400, "profile")
    assert api.post("/api/v1/search/", {"query": "x", "profile": first["id"]}).status_code == 200
