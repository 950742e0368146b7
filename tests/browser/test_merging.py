"""The merge page in a real browser: choices change the result, typing changes the choices."""

from playwright.sync_api import expect

from knowledge.models import Node, NodeVersion
from knowledge.services import node_update
from project.accounts.models import User
from tests.browser.checks import CONTRAST, NAMELESS
from tests.browser.conftest import Visit


def test_a_late_save_is_merged_by_keyboard_and_names_both_parents(
    visit: Visit, tides: Node, reader: User
) -> None:
    User.objects.filter(pk=reader.pk).update(is_staff=True, is_superuser=True)
    page = visit.page
    page.goto(f"/admin/knowledge/node/{tides.pk}/change/")
    author = User.objects.get(username="author")
    theirs = tides.content.replace("11:40", "11:45").replace("12 euros", "15 euros")
    node_update(acting_user=author, node=tides, content=theirs, title="Tides 2027")
    content = page.locator("#id_content")
    mine = tides.content.replace("11:40", "11:50").replace("outer quay", "inner quay")
    content.fill(mine.replace("a year ahead", "two years ahead"))
    page.fill("#id_title", "Tide tables")
    page.click("[name=_continue]")

    progress = page.locator("[data-merge-progress]")
    expect(progress).to_have_text("0 of 2 places decided")
    assert "inner quay and pay 15 euros" in content.input_value(), "one paragraph, two changes"
    for scheme in ("light", "dark"):
        page.evaluate(
            "dark => document.documentElement.classList.toggle('dark', dark)", scheme == "dark"
        )
        faint = page.evaluate(CONTRAST)
        of_the_theme = ("material-symbols", ": Nodes")  # icons, and the current page in its menu
        ours = [each for each in faint if not any(mark in each for mark in of_the_theme)]
        assert ours == [], scheme
    nameless = page.evaluate(NAMELESS)  # Django's calendars, too, which are not ours to name
    assert [each for each in nameless if "place" in each or "data-" in each] == []

    page.click(".ac-merge-bar [type=submit]")
    first = page.locator("[data-place='1'] input[value=mine]")
    expect(first).to_be_focused()
    page.keyboard.press("Space")
    assert "11:50" in content.input_value()
    assert "<<<<" not in content.input_value()
    page.keyboard.press("ArrowRight")
    assert "11:45" in content.input_value()
    page.check("[data-place='2'] input[value=theirs]")
    expect(page.locator("#id_title")).to_have_value("Tides 2027")
    expect(progress).to_have_text("2 of 2 places decided")

    # What is typed in the result is a choice, too; what is typed elsewhere moves the place along.
    content.evaluate("text => { text.focus(); text.setSelectionRange(0, 0); }")
    page.keyboard.type("Read me. ")
    at = content.input_value().index("11:45")
    content.evaluate("(text, at) => text.setSelectionRange(at, at + 5)", at)
    page.keyboard.type("noon")
    own = page.locator("[data-place='1'] [data-own]")
    expect(page.locator("[data-place='1'] input[value=own]")).to_be_checked()
    assert "is at noon, and low water" in own.input_value()
    own.fill("High water is at noon.")
    page.set_viewport_size({"width": 360, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    with page.expect_navigation():
        page.click(".ac-merge-bar [type=submit]")

    expect(page.locator("#conflict")).to_have_count(0)
    stored = Node.objects.get(pk=tides.pk)
    assert stored.content.startswith("Read me. # Tide table")
    assert "High water is at noon.\n\n## Moorings" in stored.content
    assert "two years ahead" in stored.content
    assert stored.title == "Tides 2027"
    assert NodeVersion.objects.get(id=tides.pk, version=3).parents == [2, 1]
