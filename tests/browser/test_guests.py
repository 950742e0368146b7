"""A visitor in the browser: asks as a guest, comes back, signs in, and keeps what was said."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from chat.models import Conversation
from knowledge.choices import Visibility
from knowledge.models import Node, Space
from project.accounts.models import User
from project.ratelimit import hit_all
from tests.browser.checks import CONTRAST, NAMELESS
from tests.browser.conftest import Acervo
from tests.browser.test_chat import ask
from tests.conftest import PASSWORD

SHOTS = os.environ.get("TEST_SHOTS")


@pytest.fixture
def visitor(acervo: Acervo, tides: Node, chromium: Browser) -> Iterator[Page]:
    """A fresh browser in which nobody is signed in; a script that fails fails the test."""
    Space.objects.update(visibility=Visibility.PUBLIC, allows_guests=True)
    acervo.model.behave(answer="On 3 May high water in Tarvelo is at 11:40 [1].")
    context = chromium.new_context(base_url=acervo.url, locale="en-US")
    context.set_default_timeout(20_000)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []


def looked_at(page: Page, name: str) -> None:
    """Check the page in both sizes and both colours; keep pictures where they are wanted."""
    for width, height in ((1280, 800), (390, 780)):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
            if SHOTS:
                page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{scheme}.png")
            assert page.evaluate(CONTRAST) == []
            assert page.evaluate(NAMELESS) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 1280, "height": 800})


def test_a_visitor_asks_comes_back_and_keeps_the_conversation_by_signing_in(
    visitor: Page, reader: User
) -> None:
    page = visitor
    page.goto("/sign-in/")
    page.get_by_role("link", name="Ask without signing in").click()
    bar = page.get_by_role("region", name="You are a guest")
    expect(bar).to_contain_text("Questions left for now: 20")
    expect(page.get_by_role("button", name="Talk to a person")).to_be_hidden()
    expect(page.get_by_title("Ask an earlier state of knowledge")).to_be_hidden()
    looked_at(page, "guest-empty")
    ask(page)
    answer = page.locator(".answer")
    expect(answer).to_have_attribute("data-status", "completed", timeout=20_000)
    expect(answer.get_by_role("region", name="Sources")).to_contain_text("Tide table")
    expect(bar).to_contain_text("Questions left for now: 19")
    expect(answer.get_by_role("button", name="Why this answer?")).to_be_hidden()
    answer.locator("[data-open-source]").first.click()
    expect(page.locator("[data-panel]")).to_contain_text("High water")
    page.keyboard.press("Escape")
    page.reload()
    expect(page.locator(".answer")).to_contain_text("11:40")
    looked_at(page, "guest-answer")
    ask(page, "I want to speak to a person")
    expect(page.locator(".answer").last).to_contain_text("Sign in first")
    expect(page.locator("#toasts")).to_be_empty()
    second = page.context.new_page()
    second.goto("/")
    second.get_by_role("navigation", name="Conversations").get_by_role("link").filter(
        has_text="high water"
    ).click()
    expect(second.locator(".answer").first).to_contain_text("11:40")
    second.get_by_role("link", name="Sign in to keep this conversation").click()
    looked_at(second, "guest-sign-in")
    second.get_by_label("Username").fill(reader.username)
    second.get_by_label("Password").fill(PASSWORD)
    second.get_by_role("button", name="Sign in").click()
    expect(second.get_by_role("status").first).to_contain_text("is yours now")
    expect(second.locator(".answer").first).to_contain_text("11:40")
    expect(second.get_by_role("region", name="You are a guest")).to_have_count(0)
    looked_at(second, "guest-claimed")
    assert Conversation.objects.get().user == reader
    # The tab of the guest is cut off within 5 s, comes back as its person by itself, and goes on.
    ask(page, "And low water?")
    expect(page.locator(".answer")).to_have_count(3)
    expect(page.locator(".answer").last).to_have_attribute(
        "data-status", "completed", timeout=20_000
    )
    page.reload()
    expect(page.locator(".answer")).to_have_count(3)
    expect(page.get_by_role("region", name="You are a guest")).to_have_count(0)


def test_a_visitor_chooses_a_space_and_is_told_when_the_questions_are_used_up(
    visitor: Page, tides: Node
) -> None:
    Space.objects.create(
        name="Archive", slug="archive", visibility=Visibility.PUBLIC, allows_guests=True
    )
    page = visitor
    page.goto("/")
    chooser = page.get_by_label("Which knowledge to ask")
    expect(chooser.locator("option")).to_have_text(["Archive", "Harbour"])
    chooser.select_option(label="Harbour")
    ask(page)
    answer = page.locator(".answer")
    expect(answer).to_have_attribute("data-status", "completed", timeout=20_000)
    asked = Conversation.objects.get()
    assert asked.space == tides.space
    hit_all("guest-messages", {str(asked.user_id): "20/hour"}, cost=19)
    ask(page, "And low water?")
    expect(page.get_by_text("Sign in to go on, or try again later.").first).to_be_visible()
    looked_at(page, "guest-used-up")
    # Closing the space ends it, on the page as well.
    Space.objects.update(allows_guests=False)
    expect(page.locator("[data-banner]")).to_be_visible(timeout=8000)
    page.goto("/")
    expect(page).to_have_url(re.compile(r"/sign-in/\?next=/$"))
