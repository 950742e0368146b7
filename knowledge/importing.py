"""Fetching one address as a source, for a job that then reads it."""

from django.db import transaction
from django.utils.translation import gettext as _

from knowledge.choices import SourceKind
from knowledge.connectors.base import ConnectorFault
from knowledge.connectors.calling import content_type_of, fetched, filename_of, status_fault
from knowledge.models import IngestJob, Source
from knowledge.replacing import source_newest
from knowledge.source_files import file_stored, full_disks_told, name_cleaned, source_insert
from project.accounts.models import User
from project.http.fetching import Fetcher, address_plain

_PIECE = 1024 * 1024


def address_fetch(job: IngestJob, user: User) -> Source:
    """Fetch the address of a job's payload and store it; an earlier fetch of it is replaced.

    Raises ConnectorFault, and the errors of `project.http.errors` for what cannot be kept.
    """
    url = str(job.payload.get("url", ""))
    if not url:
        raise ConnectorFault(_("The job names no address."), is_lasting=True)
    answer = fetched(Fetcher(), url)
    if answer.status != 200:
        raise status_fault(answer)
    content_type = content_type_of(answer.headers)
    origin = address_plain(url)[:2000]
    source = Source(
        space=job.space,
        kind=SourceKind.URL,
        filename=name_cleaned(filename_of(answer.url, content_type)),
        content_type=content_type,
        origin=origin,
        created_by=user,
        replaces=_earlier(job, origin),
    )
    pieces = iter(lambda: answer.file.read(_PIECE), b"")
    with file_stored(source, pieces), full_disks_told(), transaction.atomic():
        source_insert(source)
        IngestJob.objects.filter(pk=job.pk).update(source=source)
    return source


def _earlier(job: IngestJob, origin: str) -> Source | None:
    """Return the last of the sources that came from the address, if any did."""
    rows = Source.objects.filter(space=job.space_id, kind=SourceKind.URL, origin=origin)
    last = rows.filter(feed_items=None).order_by("-created_at", "pk").first()
    return source_newest(last) if last is not None else None
