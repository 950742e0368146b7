"""What is remembered of a feed, as its connector asks for it, and noting what a run finds."""

import hashlib
from collections.abc import Iterator
from typing import IO, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.choices import FeedAction
from knowledge.connectors.base import (
    Connector,
    ConnectorFault,
    Fault,
    Found,
    Item,
    KnownItem,
    Unchanged,
    calls_told,
    key_of,
)
from knowledge.models import FeedChange, FeedItem, FeedRun, Source
from knowledge.source_files import file_stored, full_disks_told, name_cleaned, source_insert
from project.accounts.models import User
from project.http.errors import ApiError, InsufficientStorage

BATCH = 200  # sightings written at once
_PIECE = 1024 * 1024


class _SameBytes(Exception):
    """The content is what is known: nothing of it is kept."""


class FeedMemory:
    """The memory of a feed during one run: `knowledge.connectors.base.Known`."""

    def __init__(self, run: FeedRun) -> None:
        self._run = run
        self._seen: list[str] = []
        self.cursor: dict[str, Any] = dict(run.feed.cursor)

    def get(self, key: str) -> KnownItem | None:
        """Return what is remembered under a key; None for a new item, or one that had gone."""
        item = FeedItem.objects.filter(feed=self._run.feed_id, key=key).first()
        if item is None:
            return None
        if item.seen_run == self._run.pk:
            change = self._run.changes.filter(item=item).first()
            memo = change.facts.get("memo", item.memo) if change is not None else item.memo
            return KnownItem(key, item.etag, item.modified, item.sha256, memo, is_done=True)
        if item.gone_at is not None or not item.sha256:
            return None
        return KnownItem(key, item.etag, item.modified, item.sha256, item.memo)

    def keys(self) -> Iterator[str]:
        """Yield the keys of all items that are there, as far as is known."""
        rows = FeedItem.objects.filter(feed=self._run.feed_id, gone_at=None).exclude(sha256="")
        return rows.values_list("key", flat=True).iterator(chunk_size=2000)

    def saw(self, key: str) -> None:
        """Note that an item is there; written with others, at the latest by `flush`."""
        self._seen.append(key)
        if len(self._seen) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what was seen."""
        rows = FeedItem.objects.filter(feed=self._run.feed_id, key__in=self._seen)
        rows.update(seen_run=self._run.pk, seen_at=timezone.now(), missing_runs=0)
        self._seen.clear()


def found_note(
    run: FeedRun, memory: FeedMemory, connector: type[Connector], found: Found, user: User
) -> FeedChange | None:
    """Keep what a run found of one item; return what is to be applied, None for nothing new."""
    key = key_of(found.key)
    if isinstance(found, Unchanged):
        memory.saw(key)
        return None
    item, _made = FeedItem.objects.get_or_create(feed=run.feed, key=key)
    if item.seen_run == run.pk:
        return None  # noted before this worker began
    if isinstance(found, Fault):
        _fault(run, item, found.message)
        return None
    try:
        return _fetched(run, item, connector, found, user)
    except _SameBytes:
        _seen(run, item, _facts(found))
    except InsufficientStorage:
        raise
    except (ApiError, ConnectorFault) as error:
        is_read = isinstance(error, ApiError)
        _fault(run, item, error.message, found if is_read else None)
    except OSError:
        _fault(run, item, _("The content could not be read."))
    return None


def _fetched(
    run: FeedRun, item: FeedItem, connector: type[Connector], found: Item, user: User
) -> FeedChange:
    """Store the content of an item as a source that waits. Raises _SameBytes, OSError, ApiError."""
    feed = run.feed
    is_there = item.gone_at is None and bool(item.sha256)
    source = Source(
        space=feed.space,
        kind=connector.source_kind,
        title=" ".join(found.title.split())[:300],
        filename=name_cleaned(found.filename),
        content_type=found.content_type[:127],
        origin=(found.url or found.key)[:2000],
        language=feed.language,
        tags=feed.tags,
        created_by=user,
        replaces=item.source,
    )
    with file_stored(source, _pieces(found)), full_disks_told(), transaction.atomic():
        if is_there and source.sha256 == item.sha256:
            raise _SameBytes
        source_insert(source)
        action = FeedAction.CHANGED if is_there else FeedAction.ADDED
        facts = {**_facts(found), "sha256": source.sha256}
        change = FeedChange.objects.create(
            run=run, item=item, action=action, source=source, facts=facts
        )
        item.title = source.title or source.filename
        _seen(run, item, {})
    return change


def _fault(run: FeedRun, item: FeedItem, message: str, read: Item | None = None) -> None:
    """Note an item that is there and unusable; one whose bytes were read is not fetched again."""
    with transaction.atomic():
        FeedChange.objects.get_or_create(
            run=run,
            item=item,
            defaults={
                "action": FeedAction.FAULT,
                "message": message[:1000],
                "applied_at": timezone.now(),
            },
        )
        if read is not None:
            item.sha256 = item.sha256 or hashlib.sha256(b"").hexdigest()
        _seen(run, item, _facts(read) if read is not None else {})


def _seen(run: FeedRun, item: FeedItem, facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        setattr(item, name, value)
    item.seen_run, item.seen_at, item.missing_runs = run.pk, timezone.now(), 0
    item.save()


def _facts(found: Item) -> dict[str, Any]:
    """Return what an item gets besides its content, ready for JSON."""
    return {
        "etag": found.etag[:300],
        "modified": found.modified.isoformat() if found.modified else None,
        "memo": dict(found.memo),
        "url": found.url[:2000],
    }


def _pieces(found: Item) -> Iterator[bytes]:
    if isinstance(found.content, bytes):
        yield found.content
        return
    with calls_told():
        file: IO[bytes] = found.content()
    with file:
        while piece := file.read(_PIECE):
            yield piece
