"""Answers that are given again: to whom they may be, and only while they are true."""

import random
import uuid

import pytest
from pytest_django import Settings

from chat.answer_cache.guards import difference, normalised, sense_of
from chat.answer_cache.keeping import answers_ended, answers_keep
from chat.answer_cache.keys import key_of, seconds_of, telling
from chat.answer_cache.lookup import look_up
from chat.answer_cache.matching import Kept, chosen_of
from chat.answer_cache.sampling import sample_compare
from chat.answering.grounding import retrieve
from chat.choices import CacheOutcome, TurnRoute, TurnStatus
from chat.claiming import turn_claim
from chat.dispatching.dispatcher import dispatch
from chat.finishing import Ending, turn_finish
from chat.models import CachedAnswer, Citation, Message, Turn
from chat.services import conversation_create, feedback_give, message_regenerate, message_send
from chat.types import AnswerCitation, AnswerDraft
from knowledge import services
from knowledge.choices import NodeStatus
from knowledge.indexing import index_node
from knowledge.models import Node, Space
from memory.types import Recollection
from project.accounts.choices import Role
from project.accounts.models import User
from project.inference.models import ModelEndpoint
from tests.conftest import grant


@pytest.fixture(autouse=True)
def quick(settings: Settings) -> None:
    settings.ACERVO_EMBEDDING = "hashing"
    settings.ACERVO_SEARCH_CACHE_SECONDS = 0
    settings.ACERVO_ANSWER_CACHE_SAMPLE = 0
    settings.ACERVO_RATE_MESSAGES = ""


@pytest.fixture
def model(db: None) -> ModelEndpoint:
    return ModelEndpoint.objects.create(
        name="good", model_name="good", base_url="http://127.0.0.1:9/v1"
    )


def publish(owner: User, space: Space, title: str, content: str) -> Node:
    node = services.node_create(
        acting_user=owner, space=space, title=title, content=content, status=NodeStatus.PUBLISHED
    )
    index_node(node.pk)
    return node


def asked(
    user: User, question: str, *, again: Turn | None = None, flags: tuple[str, ...] = ()
) -> Turn:
    """Ask, and have a model that repeats the best passage answer where no kept answer is given."""
    if again is not None:
        assert again.answer is not None
        queued = message_regenerate(acting_user=user, message=again.answer)
    else:
        conversation = conversation_create(acting_user=user)
        queued = message_send(
            acting_user=user,
            conversation_id=conversation.pk,
            content=question,
            client_message_id=str(uuid.uuid4()),
        ).turn
    dispatch([queued.pk])
    claim = turn_claim(queued.pk, agent="test")
    assert claim is not None
    key = key_of(claim.request)
    passages = retrieve(claim.request, claim.request.question).passages
    kept = look_up(key, claim.request, passages, [])
    draft = AnswerDraft(route=TurnRoute.AI, model="good", cache=kept.outcome)
    draft.trace = {
        "cache": kept.trace,
        "flags": [*flags],
        "passages": [{"node": str(each.node), "version": each.version} for each in passages],
    }
    if kept.answer is not None:
        assert kept.answer.turn.answer is not None
        draft.text = kept.answer.turn.answer.content
    elif passages:
        best = passages[0]
        draft.text = f"{best.text} [1]"
        draft.citations.append(
            AnswerCitation(
                1, str(best.node), best.version, str(best.chunk), best.title, best.text[:200],
                best.start, best.end, None, best.url,
            )
        )  # fmt: skip
    else:
        draft.text = "Nothing was found."
    turn_finish(claim, draft, Ending(TurnStatus.COMPLETED), last_seq=3)
    rows = Turn.objects.select_related("question", "answer", "conversation__user")
    turn = rows.get(pk=queued.pk)
    answers_keep([turn])
    return turn


