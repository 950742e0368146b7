"""Releases in a real browser: made after a look at what changed, compared, taken along."""

import io
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import expect

from knowledge import services
from knowledge.exporting.zip_reader import ArchiveReader
from knowledge.models import Node, Release
from project.accounts.models import User
from tests.browser.checks import CONTRAST, NAMELESS
from tests.browser.conftest import Visit
from tests.support.releases import node, released

OWN_CONTRAST = CONTRAST.replace("document.body", 'document.querySelector("#content")')
"""What the theme draws around the page is the theme's."""

WIDE = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture
def curator(reader: User, tides: Node) -> User:
    """The reader, who may do everything; a release is there, and things changed since."""
    reader.is_staff = reader.is_superuser = True
    reader.save()
    moorings = node(reader, tides.space, "Moorings of the outer quay", tags=["quay"])
    services.relation_create(acting_user=reader, source=moorings, target=tides, kind="explains")
    released(reader, tides.space, "Winter 2025", description="Approved by the harbour board.")
    services.node_update(
        acting_user=reader,
        node=tides,
        content=tides.content.replace("11:40", "11:52"),
        reason="The new tables.",
    )
    services.node_archive(acting_user=reader, node=moorings)
    for name in ("Lights", "Signals"):
        node(reader, tides.space, f"{name} at the harbour mouth")
    return reader


def test_a_release_is_made_compared_and_exported(visit: Visit, curator: User) -> None:
    page = visit.page
    page.goto("/admin/knowledge/release/")
    page.get_by_role("link", name="Make a release").click()
    expect(page.get_by_role("heading", name="What changed since “Winter 2025”")).to_be_visible()
    expect(page.get_by_role("row", name="Lights at the harbour mouth")).to_contain_text("added")
    page.get_by_label("Name", exact=True).fill("Spring 2026")
    page.get_by_label("Description").fill("With the new tables.")
    page.get_by_role("button", name="Make the release").click()
    expect(page.get_by_text("holds 3 nodes for good")).to_be_visible()
    page.get_by_role("link", name="Since “Winter 2025”").click()
    page.get_by_role("link", name="Tide table").click()
    expect(page.locator(".ac-removed").first).to_contain_text("11:40")
    expect(page.locator(".ac-added").first).to_contain_text("11:52")
    release = Release.objects.get(name="Spring 2026")
    page.goto(f"/admin/knowledge/release/{release.pk}/change/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as an archive").click()
    assert download.value.suggested_filename == "harbour-spring-2026.zip"
    data = Path(download.value.path()).read_bytes()
    with ArchiveReader(io.BytesIO(data)) as archive:
        assert archive.manifest.release.checksum == release.checksum


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_pages_are_readable_named_and_fit(
    visit: Visit, curator: User, scheme: Literal["light", "dark"], width: int
) -> None:
    spring = released(curator, Release.objects.get().space, "Spring 2026")
    winter = Release.objects.get(name="Winter 2025")
    tides = Node.objects.get(title="Tide table")
    paths = [
        "add/",
        "import/",
        f"{spring.pk}/change/",
        f"{spring.pk}/compare/?with={winter.pk}",
        f"{spring.pk}/compare/?with={winter.pk}&what=relations",
        f"{spring.pk}/compare/{tides.pk}/?with={winter.pk}",
    ]
    page = visit.page
    page.emulate_media(color_scheme=scheme)
    page.add_init_script(f"localStorage.setItem('adminTheme', '\"{scheme}\"')")
    page.set_viewport_size({"width": width, "height": 900})
    faults = []
    for path in paths:
        page.goto(f"/admin/knowledge/release/{path}")
        found = [*page.evaluate(OWN_CONTRAST), *page.evaluate(NAMELESS)]
        found += ["wider than the window"] if page.evaluate(WIDE) else []
        faults += [(path, fault) for fault in found]
    assert faults == []
