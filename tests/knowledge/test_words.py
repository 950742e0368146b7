"""The words of a search: languages, operators, misspellings, and passages of an older analysis."""

import datetime

import pytest
from django.db import connection
from django.utils import timezone

from knowledge import analysis, passages, reanalysis, services, statistics
from knowledge.choices import NodeStatus, SearchMode
from knowledge.indexing import index_node, prepare_nodes, swap, unindex_node
from knowledge.models import Chunk, IndexedVersion, Node, Space, Spelling, TermStatistic
from knowledge.operators import understood
from knowledge.retrieval import retrieve_passages, search
from knowledge.spelling import distance, keys_of_word, plain_words
from knowledge.types import SearchRequest
from knowledge.vocabulary import spellings_fold
from project.accounts.models import User


def make_node(space: Space, title: str, content: str, **extra: object) -> Node:
    values: dict[str, object] = {"status": NodeStatus.PUBLISHED, "checksum": "x", **extra}
    return Node.objects.bulk_create([Node(space=space, title=title, content=content, **values)])[0]


def index(*nodes: Node) -> None:
    swap(prepare_nodes(nodes))


def found(
    query: str, user: User, mode: SearchMode = SearchMode.KEYWORD, **more: object
) -> set[str]:
    answer = search(SearchRequest(query=query, mode=mode, **more), user=user)
    return {result.title for result in answer.results}


TEXTS = {
    "es": ("Amarres", "La cuota de los amarres se paga en los diez días desde la facturación."),
    "fr": ("Réunions", "Les membres du conseil préparent les réunions générales de l'association."),
    "de": ("Gebühren", "Die Gebühren für die Schiffe werden nach den Verträgen der Häfen geprüft."),
    "it": ("Barche", "Le barche dei soci sono ormeggiate nel porto per tutta la stagione."),
    "ru": ("Лодки", "Бесплатные лодки для новых членов стоят у причала, и их не нужно заказывать."),
    "hi": ("नावें", "सदस्यों की नावें घाट पर हैं और उनके लिए किताबों में नाम लिखा जाता है।"),
    "en": ("Lighthouse", "The keepers of the lighthouse are painting its stairs in the spring."),
}


@pytest.fixture
def library(space: Space) -> dict[str, Node]:
    nodes = {language: make_node(space, title, text) for language, (title, text) in TEXTS.items()}
    index(*nodes.values())
    return nodes


def test_each_language_is_found_by_other_forms_of_its_words_and_without_accents(
    library: dict[str, Node], owner: User
) -> None:
    languages = dict(Chunk.objects.values_list("node__title", "language"))
    assert {title: languages[title] for title, _text in TEXTS.values()} == {
        title: language for language, (title, _text) in TEXTS.items()
    }
    for query, title in (
        ("amarre dia", "Amarres"),
        ("¿cuándo es el día de facturaciones?", "Amarres"),
        ("reunion generale", "Réunions"),
        ("préparer une réunion", "Réunions"),
        ("gebuhr vertrag", "Gebühren"),
        ("Gebühr der Schiffen", "Gebühren"),
        ("barca", "Barche"),
        ("бесплатный", "Лодки"),
        ("лодку", "Лодки"),
        ("किताब", "नावें"),
        ("keeper paints", "Lighthouse"),
    ):
        assert found(query, owner) == {title}, query


def test_phrases_stand_in_order_in_title_headings_or_text(space: Space, owner: User) -> None:
    index(
        make_node(space, "Fee schedule", "Berths and prices."),
        make_node(space, "Prices", "# The fee schedule\n\nTwelve euros."),
        make_node(space, "Rules", "See the **Fee** Schedule, or ask."),
        make_node(space, "Plans", "A schedule for the fee; fees on schedule."),
        make_node(space, "Hamlet", "To be, or not to be: that is the question."),
    )
    for mode in SearchMode:
        assert found('"fee schedule"', owner, mode) == {"Fee schedule", "Prices", "Rules"}
        assert found('"fee schedule" -rules', owner, mode) == {"Fee schedule", "Prices"}
    assert found('"schedule for the fee"', owner) == {"Plans"}
    assert found('"or not to be"', owner) == {"Hamlet"}
    assert found("“fee schedule” title:price", owner) == {"Prices"}
    assert found('title:"fee schedule"', owner) == {"Fee schedule"}
    assert found('fee -"fee schedule"', owner) == {"Plans"}
    assert found('"schedule fee"', owner, SearchMode.HYBRID) == set()


