"""Which form an answer has, where the caller has no say in it."""

from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class AnyAccept(BaseContentNegotiation):
    """Takes whatever `Accept` says: EventSource asks for a type that errors do not have."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Return the parser."""
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the first renderer."""
        return renderers[0], renderers[0].media_type
