"""The checks of a node's state: each one with and without a hit, in both languages."""

import datetime
from typing import Any

import pytest
from django.utils import timezone

from knowledge.choices import NodeStatus
from knowledge.models import Node, Relation, Space
from knowledge.quality import Finding, NodeState, checks_of
from knowledge.quality.refreshing import node_check
from project.accounts.models import User
from tests.knowledge.test_retrieval import index, make_node

PLAIN = "The harbour office answers questions about berths, tides and the weather every morning. "
PLAIN_PT = "A secretaria do porto responde perguntas sobre vagas, marés e o tempo todas as manhãs. "


def state(space: Space, content: str = PLAIN, **values: Any) -> NodeState:
    facts: dict[str, Any] = {
        "title": "Harbour office",
        "language": "en",
        "owner_id": 1,
        "content": content,
    }
    return NodeState(space_id=space.pk, **(facts | values))


def found(space: Space, content: str = PLAIN, **values: Any) -> dict[str, Finding]:
    return {each.code: each for each in checks_of(state(space, content, **values))}


def codes(space: Space, content: str = PLAIN, **values: Any) -> set[str]:
    return set(found(space, content, **values)) - {"orphan"}


@pytest.mark.parametrize(
    ("content", "language"), [(PLAIN, "en"), (PLAIN_PT, "pt-br"), (PLAIN_PT, "pt")]
)
def test_a_plain_text_has_no_findings_but_stands_alone(
    space: Space, content: str, language: str
) -> None:
    assert set(found(space, content, language=language)) == {"orphan"}


# -- the text --------------------------------------------------------------------------------------


def test_title_and_text_are_missed(space: Space) -> None:
    assert codes(space, "", title=" ") == {"missing_title", "empty"}
    assert codes(space, "Only few words.") == {"very_short"}
    assert codes(space, "| Day | Time |\n|---|---|\n| Mo | 8:00 |\n") == set()


def test_a_skipped_heading_level_is_told_with_its_place(space: Space) -> None:
    text = f"# One\n\n{PLAIN}\n\n### Three\n\n{PLAIN}\n\n## Two\n\n{PLAIN}"
    hint = found(space, text)["heading_skip"]
    assert text[hint.details["start"] : hint.details["end"]] == "### Three\n"
    assert "level 2" in hint.message
    assert "heading_skip" not in found(space, f"## Two\n\n{PLAIN}\n\n### Three\n\n{PLAIN}")


def test_a_long_stretch_wants_headings(space: Space) -> None:
    assert "long_without_headings" in found(space, PLAIN * 60)
    assert "long_without_headings" not in found(space, f"{PLAIN * 30}\n\n## Part\n\n{PLAIN * 30}")


HARD = (
    "Notwithstanding the aforementioned administrative considerations, organizational "
    "responsibilities necessitate comprehensive documentation of interdepartmental communication "
    "procedures, particularly regarding infrastructural accountability, environmental "
    "sustainability, institutional representation and operational interoperability requirements. "
)
HARD_PT = (
    "Não obstante as considerações administrativas supramencionadas, as responsabilidades "
    "organizacionais pressupõem documentação pormenorizada dos procedimentos interdepartamentais "
    "de comunicação, especialmente relativamente à responsabilização infraestrutural, "
    "sustentabilidade ambiental, representatividade institucional e interoperabilidade. "
)


@pytest.mark.parametrize(("hard", "language"), [(HARD, "en"), (HARD_PT, "pt-br")])
def test_a_text_for_experts_only_is_hard_to_read(space: Space, hard: str, language: str) -> None:
    assert "hard_to_read" in found(space, hard * 3, language=language)


@pytest.mark.parametrize(("plain", "language"), [(PLAIN, "en"), (PLAIN_PT, "pt-br")])
def test_a_plain_text_is_not(space: Space, plain: str, language: str) -> None:
    assert "hard_to_read" not in found(space, plain * 5, language=language)


def test_a_text_in_another_language_than_it_says_is_told(space: Space) -> None:
    hint = found(space, PLAIN_PT * 3, language="en")["language_mismatch"]
    assert hint.details == {"declared": "en", "detected": "pt-br"}
    assert "language_mismatch" in found(space, PLAIN * 3, language="pt-br")
    assert "language_mismatch" not in found(space, PLAIN * 3, language="en-gb")
    quoted = f"{PLAIN * 3}\n\n```\n{PLAIN_PT * 4}\n```\n"
    assert "language_mismatch" not in found(space, quoted)


# -- links -----------------------------------------------------------------------------------------


