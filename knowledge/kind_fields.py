"""What may be set on a kind, checked; and what follows a change of how its nodes are cut."""

from typing import Any, TypedDict

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from knowledge.chunking.cutting import CuttingFault, cutting_of
from knowledge.kind_checks import schema_require
from knowledge.models import Kind, PreviewChunk, PreviewNode
from project.http.errors import Invalid


class KindFields(TypedDict, total=False):
    """What a caller may set on a kind."""

    title: str
    description: str
    metadata_schema: dict[str, Any]
    chunking: dict[str, Any]


def kind_fields_set(kind: Kind, fields: KindFields) -> None:
    """Set fields of a kind that is not stored yet. Raises Invalid."""
    for name, value in fields.items():
        setattr(kind, name, value)
    if "metadata_schema" in fields:
        schema_require(kind.metadata_schema, "metadata_schema")
    if "chunking" in fields:
        _cutting_set(kind)
    try:
        kind.clean_fields(exclude={"space", "metadata_schema", "chunking", "updated_by"})
    except ValidationError as error:
        name, problems = next(iter(error.message_dict.items()))
        raise Invalid(problems[0], field=name, details=error.message_dict) from None


def _cutting_set(kind: Kind) -> None:
    try:
        cutting = cutting_of(kind.chunking)
    except CuttingFault as fault:
        name, message = next(iter(fault.faults.items()))
        message = _("Cutting, %(name)s: %(why)s") % {"name": name, "why": message}
        details = {"chunking": fault.faults}
        raise Invalid(message, code="chunking_invalid", field="chunking", details=details) from None
    kind.chunking, kind.cutting_key = cutting.as_json(), cutting.key


def previews_forget(kind: Kind) -> None:
    """Take away what previews hold of a kind's nodes: it is cut otherwise now."""
    shown = PreviewNode.objects.filter(kind=kind.name)
    if kind.space_id is not None:
        shown = shown.filter(space=kind.space_id)
    for proposal, node in shown.values_list("proposal", "node_id"):
        PreviewChunk.objects.filter(proposal=proposal, node_id=node).delete()
    shown.delete()
