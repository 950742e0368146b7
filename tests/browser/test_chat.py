"""Asking in the browser: the answer streams, cites, survives a reload, and can be stopped."""

import re

from playwright.sync_api import Page, expect

from chat.models import Message, Turn
from knowledge.choices import NodeStatus
from knowledge.indexing import index_node
from knowledge.models import Node
from knowledge.services import node_create
from project.accounts.models import User
from tests.browser.conftest import Acervo, Visit

QUESTION = "When is high water in Tarvelo on 3 May?"
LONG = "High water is at **11:40** [1].\n\n" + "\n\n".join(
    f"Paragraph {number} of a long answer." for number in range(12)
)


def ask(page: Page, text: str = QUESTION) -> None:
    page.get_by_label("Your question").fill(text)
    page.keyboard.press("Enter")


def test_a_suggested_question_gets_a_cited_answer_whose_passage_opens(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    acervo.model.behave(answer="High water is at **11:40** [1].", token_delay=0.02)
    page = visit.page
    page.goto("/")
    page.get_by_role("button", name=QUESTION).click()
    answer = page.locator(".answer")
    expect(answer).to_have_attribute("data-status", "completed")
    expect(page).to_have_url(re.compile(r"/c/[0-9a-f-]{36}/$"))
    expect(answer.locator("strong")).to_have_text("11:40")
    citation = answer.get_by_role("button", name="Source 1: Tide table").first
    citation.click()
    panel = page.get_by_role("complementary", name="Source")
    expect(panel.locator("mark.passage").first).to_be_visible()
    expect(
        panel.locator("mark.passage", has_text="high water in Tarvelo is at 11:40")
    ).to_be_visible()
    expect(panel).to_contain_text("Version 1")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(citation).to_be_focused()
    citation.click()
    panel.get_by_role("link", name="Open the whole text").click()
    expect(page).to_have_url(re.compile(rf"/knowledge/nodes/{tides.pk}/\?version=1&start="))
    expect(page.locator("mark.passage").first).to_be_in_viewport()


def test_an_open_source_outlives_the_end_of_its_answer(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    fees = node_create(
        acting_user=User.objects.get(username="author"),
        space=tides.space,
        title="High water of storms",
        content="# Storms\n\nIn storms high water in Tarvelo on 3 May comes an hour earlier.\n",
        status=NodeStatus.PUBLISHED,
    )
    index_node(fees.pk)
    acervo.model.behave(
        answer="So it is [1], and so [2].\n\nAnd there is more to be said of it.",
        fault="hang",
        after=14,
    )
    page = visit.page
    page.goto("/")
    ask(page)
    answer = page.locator(".answer")
    answer.locator("a.citation[data-citation='1']").first.click()
    panel = page.get_by_role("complementary", name="Source")
    expect(panel.locator("mark.passage").first).to_be_visible()
    page.get_by_role("button", name="Stop answering").click()
    expect(answer.locator("[data-foot]")).to_be_visible()
    panel.get_by_role("button", name="Next source").click()
    expect(panel.locator("[data-panel-number]")).to_have_text("2")
    expect(answer.locator(".source[data-citation='2'] [data-open-source]")).to_have_attribute(
        "aria-expanded", "true"
    )
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    assert page.evaluate("document.activeElement.closest('.answer') !== null")


def test_a_reload_in_mid_answer_loses_and_doubles_nothing(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    acervo.model.behave(answer=LONG, token_delay=0.04)
    page = visit.page
    page.goto("/")
    ask(page)
    expect(page.locator(".answer-body")).to_contain_text("Paragraph 1")
    page.reload()
    expect(page.locator(".answer")).to_have_attribute("data-status", "completed")
    paragraphs = page.locator(".answer-body p").all_inner_texts()
    said = [each.removesuffix(" not in its sources") for each in paragraphs[1:]]
    assert said == [f"Paragraph {number} of a long answer." for number in range(12)]
    expect(page.locator(".question")).to_have_count(1)
    assert Message.objects.count() == 2


def test_an_answer_can_be_stopped_and_made_again(visit: Visit, acervo: Acervo, tides: Node) -> None:
    acervo.model.behave(answer=LONG, token_delay=0.1)
    page = visit.page
    page.goto("/")
    ask(page)
    expect(page.locator(".answer-body")).to_contain_text("Paragraph 0")
    page.get_by_role("button", name="Stop answering").click()
    expect(page.locator(".answer")).to_have_attribute("data-status", "stopped")
    expect(page.locator(".answer")).to_contain_text("You stopped this answer.")
    acervo.model.behave(answer="High water is at 11:40 [1].")
    page.locator("[data-retry]").click()
    expect(page.locator(".answer")).to_have_attribute("data-status", "completed")
    expect(page.locator(".answer-body")).to_contain_text("High water is at 11:40")
    expect(page.locator(".answer .siblings-count")).to_have_text("2 / 2")
    assert page.evaluate("document.activeElement.closest('.answer') !== null")
    page.get_by_role("button", name="Edit and ask again").click()
    ask(page, "When is low water in Tarvelo?")
    expect(page.locator(".question .siblings-count")).to_have_text("2 / 2")
    page.get_by_role("link", name="Previous version").click()
    expect(page.locator(".question .siblings-count")).to_have_text("1 / 2")


def test_a_lost_connection_comes_back_and_goes_on_where_it_was(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    acervo.model.behave(answer=LONG, token_delay=0.04)
    page = visit.page
    page.goto("/")
    ask(page)
    expect(page.locator(".answer-body")).to_contain_text("Paragraph 0")
    page.context.set_offline(True)
    expect(page.locator("[data-banner]")).to_contain_text("You are offline")
    page.context.set_offline(False)
    expect(page.locator(".answer")).to_have_attribute("data-status", "completed")
    expect(page.locator("[data-banner]")).to_be_hidden()
    assert page.locator(".answer-body").inner_text().count("of a long answer.") == 12


def test_without_websockets_the_answer_streams_over_http(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    acervo.model.behave(answer=LONG, token_delay=0.02)
    page = visit.page
    page.add_init_script(
        "window.WebSocket = class extends EventTarget {"
        " constructor() { super(); setTimeout(() => this.dispatchEvent(new CloseEvent('close',"
        " {code: 1006})), 10); } close() {} send() {} };"
    )
    page.goto("/")
    ask(page)
    expect(page.locator(".answer")).to_have_attribute("data-status", "completed")
    assert page.locator(".answer-body").inner_text().count("of a long answer.") == 12
    expect(page.locator(".source")).to_have_count(1)


def test_a_question_written_while_signed_out_is_kept(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    page = visit.page
    page.goto("/")
    page.context.clear_cookies(name="acervo_session")
    ask(page, "What does a mooring cost?")
    expect(page.locator("[data-banner]")).to_contain_text("You are signed out")
    expect(page.get_by_label("Your question")).to_have_value("What does a mooring cost?")
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Username").fill("reader")
    page.get_by_label("Password").fill("correct-horse-battery")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your question")).to_have_value("What does a mooring cost?")
    assert not Turn.objects.exists()


def test_a_message_that_is_too_long_is_not_sent(visit: Visit, acervo: Acervo) -> None:
    page = visit.page
    page.goto("/")
    page.get_by_label("Your question").fill("x" * 2010)
    expect(page.locator("[data-count]")).to_have_text("10 characters too many")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    page.keyboard.press("Enter")
    expect(page.locator("[data-hint]")).to_contain_text("2,010 of 2,000")
    expect(page.locator(".question")).to_have_count(0)


def test_a_conversation_is_renamed_deleted_and_brought_back(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    acervo.model.behave(answer="At 11:40 [1].")
    page = visit.page
    page.goto("/")
    ask(page)
    expect(page.locator(".answer")).to_have_attribute("data-status", "completed")
    item = page.locator(".conversation")
    expect(item).to_have_text(re.compile(QUESTION[:20]))
    item.hover()
    item.locator("summary").click()
    item.get_by_role("button", name="Rename").click()
    page.keyboard.press("Escape")
    expect(item.locator("summary")).to_be_focused()
    item.locator("summary").click()
    item.get_by_role("button", name="Rename").click()
    page.get_by_label("New name").fill("Tides of May")
    page.keyboard.press("Enter")
    expect(item.get_by_role("link")).to_have_text("Tides of May")
    expect(page.get_by_role("heading", level=1)).to_have_text("Tides of May")
    item.locator("summary").click()
    item.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(f"{acervo.url}/")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".conversation").get_by_role("link")).to_have_text("Tides of May")
    expect(item.locator("summary")).to_be_focused()
    item.locator("summary").click()
    item.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("searchbox", name="Search conversations")).to_be_focused()
    page.get_by_role("button", name="Undo").click()
    page.reload()
    expect(page.locator(".conversation").get_by_role("link")).to_have_text("Tides of May")
