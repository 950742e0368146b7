"""Addresses for machines that watch Acervo."""

import os

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from monitoring import health
from monitoring.collectors import StateCollector
from project.accounts.authentication import key_find
from project.accounts.choices import Scope
from project.http.errors import ApiError, Forbidden, Unauthenticated
from project.tracing import current_trace_id

FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")
LOOPBACK = {"127.0.0.1", "::1"}


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Answer: this process runs."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 once every process can serve, else 503 with what is missing."""
    return _answer(health.ready())


@never_cache
@require_safe
def deep(request: HttpRequest) -> HttpResponse:
    """Answer what every check finds; for staff, or a key with the scope `admin`."""
    try:
        _staff_require(request)
    except ApiError as error:
        return JsonResponse(error.body(current_trace_id()), status=error.status)
    return _answer(health.deep())


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer all metrics of all processes: to this machine, to staff, and to `admin` keys."""
    if not (settings.ACERVO_METRICS_PUBLIC or _is_local(request)):
        try:
            _staff_require(request)
        except ApiError as error:
            return JsonResponse(error.body(current_trace_id()), status=error.status)
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(_Everything())
    registry.register(StateCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Everything(Collector):
    """The metrics of this process, when it is the only one."""

    def collect(self):  # type: ignore[no-untyped-def]
        return REGISTRY.collect()


def _answer(report: health.Report) -> JsonResponse:
    status = 503 if report.status == "error" else 200
    return JsonResponse({"status": report.status, "checks": report.checks}, status=status)


def _is_local(request: HttpRequest) -> bool:
    """Whether the caller is on this machine; behind a proxy everyone would seem to be."""
    return request.META.get("REMOTE_ADDR") in LOOPBACK and not any(
        name in request.headers for name in FORWARDED
    )


def _staff_require(request: HttpRequest) -> None:
    scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        key = key_find(secret.strip())
        if key is None:
            message = _("This API key is unknown, expired or revoked.")
            raise Unauthenticated(message)
        if Scope.ADMIN not in key.scopes or not key.user.is_staff:
            message = _("This needs a key of a staff member with the scope “admin”.")
            raise Forbidden(message, code="missing_scope")
        return
    if not request.user.is_authenticated:
        message = _("Sign in as staff, or send an API key.")
        raise Unauthenticated(message)
    if not request.user.is_staff:
        message = _("This is for staff.")
        raise Forbidden(message)
