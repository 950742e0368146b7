"""What is checked, and what a check says."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from django.utils.translation import gettext as _

from knowledge.choices import NodeStatus
from knowledge.quality.catalogue import CATALOGUE, Severity


@dataclass(frozen=True, slots=True)
class NodeState:
    """One state of a node: the stored one, a version, or one that nobody saved yet.

    `node_id` is None for a node that does not exist yet; `behind_since` says since when the index
    has waited for this state, None where it does not.
    """

    space_id: uuid.UUID
    title: str
    content: str
    language: str
    kind: str = "article"
    status: str = NodeStatus.DRAFT
    node_id: uuid.UUID | None = None
    external_id: str | None = None
    owner_id: int | None = None
    owner_is_active: bool = True
    review_due: datetime.date | None = None
    valid_from: datetime.datetime | None = None
    valid_until: datetime.datetime | None = None
    behind_since: datetime.datetime | None = None

    @classmethod
    def of(cls, node: Any) -> NodeState:
        """Return the state that a `Node` holds, stored or not."""
        is_behind = node.status == NodeStatus.PUBLISHED and node.indexed_version != node.version
        return cls(
            **_facts(node, node.owner),
            node_id=node.pk,
            behind_since=node.updated_at if is_behind else None,
        )

    @classmethod
    def of_version(cls, version: Any) -> NodeState:
        """Return the state that a `NodeVersion` holds."""
        return cls(**_facts(version, version.owner), node_id=version.id)


def _facts(holder: Any, owner: Any) -> dict[str, Any]:
    names = ("space_id", "title", "content", "language", "kind", "status", "external_id",
             "owner_id", "review_due", "valid_from", "valid_until")  # fmt: skip
    facts = {name: getattr(holder, name) for name in names}
    return {**facts, "owner_is_active": owner is None or owner.is_active}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found: what it is, how bad, and in `message` what to do.

    `field` names the field of the node that it is about. `details` is ready for JSON; other nodes
    are in it as `node` (id) and `title`, places as `start` and `end`, offsets into the content.
    """

    code: str
    severity: Severity
    field: str
    message: str
    details: Mapping[str, Any] = dataclass_field(default_factory=dict)

    @property
    def label(self) -> str:
        """What people call findings of this code."""
        return str(CATALOGUE[self.code].label)

    def stored(self) -> dict[str, Any]:
        """Return what is kept of it: the message is made anew in the language of its reader."""
        return {"code": self.code, "details": dict(self.details)}


def finding(code: str, **details: Any) -> Finding:
    """Return a finding of the catalogue, its message in the current language."""
    entry = CATALOGUE[code]
    return Finding(code, entry.severity, entry.field, entry.message % _readable(details), details)


def finding_restored(row: Mapping[str, Any]) -> Finding | None:
    """Return a stored finding; None for a code that exists no more."""
    return finding(row["code"], **row["details"]) if row["code"] in CATALOGUE else None


class _Readable(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return _("(unknown)")


def _readable(details: Mapping[str, Any]) -> _Readable:
    return _Readable(
        {
            key: value.replace("\n", " ")[:240] if isinstance(value, str) else value
            for key, value in details.items()
        }
    )
