"""The interface of connectors: those of others, settings, and keys of any length."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from knowledge import services
from knowledge.choices import FeedRunStatus
from knowledge.connectors import ConnectorFault, connectors, key_of, settings_cleaned
from knowledge.models import Space
from project.accounts.models import User
from project.http.errors import Unreadable
from tests.support.feeds import contents, counts, feed_made, synced
from tests.support.notes_connector import NotesConnector
from tests.support.site import Site

PLACE = {"url": "https://notes.example/"}


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> Iterator[Site]:
    settings.MEDIA_ROOT = tmp_path
    settings.ACERVO_EMBEDDING = "hashing"
    settings.ACERVO_CONNECTORS = ["tests.support.notes_connector.NotesConnector"]
    settings.ACERVO_FETCH_ALLOW = ["127.0.0.1"]
    with Site() as made:
        yield made


def notes(site: Site, *rows: dict[str, Any]) -> None:
    site.text("/notes", json.dumps(rows), "application/json")


@pytest.mark.django_db
def test_a_connector_of_somebody_else_runs_as_ours_do(
    owner: User, space: Space, site: Site
) -> None:
    tide = {"id": "1", "text": "# Tides\n\nTides.\n", "changed": "a"}
    moon = {"id": "2", "text": "# Moon\n\nMoon.\n", "changed": "a"}
    notes(site, tide, moon)
    feed = feed_made(owner, space, "notes", settings={"url": site.url("/notes")}, secret="k")
    assert counts(synced(feed, owner)) == {"added": 2}
    assert site.asked[-1].headers["authorization"] == "k"
    notes(site, tide | {"changed": "b", "text": "# Tides\n\nNew.\n"}, moon | {"changed": "b",
          "broken": True})  # fmt: skip
    assert counts(synced(feed, owner)) == {"changed": 1, "faults": 1}
    assert contents() == {"Tides": "# Tides\n\nNew.\n", "Moon": "# Moon\n\nMoon.\n"}


@pytest.mark.django_db
def test_what_its_calls_meet_is_told(owner: User, space: Space, site: Site) -> None:
    feed = feed_made(owner, space, "notes", settings={"url": "http://10.0.0.1/notes"})
    run = synced(feed, owner)
    assert (run.status, bool(run.message)) == (FeedRunStatus.FAILED, True)
    with pytest.raises(Unreadable) as refused:
        services.feed_probe(
            acting_user=owner, space=space, connector="notes", settings=feed.settings
        )
    assert refused.value.message == run.message


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ({}, {"most": 10, "kinds": [], "is_open": True}),
        ({"most": "20", "kinds": "a\n\n b \na"}, {"most": 20, "kinds": ["a", "b"]}),
        ({"kinds": ["x"], "is_open": False}, {"kinds": ["x"], "is_open": False}),
        ({"url": "  https://notes.example/ "}, PLACE),
    ],
)
def test_settings_are_completed_and_of_their_types(
    given: dict[str, Any], cleaned: dict[str, Any]
) -> None:
    found = settings_cleaned(NotesConnector, PLACE | given)
    assert {name: found[name] for name in cleaned} == cleaned


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"url": ""}, "url"), ({"url": 1}, "url"), ({"url": "x" * 3000}, "url"),
        ({"most": 0}, "most"), ({"most": 101}, "most"), ({"most": "x"}, "most"),
        ({"most": True}, "most"), ({"kinds": [1]}, "kinds"), ({"is_open": "yes"}, "is_open"),
        ({"other": 1}, "other"), ({"url": "a\0b"}, "url"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_name_their_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ConnectorFault) as refused:
        settings_cleaned(NotesConnector, PLACE | given)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "path", ["nowhere.Connector", "json.loads", "knowledge.connectors.page.PageConnector"]
)
def test_a_path_that_leads_to_no_connector_stops_everything(settings: Settings, path: str) -> None:
    settings.ACERVO_CONNECTORS = [path]
    with pytest.raises(ImproperlyConfigured):
        connectors()


def test_long_keys_stay_apart() -> None:
    one, other = "x" * 5000 + "1", "x" * 5000 + "2"
    assert key_of(one) != key_of(other)
    assert {len(key_of(one)), len(key_of(other))} == {500}
    assert key_of("a\0b") == "ab"
