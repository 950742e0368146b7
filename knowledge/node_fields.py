"""What a caller may set on a node, and the checks of it."""

import datetime
from typing import Any, TypedDict, cast

from django.core.exceptions import ValidationError
from django.db.models import Field
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.languages import is_language
from knowledge.models import Node
from knowledge.versions import CONTENT_FIELDS
from project.accounts.models import User
from project.http.errors import Invalid

BOOKKEEPING_FIELDS = ("owner", "review_due", "external_id")
TIMES = ("valid_from", "valid_until", "review_due")
MAX_CONTENT = 10_000_000  # characters
MAX_TAGS = 100


class NodeFields(TypedDict, total=False):
    """What a caller may set on a node."""

    kind: str
    title: str
    content: str
    language: str
    tags: list[str]
    metadata: dict[str, Any]
    valid_from: datetime.datetime | None
    valid_until: datetime.datetime | None
    owner: User | None
    review_due: datetime.date | None
    external_id: str | None


class NodeChanges(NodeFields, total=False):
    """What an update may change: the fields, and the status."""

    status: str


def fields_set(node: Node, fields: NodeFields) -> None:
    """Put cleaned values on a node. Raises Invalid naming the field at fault."""
    values: dict[str, Any] = {**fields}
    unknown = set(values) - set(CONTENT_FIELDS) - set(BOOKKEEPING_FIELDS)
    if unknown:
        name = min(unknown)
        message = _("A node has no field “%(name)s” to set.") % {"name": name}
        raise Invalid(message, code="unknown_field", field=name)
    if "tags" in values:
        values["tags"] = list(dict.fromkeys(tag.strip() for tag in values["tags"] if tag.strip()))
    if "title" in values:
        values["title"] = " ".join(values["title"].split())
    if "external_id" in values:
        values["external_id"] = values["external_id"] or None
    for name in TIMES:
        if isinstance(values.get(name), str):
            values[name] = _time(name, values[name])
    if values.get("language", node.language) != node.language:
        language_require(values["language"])  # what is stored stays as it is
    for name, value in values.items():
        setattr(node, name, value)
    _check(node, values)


def language_require(code: str) -> None:
    """Raise Invalid unless something is the code of a language."""
    if not is_language(code):
        message = _("There is no language “%(code)s”: write a code such as “en” or “pt-br”.")
        raise Invalid(message % {"code": code[:20]}, field="language")


def _time(name: str, text: str) -> Any:
    """Return the date or time that a bulk row gives as text, UTC where it names no zone."""
    try:
        value = cast("Field", Node._meta.get_field(name)).to_python(text)
    except ValidationError as error:
        raise Invalid(error.messages[0], field=name) from None
    if isinstance(value, datetime.datetime) and timezone.is_naive(value):
        return value.replace(tzinfo=datetime.UTC)
    return value


def _check(node: Node, values: dict[str, Any]) -> None:
    for name in values:
        if _has_nul(values[name]):
            message = _("The character U+0000 cannot be stored.")
            raise Invalid(message, field=name)
    if len(node.content) > MAX_CONTENT:
        message = _("A node holds at most %(count)s characters.") % {"count": MAX_CONTENT}
        raise Invalid(message, code="too_long", field="content")
    if len(node.tags) > MAX_TAGS:
        message = _("A node has at most %(count)s tags.") % {"count": MAX_TAGS}
        raise Invalid(message, field="tags")
    if not isinstance(node.metadata, dict):
        raise Invalid(_("Metadata is a JSON object."), field="metadata")
    if node.valid_from and node.valid_until and node.valid_until <= node.valid_from:
        raise Invalid(_("The validity must end after it begins."), field="valid_until")
    checked = {"kind", "title", "language", "tags", "external_id"}
    try:
        node.clean_fields(exclude={f.name for f in Node._meta.fields} - checked)
    except ValidationError as error:
        name, problems = next(iter(error.message_dict.items()))
        raise Invalid(problems[0], field=name, details=error.message_dict) from None


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(each) for pair in value.items() for each in pair)
    if isinstance(value, (list, tuple)):
        return any(_has_nul(each) for each in value)
    return False
