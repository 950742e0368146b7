"""Writes of feeds: managers set them up, curators run them and decide on what they found."""

import uuid
from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.access import not_found, role_require
from knowledge.choices import FeedAction, FeedRunStatus, JobKind, JobStatus
from knowledge.connectors import (
    ConnectorFault,
    Setting,
    calls_told,
    connector_of,
    settings_cleaned,
)
from knowledge.connectors.checks import address_check
from knowledge.feed_runs import connector_made
from knowledge.feed_secrets import PREFIX, is_variable
from knowledge.feed_starting import run_close, run_queue, run_start, running_refuse
from knowledge.job_news import emit_updated, job_settle
from knowledge.job_sending import job_send
from knowledge.models import Feed, FeedRun, IngestJob, Space
from knowledge.node_fields import MAX_TAGS, language_require
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Conflict, Invalid, Unreadable
from project.tracing import current_trace_id

FIELDS = (
    "name", "settings", "secret_variable", "interval_minutes", "is_enabled", "language", "tags",
    "gone_after", "least_share",
)  # fmt: skip


class FeedFields(TypedDict, total=False):
    """What a caller may set on a feed. `secret` None keeps the stored one, "" removes it."""

    name: str
    settings: Mapping[str, Any]
    secret: str | None
    secret_variable: str
    interval_minutes: int
    is_enabled: bool
    language: str
    tags: list[str]
    gone_after: int | None
    least_share: int


@transaction.atomic
def feed_create(
    *, acting_user: User, space: Space, connector: str, **fields: Unpack[FeedFields]
) -> Feed:
    """Set up a feed; its first run is due at once if it has a schedule. Needs a manager.

    Raises NotFound, Forbidden, Invalid.
    """
    role_require(acting_user, space, Role.MANAGER)
    feed = Feed(space=space, connector=connector, owner=acting_user)
    _fields_set(feed, {"settings": {}, **fields})
    if feed.is_enabled and feed.interval_minutes:
        feed.next_sync_at = timezone.now()
    return _saved(feed)


@transaction.atomic
def feed_update(*, acting_user: User, feed: Feed, **fields: Unpack[FeedFields]) -> Feed:
    """Change a feed and return its stored row; who saves it becomes its owner. Needs a manager.

    Another place wants the secret again. Raises NotFound, Forbidden, Invalid.
    """
    row = _locked(acting_user, feed, Role.MANAGER)
    before, schedule = dict(row.settings), (row.interval_minutes, row.is_enabled)
    _fields_set(row, dict(fields))
    if row.settings != before:
        row.cursor = {}
        _secret_require(row, before, fields)
    if (row.interval_minutes, row.is_enabled) != schedule or row.settings != before:
        row.failures = 0
        runs = row.is_enabled and row.interval_minutes
        row.next_sync_at = timezone.now() if runs else None
    row.owner = acting_user
    return _saved(row)


@transaction.atomic
def feed_delete(*, acting_user: User, feed: Feed) -> None:
    """Delete a feed; what came of it stays. A run under way ends. Raises NotFound, Forbidden."""
    row = _locked(acting_user, feed, Role.MANAGER)
    jobs = IngestJob.objects.select_for_update(no_key=True, of=("self",))
    for job in jobs.filter(feed_runs__feed=row, kind=JobKind.FEED):
        if job.status == JobStatus.QUEUED:
            job_settle(job, JobStatus.CANCELLED)
        elif job.status == JobStatus.PROCESSING:
            IngestJob.objects.filter(pk=job.pk).update(cancel_requested=True)
    for run in row.runs.filter(status__in=[FeedRunStatus.SUSPICIOUS, FeedRunStatus.RUNNING]):
        run_close(run, by=acting_user)
    row.delete()


