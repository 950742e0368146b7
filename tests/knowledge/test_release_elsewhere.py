"""A release goes from one installation to another: other database, other folder, other process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from knowledge import services
from knowledge.models import Space
from project.accounts.models import User
from tests.support.releases import node, node_of, released

ROOT = Path(__file__).resolve().parents[2]
NAME = "acervo_elsewhere"
VERSIONS = "SELECT id, version, checksum, chain, content FROM knowledge_nodeversion ORDER BY 1, 2"
RELATIONS = "SELECT id, version, checksum, chain FROM knowledge_relationversion ORDER BY 1, 2"
TIMES = "SELECT node_id, version, started_at, ended_at FROM knowledge_publication ORDER BY 1, 2, 3"


class Elsewhere(NamedTuple):
    """An empty installation."""

    url: str
    data: Path

    def run(self, *command: str) -> str:
        """Run a command of manage.py there; return what it said."""
        environment = {**os.environ, "DATABASE_URL": self.url, "ACERVO_DATA": str(self.data)}
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rows(self, query: str) -> list[Any]:
        """Return the rows of a query."""
        with psycopg.connect(self.url) as there:
            return there.execute(query).fetchall()


@pytest.fixture
def elsewhere(transactional_db: None, tmp_path: Path) -> Iterator[Elsewhere]:
    """An installation with nothing but a space: its database has the same tables, and no rows."""
    facts = connection.settings_dict
    start, _slash, _name = os.environ["DATABASE_URL"].partition("?")[0].rpartition("/")
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # a template has no other connections
    with psycopg.connect(f"{start}/postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {NAME}")
        server.execute(f'CREATE DATABASE {NAME} TEMPLATE "{facts["NAME"]}"')
        there = Elsewhere(f"{start}/{NAME}", tmp_path / "data")
        with psycopg.connect(there.url) as opened:
            opened.execute(
                "INSERT INTO knowledge_space SELECT * FROM jsonb_populate_record("
                "null::knowledge_space, %s::jsonb)",
                [_SPACE],
            )
        yield there
        server.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


_SPACE = """{
    "id": "11111111-1111-4111-8111-111111111111", "name": "There", "slug": "there",
    "description": "", "visibility": "members", "language": "en", "suggested_questions": [],
    "is_default": false, "index_revision": 0, "required_approvals": 1, "gate_k": 10,
    "allows_self_approval": true, "requires_no_regression": false, "allows_guests": false,
    "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"
}"""


def test_an_empty_installation_gets_equal_checksums_for_every_version(
    elsewhere: Elsewhere, owner: User, space: Space, tmp_path: Path
) -> None:
    tides = node(owner, space, "Tides", content="See [[Waves]].\r\n")
    waves = node_of(owner, space, "Waves", b"# Waves\n", "waves.md")
    services.node_update(acting_user=owner, node=tides, content="See [[Waves]] \u2028 twice.")
    services.node_revert(acting_user=owner, node=tides, version=1)
    services.relation_create(acting_user=owner, source=waves, target=tides, kind="explains")
    release = released(owner, space)
    path = tmp_path / "spring.zip"
    with connection.cursor() as cursor:
        here = {}
        for query in (VERSIONS, RELATIONS, TIMES):
            cursor.execute(query)
            here[query] = cursor.fetchall()
    call_command("release_export", str(release.pk), str(path))
    command = ("release_import", str(path), "--space", "there", "--checksum", release.checksum)
    assert "2 nodes are new" in elsewhere.run(*command)
    for query, rows in here.items():
        assert rows
        assert elsewhere.rows(query) == rows
    assert waves.source is not None
    stored = elsewhere.data / "uploads" / waves.source.file.name
    assert stored.read_bytes() == b"# Waves\n"
    assert stored != settings.MEDIA_ROOT / waves.source.file.name
    assert "all as they were written" in elsewhere.run("verify_history")
    held = elsewhere.rows("SELECT name, checksum, node_count FROM knowledge_release")
    assert held == [(release.name, release.checksum, 2)]
    spaces = elsewhere.rows("SELECT DISTINCT space_id::text FROM knowledge_nodeversion")
    assert spaces == [("11111111-1111-4111-8111-111111111111",)]
