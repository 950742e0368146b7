"""Proposals in real browsers: two curators, one conflict that is settled, one merge by itself."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from knowledge import services
from knowledge.choices import NodeStatus
from knowledge.models import Node, NodeVersion, Proposal, ProposalComment
from project.accounts.choices import Role
from project.accounts.models import User
from tests.browser.checks import CONTRAST, NAMELESS
from tests.browser.conftest import Acervo
from tests.conftest import grant

RULES = """# Harbour rules

Dogs are kept on a lead.

The speed in the harbour is three knots.

Nets are dried on the beach.
"""
LIST = "/admin/knowledge/proposal/"
WIDTH = 360


@pytest.fixture
def open_page(acervo: Acervo, chromium: Browser) -> Iterator[Any]:
    """Give each person a browser of their own; a script that fails fails the test."""
    faults: list[str] = []
    contexts = []

    def open_for(user: User) -> Page:
        context = chromium.new_context(base_url=acervo.url, locale="en-US")
        context.set_default_timeout(20_000)
        contexts.append(context)
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": "acervo_session", "value": session, "url": acervo.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda message: (
                faults.append(message.text) if "Content Security Policy" in message.text else None
            ),
        )
        return page

    yield open_for
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def curators(tides: Node) -> tuple[User, User]:
    people = []
    for name in ("rita", "paulo"):
        person = User.objects.create(username=name, is_staff=True)
        grant(tides.space, person, Role.CURATOR)
        people.append(person)
    return people[0], people[1]


@pytest.fixture
def rules(tides: Node) -> Node:
    author = User.objects.get(username="author")
    return services.node_create(
        acting_user=author,
        space=tides.space,
        title="Harbour rules",
        content=RULES,
        status=NodeStatus.PUBLISHED,
    )


def propose(page: Page, node: Node, text: str, *, proposal: str) -> None:
    """Propose a text for a node by its own page."""
    page.goto(f"/admin/knowledge/node/{node.pk}/change/")
    page.click("text=Propose a change")
    expect(page.locator("[name=proposal_title]")).to_be_visible()
    known = page.locator("label", has_text=proposal).locator("input[name=proposal]")
    if known.count():
        known.check()
    else:
        page.fill("[name=proposal_title]", proposal)
    page.fill("#id_content", text)
    page.click("[name=_save]")
    expect(page.locator("body")).to_contain_text("is in the proposal")


def nothing_is_faint_or_nameless(page: Page) -> None:
    for scheme in ("light", "dark"):
        page.evaluate(
            "dark => document.documentElement.classList.toggle('dark', dark)", scheme == "dark"
        )
        faint = page.evaluate(CONTRAST)
        of_the_theme = ("material-symbols", ": Proposals")  # icons, and its open page in the menu
        assert [each for each in faint if not any(m in each for m in of_the_theme)] == [], scheme
    assert page.evaluate(NAMELESS) == []


def test_two_curators_edit_the_same_paragraph_of_one_node_and_others_of_another(
    open_page: Any, tides: Node, rules: Node, curators: tuple[User, User]
) -> None:
    rita, paulo = open_page(curators[0]), open_page(curators[1])
    propose(rita, tides, tides.content.replace("12 euros", "14 euros"), proposal="Prices")
    propose(rita, rules, RULES.replace("on a lead", "on a short lead"), proposal="Prices")
    propose(paulo, tides, tides.content.replace("12 euros", "15 euros"), proposal="Summer")
    propose(paulo, rules, RULES.replace("on the beach", "on the pier"), proposal="Summer")

    expect(paulo.locator(".ac-proposal")).to_contain_text("2 changes")
    paulo.click("text=Submit for review")
    paulo.click("#review [value=approved]")
    paulo.click("text=Merge …")
    paulo.click("text=Merge now")
    expect(paulo.locator("body")).to_contain_text("What the merge made")

    # The first node conflicts, and is settled here; the second is merged by itself.
    prices = Proposal.objects.get(title="Prices")
    rita.goto(f"{LIST}{prices.pk}/change/")
    rita.click("text=Submit for review")
    rita.click("#review [value=approved]")
    expect(rita.locator(".ac-proposal")).to_contain_text("1 conflict")
    rita.click("text=Settle the conflicts")
    expect(rita.locator("[data-conflict]")).to_have_count(1)
    place = rita.locator("[data-conflict]")
    expect(place.locator("pre").nth(0)).to_contain_text("12 euros")
    expect(place.locator("pre").nth(1)).to_contain_text("14 euros")
    expect(place.locator("pre").nth(2)).to_contain_text("15 euros")
    nothing_is_faint_or_nameless(rita)
    rita.click("[name=_merge]")
    expect(place.locator("input[value=ours]")).to_be_focused()  # nothing goes undecided
    rita.keyboard.press("Space")
    result = rita.locator("[data-result]")
    expect(result).to_contain_text("complete")
    expect(result.locator("pre")).to_contain_text("14 euros")
    place.locator("input[value=own]").check()
    own = place.locator("[data-own]")
    expect(own).to_have_value("Visitors moor at the outer quay and pay 14 euros a night.\n")
    own.fill("Visitors moor at the outer quay and pay 14 euros a night, 15 in summer.")
    expect(result.locator("pre")).to_contain_text("15 in summer")
    rita.set_viewport_size({"width": WIDTH, "height": 700})
    assert rita.evaluate("document.documentElement.scrollWidth") <= WIDTH
    rita.click("[name=_merge]")

    expect(rita.locator("body")).to_contain_text("What the merge made")
    tides.refresh_from_db()
    rules.refresh_from_db()
    assert "pay 14 euros a night, 15 in summer." in tides.content
    assert rules.content == RULES.replace("on a lead", "on a short lead").replace(
        "on the beach", "on the pier"
    )
    for node in (tides, rules):
        assert NodeVersion.objects.get(id=node.pk, version=3).parents == [2, 1]
        rita.goto(f"/admin/knowledge/node/{node.pk}/versions/")
        expect(rita.locator("tbody tr").first).to_contain_text("Merge of 2 + 1")


def test_a_line_is_commented_on_by_keyboard_and_what_is_typed_outlives_the_session(
    open_page: Any, tides: Node, curators: tuple[User, User]
) -> None:
    proposal = services.proposal_create(acting_user=curators[0], space=tides.space, title="Prices")
    services.change_add(
        acting_user=curators[0],
        proposal=proposal,
        action="edit",
        node=tides.pk,
        fields={"content": tides.content.replace("12 euros", "14 euros")},
    )
    page = open_page(curators[1])
    page.goto(f"{LIST}{proposal.pk}/change/")
    nothing_is_faint_or_nameless(page)
    lines = page.locator(".ac-line")
    lines.first.focus()
    page.keyboard.press("ArrowDown")
    expect(lines.nth(1)).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.type("Is that for a whole night?")
    page.click(".ac-line-row [type=submit]")
    expect(page.locator(".ac-thread")).to_contain_text("Is that for a whole night?")
    comment = ProposalComment.objects.get()
    assert comment.line == 11
    expect(page.locator(f"#comment-{comment.pk}")).to_be_focused()

    page.locator(".ac-change-body > .ac-details > summary").click()
    words = page.locator(".ac-change-body > .ac-details textarea")
    words.fill("This is a long thought.")
    page.context.clear_cookies(name="acervo_session")
    page.click(".ac-change-body > .ac-details [type=submit]")
    expect(page.locator("input[type=password]")).to_be_visible()
    client = Client()
    client.force_login(curators[1], backend="django.contrib.auth.backends.ModelBackend")
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    url = page.evaluate("location.origin")
    page.context.add_cookies([{"name": "acervo_session", "value": session, "url": url}])
    page.goto(f"{LIST}{proposal.pk}/change/")
    expect(words).to_have_value("This is a long thought.")
    expect(page.locator(".ac-kept")).to_contain_text("was kept")
    page.click(".ac-change-body > .ac-details [type=submit]")
    expect(page.locator(".ac-thread").last).to_contain_text("This is a long thought.")
    expect(page.locator(".ac-kept")).to_have_count(0)