def test_wiki_links_must_lead_somewhere_that_readers_can_open(space: Space) -> None:
    make_node(space, "Tides", f"## High water\n\n{PLAIN}", external_id="T-1")
    make_node(space, "Old tides", PLAIN, status=NodeStatus.ARCHIVED)
    fine = f"{PLAIN} See [[tides]], [[T-1]], [[Tides#High water]] and `[[not a link]]`."
    assert codes(space, fine) == set()
    text = f"{PLAIN} See [[Nowhere]], [[Old tides]] and [[Tides#Low water]]."
    told = found(space, text)
    assert set(told) == {"broken_link", "link_unpublished", "broken_heading_link"}
    for each in told.values():
        assert text[each.details["start"] : each.details["end"]].startswith("[[")
    assert told["broken_link"].severity == "error"
    assert "Nowhere" in told["broken_link"].message


def test_links_to_the_own_headings_are_checked(space: Space) -> None:
    text = f"# Fees\n\n{PLAIN} [up](#h-fees) [[Harbour office#Fees]]"
    assert codes(space, text) == set()
    wrong = f"# Fees\n\n{PLAIN} [up](#fees-2) [[Harbour office#Prices]]"
    assert [each.code for each in checks_of(state(space, wrong))].count("broken_heading_link") == 2


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("tides.md", "broken_relative_link"),
        ("../pictures/map.png", "broken_relative_link"),
        ("/no/such/page/", "broken_relative_link"),
        ("https://exa mple.org", None),  # no link at all
        ("https://", "bad_url"),
        ("https://-bad-.example/", "bad_url"),
        ("ftp://files.example/x", "bad_url"),
        ("mailto:nobody", "bad_url"),
        ("mailto:desk@harbour.example", None),
        ("https://harbour.example:8080/a?b=c#d", None),
        ("https://münchen.example/", None),
        ("tel:+55-11-5555-0100", None),
        ("/knowledge/", None),
        ("/static/acervo/favicon.svg", None),
    ],
)
def test_addresses_are_judged_by_their_form(space: Space, target: str, code: str | None) -> None:
    text = f"{PLAIN} See [this]({target})."
    told = found(space, text)
    assert set(told) - {"orphan"} == ({code} if code else set())
    if code:
        details = told[code].details
        assert text[details["start"] : details["end"]] == target


def test_links_to_pages_of_nodes_are_followed_inside_the_space_only(space: Space) -> None:
    other = Space.objects.create(name="Other", slug="other")
    near, far = make_node(space, "Near", PLAIN), make_node(other, "Far", PLAIN)
    draft = make_node(space, "Draft", PLAIN, status=NodeStatus.DRAFT)
    address = "/knowledge/nodes/{}/"
    fine = f"{PLAIN} [a]({address.format(near.pk)}) [b]({address.format(far.pk)}?version=1)"
    assert codes(space, fine, title="Other words") <= {"duplicate"}
    told = found(space, f"{PLAIN} [a]({address.format(draft.pk)})")
    assert told["link_unpublished"].details["title"] == "Draft"


def test_a_node_is_no_orphan_when_something_leads_to_it(space: Space) -> None:
    lone = make_node(space, "Lone", PLAIN)
    other = make_node(space, "Other", f"{PLAIN} More words here.")
    assert "orphan" in {each.code for each in checks_of(NodeState.of(lone))}
    Relation.objects.bulk_create([Relation(source=other, target=lone, checksum="x")])
    assert "orphan" not in {each.code for each in checks_of(NodeState.of(lone))}


# -- other nodes -----------------------------------------------------------------------------------

LONG = " ".join(
    f"Berth number {number} is let to the owner of the boat with the sign {name} for the season."
    for number, name in enumerate(
        ["Alba", "Bruma", "Coral", "Duna", "Espuma", "Farol", "Garça", "Ilha", "Jangada"]
    )
)


def test_the_same_words_are_a_duplicate_whatever_their_markup(space: Space) -> None:
    first = make_node(space, "Berths", LONG, status=NodeStatus.DRAFT)
    node_check(first.pk)
    told = found(space, "# " + LONG.upper().replace("BERTH", "*BERTH*"))
    assert told["duplicate"].details == {"title": "Berths", "node": str(first.pk)}
    assert "near_duplicate" not in told
    Node.objects.filter(pk=first.pk).update(status=NodeStatus.ARCHIVED)
    assert "duplicate" not in found(space, LONG)


def test_nearly_the_same_words_are_a_near_duplicate(space: Space) -> None:
    first = make_node(space, "Berths", LONG, status=NodeStatus.DRAFT)
    node_check(first.pk)
    told = found(space, LONG.replace("Coral", "Concha") + " Ask at the desk.")
    assert told["near_duplicate"].details["node"] == str(first.pk)
    assert 50 <= told["near_duplicate"].details["percent"] < 100
    assert not codes(space, PLAIN) & {"duplicate", "near_duplicate"}


def test_duplicates_of_other_spaces_are_nobodys_business(space: Space) -> None:
    other = Space.objects.create(name="Other", slug="other")
    node_check(make_node(other, "Berths", LONG).pk)
    assert not codes(space, LONG) & {"duplicate", "near_duplicate"}


