"""Releases in tests: knowledge to release, an emptied installation, archives that were tampered."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from django.core.files.base import ContentFile
from django.db import connection, transaction

from knowledge import services
from knowledge.exporting.manifest import MANIFEST_FILE, SUMS_FILE
from knowledge.models import IngestJob, Node, Release, Source, Space
from knowledge.release_export import export_archive
from knowledge.release_import import ReleaseArchive, release_restore
from knowledge.restoring.groundwork import Ground
from knowledge.writing import nodes_insert
from project.accounts.models import User

_TABLES = (
    "knowledge_release", "knowledge_releaseentry", "knowledge_releaserelation",
    "knowledge_nodeversion", "knowledge_relationversion", "knowledge_publication",
    "knowledge_versiontag", "knowledge_node", "knowledge_relation", "knowledge_source",
)  # fmt: skip


def node(owner: User, space: Space, title: str, status: str = "published", **more: Any) -> Node:
    """A node of one version."""
    fields = {"content": f"About {title}.", **more}
    return services.node_create(
        acting_user=owner, space=space, title=title, status=status, **fields
    )


def source(owner: User, space: Space, content: bytes, filename: str) -> Source:
    """A stored upload that no job has read."""
    stored = services.source_upload(
        acting_user=owner, space=space, file=ContentFile(content), filename=filename
    )
    IngestJob.objects.filter(pk=stored.job.pk).delete()
    return stored.source


def node_of(owner: User, space: Space, title: str, content: bytes, filename: str) -> Node:
    """A published node that an upload became."""
    made = Node(space=space, title=title, content=f"About {title}.", status="published")
    made.source, made.owner = source(owner, space, content, filename), owner
    with transaction.atomic():
        nodes_insert([made], author=owner, reason=filename)
    return made


def released(owner: User, space: Space, name: str = "Spring 2026", **more: Any) -> Release:
    """A release of what is published now."""
    return services.release_create(acting_user=owner, space=space, name=name, **more)


def exported(release: Release) -> bytes:
    """The archive of a release."""
    target = io.BytesIO()
    export_archive(release, target)
    return target.getvalue()


def restored(archive: bytes, space: Space) -> Ground:
    """What importing an archive wrote."""
    return release_restore(ReleaseArchive(io.BytesIO(archive)), space)


def emptied() -> None:
    """Forget all knowledge, past the guards of the database, as if it had never been here."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(f"TRUNCATE {', '.join(_TABLES)} CASCADE")


def files_of(archive: bytes) -> dict[str, bytes]:
    """The members of an archive."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def archive_of(files: dict[str, bytes]) -> bytes:
    """An archive of these members."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return target.getvalue()


def tampered(
    archive: bytes, change: Callable[[dict[str, bytes]], object], *, sums: bool = True
) -> bytes:
    """An archive whose members were changed; with `sums` by somebody who mended the checksums."""
    files = files_of(archive)
    change(files)
    if sums:
        names = [name for name in files if name not in {SUMS_FILE, MANIFEST_FILE}]
        lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in names]
        files[SUMS_FILE] = "".join(lines).encode()
        manifest = json.loads(files[MANIFEST_FILE])
        manifest["sums"] = hashlib.sha256(files[SUMS_FILE]).hexdigest()
        files[MANIFEST_FILE] = json.dumps(manifest).encode()
    return archive_of(files)
