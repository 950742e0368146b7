"""The chat page before axe: WCAG 2.2 AA, light and dark, desktop and phone, two languages."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from knowledge.models import Node
from project.accounts.models import User
from tests.browser.conftest import Acervo, Visit
from tests.browser.test_chat import ask

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
DESKTOP, PHONE = (1280, 800), (390, 844)
LOOKS = ((DESKTOP, "light"), (PHONE, "dark"))
ALL_LOOKS = (*LOOKS, (DESKTOP, "dark"), (PHONE, "light"))


def faults_of(page: Page, looks: tuple[tuple[tuple[int, int], str], ...] = LOOKS) -> list[str]:
    """Return what axe finds in these looks, as `width scheme rule: element`."""
    found = []
    for (width, height), scheme in looks:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(
            color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
        )
        page.evaluate("Promise.allSettled(document.getAnimations().map((each) => each.finished))")
        options = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
        answer = Axe().run(page, options=options).response
        found += [
            f"{width} {scheme} {rule['id']}: {node['html'][:160]} {node['failureSummary']}"
            for rule in answer["violations"]
            for node in rule["nodes"]
        ]
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    return found


def test_the_empty_page_and_its_dialogs_pass_axe(visit: Visit, acervo: Acervo, tides: Node) -> None:
    page = visit.page
    page.goto("/")
    assert faults_of(page) == []
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert faults_of(page) == []
    page.keyboard.press("Escape")
    page.get_by_label("Your question", exact=True).fill("/")
    expect(page.get_by_role("listbox")).to_be_visible()
    assert faults_of(page) == []


def test_an_answer_its_sources_and_its_forms_pass_axe(
    visit: Visit, acervo: Acervo, tides: Node, reader: User
) -> None:
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
    assert faults_of(page, ALL_LOOKS) == []
    page.locator("a.citation").first.click()
    expect(page.locator("[data-panel] mark.passage").first).to_be_visible()
    assert faults_of(page) == []
    page.keyboard.press("Escape")
    page.locator("button[data-why]").click()
    # Its own heading: until it is there, the panel shows the passage that was open before.
    expect(page.locator("[data-panel] .why h3").first).to_be_visible()
    assert faults_of(page) == []
    page.keyboard.press("Escape")
    page.locator("[data-feedback='-1']").click()
    page.locator("[data-state-menu] > summary").click()
    page.locator(".conversation").hover()
    assert faults_of(page) == []
    page.locator(".conversation summary").click()
    page.locator("[data-rename]").click()
    assert faults_of(page) == []
    User.objects.filter(pk=reader.pk).update(language="pt-br")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "pt-br")
    assert faults_of(page) == []


def test_what_went_wrong_passes_axe(visit: Visit, acervo: Acervo, tides: Node) -> None:
    page = visit.page
    page.goto("/")
    page.route("**/messages/", lambda route: route.abort())
    page.context.set_offline(True)
    ask(page)
    expect(page.locator("[data-banner]")).to_be_visible()
    assert faults_of(page) == []
