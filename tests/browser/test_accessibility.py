"""The chat page before axe: WCAG 2.2 AA, light and dark, desktop and phone, two languages."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from knowledge.models import Node
from project.accounts.models import User
from tests.browser.conftest import Acervo, Visit
from tests.browser.test_chat import ask

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SIZES = ((1280, 800), (390, 844))


def faults_of(page: Page) -> list[str]:
    """Return what axe finds at both sizes in both schemes, as `rule: element`."""
    found = []
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.evaluate(
                "Promise.allSettled(document.getAnimations().map((each) => each.finished))"
            )
            options = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
            answer = Axe().run(page, options=options).response
            found += [
                f"{width} {scheme} {rule['id']}: {node['html'][:160]} {node['failureSummary']}"
                for rule in answer["violations"]
                for node in rule["nodes"]
            ]
    page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
    return found


def test_the_empty_page_and_its_dialogs_pass_axe(visit: Visit, acervo: Acervo, tides: Node) -> None:
    page = visit.page
    page.goto("/")
    assert faults_of(page) == []
    page.keyboard.press("Escape")
    page.locator("h1").click(force=True)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert faults_of(page) == []
    page.keyboard.press("Escape")
    page.get_by_label("Your question", exact=True).fill("/")
    expect(page.get_by_role("listbox")).to_be_visible()
    assert faults_of(page) == []


@pytest.mark.parametrize("language", ["en", "pt-br"])
def test_an_answer_its_sources_and_its_forms_pass_axe(
    visit: Visit, acervo: Acervo, tides: Node, reader: User, language: str
) -> None:
    User.objects.filter(pk=reader.pk).update(language=language)
    acervo.model.behave(
        answer="On 3 May high water in Tarvelo is at **11:40** [1].\n\n"
        "| When | What |\n|---|---|\n| 11:40 | high |\n\n```python\nprint(11)\n```\n"
    )
    page = visit.page
    page.goto("/")
    page.locator("[data-suggestion]").first.click()
    answer = page.locator(".answer")
    expect(answer).to_have_attribute("data-status", "completed", timeout=20_000)
    expect(answer.locator("[data-foot]")).to_be_visible()
    assert faults_of(page) == []
    page.locator("a.citation").first.click()
    expect(page.locator("[data-panel] mark.passage").first).to_be_visible()
    assert faults_of(page) == []
    page.keyboard.press("Escape")
    page.locator("button[data-why]").click()
    expect(page.locator("[data-panel] h2").first).to_be_visible()
    assert faults_of(page) == []
    page.keyboard.press("Escape")
    page.locator("[data-feedback='-1']").click()
    page.locator("[data-state-menu] > summary").click()
    page.locator(".conversation").hover()
    assert faults_of(page) == []
    page.locator(".conversation summary").click()
    page.locator("[data-rename]").click()
    assert faults_of(page) == []


def test_what_went_wrong_passes_axe(visit: Visit, acervo: Acervo, tides: Node) -> None:
    page = visit.page
    page.goto("/")
    page.route("**/messages/", lambda route: route.abort())
    page.context.set_offline(True)
    ask(page)
    expect(page.locator("[data-banner]")).to_be_visible()
    assert faults_of(page) == []
