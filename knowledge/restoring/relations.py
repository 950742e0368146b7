"""Restoring relations and their versions; compared by their chains, as nodes are."""

import uuid
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from knowledge.models import Node, Relation, RelationVersion, ReleaseRelation
from knowledge.restoring.groundwork import BATCH, Ground, rows_copy, times_set
from knowledge.version_rows import version_written
from knowledge.versions import RELATION_FIELDS

_FACTS = (
    "id", "version", "checksum", "chain", "parents", "author_name", "change_origin",
    "change_origin_id", "trace_id", "erased_at", "history_date", "history_type",
    "history_change_reason",
)  # fmt: skip


def relations_restore(
    ground: Ground, relations: Sequence[SimpleNamespace], release_id: uuid.UUID | None
) -> None:
    """Write a group of relations, as far as they are not here, and that the release holds them."""
    ids = [each.id for each in relations]
    stored = Relation.objects.filter(pk__in=ids).order_by("pk").select_for_update().in_bulk()
    chains: dict[uuid.UUID, dict[int, str]] = {}
    versions = RelationVersion.objects.filter(id__in=ids)
    for pk, number, chain in versions.values_list("id", "version", "chain"):
        chains.setdefault(pk, {})[number] = chain
    new, behind, rows = [], [], []
    for each in relations:
        known = chains.get(each.id, {})
        newest = max(known, default=0)
        if any(known.get(row.version, row.chain) != row.chain for row in each.versions):
            message = _("The relation %(id)s has another history here.") % {"id": each.id}
            ground.conflict("other_history", "relation", each.id, message)
            continue
        rows += [_version(ground, row) for row in each.versions if row.version > newest]
        if newest == 0:
            new.append(each)
        elif newest < each.version and each.id not in stored:
            message = _("The relation %(id)s was deleted here.") % {"id": each.id}
            ground.conflict("deleted", "relation", each.id, message)
        elif newest < each.version:
            behind.append(each)
    _pairs_check(ground, [*new, *behind])
    if ground.conflict_count:
        return
    _rows_write(ground, new, behind, stored)
    rows_copy(RelationVersion, rows)
    ground.restored.relations += len(new)
    ground.restored.relation_versions += len(rows)
    if release_id is not None:
        ReleaseRelation.objects.bulk_create(
            [
                ReleaseRelation(
                    release_id=release_id,
                    relation_id=each.id,
                    version=each.version,
                    checksum=each.checksum,
                )
                for each in relations
            ],
            batch_size=BATCH,
        )


def _rows_write(
    ground: Ground,
    new: Sequence[SimpleNamespace],
    behind: Sequence[SimpleNamespace],
    stored: dict[uuid.UUID, Relation],
) -> None:
    made = []
    for each in new:
        row = Relation(id=each.id, created_by_id=ground.account(each.versions[0].created_by_name))
        _version_take(row, each)
        made.append(row)
    Relation.objects.bulk_create(made, batch_size=BATCH)
    times_set("knowledge_relation", ["created_at"], [(each.id, each.created_at) for each in new])
    for each in behind:
        row = stored[each.id]
        _version_take(row, each)
        with version_written(row):
            row.save()


def _version_take(row: Relation, relation: SimpleNamespace) -> None:
    for name in (*RELATION_FIELDS, "version", "checksum"):
        setattr(row, name, getattr(relation.versions[-1], name))


def _version(ground: Ground, record: Any) -> Any:
    return RelationVersion(
        **{name: getattr(record, name) for name in (*_FACTS, *RELATION_FIELDS)},
        created_by_id=ground.account(record.created_by_name),
        history_relation_id=record.id,
        history_user_id=ground.account(record.author_name),
    )


def _pairs_check(ground: Ground, relations: Sequence[SimpleNamespace]) -> None:
    """Note the relations whose nodes are related so already, or are not here any more."""
    wanted = {_triple(each.versions[-1]): each for each in relations}
    pairs = Q()
    for source, target, kind in wanted:
        pairs |= Q(source=source, target=target, kind=kind)
    if not wanted:
        return
    for row in Relation.objects.filter(pairs):
        each = wanted[_triple(row)]
        if row.pk != each.id:
            message = _("The nodes of the relation %(id)s are related so already, by %(other)s.")
            facts = {"id": each.id, "other": row.pk}
            ground.conflict("relation_exists", "relation", each.id, message % facts)
    ends = {pk for source, target, _kind in wanted for pk in (source, target)}
    here = set(Node.objects.filter(pk__in=ends).values_list("pk", flat=True))
    for (source, target, _kind), each in wanted.items():
        if not {source, target} <= here:
            message = _("A node of the relation %(id)s was deleted here.") % {"id": each.id}
            ground.conflict("deleted", "relation", each.id, message)


def _triple(row: Any) -> tuple[uuid.UUID, uuid.UUID, str]:
    return row.source_id, row.target_id, row.kind