def test_another_wording_of_a_text_is_found_by_its_vectors(space: Space) -> None:
    index(
        make_node(
            space,
            "Lost keys",
            "If you lose your locker key, tell the harbour office at once. A new key costs money "
            "and is ready the next day.",
        )
    )
    other = (
        "Tell the harbour office immediately when your locker key is lost. You get a new key the "
        "next day, which costs money."
    )
    assert "near_duplicate" in found(space, other, title="Lost locker keys")
    assert "near_duplicate" not in found(space, PLAIN)


RULES = {
    "en": (
        "A lost locker key costs 25 euros. Visitors must wear a helmet in the boiler room.",
        "Visitors need not wear a helmet in the boiler room. The desk has spare ones.",
        "A lost locker key costs 40 euros. The desk keeps the list of keys.",
    ),
    "pt-br": (
        "A chave perdida do armário custa R$ 25,00. O visitante deve usar capacete na caldeira.",
        "Na caldeira o visitante não precisa usar capacete. A portaria tem alguns para emprestar.",
        "A chave perdida do armário custa R$ 40,00. A portaria guarda a lista das chaves.",
    ),
}


@pytest.mark.parametrize("language", list(RULES))
def test_statements_that_cannot_both_be_true_are_shown_with_their_places(
    space: Space, language: str
) -> None:
    rules, helmets, keys = RULES[language]
    stored = make_node(space, "House rules", rules, language=language)
    index(stored)
    for text in (helmets, keys):
        (clash,) = [
            each
            for each in checks_of(state(space, text, title="Notes", language=language))
            if each.code == "contradiction"
        ]
        details = clash.details
        assert details["node"] == str(stored.pk)
        assert text[details["start"] : details["end"]] == details["here"]
        assert rules[details["there_start"] : details["there_end"]] == details["there"]
        assert details["here"] in clash.message
        assert details["there"] in clash.message


@pytest.mark.parametrize("language", list(RULES))
def test_statements_that_agree_are_no_contradiction(space: Space, language: str) -> None:
    rules = RULES[language][0]
    index(make_node(space, "House rules", rules, language=language))
    said_again = {"en": "Losing a locker key costs 25 euros.", "pt-br": "Perdeu? R$ 25,00."}
    assert "contradiction" not in found(
        space, f"{said_again[language]} {rules}", title="Notes", language=language
    )


def test_states_of_one_proposal_are_checked_against_each_other(space: Space) -> None:
    stored = make_node(space, "House rules", RULES["en"][0])
    index(stored)
    changed = state(
        space,
        "A lost locker key costs 40 euros. Visitors must wear a helmet in the boiler room.",
        title="House rules",
        node_id=stored.pk,
        status=NodeStatus.PUBLISHED,
    )
    notes = state(space, f"{RULES['en'][2]} See [[House rules]] and [[Key list]].", title="Notes")
    listed = state(space, f"{PLAIN} [[Notes]]", title="Key list", status=NodeStatus.PUBLISHED)
    alone = {each.code for each in checks_of(notes)}
    together = {each.code for each in checks_of(notes, others=[changed, listed])}
    assert alone >= {"contradiction", "broken_link"}
    assert not together & {"contradiction", "broken_link", "link_unpublished"}
    gone = state(space, title="House rules", node_id=stored.pk, status=NodeStatus.ARCHIVED)
    told = {each.code for each in checks_of(notes, others=[gone, listed])}
    assert "link_unpublished" in told
    assert "contradiction" not in told


# -- care ------------------------------------------------------------------------------------------


def test_owner_review_validity_and_index_are_looked_after(
    space: Space, owner: User, settings: Any
) -> None:
    today, now = timezone.localdate(), timezone.now()
    day = datetime.timedelta(days=1)
    assert codes(space, owner_id=None) == {"missing_owner"}
    assert codes(space, owner_is_active=False) == {"inactive_owner"}
    assert codes(space, review_due=today) == {"review_overdue"}
    assert codes(space, review_due=today + 14 * day) == {"review_soon"}
    assert codes(space, review_due=today + 15 * day) == set()
    assert codes(space, valid_until=now - day) == {"expired"}
    assert codes(space, valid_until=now + day) == {"expires_soon"}
    assert codes(space, valid_until=now + 30 * day) == set()
    assert codes(space, behind_since=now - day) == {"not_indexed"}
    assert codes(space, behind_since=now) == set()
    assert codes(space, "", owner_id=None, status=NodeStatus.ARCHIVED) == set()


def test_stored_nodes_and_versions_are_states(space: Space, owner: User) -> None:
    owner.is_active = False
    owner.save()
    node = make_node(space, "Tides", PLAIN, owner=owner, language="pt-br")
    read = NodeState.of(Node.objects.get(pk=node.pk))
    assert (read.node_id, read.title, read.content) == (node.pk, "Tides", PLAIN)
    assert (read.owner_is_active, read.behind_since) == (False, node.updated_at)
    assert [each.severity for each in checks_of(read)] == ["warning", "info"]
