"""Keeping an answer's question for evaluations, from the chat page, with the keyboard alone."""

import re

from playwright.sync_api import expect

from knowledge.models import GoldenQuestion, Node
from project.accounts.choices import Role
from project.accounts.models import User
from tests.browser.checks import CONTRAST, NAMELESS
from tests.browser.conftest import Acervo, Visit
from tests.browser.test_chat import QUESTION, ask
from tests.conftest import grant


def test_an_editor_makes_a_golden_question_and_takes_it_back(
    visit: Visit, acervo: Acervo, tides: Node, reader: User
) -> None:
    grant(tides.space, reader, Role.EDITOR)
    User.objects.filter(pk=reader.pk).update(is_staff=True)
    acervo.model.behave(answer="High water is at **11:40** [1].")
    page = visit.page
    page.goto("/")
    ask(page)
    answer = page.locator(".answer")
    make = answer.get_by_role("button", name="Make a golden question")
    expect(make).to_have_attribute("aria-pressed", "false")
    make.focus()
    page.keyboard.press("Enter")
    note = answer.get_by_role("status")
    expect(note).to_contain_text("Made a golden question. Nodes that answer it: 1.")
    expect(make).to_have_attribute("aria-pressed", "true")
    expect(make).to_be_focused()
    golden = GoldenQuestion.objects.get()
    assert (golden.question, golden.targets.get().node) == (QUESTION, tides)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(NAMELESS) == []

    page.reload()
    expect(make).to_have_attribute("aria-pressed", "true")
    make.click()
    expect(note).to_contain_text("This is a golden question already.")
    expect(note.get_by_role("button", name="Undo")).to_be_hidden()
    assert GoldenQuestion.objects.count() == 1
    golden.delete()
    make.click()
    expect(note.get_by_role("link", name="Edit")).to_have_attribute(
        "href", re.compile(r"/admin/knowledge/goldenquestion/[0-9a-f-]{36}/change/")
    )
    note.get_by_role("button", name="Undo").press("Enter")
    expect(page.get_by_text("The golden question is gone again.")).to_be_visible()
    expect(make).to_have_attribute("aria-pressed", "false")
    expect(make).to_be_focused()
    assert not GoldenQuestion.objects.exists()


def test_a_reader_is_not_offered_it(visit: Visit, acervo: Acervo, tides: Node) -> None:
    acervo.model.behave(answer="High water is at **11:40** [1].")
    page = visit.page
    page.goto("/")
    ask(page)
    expect(page.get_by_role("button", name="Good answer")).to_be_visible()
    expect(page.get_by_role("button", name="Make a golden question")).to_have_count(0)