def feed_probe(
    *,
    acting_user: User,
    space: Space,
    connector: str,
    settings: Mapping[str, Any],
    secret: str = "",
    feed: Feed | None = None,
) -> str:
    """Try the connection that settings describe; return what is there in words. Needs a manager.

    Without `secret`, that of `feed` is used as long as the settings lead to the same place. Raises
    NotFound, Forbidden, Invalid, and Unreadable with what the place, or the guard, said.
    """
    role_require(acting_user, space, Role.MANAGER)
    trial = Feed(space=space, connector=connector)
    if feed is not None:
        trial.settings, trial.secret_sealed = feed.settings, feed.secret_sealed
        trial.secret_variable = feed.secret_variable
    before = dict(trial.settings)
    try:
        kind = connector_of(connector)
        trial.settings = settings_cleaned(kind, settings)
        if secret:
            trial.set_secret(secret)
            trial.secret_variable = ""
        elif feed is not None and _leads_elsewhere(trial, before):
            trial.secret_sealed = trial.secret_variable = ""
        with calls_told():
            return connector_made(trial).probe()
    except ConnectorFault as error:
        raise Unreadable(error.message, code="unreachable", field=error.field or None) from None


def feed_sync(*, acting_user: User, feed: Feed) -> FeedRun:
    """Start a run of a feed. Needs a curator. Raises NotFound, Forbidden, Conflict."""
    role_require(acting_user, feed.space, Role.CURATOR)
    return run_start(feed, started_by=acting_user)


@transaction.atomic
def feed_run_confirm(*, acting_user: User, run: FeedRun) -> FeedRun:
    """Let a suspicious run do what it found, and archive what the run missed. Needs a curator.

    Also archives at once what a completed run missed and keeps for now. Only the last run can be
    confirmed. Raises NotFound, Forbidden, Conflict.
    """
    row = _run_locked(acting_user, run)
    waits = row.changes.filter(action=FeedAction.GONE, applied_at=None).exists()
    is_open = row.is_waiting or (row.status == FeedRunStatus.COMPLETED and waits)
    if not is_open or row.feed.runs.filter(created_at__gt=row.created_at).exists():
        message = _("There is nothing to confirm in this run, or a later one took its place.")
        raise Conflict(message, code="nothing_to_confirm")
    running_refuse(row.feed)
    row.is_confirmed, row.decided_by = True, acting_user
    row.status, row.finished_at = FeedRunStatus.RUNNING, None
    row.save()
    run_queue(row, row.feed.owner or acting_user)
    return row


@transaction.atomic
def feed_run_discard(*, acting_user: User, run: FeedRun) -> FeedRun:
    """Drop what a suspicious run found; all stays as it was. Needs a curator.

    Raises NotFound, Forbidden, Conflict.
    """
    row = _run_locked(acting_user, run)
    if not row.is_waiting:
        raise Conflict(_("This run does not wait for a decision."), code="nothing_to_confirm")
    run_close(row, by=acting_user)
    return row


@transaction.atomic
def address_import(*, acting_user: User, space: Space, url: str) -> IngestJob:
    """Queue a job that fetches one address and reads it, as an upload would be.

    Raises NotFound, Forbidden, Invalid. Whether the address may be called is found by the job.
    """
    role_require(acting_user, space, Role.EDITOR)
    try:
        address_check(url, "url")
    except ConnectorFault as error:
        raise Invalid(error.message, field="url") from None
    job = IngestJob.objects.create(
        kind=JobKind.IMPORT,
        space=space,
        created_by=acting_user,
        payload={"url": url},
        trace_id=current_trace_id(),
    )
    emit_updated(job)
    job_send(job)
    return job


@transaction.atomic
def repository_import(*, acting_user: User, space: Space, url: str) -> IngestJob:
    """Queue a job that reads the Markdown of a repository; a later import brings it up to date.

    The repository becomes a feed without a schedule. Raises NotFound, Forbidden, Invalid, Conflict.
    """
    role_require(acting_user, space, Role.EDITOR)
    cleaned = _settings(Feed(connector="git"), {"url": url}, field="git")
    rows = Feed.objects.filter(space=space, connector="git", settings=cleaned)
    feed = rows.filter(owner=acting_user).first()
    if feed is None:
        name = f"{cleaned['url'][:80]} ({acting_user.get_username()[:20]} {uuid.uuid4().hex[:6]})"
        feed = Feed(space=space, connector="git", owner=acting_user, interval_minutes=0)
        feed.name, feed.settings = name, cleaned
        _saved(feed)
    run = run_start(feed, started_by=acting_user)
    assert run.job is not None
    return run.job


