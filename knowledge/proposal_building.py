"""Making the changes of proposals from what callers send: checked, and with their base."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.branches import (
    CHANGEABLE,
    RELATION_VALUES,
    Branch,
    facts_of,
    identity_of,
    node_state,
    state_apply,
)
from knowledge.choices import ChangeAction, NodeStatus, RelationOrigin
from knowledge.merging.tree import is_same
from knowledge.models import Node, NodeVersion, Proposal, ProposalChange, Relation, Space
from project.accounts.models import User
from project.http.errors import Conflict, Invalid

STATUS_OF = {
    ChangeAction.ARCHIVE: NodeStatus.ARCHIVED,
    ChangeAction.PUBLISH: NodeStatus.PUBLISHED,
}


class ChangeBuilder:
    """Makes changes of one proposal for one user; `about` are nodes that they will be about."""

    def __init__(self, user: User, proposal: Proposal, *, about: Iterable[uuid.UUID] = ()) -> None:
        self._user = user
        self._proposal = proposal
        self._space: Space = proposal.space
        rows = ProposalChange.objects.filter(proposal=proposal)
        self._by_node = {row.node_id: row for row in rows if row.node_id}
        self._by_identity = {identity_of(row): row for row in rows if row.is_of_relation}
        nodes = Node.objects.filter(space=self._space, pk__in=list(about))
        self._nodes: dict[Any, Node] = {node.pk: node for node in nodes}
        versions = NodeVersion.objects.filter(id__in=self._nodes).exclude(history_type="-")
        current = {node.version for node in self._nodes.values()}
        self._versions = {
            (row.id, row.version): row for row in versions.filter(version__in=current)
        }

    def made(self, values: dict[str, Any]) -> ProposalChange:
        """Return a new change, not stored yet."""
        action = values.pop("action", None)
        if action not in ChangeAction.values:
            raise Invalid(_("There is no such action."), field="action")
        change = ProposalChange(proposal=self._proposal, action=action, author=self._user)
        if action == ChangeAction.CREATE:
            self._create(change, values)
        elif action == ChangeAction.RELATE:
            self._relate(change, values)
        elif change.is_of_relation:
            self._of_relation(change, values)
        else:
            self._of_node(change, values)
        if values:
            name = min(values)
            message = _("A change of this kind has no “%(name)s”.") % {"name": name}
            raise Invalid(message, code="unknown_field", field=name)
        return change

    def fields(self, change: ProposalChange, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields of a node as they are stored. Raises Invalid naming one at fault."""
        unknown = set(raw) - set(CHANGEABLE)
        if unknown:
            name = min(unknown)
            message = _("A node has no field “%(name)s” to set.") % {"name": name}
            raise Invalid(message, code="unknown_field", field=name)
        values = dict(raw)
        if isinstance(values.get("owner"), User):
            values["owner"] = str(values["owner"].pk)
        node = Node(space=self._space, title="-", language=self._space.language)
        state_apply(node, {**change.fields, **values})
        if node.owner_id is not None and not User.objects.filter(pk=node.owner_id).exists():
            raise Invalid(_("There is no such user."), field="owner")
        state = node_state(node)
        return {name: state[name] for name in values}

    def relation_fields(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return values of a relation as they are stored. Raises Invalid naming one at fault."""
        unknown = set(raw) - set(RELATION_VALUES)
        if unknown:
            name = min(unknown)
            message = _("A relation has no field “%(name)s” to set.") % {"name": name}
            raise Invalid(message, code="unknown_field", field=name)
        relation = Relation(**raw)
        _relation_check(relation, set(raw))
        return {name: getattr(relation, name) for name in raw}

    def complete(self, change: ProposalChange) -> None:
        """Put in what the action stands for. Raises Invalid for a creation without a title."""
        if change.action in STATUS_OF:
            change.fields["status"] = STATUS_OF[ChangeAction(change.action)]
        if change.action == ChangeAction.CREATE:
            change.fields.setdefault("status", NodeStatus.PUBLISHED)
            if not str(change.fields.get("title", "")).strip():
                raise Invalid(_("A new node needs a title."), code="required", field="title")

    def trim(self, change: ProposalChange) -> None:
        """Leave out fields that have the value of the base anyway."""
        if change.node_id is None or change.base_version is None:
            return
        version = self._version(change.node_id, change.base_version)
        if version is None:
            return
        branch = Branch(self._proposal, self._space, [])
        branch.bases[change.node_id, change.base_version] = version
        base = branch.base_of(change)
        change.fields = {
            name: value for name, value in change.fields.items() if not is_same(value, base[name])
        }

    def _create(self, change: ProposalChange, values: dict[str, Any]) -> None:
        change.node_id = values.pop("node", None) or uuid.uuid4()
        if (
            change.node_id in self._by_node
            or NodeVersion.objects.filter(id=change.node_id).exists()
            or Node.objects.filter(pk=change.node_id).exists()
        ):
            message = _("This id is taken: leave it out to have one made.")
            raise Invalid(message, code="id_taken", field="node")
        change.fields = self.fields(change, values.pop("fields", {}))
        self.complete(change)
        self._by_node[change.node_id] = change

    def _of_node(self, change: ProposalChange, values: dict[str, Any]) -> None:
        node = self._node(values.pop("node", None))
        self._require_new(self._by_node.get(node.pk))
        change.node_id = node.pk
        stated = values.pop("base_version", None)
        self._base(change, node, stated)
        change.fields = self.fields(change, values.pop("fields", {}))
        self.complete(change)
        self.trim(change)
        self._by_node[node.pk] = change

    def _base(self, change: ProposalChange, node: Node, stated: int | None) -> None:
        version = self._version(node.pk, node.version if stated is None else stated)
        if version is None:
            message = _("This node has no version %(version)s.") % {"version": stated}
            raise Invalid(message, code="no_such_version", field="base_version")
        change.base_version = change.began_from = version.version
        change.base_facts = facts_of(node)
        if version.version != node.version:
            later = NodeVersion.objects.filter(id=node.pk, version=version.version + 1).first()
            change.based_at = later.history_date if later else timezone.now()

    def _relate(self, change: ProposalChange, values: dict[str, Any]) -> None:
        source, target = values.pop("source", None), values.pop("target", None)
        change.source_id = self._end(source, "source", change)
        change.target_id = self._end(target, "target", change)
        change.relation_kind = values.pop("kind", None) or "related_to"
        if change.source_id == change.target_id:
            raise Invalid(_("A relation joins two different nodes."), field="target")
        _relation_check(Relation(kind=change.relation_kind), {"kind"})
        change.fields = self.relation_fields(values.pop("fields", {}))
        self._identify(change)
        if Relation.objects.filter(
            source=change.source_id, target=change.target_id, kind=change.relation_kind
        ).exists():
            raise Invalid(_("These nodes are already related so."), code="relation_exists")

    def _of_relation(self, change: ProposalChange, values: dict[str, Any]) -> None:
        relation = values.pop("relation", None)
        rows = Relation.objects.visible_to(self._user).select_related("source", "target")
        row = rows.filter(pk=relation, source__space=self._space).first() if relation else None
        if row is None:
            raise Invalid(_("The space has no such relation."), code="not_found", field="relation")
        if row.origin == RelationOrigin.TEXT:
            message = _("This relation follows a link in the text: change it there.")
            raise Invalid(message, code="follows_text", field="relation")
        change.relation_id = row.pk
        change.source_id, change.target_id = row.source_id, row.target_id
        change.relation_kind = row.kind
        change.base_version = row.version
        change.base_facts = {"source": row.source.status, "target": row.target.status}
        fields = values.pop("fields", {})
        if change.action == ChangeAction.UNRELATE and fields:
            raise Invalid(_("The removal of a relation has no fields."), field="fields")
        change.fields = self.relation_fields(fields)
        self._identify(change)

    def _identify(self, change: ProposalChange) -> None:
        identity = identity_of(change)
        self._require_new(self._by_identity.get(identity))
        self._by_identity[identity] = change

    def _end(self, pk: Any, side: str, change: ProposalChange) -> uuid.UUID:
        known = self._by_node.get(pk)
        if known is not None and known.action == ChangeAction.CREATE and known.node_id:
            return known.node_id
        nodes = Node.objects.visible_to(self._user)
        if side == "source":
            nodes = nodes.filter(space=self._space)
        node = nodes.filter(pk=pk).first() if pk else None
        if node is None:
            message = _("There is no such node, or it is not yours to relate.")
            raise Invalid(message, code="not_found", field=side)
        change.base_facts = {**change.base_facts, side: node.status}
        return node.pk

    def _node(self, pk: Any) -> Node:
        node = self._nodes.get(pk)
        if node is None and pk:
            node = Node.objects.filter(pk=pk, space=self._space).first()
        if node is None:
            message = _("The space of the proposal has no such node.")
            raise Invalid(message, code="not_found", field="node")
        return node

    def _version(self, pk: uuid.UUID, number: int) -> Any:
        """Return a version that is not a deletion, None without it."""
        if (pk, number) not in self._versions:
            rows = NodeVersion.objects.filter(id=pk, version=number).exclude(history_type="-")
            self._versions[pk, number] = rows.first()
        return self._versions[pk, number]

    def _require_new(self, known: ProposalChange | None) -> None:
        if known is None:
            return
        message = _("The proposal changes this already: change that change.")
        details = {"change": str(known.pk), "version": known.version, "action": known.action}
        raise Conflict(message, code="already_changed", details=details)


def _relation_check(relation: Relation, names: set[str]) -> None:
    if not isinstance(relation.metadata, dict):
        raise Invalid(_("Metadata is a JSON object."), field="metadata")
    try:
        relation.clean_fields(exclude={each.name for each in Relation._meta.fields} - names)
    except ValidationError as error:
        name, problems = next(iter(error.message_dict.items()))
        raise Invalid(problems[0], field=name, details=error.message_dict) from None