def test_conditions_hold_in_every_mode_and_need_no_other_words(space: Space, owner: User) -> None:
    index(
        make_node(space, "Berths", "Berths are free in May.", tags=["Money", "summer"]),
        make_node(space, "Drafts", "The drafts of our ships are in the book.", tags=["money"]),
        make_node(space, "Calado", "O calado dos navios está no livro.", tags=["água"]),
    )
    for mode in SearchMode:
        assert found("tag:money", owner, mode) == {"Berths", "Drafts"}
        assert found("tag:money -tag:summer", owner, mode) == {"Drafts"}
        assert found("-draft", owner, mode) == {"Berths", "Calado"}
        assert found("ships book -draft", owner, mode) <= {"Berths", "Calado"}
        assert found("livro tag:agua", owner, mode) == {"Calado"}
        assert found("-calado -title:berth", owner, mode) == {"Drafts"}
    # The language of each passage decides what is a form of a word.
    assert found("-the title:calados", owner) == {"Calado"}
    (passage,) = retrieve_passages("-draft", user=owner, limit=1)
    assert passage.text.startswith("The drafts")


@pytest.mark.parametrize(
    "query",
    ['unclosed "quote', "title:", "tag:", "-", '""', 'tag:""', '-"open', "- x", '"', "--x", "-!!!"],
)
def test_malformed_operators_are_plain_words(query: str) -> None:
    assert understood(query).conditions is None
    assert understood(query).plain == query


def test_conditions_hold_in_the_past_and_in_releases(space: Space, owner: User) -> None:
    node = services.node_create(
        acting_user=owner,
        space=space,
        title="Fees",
        content="The winter rate is ten euros.",
        tags=["money"],
        status=NodeStatus.PUBLISHED,
    )
    index_node(node.pk)
    before = timezone.now()
    services.node_update(
        acting_user=owner,
        node=node,
        content="The summer rate is twenty euros.",
        tags=["new"],
    )
    for is_indexed in (False, True):
        if is_indexed:
            index_node(node.pk)
        for query, expected in (
            ('"winter rate"', {"Fees"}),
            ('"summer rate"', set()),
            ("rate -winter", set()),
            ("tag:money -summer", {"Fees"}),
            ("tag:new", set()),
            ("title:fee wintre", {"Fees"}),
        ):
            assert found(query, owner, as_of=before) == expected, (query, is_indexed)
    assert found('"winter rate"', owner) == set()
    assert found('"summer rate" tag:new', owner) == {"Fees"}


def test_a_misspelled_word_finds_what_was_meant_and_says_so(space: Space, owner: User) -> None:
    index(
        make_node(space, "Assembly", "The general assembly elects the harbour master."),
        make_node(space, "Board", "The board meets in the library."),
    )
    exact = search(SearchRequest("assembly", mode=SearchMode.KEYWORD), user=owner)
    for typed in ("asembly", "assemlby", "assemblly", "assemblz"):
        answer = search(SearchRequest(typed, mode=SearchMode.KEYWORD), user=owner)
        assert [each.title for each in answer.results] == ["Assembly"], typed
        assert [(each.typed, each.used) for each in answer.corrections] == [(typed, ("Assembly",))]
        assert answer.results[0].score < exact.results[0].score
    assert exact.corrections == ()
    # What occurs is never corrected away, and neither are names, numbers and identifiers.
    for query in ("boards", "see BOARB", "board7", "boarb_x", '"boarb"', "the"):
        answer = search(SearchRequest(query, mode=SearchMode.KEYWORD), user=owner)
        assert answer.corrections == (), query


def test_no_word_of_a_space_shows_to_whoever_may_not_read_it(
    space: Space, owner: User, stranger: User
) -> None:
    open_space = Space.objects.create(name="Open", slug="open", visibility="public")
    index(
        make_node(space, "Secret", "The treasure is called Zanzibarium."),
        make_node(open_space, "Open", "Everybody knows the lighthouse."),
    )
    hidden = search(SearchRequest("zanzibariun", mode=SearchMode.KEYWORD), user=stranger)
    assert (hidden.results, hidden.corrections) == ([], ())
    assert found("zanzibariun", owner) == {"Secret"}
    # Nor of a node of the same space that is out of date: a correction is told by what is shown.
    past = timezone.now() - datetime.timedelta(days=1)
    Node.objects.filter(title="Secret").update(valid_until=past)
    expired = search(SearchRequest("zanzibariun", mode=SearchMode.KEYWORD), user=owner)
    assert (expired.results, expired.corrections) == ([], ())


def test_spellings_go_with_the_last_passage_that_has_them(space: Space) -> None:
    one, other = (
        make_node(space, "Lines", "Rope and halyard."),
        make_node(space, "Knots", "Rope and bowline."),
    )
    index(one, other)
    index(one)
    assert Spelling.objects.filter(word="halyard").count() == 1
    twice = Spelling.objects.get(word="rope")
    Spelling.objects.create(space=space, word="rope", term=twice.term, keys=twice.keys)
    unindex_node(one)
    assert spellings_fold() > 0
    left = sorted(Spelling.objects.values_list("word", flat=True))
    assert left == ["bowline", "knots", "rope"]