@pytest.mark.parametrize(
    ("here", "there", "apart"),
    [
        ("Can I cancel within 7 days?", "Can I cancel within 14 days?", "numbers"),
        ("How do two people share a room?", "How do three people share a room?", "numbers"),
        ("Is the museum open today?", "Is the museum open tomorrow?", "dates or sides"),
        ("Is it open in summer?", "Is it open in winter?", "dates or sides"),
        ("Who approves travel to Recife?", "Who approves travel to Manaus?", "names"),
        ("What does the AB-12 pump need?", "What does the AB-13 pump need?", "numbers"),
        ("Are dogs allowed?", "Are dogs not allowed?", "negation"),
        ("Quais salas têm projetor?", "Quais salas não têm projetor?", "negation"),
        ("How do I enable two-step login?", "How do I disable two-step login?", "opposites"),
        ("Como bloquear o cartão?", "Como desbloquear o cartão?", "opposites"),
        ("Ferry from Velia to Sorga", "Ferry from Sorga to Velia", "roles"),
        ("When does the ferry leave?", "Where does the ferry leave?", "type of question"),
        ("Where is the ferry terminal?", "Onde fica o terminal da balsa?", "language"),
        ("Are dogs allowed on the ferry?", "Are dogs prohibited on the ferry?", "opposites"),
        ("Is it legal to fish here?", "Is it illegal to fish here?", "opposites"),
        ("Which rooms are available?", "Which rooms are unavailable?", "opposites"),
        ("Can members enter free?", "Can non-members enter free?", "opposites"),
        ("Is the pump on?", "Is the pump off?", "opposites"),
        ("Are you allowed to fish?", "Arent you allowed to fish?", "negation"),
        ("Is anyone except staff allowed in?", "Is staff allowed in?", "negation"),
        ("What is step one of the setup?", "What is step two of the setup?", "numbers"),
        ("How do I renew a card?", "When do I renew a card?", "type of question"),
        ("What is the summer fair?", "When is the summer fair?", "type of question"),
        ("who is maria silva?", "who is joao silva?", "one word"),
        ("what is maria's room?", "what is joana's room?", "one word"),
        ("What is the price of a ticket?", "What is the price of a group ticket?", "one word"),
        ("quem aprova viagens ao recife?", "quem aprova viagens a porto alegre?", "one word"),
    ],
)
def test_what_changes_an_answer_keeps_questions_apart(here: str, there: str, apart: str) -> None:
    assert difference(sense_of(here), sense_of(there)) == apart
    assert difference(sense_of(there), sense_of(here)) == apart


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("How long does a transfer take?", "how long do transfers take"),
        ("Who approves travel to Recife?", "who approves travel to recife?"),
        ("My card isn't working", "my card is not working"),
        ("Qual o prazo para reembolso?", "Qual é o prazo do reembolso?"),
        ("What is the price of a ticket?", "How much is a ticket?"),
        ("How do I fix the pump?", "How do I repair the pump?"),
        ("What is the date of the fair?", "When is the fair?"),
    ],
)
def test_other_words_for_the_same_do_not(here: str, there: str) -> None:
    assert difference(sense_of(here), sense_of(there)) == ""


def test_questions_are_compared_without_case_spacing_and_final_marks() -> None:
    assert normalised("  Where is\u00a0the FERRY ?!") == normalised("where is the ferry")
    assert normalised("is it 1.5 m?") != normalised("is it 15 m?")


def test_two_answers_that_compete_are_both_refused() -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    best = Kept(uuid.uuid4(), "where is my card", 0.95, (one,))
    rival = Kept(uuid.uuid4(), "when is my card due", 0.90, (other,))
    far = Kept(uuid.uuid4(), "when is my card due", 0.80, (other,))
    found = [one, other]
    assert chosen_of("where is my card?", [best, far], found, threshold=0.88).chosen == best
    refused = chosen_of("where is my card?", [best, rival], found, threshold=0.88)
    assert (refused.chosen, refused.reason) == (None, "another answer as near")
    elsewhere = chosen_of("where is my card?", [best, far], [other], threshold=0.88)
    assert (elsewhere.chosen, elsewhere.reason) == (None, "other passages")
    assert chosen_of("where is my card?", [far], found, threshold=0.88).near is None


