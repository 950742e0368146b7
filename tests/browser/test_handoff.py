"""A person asks for a person, and an operator answers: two browsers, live both ways."""

import re
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from chat.models import Handoff
from knowledge.models import Node, Proposal
from project.accounts.choices import Role
from project.accounts.models import User
from tests.browser.checks import CONTRAST, NAMELESS
from tests.browser.conftest import Acervo, Visit
from tests.browser.test_chat import ask
from tests.conftest import grant


@pytest.fixture
def desk(acervo: Acervo, tides: Node, chromium: Browser) -> Iterator[Page]:
    """The browser of an operator who edits the space."""
    ana = User.objects.create_user(username="ana", first_name="Ana", last_name="Reis")
    ana.is_staff = True
    ana.save()
    grant(tides.space, ana, Role.EDITOR)
    client = Client()
    client.force_login(ana, backend="django.contrib.auth.backends.ModelBackend")
    context = chromium.new_context(base_url=acervo.url, locale="en-US")
    context.set_default_timeout(20_000)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": "acervo_session", "value": session, "url": acervo.url}])
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda message: (
            faults.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    yield page
    context.close()
    assert faults == []


def say(page: Page, text: str) -> None:
    page.locator("[data-input]").fill(text)
    page.keyboard.press("Enter")


def look_well(page: Page, desk: Page) -> None:
    """Both sides can be read in light and dark, and fit on a phone."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(NAMELESS) == []
    page.set_viewport_size({"width": 390, "height": 844})
    desk.set_viewport_size({"width": 390, "height": 844})
    for place in (page, desk):
        assert place.evaluate("document.documentElement.scrollWidth <= innerWidth")
    desk.set_viewport_size({"width": 1280, "height": 900})
    page.set_viewport_size({"width": 1280, "height": 900})


def test_two_people_talk_and_the_ai_answers_again_afterwards(
    visit: Visit, acervo: Acervo, tides: Node, desk: Page
) -> None:
    acervo.model.behave(answer="High water is at **11:40** [1].")
    page = visit.page
    desk.goto("/admin/chat/handoff/")
    expect(desk.get_by_text("Nobody waits", exact=True)).to_be_visible()
    page.goto("/")
    ask(page)
    expect(page.locator(".answer[data-status=completed]")).to_have_count(1)
    page.get_by_role("button", name="Talk to a person").click()
    strip = page.locator("[data-handoff]")
    expect(strip).to_contain_text("Somebody is at the desk and will come soon")

    desk.get_by_role("link", name=re.compile("Rita")).click()
    desk.get_by_role("button", name="Assign to me").click()
    expect(strip).to_contain_text("Ana Reis answers you")
    expect(desk.locator("[data-presence]")).to_have_text("is looking at the conversation")

    say(page, "I mean the tides in June.")
    arrived = desk.locator(".ho-person .ho-text", has_text="tides in June")
    expect(arrived).to_have_count(1)
    expect(page.locator(".answer")).to_have_count(1)
    box = desk.get_by_label("Your answer")
    box.press_sequentially("One moment")
    expect(strip).to_contain_text("Ana Reis is writing…")
    box.press("Enter")
    expect(page.locator(".answer").nth(1)).to_contain_text("One moment")
    expect(page.locator(".answer").nth(1)).to_contain_text("Ana Reis")
    box.press("Control+k")
    desk.get_by_label("Look for a written answer").fill("mooring outer quay")
    wanted = desk.locator("li").filter(has_text="outer quay")
    wanted.get_by_role("button", name="Insert with its source").first.click()
    expect(box).to_have_value(re.compile(r"outer quay.*\[1\]", re.DOTALL))
    box.press("Enter")
    last = page.locator(".answer").nth(2)
    expect(last.locator("a.citation")).to_have_count(1)
    last.locator("a.citation").click()
    expect(page.locator("[data-panel-body]")).to_contain_text("outer quay")
    expect(last.locator(".source-snippet")).not_to_contain_text("#")
    page.keyboard.press("Escape")
    expect(desk.locator(".ho-operator")).to_have_count(2)
    desk.reload()
    expect(desk.locator(".ho-said")).to_have_count(5)
    look_well(page, desk)

    desk.get_by_role("button", name="Propose as a node").last.click()
    expect(desk.get_by_text("Proposed as a new node")).to_be_visible()
    assert Proposal.objects.get().space == tides.space
    desk.get_by_role("button", name="Release to the AI").click()
    expect(strip).to_be_hidden()
    ask(page)
    expect(page.locator(".answer")).to_have_count(4)
    expect(page.locator(".answer").nth(3)).to_contain_text("11:40")
    page.reload()
    expect(page.locator(".answer")).to_have_count(4)
    assert Handoff.objects.get().status == "released"


def test_words_ask_for_a_person_and_who_would_wait_in_vain_is_told(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    User.objects.filter(is_superuser=True).update(is_staff=False)
    page = visit.page
    page.goto("/")
    say(page, "Can I talk to a person?")
    expect(page.locator(".answer")).to_contain_text("you would wait in vain")
    expect(page.locator("[data-handoff]")).to_be_hidden()
    page.reload()
    expect(page.locator(".answer")).to_contain_text("you would wait in vain")
