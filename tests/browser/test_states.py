"""Asking and reading the knowledge as it stood, in the browser."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from chat.models import Turn
from knowledge import past
from knowledge.indexing import index_node
from knowledge.models import Node, Publication
from knowledge.services import node_update, release_create
from project.accounts.models import User
from tests.browser.conftest import TIDES, Acervo, Visit

DAY = timezone.localdate() - timedelta(days=2)
QUESTION = "When is high water in Tarvelo on 3 May?"


@pytest.fixture
def changed(tides: Node) -> Node:
    """The tide table, whose high water has been another one for an hour."""
    author = User.objects.get(username="author")
    release_create(acting_user=author, space=tides.space, name="Spring")
    node_update(acting_user=author, node=tides, content=TIDES.replace("11:40", "12:30"))
    index_node(tides.pk)
    hour_ago = timezone.now() - timedelta(hours=1)
    Publication.objects.filter(version=1).update(
        started_at=hour_ago - timedelta(days=5), ended_at=hour_ago
    )
    Publication.objects.filter(version=2).update(started_at=hour_ago)
    past.versions_fill()
    return tides


def choose_day(page: Page) -> None:
    """Choose the day with the keyboard alone."""
    menu = page.locator("[data-state-menu] > summary")
    menu.focus()
    page.keyboard.press("Enter")
    page.get_by_label("As the knowledge stood on", exact=True).fill(str(DAY))
    page.keyboard.press("Enter")


def test_a_question_about_an_earlier_day_is_answered_from_then(
    visit: Visit, acervo: Acervo, changed: Node
) -> None:
    acervo.model.behave(answer="High water is at **11:40** [1].")
    page = visit.page
    page.goto("/")
    choose_day(page)
    chip = page.locator("[data-asked]")
    words = f"As the knowledge stood on {DAY:%B} {DAY.day}, {DAY.year}"
    expect(chip).to_contain_text(words)
    expect(page.locator("[data-announcer]")).to_have_text(words)
    expect(page.get_by_label("Your question")).to_be_focused()
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    answer = page.locator(".answer")
    expect(answer).to_have_attribute("data-status", "completed", timeout=20_000)
    expect(answer.locator(".answer-state")).to_contain_text("As the knowledge stood on")
    answer.get_by_role("button", name="Source 1: Tide table").first.click()
    panel = page.get_by_role("complementary", name="Source")
    expect(panel).to_contain_text("As it stood on")
    expect(panel.locator("mark.passage", has_text="11:40")).to_be_visible()
    panel.get_by_role("link", name="Open the whole text").click()
    expect(page.locator("[data-moment]")).to_contain_text("You see the knowledge as it stood on")
    expect(page.locator("[data-node-text]")).to_contain_text("11:40")
    page.get_by_role("link", name="Back to today").click()
    expect(page.locator("[data-node-text]")).to_contain_text("12:30")
    turn = Turn.objects.get()
    assert turn.as_of is not None
    assert turn.as_of < timezone.now() - timedelta(days=1)


def test_the_state_stays_until_it_is_cleared(visit: Visit, acervo: Acervo, changed: Node) -> None:
    acervo.model.behave(answer="High water is at 12:30 [1].")
    page = visit.page
    page.goto("/")
    page.locator("[data-state-menu] > summary").click()
    page.get_by_role("button", name="Ask that state").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose a day before today")
    page.get_by_label("or in a release").select_option(label="Spring")
    page.get_by_role("button", name="Ask that state").click()
    chip = page.locator("[data-asked]")
    expect(chip).to_contain_text("As of the release “Spring”")
    page.get_by_label("Your question").fill(QUESTION)
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_have_attribute("data-status", "completed", timeout=20_000)
    expect(page.locator(".answer-state")).to_contain_text("As of the release “Spring”")
    page.reload()
    expect(chip).to_be_visible()
    page.get_by_role("button", name="Ask today’s knowledge again").click()
    expect(chip).to_be_hidden()
    expect(page.locator("[data-announcer]")).to_have_text("You ask today’s knowledge again.")
    page.get_by_label("Your question").fill("And now?")
    page.keyboard.press("Enter")
    answers = page.locator(".answer")
    expect(answers.nth(1)).to_have_attribute("data-status", "completed")
    expect(answers.nth(1).locator(".answer-state")).to_have_count(0)
    page.reload()
    expect(chip).to_be_hidden()
    assert list(Turn.objects.order_by("created_at").values_list("release_name", flat=True)) == [
        "Spring",
        "",
    ]


def test_browsing_an_earlier_day(visit: Visit, changed: Node) -> None:
    page = visit.page
    page.goto("/knowledge/")
    page.get_by_label("As of").fill(str(DAY))
    page.get_by_label("Search the knowledge").fill("11:40")
    page.keyboard.press("Enter")
    expect(page.locator("[data-moment]")).to_contain_text("You see the knowledge as it stood on")
    page.get_by_role("link", name="Tide table").click()
    expect(page.locator("[data-moment]")).to_be_visible()
    expect(page.locator("[data-node-text]")).to_contain_text("11:40")