def test_earlier_questions_are_no_memory_that_an_answer_needs() -> None:
    def memory(content: str) -> Recollection:
        return Recollection("episode", uuid.uuid4(), None, content, "", None, 1.0, {})  # type: ignore[arg-type]

    question, told = memory("How do I reset my badge?"), memory("I work in the harbour office.")
    assert telling("How do badges get reset?", [question, told]) == [told]
    assert telling("What did I ask you before?", [question]) == [question]


def test_what_people_ask_again_and_again_is_kept_longer() -> None:
    assert seconds_of("How do I reset my badge?") == 7 * 86_400
    assert seconds_of("What did invoice 4711 cost?") == 86_400


@pytest.mark.django_db
def test_the_same_question_is_answered_once_for_all_who_may_read_the_same(
    owner: User, teammate: User, stranger: User, space: Space, model: ModelEndpoint
) -> None:
    publish(owner, space, "Ferry", "The ferry to Velia leaves from the north pier.")
    first = asked(owner, "Where does the Velia ferry leave?")
    assert first.cache == CacheOutcome.MISS
    second = asked(teammate, "where does the  Velia ferry leave")
    assert (second.cache, second.trace["cache"]["turn"]) == (CacheOutcome.EXACT, str(first.pk))
    assert second.answer is not None
    assert first.answer is not None
    assert second.answer.content == first.answer.content
    third = asked(teammate, "From where does the Velia ferry leave?")
    assert third.cache == CacheOutcome.SEMANTIC
    assert CachedAnswer.objects.get().hits == 2
    assert asked(stranger, "Where does the Velia ferry leave?").cache == CacheOutcome.NONE
    afresh = asked(teammate, "", again=second)  # whoever asks again wants another answer
    assert afresh.cache == CacheOutcome.MISS
    assert CachedAnswer.objects.get().turn == afresh


@pytest.mark.django_db
def test_answers_that_end_together_are_kept_as_if_one_after_the_other(
    owner: User, teammate: User, space: Space, model: ModelEndpoint
) -> None:
    publish(owner, space, "Ferry", "The ferry to Velia leaves from the north pier.")
    publish(owner, space, "Crane", "The crane at berth four lifts ninety tonnes.")
    first = asked(owner, "Where does the Velia ferry leave?")
    newer = asked(owner, "Where does the Velia ferry leave?", again=first)
    other = asked(owner, "How much does the crane lift?")
    given = [asked(teammate, "How much does the crane lift?") for _time in range(2)]
    CachedAnswer.objects.exclude(turn=other).delete()
    CachedAnswer.objects.update(hits=0)
    answers_keep([first, newer, *given])
    kept = dict(CachedAnswer.objects.values_list("turn", "hits"))
    assert kept == {newer.pk: 0, other.pk: 2}
    ferry = CachedAnswer.objects.get(turn=newer)
    assert ferry.sources.filter(is_cited=True).count() == 1


@pytest.mark.django_db
def test_what_its_sources_do_not_support_is_given_to_the_very_same_question_only(
    owner: User, teammate: User, space: Space, model: ModelEndpoint
) -> None:
    publish(owner, space, "Ferry", "The ferry to Velia leaves from the north pier.")
    asked(owner, "Where does the Velia ferry leave?", flags=("unsupported",))
    assert asked(teammate, "where does the Velia ferry leave").cache == CacheOutcome.EXACT
    again = asked(teammate, "From where does the Velia ferry leave?", flags=("no_citations",))
    assert again.cache == CacheOutcome.MISS
    assert asked(owner, "From where does the Velia ferry leave?").cache == CacheOutcome.MISS


