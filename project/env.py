"""Typed, loud readers of environment variables.

A value that cannot be read stops the start with a sentence that names the variable. `*_FILE`
variants (for secrets mounted as files) win over the plain variable.
"""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def env_str(name: str, default: str = "") -> str:
    """Return the variable, stripped; `default` when unset or empty."""
    return os.environ.get(name, "").strip() or default


def env_limit(name: str, default: str) -> str:
    """Return the variable, stripped; empty means no limit, so only an unset one gets `default`."""
    return os.environ.get(name, default).strip()


def env_int(name: str, default: int, *, minimum: int | None = None) -> int:
    """Return the variable as an integer not below `minimum`."""
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        value = int(raw)
    except ValueError:
        message = f"{name} must be a whole number, not {raw!r}."
        raise ImproperlyConfigured(message) from None
    if minimum is not None and value < minimum:
        message = f"{name} must be at least {minimum}, not {value}."
        raise ImproperlyConfigured(message)
    return value


def env_bool(name: str, *, default: bool) -> bool:
    """Return the variable as a truth value: 1/true/yes/on or 0/false/no/off."""
    raw = os.environ.get(name)
    if raw is None:
        return default
    value = raw.strip().lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    message = f"{name} must be 1 or 0 (also true/false, yes/no, on/off), not {raw!r}."
    raise ImproperlyConfigured(message)


def env_list(name: str, default: list[str] | None = None) -> list[str]:
    """Return the comma-separated variable as a list of non-empty strings."""
    raw = os.environ.get(name, "")
    values = [part.strip() for part in raw.split(",") if part.strip()]
    return values or list(default or [])


def env_secret(name: str, default: str = "") -> str:
    """Return a secret from the file that `<name>_FILE` names, else from `<name>`."""
    path = os.environ.get(f"{name}_FILE", "").strip()
    if not path:
        return env_str(name, default)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        message = f"{name}_FILE names {path}, which cannot be read: {error.strerror}."
        raise ImproperlyConfigured(message) from None


def env_path(name: str, default: Path) -> Path:
    """Return the variable as an absolute path."""
    raw = os.environ.get(name, "").strip()
    return Path(raw).expanduser().resolve() if raw else default
