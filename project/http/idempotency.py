"""`Idempotency-Key` on every POST of the API.

The same key and body gets the stored answer; the same key with another body is refused. A record
is written before the view runs, so that of two equal requests at once one works and the other
waits for its answer. What the view does and the stored answer are one transaction: a process or
server that dies in the middle leaves neither, and the repetition does the work.

Modelled on the behaviour that Stripe documents for its API: nothing is stored for requests that
never began (401, 403, 429) or that failed on the server's side.

This middleware is the innermost and synchronous on purpose: with it the whole chain runs in one
thread, instead of one hop between threads for each middleware.
"""

import datetime
import hashlib
import re
import time
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.settings import api_settings

from project.http.errors import ApiError, Conflict, Invalid
from project.http.models import IdempotencyRecord
from project.tracing import current_trace_id

PREFIXES = ("/api/v1/", "/v1/")
LOCK = datetime.timedelta(seconds=10)
"""Between the claim and the lock on its row; from then on the lock tells who is alive."""

WAIT_SECONDS = 20.0
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
log = structlog.get_logger(__name__)
_NOT_STORED = frozenset({401, 403, 408, 409, 425, 429})


class IdempotencyMiddleware:
    """Replays the stored answer of a POST whose `Idempotency-Key` was seen before."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        key = request.headers.get("Idempotency-Key")
        if key is None or request.method != "POST" or not request.path.startswith(PREFIXES):
            return self.get_response(request)
        actor = _actor(request)
        if actor is None:
            return self.get_response(request)  # the view answers 401
        try:
            if not _KEY.fullmatch(key):
                message = _("Idempotency-Key must be 1 to 200 printable ASCII characters.")
                raise Invalid(message, code="invalid_idempotency_key")
            record, is_mine = _claim(actor, key, _digest(request))
            return self._work(request, record) if is_mine else _replay(record)
        except ApiError as error:
            headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
            body = error.body(current_trace_id())
            return JsonResponse(body, status=error.status, headers=headers)

    def _work(self, request: HttpRequest, record: IdempotencyRecord) -> HttpResponseBase:
        try:
            response = self._run(request, record)
        except BaseException:
            _forget(record)
            raise
        if not _is_stored(response):
            _forget(record)
        return response

    def _run(self, request: HttpRequest, record: IdempotencyRecord) -> HttpResponseBase:
        with transaction.atomic():
            # Held to the end: nobody takes the place of a request that is still being worked on.
            if not _held(record):
                raise _in_progress()
            response = self.get_response(request)
            if _is_refused(response):
                transaction.set_rollback(True)
            elif isinstance(response, HttpResponse):
                if hasattr(response, "render") and not getattr(response, "is_rendered", True):
                    response.render()
                _keep(record, response)
            return response


def _held(record: IdempotencyRecord) -> bool:
    """Lock the claim for this transaction; return False where another has taken it over."""
    # In plain SQL, as below: writing a query costs more than to run it.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM http_idempotencyrecord WHERE id = %s AND locked_until = %s FOR UPDATE",
            [record.pk, record.locked_until],
        )
        return cursor.fetchone() is not None


def _keep(record: IdempotencyRecord, response: HttpResponse) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE http_idempotencyrecord SET status = %s, content_type = %s, body = %s "
            "WHERE id = %s",
            [
                response.status_code,
                response.headers.get("Content-Type", ""),
                response.content,
                record.pk,
            ],
        )


def _is_refused(response: HttpResponseBase) -> bool:
    return response.status_code >= 500 or response.status_code in _NOT_STORED


def _is_stored(response: HttpResponseBase) -> bool:
    return isinstance(response, HttpResponse) and not _is_refused(response)


def _forget(record: IdempotencyRecord) -> None:
    """Let the key be used anew; when the database is away, the claim runs out by itself."""
    try:
        IdempotencyRecord.objects.filter(
            pk=record.pk, status=None, locked_until=record.locked_until
        ).delete()
    except DatabaseError as error:
        log.warning("idempotency_claim_left", error=type(error).__name__)


def _in_progress() -> Conflict:
    message = _("The first request with this Idempotency-Key is still running. Try again.")
    return Conflict(message, code="idempotency_in_progress", retry_after=5)


def _actor(request: HttpRequest) -> str | None:
    """Return who calls, by the same means as the views; None when nobody is known."""
    classes: list[Any] = list(api_settings.DEFAULT_AUTHENTICATION_CLASSES)
    classes += [import_string(each) for each in settings.IDEMPOTENT_TOO]
    wrapped = Request(request, authenticators=[each() for each in classes])
    # The CSRF check looks into forms, which nobody has parsed here: a header shows the token.
    wrapped._data = QueryDict()  # type: ignore[attr-defined]
    try:
        user = wrapped.user
    except (APIException, ApiError):
        return None
    return f"user:{user.pk}" if user.pk is not None else None  # a guest has one, too


def _digest(request: HttpRequest) -> str:
    """Return the SHA-256 of what is asked: address, fields and file contents."""
    digest = hashlib.sha256(request.get_full_path().encode())
    if (request.content_type or "").startswith("multipart/"):
        for name, values in sorted(request.POST.lists()):
            digest.update(repr((name, values)).encode())
        for name, files in sorted(request.FILES.lists()):
            for file in files:
                digest.update(repr((name, _name(file))).encode())
                for piece in file.chunks():
                    digest.update(piece)
                file.seek(0)
    else:
        digest.update(request.body)
    return digest.hexdigest()


def _name(file: Any) -> str:
    return (file.name or "") if isinstance(file, UploadedFile) else ""


def _claim(actor: str, key: str, digest: str) -> tuple[IdempotencyRecord, bool]:
    """Return the record of that key and whether this request is the one that does the work.

    Raises Conflict when the key stands for another request, or when its request is still running
    after WAIT_SECONDS.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        now = timezone.now()
        made = IdempotencyRecord(
            actor=actor, key=key, digest=digest, created_at=now, locked_until=now + LOCK
        )
        if _insert(made):
            return made, True
        record = IdempotencyRecord.objects.filter(actor=actor, key=key).first()
        if record is None:
            continue  # its request failed and took the record away; try to be the one
        if record.digest != digest:
            message = _("This Idempotency-Key was used for another request. Use a new one.")
            raise Conflict(message, code="idempotency_mismatch")
        if record.status is not None:
            return record, False
        if record.locked_until < now and _take_over(record, now):
            return record, True
        if time.monotonic() > deadline:
            raise _in_progress()
        time.sleep(0.05)


