"""A release as a repository: each version is a commit, the tag is the release."""

import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from knowledge import services
from knowledge.exporting.front_matter import document_split
from knowledge.models import Space
from knowledge.release_git import export_git
from project.accounts.models import User
from tests.support.releases import node, node_of, released

GIT = shutil.which("git") or ""
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not GIT, reason="the git program is not installed"),
]


def git(folder: Path, *args: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        [GIT, *args], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_history_is_told_commit_by_commit(
    owner: User, teammate: User, space: Space, tmp_path: Path
) -> None:
    tides = node(teammate, space, "Tides", status="in_review", content="Old.\r\n")
    services.node_update(acting_user=owner, node=tides, content="New.", reason="Newer.\nMore.")
    services.node_publish(acting_user=owner, node=tides)
    waves = node_of(owner, space, "Waves", b"# Chart\n", "c.md")
    relation = services.relation_create(acting_user=owner, source=tides, target=waves)
    services.node_update(acting_user=owner, node=tides, title="High tides")
    release = released(owner, space, "Spring 2026", description="All of it.")
    target = io.BytesIO()
    export_git(release, target)
    (tmp_path / "r.bundle").write_bytes(target.getvalue())
    git(tmp_path, "-c", "transfer.fsckObjects=true", "clone", "-q", "r.bundle", "r")
    clone = tmp_path / "r"
    git(clone, "fsck", "--strict", "--full")
    log = git(clone, "log", "--reverse", "--format=%an: %s").splitlines()
    assert log == [
        "teammate: Tides: version 1",
        "owner: Newer.",
        "owner: c.md",
        "owner: Relation related_to: version 1",
        "owner: High tides: version 3",
        "owner: Spring 2026",
    ]
    path = f"nodes/article/high-tides-{tides.pk.hex[:12]}.md"
    facts, content = document_split((clone / path).read_bytes().decode())
    tides.refresh_from_db()
    assert (content, facts["version"], facts["checksum"]) == ("New.", 3, tides.checksum)
    first = git(clone, "log", "--reverse", "--format=%H %cI", "--", path).splitlines()
    assert len(first) == 3
    assert git(clone, "show", f"{first[0].split()[0]}:{path}").endswith("---\nOld.\n")
    body = git(clone, "log", "-1", "--format=%b", first[1].split()[0])
    assert body.startswith("Newer.\nMore.\n\nAcervo-Node: ")
    assert "Acervo-Parents: 1\n" in body
    stored = json.loads(
        (clone / f"relations/{relation.pk.hex[:2]}/{relation.pk.hex[:12]}.json").read_text()
    )
    assert stored["source_file"] == path
    assert waves.source is not None
    digest = waves.source.sha256
    assert (clone / f"attachments/{digest[:2]}/{digest}.md").read_bytes() == b"# Chart\n"
    assert (
        json.loads((clone / "release.json").read_text())["release"]["checksum"] == release.checksum
    )
    assert git(clone, "describe", "--exact-match").strip() == "Spring-2026"


def test_equal_releases_make_equal_repositories(owner: User, space: Space) -> None:
    node(owner, space, "Tides")
    release = released(owner, space)
    targets = [io.BytesIO(), io.BytesIO()]
    for target in targets:
        export_git(release, target)
    assert targets[0].getvalue() == targets[1].getvalue()