def _locked(user: User, feed: Feed, role: Role) -> Feed:
    rows = Feed.objects.visible_to(user).select_for_update(no_key=True, of=("self",))
    row = rows.filter(pk=feed.pk).first()
    if row is None:
        raise not_found()
    role_require(user, row.space, role)
    return row


def _run_locked(user: User, run: FeedRun) -> FeedRun:
    visible = FeedRun.objects.visible_to(user).filter(pk=run.pk).first()
    if visible is None:
        raise not_found()
    _locked(user, visible.feed, Role.CURATOR)
    return FeedRun.objects.select_for_update(no_key=True, of=("self",)).get(pk=run.pk)


def _fields_set(feed: Feed, values: dict[str, Any]) -> None:
    if "settings" in values:
        values["settings"] = _settings(feed, values["settings"])
    if "tags" in values:
        tags = list(dict.fromkeys(tag.strip() for tag in values["tags"] if tag.strip()))
        if len(tags) > MAX_TAGS:
            message = _("At most %(count)s tags of at most 64 characters.") % {"count": MAX_TAGS}
            raise Invalid(message, field="tags")
        values["tags"] = tags
    variable = values.get("secret_variable", "")
    if variable and not is_variable(variable):
        message = _("The name of the variable begins with %(prefix)s.") % {"prefix": PREFIX}
        raise Invalid(message, field="secret_variable")
    if values.get("language"):
        language_require(values["language"])
    for name in FIELDS:
        if name in values:
            setattr(feed, name, values[name])
    feed.name = " ".join(feed.name.split())
    secret = values.get("secret")
    if secret is not None:
        if "\0" in secret or len(secret) > 4000:
            raise Invalid(_("The secret cannot be stored."), field="secret")
        feed.set_secret(secret)


def _settings(feed: Feed, raw: Mapping[str, Any], field: str = "") -> dict[str, Any]:
    try:
        return settings_cleaned(connector_of(feed.connector), raw)
    except ConnectorFault as error:
        name = field or (error.field if error.field == "connector" else f"settings.{error.field}")
        raise Invalid(error.message, field=name) from None


def _secret_require(feed: Feed, before: Mapping[str, Any], fields: FeedFields) -> None:
    """Raise Invalid when a stored secret would be sent to another place than it was given for."""
    has_secret = feed.has_secret or feed.secret_variable
    if has_secret and fields.get("secret") is None and _leads_elsewhere(feed, before):
        message = _("The feed leads to another place now: give its secret again, or remove it.")
        raise Invalid(message, code="secret_needed", field="secret")


def _leads_elsewhere(feed: Feed, before: Mapping[str, Any]) -> bool:
    binding: list[Setting] = [
        each for each in connector_of(feed.connector).settings if each.binds_secret
    ]
    return any(feed.settings.get(each.name) != before.get(each.name) for each in binding)


def _saved(feed: Feed) -> Feed:
    try:
        feed.full_clean(exclude=["space", "owner", "settings", "cursor"], validate_unique=False,
                        validate_constraints=False)  # fmt: skip
        with transaction.atomic():
            feed.save()
    except ValidationError as error:
        name, problems = next(iter(error.message_dict.items()))
        raise Invalid(problems[0], field=name, details=error.message_dict) from None
    except IntegrityError as error:
        if "one_feed_a_name_and_space" not in str(error):
            raise
        message = _("Another feed of this space has that name.")
        raise Conflict(message, code="name_taken", field="name") from None
    return feed
