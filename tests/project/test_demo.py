"""The demo must be what a newcomer may trust: complete, consistent and loaded whole."""

import io
import re
from collections import Counter

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from knowledge.choices import NodeStatus
from knowledge.models import GoldenQuestion, IngestJob, Node, Relation, Source, Space
from knowledge.node_fields import NodeChanges
from knowledge.services import node_delete, node_update
from project.accounts.models import User
from project.demo import content
from project.demo.loader import demo_load

WIKI_LINK = re.compile(r"\[\[([^\]|]+)(?:\|[^\]]+)?\]\]")


@pytest.fixture(autouse=True)
def quick_vectors(settings: Settings) -> None:
    """Index six hundred passages without the model: how they are found is not looked at here."""
    settings.ACERVO_EMBEDDING = "hashing"


@pytest.fixture(scope="module")
def pages() -> list[NodeChanges]:
    return content.pages()


def test_there_are_enough_pages_in_both_languages(pages: list[NodeChanges]) -> None:
    languages = Counter(page["language"] for page in pages)
    assert languages["en"] >= 40
    assert languages["pt-br"] >= 28


def test_every_kind_of_knowledge_is_there(pages: list[NodeChanges]) -> None:
    kinds = {page["kind"] for page in pages}
    assert kinds == {"policy", "procedure", "product", "faq", "incident", "glossary", "guide"}


def test_every_page_has_substance_and_a_few_are_drafts(pages: list[NodeChanges]) -> None:
    short = [page["title"] for page in pages if not 150 <= len(page["content"].split()) <= 500]
    assert short == []
    assert Counter(page["status"] for page in pages)["draft"] == 3


def test_titles_and_external_ids_are_unique(pages: list[NodeChanges]) -> None:
    for field in ("title", "external_id"):
        counted = Counter(str(page.get(field)).lower() for page in pages)
        assert [name for name, count in counted.items() if count > 1] == []


def test_every_link_names_a_page_and_every_page_links_to_another(pages: list[NodeChanges]) -> None:
    titles = {page["title"] for page in pages}
    for page in pages:
        links = set(WIKI_LINK.findall(page["content"]))
        assert links - titles == set(), page["title"]
        assert links - {page["title"]}, f"{page['title']} links to nothing"


def test_no_published_page_links_to_a_draft(pages: list[NodeChanges]) -> None:
    drafts = {page["title"] for page in pages if page["status"] == "draft"}
    for page in pages:
        if page["status"] == "published":
            assert drafts.isdisjoint(WIKI_LINK.findall(page["content"])), page["title"]


def test_every_relation_joins_two_different_pages_once(pages: list[NodeChanges]) -> None:
    known = {page["external_id"] for page in pages}
    relations = content.relations()
    assert {end for each in relations for end in (each.source, each.target)} <= known
    assert all(each.source != each.target for each in relations)
    assert len({(each.source, each.target, each.kind) for each in relations}) == len(relations)
    kinds = {each.kind for each in relations}
    assert kinds == {
        "translation_of", "caused_by", "supersedes", "depends_on", "explains", "part_of",
        "related_to",
    }  # fmt: skip


def test_a_page_without_front_matter_is_refused() -> None:
    with pytest.raises(ValueError, match="front matter"):
        content.page_of("# Just a heading\n")


def test_every_question_of_a_page_has_its_answer_there(pages: list[NodeChanges]) -> None:
    texts = {page["external_id"]: page["content"] for page in pages}
    languages = {page["external_id"]: page["language"] for page in pages}
    files = {each.key for each in content.files()}
    questions = content.questions()
    assert Counter(each.language for each in questions) == {"en": 20, "pt-br": 20}
    for each in questions:
        for name in set(each.answered_by) - files:
            assert each.must_contain in texts[name], each.id
            assert languages[name] == each.language, each.id


def test_golden_questions_are_answered_by_pages_alone(pages: list[NodeChanges]) -> None:
    known = {page["external_id"] for page in pages if page["status"] == "published"}
    golden = content.golden_questions()
    assert Counter(each.language for each in golden) == {"en": 8, "pt-br": 8}
    assert {name for each in golden for name in each.answered_by} <= known


def test_an_empty_chat_finds_six_questions_in_each_language() -> None:
    suggested = content.space_fields()["suggested_questions"]
    assert isinstance(suggested, dict)
    assert {language: len(each) for language, each in suggested.items()} == {"en": 6, "pt-br": 6}


def test_the_files_are_small_and_of_three_formats() -> None:
    files = content.files()
    assert sum(each.path.stat().st_size for each in files) < 300_000
    assert {each.path.suffix for each in files} == {".pdf", ".docx", ".xlsx"}


def test_the_demo_is_loaded_whole(admin_user: User) -> None:
    out = io.StringIO()
    call_command("load_demo", stdout=out)
    space = Space.objects.get(slug="sorvane")
    pages = content.pages()
    assert Node.objects.filter(space=space, external_id__isnull=False).count() == len(pages)
    drafts = Node.objects.filter(space=space, status=NodeStatus.DRAFT)
    assert {node.external_id for node in drafts} == {
        "ferry-fares-2027", "night-sailing-trial", "tarifa-agua-2027",
    }  # fmt: skip
    assert Source.objects.filter(space=space).count() == len(content.files())
    assert IngestJob.objects.filter(space=space).count() == len(content.files())
    assert GoldenQuestion.objects.filter(space=space).count() == len(content.golden_questions())
    assert "“Sorvane Cooperative”" in out.getvalue()


def test_links_in_the_pages_become_relations(admin_user: User) -> None:
    space = demo_load(acting_user=admin_user).space
    made = Relation.objects.filter(source__space=space)
    by_hand = {(each.source, each.target, each.kind) for each in content.relations()}
    assert by_hand <= set(made.values_list("source__external_id", "target__external_id", "kind"))
    linked = made.filter(source__external_id="contatos", kind="links_to")
    targets = set(linked.values_list("target__external_id", flat=True))
    assert targets == {"ligacao-nova", "achados-e-perdidos", "complaints"}


def test_loading_again_changes_nothing_and_keeps_edits(admin_user: User) -> None:
    space = demo_load(acting_user=admin_user).space
    node = Node.objects.get(space=space, external_id="glossary")
    node_update(acting_user=admin_user, node=node, title="Our words")
    again = demo_load(acting_user=admin_user)
    assert (again.nodes, again.relations, again.files, again.questions) == (0, 0, 0, 0)
    node.refresh_from_db()
    assert node.title == "Our words"


def test_a_page_that_was_deleted_comes_back_with_its_relations(admin_user: User) -> None:
    space = demo_load(acting_user=admin_user).space
    node = Node.objects.get(space=space, external_id="glossario-de-bordo")
    node_delete(acting_user=admin_user, node=node)
    again = demo_load(acting_user=admin_user)
    assert (again.nodes, again.relations, again.files) == (1, 1, 0)


def test_without_an_administrator_it_says_what_to_do(db: None) -> None:
    with pytest.raises(CommandError, match="bootstrap"):
        call_command("load_demo")
