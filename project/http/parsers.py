"""JSON bodies: not too large, not too deep, and nothing in them that cannot be stored or sent."""

import json
import math
import re
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.utils import json as strict_json

from project.http.errors import Invalid, TooLarge

MAX_DEPTH = 64
_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonParser(JSONParser):
    """Reads UTF-8 JSON; raises ParseError, Invalid and TooLarge.

    JSON can spell what Postgres and UTF-8 have no place for: NUL, half a surrogate pair, and
    numbers beyond a float, which become infinite.
    """

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Any = None,
    ) -> Any:
        """Return the body."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise TooLarge(_("The body is larger than is allowed."))
        try:
            text = raw.decode("utf-8")
            data = json.loads(text, parse_constant=strict_json.strict_constant)
        except (ValueError, RecursionError) as error:
            is_deep = isinstance(error, RecursionError)
            reason = _("it is nested too deeply") if is_deep else str(error)
            message = _("The body is not JSON in UTF-8: %(reason)s.") % {"reason": reason}
            raise ParseError(message) from None
        _check(data)
        return data


def _check(data: Any) -> None:
    """Look at every value; raises Invalid naming the field it is in. Without recursion: the depth
    is a part of what is looked for.
    """
    waiting: list[tuple[Any, int, str | None]] = [(data, 0, None)]
    while waiting:
        value, depth, field = waiting.pop()
        problem = _problem(value, depth)
        if problem is not None:
            raise Invalid(problem, field=field)
        if isinstance(value, dict):
            for name, each in value.items():
                inside = field or (str(name) if depth == 0 and not _problem(name, 0) else None)
                waiting.append((name, depth + 1, inside))
                waiting.append((each, depth + 1, inside))
        elif isinstance(value, list):
            waiting.extend((each, depth + 1, field) for each in value)


def _problem(value: Any, depth: int) -> str | None:
    if depth > MAX_DEPTH:
        return _("This is nested more than %(count)s levels deep.") % {"count": MAX_DEPTH}
    if isinstance(value, str) and ("\x00" in value or _SURROGATE.search(value)):
        return _("The text holds characters that cannot be stored.")
    if isinstance(value, float) and not math.isfinite(value):
        return _("The number is too large.")
    return None
