"""Looks for static files once a process instead of once a test client."""

from whitenoise.middleware import WhiteNoiseMiddleware

_find = WhiteNoiseMiddleware.add_files_from_finders
_found: dict[str, object] = {}


def _add_files(middleware: WhiteNoiseMiddleware) -> None:
    if not _found:
        _find(middleware)
        _found.update(middleware.files)
    middleware.files.update(_found)


def install() -> None:
    """Have every client's middleware share what the first one found."""
    WhiteNoiseMiddleware.add_files_from_finders = _add_files