@pytest.mark.django_db
def test_samples_are_answered_anew_and_compared(
    owner: User, teammate: User, space: Space, model: ModelEndpoint, settings: Settings
) -> None:
    settings.ACERVO_ANSWER_CACHE_SAMPLE = 100
    publish(owner, space, "Ferry", "The ferry to Velia leaves from the north pier.")
    first = asked(owner, "Where does the Velia ferry leave?")
    assert sample_compare(first) is None
    sampled = asked(teammate, "From where does the Velia ferry leave?")
    assert (sampled.cache, sampled.trace["cache"]["sample"]["turn"]) == (
        CacheOutcome.MISS,
        str(first.pk),
    )
    assert sample_compare(sampled) is True
    assert first.answer is not None
    Message.objects.filter(pk=first.answer.pk).update(content="Cats sleep all day long.")
    assert sample_compare(sampled) is False
    assert Turn.objects.get(pk=sampled.pk).trace["cache"]["sample"]["is_same"] is False
    Citation.objects.filter(turn=first).update(cited_id=uuid.uuid4())
    Message.objects.filter(pk=first.answer.pk).update(content=sampled.answer.content)
    assert sample_compare(sampled) is False


@pytest.mark.django_db
def test_a_bad_answer_is_given_to_nobody_any_more(
    owner: User, teammate: User, space: Space, model: ModelEndpoint
) -> None:
    publish(owner, space, "Ferry", "The ferry to Velia leaves from the north pier.")
    asked(owner, "Where does the Velia ferry leave?")
    given = asked(teammate, "Where does the Velia ferry leave?")
    assert given.answer is not None
    feedback_give(acting_user=teammate, message=given.answer, value=-1, reason="It moved.")
    assert asked(owner, "Where does the Velia ferry leave?").cache == CacheOutcome.MISS


@pytest.mark.django_db
def test_what_was_erased_is_gone_from_the_kept_answers_too(
    owner: User, space: Space, model: ModelEndpoint
) -> None:
    node = publish(owner, space, "Ferry", "The ferry to Velia leaves from the north pier.")
    asked(owner, "Where does the Velia ferry leave?")
    services.versions_erase(acting_user=owner, space=space, node_id=node.pk, reason="A wish.")
    assert not CachedAnswer.objects.exists()


PLACES = ["north pier", "south pier", "market square", "old lighthouse", "harbour office"]
SUBJECTS = ["ferry", "bus", "tram"]


@pytest.mark.django_db
def test_whatever_is_written_nobody_is_given_what_is_old_or_not_theirs(
    owner: User, teammate: User, stranger: User, space: Space, model: ModelEndpoint
) -> None:
    """After each of many random acts, a kept answer says what a fresh one would say."""
    luck = random.Random(7)
    nodes = {each: publish(owner, space, each, f"The {each} leaves.") for each in SUBJECTS}
    hits = 0
    for _step in range(40):
        subject = luck.choice(SUBJECTS)
        node = Node.objects.get(pk=nodes[subject].pk)
        act = luck.random()
        if act < 0.25:
            content = f"The {subject} leaves from the {luck.choice(PLACES)}."
            services.node_update(acting_user=owner, node=node, content=content)
            if luck.random() < 0.7:
                index_node(node.pk)
        elif act < 0.3 and node.status == NodeStatus.PUBLISHED:
            services.node_archive(acting_user=owner, node=node)
        elif act < 0.4 and node.status != NodeStatus.PUBLISHED:
            services.node_publish(acting_user=owner, node=node)
            index_node(node.pk)
        elif act < 0.5:
            stranger.groups.clear() if luck.random() < 0.5 else grant(space, stranger, Role.READER)
        user = luck.choice([owner, teammate, stranger])
        turn = asked(user, f"Where does the {luck.choice(SUBJECTS)} leave from?")
        if turn.cache not in {CacheOutcome.EXACT, CacheOutcome.SEMANTIC}:
            continue
        hits += 1
        entry = CachedAnswer.objects.get(pk=turn.trace["cache"]["entry"])
        for source in entry.sources.all():
            there = Node.objects.searchable_by(user).filter(pk=source.node_id)
            assert there.filter(version=source.version).exists(), (turn, source)
        assert turn.answer is not None
        cited = Node.objects.get(pk=entry.sources.get(is_cited=True).node_id)
        assert cited.content in turn.answer.content
    assert hits > 5
    for entry in CachedAnswer.objects.all():
        sources = entry.sources.values_list("node_id", "version")
        stand = all(Node.objects.filter(pk=pk, version=number).exists() for pk, number in sources)
        assert answers_ended().filter(pk=entry.pk).exists() is not stand
