"""System checks: what `manage.py check` says about this installation, each with a hint."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register

from project.ratelimit import windows_of


@register("acervo")
def check_data_folder(**_kwargs: Any) -> list[CheckMessage]:
    """Report a data folder that cannot hold files."""
    folder = settings.ACERVO_DATA
    try:
        settings.MEDIA_ROOT.mkdir(parents=True, exist_ok=True)
        probe = settings.MEDIA_ROOT / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return [
            Error(
                f"The data folder {folder} cannot be written: {error.strerror}.",
                hint="Set ACERVO_DATA to a folder of this user, or give this one to it (chown).",
                id="acervo.E001",
            )
        ]
    return []


@register("acervo")
def check_limits(**_kwargs: Any) -> list[CheckMessage]:
    """Report limits that cannot be understood: they would fail with the first request."""
    names = {name for name in dir(settings) if name.startswith("ACERVO_RATE_")}
    wrong = [name for name in sorted(names) if getattr(settings, name) and not _is_limit(name)]
    return [
        Error(
            f"{name} is no limit: {getattr(settings, name)!r}.",
            hint="Write a number and a time, such as 100/hour, or 20/minute;100/hour.",
            id="acervo.E002",
        )
        for name in wrong
    ]


def _is_limit(name: str) -> bool:
    try:
        windows_of(getattr(settings, name))
    except ValueError:
        return False
    return True


@register("acervo", deploy=True)
def check_public_url(**_kwargs: Any) -> list[CheckMessage]:
    """Report a production set-up that does not know its own address."""
    if settings.PRODUCTION and not settings.ACERVO_PUBLIC_URL:
        return [
            checks.Warning(
                "ACERVO_PUBLIC_URL is not set, so links in webhooks and exports stay relative.",
                hint="Set it to the address people use, such as https://knowledge.example.org.",
                id="acervo.W001",
            )
        ]
    return []
