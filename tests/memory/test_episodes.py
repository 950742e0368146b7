import datetime
import uuid

import pytest
from django.utils import timezone

from knowledge.models import Space
from memory import services
from memory.indexing import episodes_embed
from memory.models import Episode
from memory.recall import RecallQuery, recall
from memory.types import ToldTurn
from project.accounts.models import User
from project.events.models import Event
from project.http.errors import Conflict, Invalid, NotFound


def remember(user: User, content: str, session: str = "s1", **more: object) -> Episode:
    return services.episode_create(acting_user=user, session=session, content=content, **more)


def test_an_episode_is_scored_and_announced(owner: User) -> None:
    episode = remember(owner, "Remember that the boiler code is 4711.")
    assert episode.importance > 0.5
    assert episode.importance_signals["asked_to_remember"] > 0
    assert Event.objects.filter(type="memory.episode.created", subject_id=episode.pk).count() == 1


def test_a_stated_importance_stands(owner: User) -> None:
    assert remember(owner, "Anything at all", importance=0.9).importance == 0.9


def test_it_is_found_by_its_words_before_it_has_a_vector(owner: User) -> None:
    episode = remember(owner, "The spare key hangs behind the pump house.")
    remember(owner, "Lunch was soup.", session="s2")
    found = recall(RecallQuery("where is the spare key?"), user=owner)
    assert [each.id for each in found] == [episode.pk]
    episode.refresh_from_db()
    assert episode.recalled_count == 1


def test_it_is_found_by_meaning_when_no_word_is_shared(owner: User) -> None:
    episode = remember(owner, "My daughter is allergic to peanuts.")
    remember(owner, "The ferry leaves at nine.", session="s2")
    assert episodes_embed() == 2
    found = recall(RecallQuery("which food makes the child ill?"), user=owner)
    assert found[0].id == episode.pk
    assert found[0].signals["vector"] > 0


def test_it_is_found_through_the_episode_before_it(owner: User) -> None:
    remember(owner, "Shall we paint the harbour office blue?")
    answer = remember(owner, "Yes, agreed.")
    found = recall(RecallQuery("painting the harbour office"), user=owner)
    assert answer.pk in {each.id for each in found}


def test_portuguese_is_found_without_accents(owner: User) -> None:
    episode = remember(owner, "A reunião de manutenção ficou para quinta-feira.")
    found = recall(RecallQuery("manutencao reuniao"), user=owner)
    assert [each.id for each in found] == [episode.pk]


def test_nobody_recalls_what_somebody_else_lived(owner: User, stranger: User) -> None:
    episode = remember(owner, "The safe opens with the brass key.")
    assert recall(RecallQuery("brass key safe"), user=stranger) == []
    with pytest.raises(NotFound):
        services.episode_delete(acting_user=stranger, episode=episode)
    assert Episode.objects.filter(pk=episode.pk).exists()


def test_subjects_are_kept_apart(owner: User) -> None:
    remember(owner, "Likes green tea.", subject="customer-1")
    assert recall(RecallQuery("green tea"), user=owner) == []
    assert len(recall(RecallQuery("green tea", subject="customer-1"), user=owner)) == 1


def test_times_and_sessions_bound_the_recall(owner: User) -> None:
    now = timezone.now()
    old = remember(owner, "Tide gauge read 3.1", occurred_at=now - datetime.timedelta(days=9))
    new = remember(owner, "Tide gauge read 3.4", session="s2", occurred_at=now)
    week = now - datetime.timedelta(days=7)
    assert [each.id for each in recall(RecallQuery("tide gauge", since=week), user=owner)] == [
        new.pk
    ]
    assert [each.id for each in recall(RecallQuery("tide gauge", until=week), user=owner)] == [
        old.pk
    ]
    assert [each.id for each in recall(RecallQuery("tide gauge", session="s1"), user=owner)] == [
        old.pk
    ]
    assert [
        each.id for each in recall(RecallQuery("tide gauge", excluded_session="s1"), user=owner)
    ] == [new.pk]


def test_a_turn_becomes_one_episode_however_often_it_is_told(owner: User, space: Space) -> None:
    told = ToldTurn(
        user=owner,
        turn_id=uuid.uuid4(),
        session="c1",
        question="Who repairs the crane?",
        answer="The rigging team.",
        occurred_at=timezone.now(),
        space_id=space.pk,
        trace_id="trace-of-the-turn",
    )
    (made,) = services.episodes_create_from_turns([told, told])
    assert services.episodes_create_from_turns([told]) == []
    kept = Episode.objects.get(turn_id=told.turn_id)
    assert kept == made
    assert (kept.context, kept.space, kept.trace_id) == (
        {"answer": "The rigging team."},
        space,
        "trace-of-the-turn",
    )


def test_turns_told_together_are_kept_as_if_told_one_by_one(owner: User, teammate: User) -> None:
    start = timezone.now()

    def told(user: User, session: str, question: str, minute: int) -> ToldTurn:
        at = start + datetime.timedelta(minutes=minute)
        return ToldTurn(user, uuid.uuid4(), session, question, "Yes.", at)

    remember(owner, "It's the \\crane's hook", session="c1")
    services.episodes_create_from_turns(
        [
            told(owner, "c1", "And the blue one?", 2),
            told(owner, "c1", "Is the red one free?", 1),
            told(teammate, "c1", "Is the pier open?", 3),
            *(told(teammate, f"c{each}", "Where is the buoy?", 4) for each in range(2, 5)),
        ]
    )
    texts = {each.content: each.indexed_text for each in Episode.objects.all()}
    assert texts["Is the red one free?"].endswith("\nIt's the \\crane's hook")
    assert texts["And the blue one?"].endswith("\nIs the red one free?")
    assert texts["Is the pier open?"].endswith("\nIs the pier open?")
    best, *_others = recall(RecallQuery("pier"), user=teammate)
    assert best.content == "Is the pier open?"
    stored = Episode.objects.exclude(search=None).exclude(terms=None)
    assert stored.count() == Episode.objects.count() == 7


def test_nothing_is_kept_of_who_does_not_want_it(owner: User) -> None:
    owner.remembers = False
    told = ToldTurn(owner, uuid.uuid4(), "c1", "Anything?", "", timezone.now())
    assert services.episodes_create_from_turns([told]) == []
    assert not Episode.objects.exists()


def test_forgetting_everything_leaves_other_people_alone(owner: User, teammate: User) -> None:
    remember(owner, "One")
    remember(owner, "Two")
    kept = remember(teammate, "Three")
    assert services.episodes_delete_all(acting_user=owner) == 2
    assert list(Episode.objects.all()) == [kept]


def test_bad_episodes_are_refused_with_a_reason(owner: User) -> None:
    with pytest.raises(Invalid, match="content"):
        remember(owner, "   ")
    remember(owner, "First", external_id="x")
    with pytest.raises(Conflict, match="external_id"):
        remember(owner, "Second", external_id="x")
    assert Episode.objects.count() == 1
