"""Writing relations with their versions, in the caller's transaction."""

from collections.abc import Sequence

from knowledge.models import Relation, RelationSuggestion
from knowledge.types import Origin
from knowledge.version_rows import version_written, versions_insert
from knowledge.versions import relation_checksum_of
from project.accounts.models import User

BATCH = 500


def relations_insert(
    relations: Sequence[Relation],
    *,
    author: User | None,
    reason: str = "",
    origin: Origin | None = None,
    ignore_taken: bool = False,
) -> list[Relation]:
    """Store new relations as version 1; return those that were stored.

    Raises IntegrityError for nodes that are related so already, unless `ignore_taken` leaves those
    out.
    """
    if not relations:
        return []
    for relation in relations:
        relation.version = 1
        relation.checksum = relation_checksum_of(relation)
    Relation.objects.bulk_create(relations, batch_size=BATCH, ignore_conflicts=ignore_taken)
    if ignore_taken:
        ids = [relation.pk for relation in relations]
        stored = set(Relation.objects.filter(pk__in=ids).values_list("pk", flat=True))
        relations = [relation for relation in relations if relation.pk in stored]
    if relations:
        versions_insert(relations, "+", author=author, reason=reason, origin=origin)
    return list(relations)


def relation_write(
    relation: Relation,
    before: Relation,
    *,
    author: User | None,
    reason: str = "",
    origin: Origin | None = None,
) -> bool:
    """Store the new values of a locked relation; return whether they made a version.

    `before` holds the stored values. Raises IntegrityError for nodes that are related so already.
    """
    checksum = relation_checksum_of(relation)  # of canonical JSON: 1 and true differ in it
    if checksum == relation_checksum_of(before):
        return False
    relation.version = before.version + 1
    relation.checksum = checksum
    with version_written(relation):
        relation.save()
    versions_insert([relation], "~", author=author, reason=reason, origin=origin)
    return True


def relations_remove(
    relations: Sequence[Relation],
    *,
    author: User | None,
    reason: str = "",
    origin: Origin | None = None,
) -> None:
    """Delete locked relations. Their versions stay; a last one says who did it."""
    if not relations:
        return
    for relation in relations:
        relation.version += 1
    versions_insert(relations, "-", author=author, reason=reason, origin=origin)
    rows = Relation.objects.filter(pk__in=[relation.pk for relation in relations])
    RelationSuggestion.objects.filter(relation__in=rows).update(relation=None)
    rows._raw_delete(rows.db)  # nothing else hangs on a relation, and its version is written