def _insert(record: IdempotencyRecord) -> bool:
    """Store a claim unless the key has one; one statement, which is a transaction of its own."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO http_idempotencyrecord
                (actor, key, digest, content_type, body, created_at, locked_until)
            VALUES (%s, %s, %s, '', '', %s, %s)
            ON CONFLICT (actor, key) DO NOTHING RETURNING id
            """,
            [record.actor, record.key, record.digest, record.created_at, record.locked_until],
        )
        row = cursor.fetchone()
    if row is not None:
        record.pk = row[0]
    return row is not None


def _take_over(record: IdempotencyRecord, now: datetime.datetime) -> bool:
    """Take the place of a request whose process died: nobody holds the lock on its row."""
    with transaction.atomic():
        abandoned = (
            IdempotencyRecord.objects.select_for_update(skip_locked=True)
            .filter(pk=record.pk, status=None, locked_until=record.locked_until)
            .first()
        )
        if abandoned is None:
            return False
        record.locked_until = abandoned.locked_until = now + LOCK
        abandoned.save(update_fields=["locked_until"])
    return True


def _replay(record: IdempotencyRecord) -> HttpResponse:
    response = HttpResponse(
        bytes(record.body), status=record.status, content_type=record.content_type
    )
    response.headers["Idempotency-Replayed"] = "true"
    return response
