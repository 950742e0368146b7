"""The pages for every reader: on a phone, in the dark, by keyboard and by screen reader."""

import re

import pytest
from playwright.sync_api import Browser, expect

from knowledge.models import Node
from tests.browser.checks import CONTRAST, NAMELESS
from tests.browser.conftest import Acervo, Visit

PAGES = ["/", "/knowledge/", "/memory/", "/account/"]


def addresses(node: Node) -> list[str]:
    own = f"/knowledge/nodes/{node.pk}/"
    return [*PAGES, f"{own}?version=1&start=20&end=80", f"{own}lineage/", "/nothing/here/"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_and_controls_have_names(visit: Visit, tides: Node, scheme: str) -> None:
    visit.page.emulate_media(color_scheme=scheme)
    for address in addresses(tides):
        visit.page.goto(address)
        assert visit.page.evaluate(CONTRAST) == [], address
        assert visit.page.evaluate(NAMELESS) == [], address
        expect(visit.page.locator("h1, h2").first).to_be_attached()


def test_a_narrow_phone_never_scrolls_sideways(visit: Visit, tides: Node) -> None:
    visit.page.set_viewport_size({"width": 360, "height": 640})
    for address in addresses(tides):
        visit.page.goto(address)
        width = visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, address


def test_on_a_phone_the_list_is_a_drawer_that_escape_closes(visit: Visit, tides: Node) -> None:
    page = visit.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/")
    sidebar = page.get_by_role("navigation", name="Conversations")
    expect(sidebar).to_be_hidden()
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name="Show conversations").click()
    expect(sidebar).to_be_visible()
    expect(page.get_by_role("button", name="Hide conversations")).to_be_focused()
    page.keyboard.press("Escape")
    expect(sidebar).to_be_hidden()
    expect(page.get_by_role("button", name="Show conversations")).to_be_focused()


def test_the_appearance_is_chosen_by_hand_and_remembered(visit: Visit, acervo: Acervo) -> None:
    page = visit.page
    page.emulate_media(color_scheme="light")
    page.goto("/knowledge/")
    page.locator(".menu-button").click()
    switch = page.locator("[data-theme-switch]")
    switch.click()
    switch.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto("/account/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"


def test_the_first_tab_leads_past_the_navigation(visit: Visit, acervo: Acervo) -> None:
    page = visit.page
    page.goto("/account/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_the_shortcuts_are_listed_and_work(visit: Visit, acervo: Acervo) -> None:
    page = visit.page
    page.goto("/")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_label("Your question")).to_be_focused()
    page.keyboard.type("Is this a question?")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("Control+Shift+s")
    expect(page.get_by_role("navigation", name="Conversations")).to_be_hidden()


def test_knowledge_is_found_by_its_words(visit: Visit, tides: Node) -> None:
    page = visit.page
    page.goto("/knowledge/")
    page.get_by_role("searchbox").fill("moorings outer quay")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Tide table").click()
    expect(page).to_have_url(re.compile(rf"/knowledge/nodes/{tides.pk}/"))
    expect(page.locator("mark.passage").first).to_be_in_viewport()


def test_the_whole_way_in_by_keyboard(acervo: Acervo, visit: Visit, chromium: Browser) -> None:
    context = chromium.new_context(base_url=acervo.url, locale="pt-BR")
    page = context.new_page()
    page.goto("/memory/")
    expect(page).to_have_url(f"{acervo.url}/sign-in/?next=/memory/")
    expect(page.locator("html")).to_have_attribute("lang", "pt-br")
    page.keyboard.type("reader")
    page.keyboard.press("Tab")
    page.keyboard.type("correct-horse-battery")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{acervo.url}/memory/")
    context.close()