def test_what_was_analysed_before_is_found_while_it_is_analysed_anew(
    space: Space, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [
        make_node(space, "Amarres", TEXTS["es"][1], language="es"),
        make_node(space, "Møter", "Møtene er i sjøboden, og alle skal være der.", language="no"),
        make_node(space, "Tides", "High water comes twice a day.", language="en"),
    ]
    _index_as_before(nodes, monkeypatch)
    assert set(Chunk.objects.values_list("analysis", flat=True)) == {1}
    assert statistics.totals([space.pk]).languages == {"en", "other"}
    ids = set(Chunk.objects.values_list("pk", flat=True))
    revision = Space.objects.get(pk=space.pk).index_revision

    def is_found() -> bool:
        return (
            found("amarres días", owner) == {"Amarres"}
            and found("møter", owner) == {"Møter"}
            and found("waters", owner) == {"Tides"}
        )

    assert is_found()
    assert found("amarre", owner) == set()
    monkeypatch.setattr(reanalysis, "BATCH", 1)
    while reanalysis.passages_reanalyse(seconds=0.001):
        assert is_found()
    assert found("amarre", owner) == {"Amarres"}
    assert found("moter", owner) == {"Møter"}
    assert set(Chunk.objects.values_list("pk", flat=True)) == ids
    assert Space.objects.get(pk=space.pk).index_revision > revision
    assert statistics.totals([space.pk]).languages == {"en", "es", "no"}
    _agrees_with_a_fresh_index(space, nodes)


def _index_as_before(nodes: list[Node], monkeypatch: pytest.MonkeyPatch) -> None:
    """Index nodes with version 1 of the analysis."""
    with monkeypatch.context() as before:
        before.setattr(passages, "words", analysis.former_words)
        before.setattr(
            passages,
            "term_of",
            lambda word, language: analysis.term_of(word, language) if language == "en" else word,
        )
        before.setattr(passages, "language_of", lambda declared, *_texts: declared)
        prepared = prepare_nodes(nodes)
        for node in prepared.nodes:
            for at, passage in enumerate(node.passages):
                object.__setattr__(passage, "analysis", 1)
                node.passages[at] = passage
        swap(prepared)
    Spelling.objects.all().delete()


def _agrees_with_a_fresh_index(space: Space, nodes: list[Node]) -> None:
    """Check that rows and statistics are those that indexing makes now."""

    def state() -> tuple[list[object], dict[int, tuple[int, int]], list[object]]:
        rows = Chunk.objects.order_by("node", "position")
        counted: dict[int, tuple[int, int]] = {}
        for term, number, tokens in TermStatistic.objects.filter(space=space).values_list(
            "term", "passages", "tokens"
        ):
            held = counted.get(term, (0, 0))
            counted[term] = (held[0] + number, held[1] + tokens)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT node_id, language, search::text, terms::text, sequence, analysis "
                "FROM knowledge_chunk ORDER BY node_id, position"
            )
            chunks = [(*row[:4], bytes(row[4]), row[5]) for row in cursor.fetchall()]
        versions = IndexedVersion.objects.order_by("node_id")
        assert rows.count() == len(chunks)
        return (
            chunks,
            {term: each for term, each in counted.items() if each[0]},
            list(versions.values_list("node_id", "words", "language", "analysis")),
        )

    swept, words = state(), set(Spelling.objects.values_list("word", "term"))
    index(*nodes)
    assert state() == swept
    assert set(Spelling.objects.values_list("word", "term")) == words != set()


def test_words_few_letters_apart_share_a_key() -> None:
    for one, other in (
        ("harbour", "harbor"),
        ("teh", "the"),
        ("lighthouse", "lihgthouze"),
        ("schedule", "sheduel"),
        ("occurrence", "ocurence"),
        ("reembolso", "rembolsso"),
    ):
        assert set(keys_of_word(one)) & set(keys_of_word(other)), (one, other)
        assert 0 < distance(one, other, 2) <= 2
    assert distance("harbour", "lighthouse", 2) == 3
    assert len(keys_of_word("a" * 5 + "bcdefghij")) <= 29


def test_identifiers_are_no_misspelled_words() -> None:
    text = "Does PRO-104 say recieve or info@acervo.example, camelCase and NASA a_b v1.2 x/y?"
    assert plain_words(text) == {"does", "recieve"}
    assert plain_words("ASEMBLY") == {"asembly"}


def test_an_erase_forgets_the_words_of_what_it_erases(space: Space, owner: User) -> None:
    nodes = [
        services.node_create(
            acting_user=owner,
            space=space,
            title=title,
            content=content,
            status=NodeStatus.PUBLISHED,
        )
        for title, content in (
            ("Moorings", "The secret is Zanzibarium, and ropes."),
            ("Lines", "Ropes and bowlines."),
        )
    ]
    for node in nodes:
        index_node(node.pk)
    assert Spelling.objects.filter(word="zanzibarium").exists()
    services.versions_erase(acting_user=owner, space=space, node_id=nodes[0].pk, reason="Asked.")
    left = set(Spelling.objects.values_list("word", flat=True))
    assert left == {"ropes", "lines", "bowlines"}
