"""One's conversations in the browser: commands, why an answer is so, pins, archive, sharing."""

import re

from playwright.sync_api import expect

from chat.models import Conversation, Feedback, Share
from knowledge.models import Node
from tests.browser.checks import CONTRAST, NAMELESS
from tests.browser.conftest import Acervo, Visit
from tests.browser.test_chat import ask


def test_by_keyboard_from_a_question_to_why_it_was_answered_so(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    acervo.model.behave(answer="On 3 May high water in Tarvelo is at 11:40 [1].")
    page = visit.page
    page.goto("/")
    ask(page)
    answer = page.locator(".answer")
    expect(answer).to_have_attribute("data-status", "completed", timeout=20_000)
    expect(answer.get_by_role("region", name="Sources")).to_contain_text("Tide table")
    box = page.get_by_label("Your question", exact=True)
    box.fill("/w")
    expect(page.get_by_role("option")).to_have_text(["/whyWhy this answer?"])
    page.keyboard.press("Enter")
    panel = page.get_by_role("complementary", name="Why this answer?")
    expect(panel).to_contain_text("Where the time went")
    expect(panel.get_by_role("link", name="Tide table").first).to_be_visible()
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
            assert page.evaluate(CONTRAST) == []
            assert page.evaluate(NAMELESS) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 1280, "height": 800})
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(answer.get_by_role("button", name="Why this answer?")).to_be_focused()
    page.get_by_role("button", name="Bad answer").press("Enter")
    page.get_by_label("Out of date").press("Space")
    page.keyboard.press("Tab")
    page.locator(".feedback").get_by_role("button", name="Send").press("Enter")
    expect(page.get_by_text("Thank you.")).to_be_visible()
    assert Feedback.objects.get().reasons == ["outdated"]
    follow_up = answer.get_by_role("list", name="You may want to ask").get_by_role("button").first
    expect(follow_up).to_contain_text("What does “Tide table” say about")
    follow_up.click()
    expect(page.locator(".question")).to_have_count(2)


def test_a_conversation_is_pinned_found_archived_and_shared(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    acervo.model.behave(answer="On 3 May high water in Tarvelo is at 11:40 [1].")
    page = visit.page
    page.goto("/")
    ask(page, "When is high water?")
    expect(page.locator(".answer")).to_have_attribute("data-status", "completed", timeout=20_000)
    box = page.get_by_label("Your question", exact=True)
    box.fill("A draft that outlives the tab")
    page.reload()
    expect(box).to_have_value("A draft that outlives the tab")
    item = page.locator(".conversation")

    def choose(name: str) -> None:
        item.hover()
        item.locator("summary").click()
        item.get_by_role("button", name=name).click()

    choose("Pin")
    expect(page.locator(".day-name")).to_have_text(["Pinned"])
    page.get_by_role("searchbox").fill("tarv")
    expect(item.locator("mark")).to_have_text(["Tarv"])
    page.get_by_role("searchbox").fill("")
    expect(page.locator(".day-name")).to_have_text(["Pinned"])
    choose("Archive")
    expect(page.locator("[data-empty-list]")).to_be_visible()
    page.get_by_role("button", name="Archived conversations").click()
    expect(item).to_have_count(1)
    choose("Bring back")
    expect(page.locator("[data-empty-list]")).to_contain_text("Nothing is archived.")
    assert Conversation.objects.filter(archived_at=None, pinned_at__isnull=False).exists()
    box.fill("/share")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Share", exact=True).click()
    page.locator(".share-link a").click()
    expect(page).to_have_url(re.compile(r"/shared/[0-9a-f-]{36}/$"))
    expect(page.locator(".answer-body")).to_contain_text("11:40")
    expect(page.get_by_text("A conversation of Rita")).to_be_visible()
    assert Share.objects.count() == 1
