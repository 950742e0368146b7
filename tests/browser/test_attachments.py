"""Files on the chat page: dropped or chosen, read, asked, opened, removed; and the models."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from chat.attaching.reading import attachment_read
from chat.models import Attachment, Conversation
from knowledge.models import Node
from project.inference.models import ModelEndpoint
from tests.browser.conftest import Acervo, Visit
from tests.browser.test_accessibility import faults_of
from tests.browser.test_chat import ask

FERRY = "# Ferry\n\n## Prices\n\nA ticket for the ferry costs 14 crowns.\n"


@pytest.fixture
def ferry(tmp_path: Path) -> Path:
    file = tmp_path / "ferry.md"
    file.write_text(FERRY, encoding="utf-8")
    return file


def read_all() -> None:
    """Read what is attached, as a worker does."""
    for pk in Attachment.objects.values_list("pk", flat=True):
        attachment_read(pk)


def chips(page: Page) -> list[str]:
    return page.locator(".attached-name").all_inner_texts()


def test_a_file_is_attached_asked_opened_and_removed(
    visit: Visit, acervo: Acervo, tides: Node, ferry: Path
) -> None:
    acervo.model.behave(answer="A ticket costs 14 crowns [1].")
    page = visit.page
    page.goto("/")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach a file to this conversation").press("Enter")
    chooser.value.set_files(ferry)
    chip = page.get_by_role("list", name="Attached files").get_by_role("listitem")
    expect(chip).to_contain_text("Being read…")
    ask(page, "What does a ticket for the ferry cost?")
    expect(page.locator("[data-hint]")).to_contain_text("A file is still being read")
    read_all()
    expect(chip).not_to_contain_text("Being read…")
    expect(page.locator("[data-announcer]")).to_contain_text("ferry.md")
    assert faults_of(page) == []
    page.get_by_label("Your question", exact=True).press("Enter")
    answer = page.locator(".answer")
    expect(answer).to_have_attribute("data-status", "completed", timeout=20_000)
    for again in range(2):
        answer.locator("a.citation").first.click()
        panel = page.get_by_role("complementary", name="Source")
        expect(panel.locator("mark.passage", has_text="14 crowns")).to_be_visible()
        expect(panel).to_contain_text("nobody else sees it")
        page.keyboard.press("Escape")
        if not again:
            page.reload()
    page.get_by_role("button", name="Why this answer?").click()
    expect(page.locator("[data-panel]").get_by_role("link", name="ferry.md").first).to_be_visible()
    page.keyboard.press("Escape")
    chip.get_by_role("button", name="Remove “ferry.md”").press("Enter")
    expect(chip).to_have_count(0)
    expect(page.get_by_role("button", name="Attach a file")).to_be_focused()
    assert not Attachment.objects.exists()


def test_files_are_dropped_and_pasted_and_what_cannot_be_read_says_so(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    page = visit.page
    page.goto("/")
    give = """([selector, type, name, text]) => {
      const data = new DataTransfer();
      data.items.add(new File([text], name));
      const event = type === "paste"
        ? new ClipboardEvent(type, { clipboardData: data, bubbles: true, cancelable: true })
        : new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
      document.querySelector(selector).dispatchEvent(event);
    }"""
    page.evaluate(give, ["#main", "dragover", "a.md", FERRY])
    expect(page.locator(".is-dropping")).to_have_count(1)
    page.evaluate(give, ["#main", "drop", "ferry.md", FERRY])
    expect(page.locator(".is-dropping")).to_have_count(0)
    expect(page.locator(".attached-file")).to_contain_text("Being read…")
    page.evaluate(give, ["[data-input]", "paste", "blank.txt", " \n "])
    expect(page.get_by_text("Being read…")).to_have_count(2)
    read_all()
    expect(page.locator(".attached-file.is-failed")).to_contain_text("blank.txt")
    assert chips(page) == ["ferry.md", "blank.txt"]
    assert faults_of(page) == []
    page.evaluate(give, ["[data-input]", "paste", "run.exe", "MZ\x00\x01"])
    expect(page.locator(".toast")).to_be_visible()
    expect(page.locator(".attached-file")).to_have_count(2)


def test_who_asks_chooses_the_model_where_there_are_several(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    acervo.model.behave(answer="High water is at 11:40 [1].")
    page = visit.page
    page.goto("/")
    picker = page.get_by_label("Which model answers")
    expect(picker).to_have_count(0)
    url = acervo.model.base_url
    ModelEndpoint.objects.create(name="big", base_url=url, model_name="big", tier="complex")
    page.reload()
    expect(picker.locator("option:checked")).to_have_text("Automatic")
    picker.select_option("complex")
    ask(page)
    answer = page.locator(".answer")
    expect(answer).to_have_attribute("data-status", "completed", timeout=20_000)
    assert Conversation.objects.get().model_tier == "complex"
    with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        picker.select_option("")
    assert Conversation.objects.get().model_tier == ""
