"""Exporting a release as a repository of git: each version of a node or relation is a commit.

In the order of time, on one line: a version with two parents names both in its message. A node's
file has one path in all of its history, that of its title as released. The last commit adds the
attachments and what the release is, and has the tag.
"""

import json
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

from knowledge.exporting.fields import line_of, record_plain
from knowledge.exporting.front_matter import document_join
from knowledge.exporting.git_bundle import BundleWriter, Signature, subject_of
from knowledge.exporting.manifest import SOURCES_FILE, manifest_text
from knowledge.exporting.names import FileNames, attachment_path, tag_name
from knowledge.exporting.records import SOURCE
from knowledge.models import NodeVersion, Release, Source
from knowledge.release_export import (
    document_facts,
    is_stored,
    manifest_facts,
    source_facts,
    stored_pieces,
)
from knowledge.release_reading import ReleaseReader, one_state
from knowledge.versions import relation_state_of

Progress = Callable[[float], None]
_ATTRIBUTES = b"* -text\n"  # no line's end is changed on any system
_README = """\
Knowledge released from the space “{space}” of Acervo as “{release}”.

Each commit is one version of a node (nodes/) or of a relation (relations/), by its author, at its
time, with its reason. The facts of a version stand before its text. attachments/ holds the files
that nodes were made of; sources.jsonl says of which.

This repository is for reading: Acervo reads releases back from its zip archives, which hold each
version with its chain.
"""


def export_git(
    release: Release, target: BinaryIO, progress: Progress = lambda _share: None
) -> None:
    """Write a release as a bundle of git; `target` can be read and written at any place."""
    with one_state():
        _Repository(release, target).write(progress)


class _Repository:
    """A repository on its way."""

    def __init__(self, release: Release, target: BinaryIO) -> None:
        self._release = release
        self._reader = ReleaseReader(release)
        self._bundle = BundleWriter(target, tag_name(release.name))
        self._paths: dict[uuid.UUID, str] = {}
        self._names = FileNames()
        self._counts = {"versions": 0, "attachments": 0, "missing_attachments": 0}

    def write(self, progress: Progress) -> None:
        """Write every commit."""
        self._paths = self._reader.paths()
        expected = max(1, self._reader.version_count())
        first = {".gitattributes": self._bundle.file(_ATTRIBUTES)}
        for number, version in enumerate(self._reader.history(), 1):
            is_node = isinstance(version, NodeVersion)
            path, data = self._document(version) if is_node else self._relation(version)
            files = first | {path: self._bundle.file(data)}
            who = Signature(version.author_name, version.history_date)
            self._bundle.commit(files, who, self._message(version, is_node=is_node))
            first = {}
            self._counts["versions"] += is_node
            progress(0.95 * number / expected)
        self._finish()
        progress(1.0)

    def _document(self, version: Any) -> tuple[str, bytes]:
        document = document_join(document_facts(version), version.content)
        return self._paths[version.id], document.encode()

    def _relation(self, version: Any) -> tuple[str, bytes]:
        path = self._paths.get(version.id)
        if path is None:
            path = self._paths[version.id] = self._names.relation(version.id)
        facts = {"id": str(version.id), "version": version.version, **relation_state_of(version)}
        facts["source_file"] = self._paths.get(version.source_id)
        facts["target_file"] = self._paths.get(version.target_id)
        text = json.dumps(facts, ensure_ascii=False, indent=2, sort_keys=True)
        return path, f"{text}\n".encode()

    def _message(self, version: Any, *, is_node: bool) -> str:
        """Return the reason, and behind it what no file says."""
        what = "Node" if is_node else "Relation"
        name = version.title if is_node else f"{what} {version.kind}"
        reason = version.history_change_reason or ""
        subject = subject_of(reason, f"{name or version.id}: version {version.version}")
        body = "" if reason.strip() in {"", subject} else reason
        marks = [f"Acervo-{what}: {version.id}", f"Acervo-Version: {version.version}"]
        if version.parents:
            marks.append(f"Acervo-Parents: {', '.join(map(str, version.parents))}")
        marks += [f"Acervo-Checksum: {version.checksum}", f"Acervo-Chain: {version.chain}"]
        return "\n\n".join(filter(None, [subject, body.strip(), "\n".join(marks)]))

    def _finish(self) -> None:
        """Commit the attachments and what the release is, and tag that."""
        release = self._release
        files: dict[str, bytes] = {}
        lines: list[str] = []
        for source in self._reader.sources():
            path: str | None = attachment_path(source.sha256, source.filename)
            if path not in files and path is not None:
                path = self._attachment(source, path, files)
            facts = source_facts(source, path, self._reader.user_name(source.created_by_id))
            lines.append(line_of(record_plain(facts, SOURCE)))
        texts = {
            SOURCES_FILE: "".join(f"{line}\n" for line in lines),
            "release.json": manifest_text(manifest_facts(release, self._counts)),
            "README.md": _README.format(space=release.space.name, release=release.name),
        }
        files |= {name: self._bundle.file(text.encode()) for name, text in texts.items()}
        who = Signature(release.author_name, release.created_at)
        message = f"{release.name}\n\n{release.description}".strip()
        marks = f"Acervo-Release: {release.pk}\nAcervo-Checksum: {release.checksum}"
        self._bundle.commit(files, who, f"{message}\n\n{marks}")
        self._bundle.close(who, message)

    def _attachment(self, source: Source, path: str, files: dict[str, bytes]) -> str | None:
        if not is_stored(source):
            self._counts["missing_attachments"] += 1
            return None
        files[path] = self._bundle.large_file(source.size, partial(stored_pieces, source))
        self._counts["attachments"] += 1
        return path
