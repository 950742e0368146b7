"""Keeping `links_to` relations in step with the `[[wiki links]]` of texts.

A link names a title of the same space, in any case, or an external id. The relation remembers
which link made it, so it outlives a new title of its target; a link to nothing waits in
`Node.wiki_links` and becomes a relation when a node of that name appears.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db import connection
from django.db.models import Case, IntegerField, Q, Value, When
from django.db.models.functions import Lower

from knowledge.choices import NodeStatus, RelationOrigin, RelationStatus
from knowledge.models import Node, Relation
from knowledge.relation_writing import relations_insert, relations_remove
from knowledge.wiki_links import linked_titles
from project.accounts.models import User

KIND = "links_to"
MAX_LENGTH = 300  # characters of a title; longer links can name nothing
MAX_LINKS = 2000  # a text; more are a list of titles, not prose

Names = dict[tuple[uuid.UUID, str], uuid.UUID]


def link_names(content: str) -> list[str]:
    """Return what a text links to: names in small letters, each once, in order."""
    names = (title.strip().lower() for title in linked_titles(content))
    return list(dict.fromkeys(name for name in names if 0 < len(name) <= MAX_LENGTH))[:MAX_LINKS]


def links_sync(nodes: Sequence[Node], *, author: User | None) -> None:
    """Make the text relations out of `nodes` equal to their `wiki_links`.

    Must run in the transaction that saved them.
    """
    old: dict[uuid.UUID, list[Relation]] = defaultdict(list)
    rows = Relation.objects.filter(source__in=nodes, kind=KIND, origin=RelationOrigin.TEXT)
    for relation in rows.order_by("pk").select_for_update():
        old[relation.source_id].append(relation)
    stale: list[Relation] = []
    missing: list[tuple[Node, str]] = []
    for node in nodes:
        wanted = set(node.wiki_links)
        known: set[str] = set()
        for relation in old[node.pk]:
            links = wanted.intersection(relation.metadata.get("links", []))
            known |= links
            if not links:
                stale.append(relation)
        missing += [(node, name) for name in node.wiki_links if name not in known]
    if stale:
        relations_remove(stale, author=author)
    names = _resolve(missing)
    _relate(
        (
            (node.pk, target, name)
            for node, name in missing
            if (target := names.get((node.space_id, name)))
        ),
        author,
    )


def links_resolve(nodes: Iterable[Node], *, author: User | None) -> None:
    """Relate the texts that were waiting for a node of these titles or external ids."""
    targets: Names = {}
    for node in nodes:
        for name in (node.title, node.external_id):
            if name:
                targets.setdefault((node.space_id, name.lower()), node.pk)
    for space_id in {space_id for space_id, _name in targets}:
        wanted = {name for space, name in targets if space == space_id}
        waiting = _waiting(space_id, list(wanted))
        if not waiting:
            continue
        held: dict[uuid.UUID, set[str]] = defaultdict(set)
        sources = [pk for pk, _links in waiting]
        made = Relation.objects.filter(source__in=sources, kind=KIND, origin=RelationOrigin.TEXT)
        for source_id, metadata in made.values_list("source_id", "metadata"):
            held[source_id].update(metadata.get("links", []))
        _relate(
            (
                (pk, targets[space_id, name], name)
                for pk, links in waiting
                for name in wanted.intersection(links) - held[pk]
            ),
            author,
        )


def _waiting(space_id: uuid.UUID, names: list[str]) -> list[tuple[uuid.UUID, list[str]]]:
    """Return the texts of a space that link to one of the names, with all their links."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, wiki_links FROM knowledge_node "
            "WHERE space_id = %s AND wiki_links && %s::text[]",
            [space_id, names],
        )
        return list(cursor.fetchall())


def links_settle(node_id: uuid.UUID) -> None:
    """Bring the relations of a stored node's links up to date, those out of it and those to it.

    A text and its target, written at the same moment, each commit without seeing the other.
    """
    node = Node.objects.filter(pk=node_id).first()
    if node is not None:
        links_sync([node], author=None)
        links_resolve([node], author=None)


def _resolve(links: Sequence[tuple[Node, str]]) -> Names:
    """Return which node each name stands for: a published one before others, then the oldest."""
    wanted: dict[uuid.UUID, set[str]] = defaultdict(set)
    for node, name in links:
        wanted[node.space_id].add(name)
    found: Names = {}
    published_first = Case(
        When(status=NodeStatus.PUBLISHED, then=Value(0)),
        default=Value(1),
        output_field=IntegerField(),
    )
    for space_id, names in wanted.items():
        rows = (
            Node.objects.filter(space=space_id)
            .annotate(name=Lower("title"), alias=Lower("external_id"))
            .filter(Q(name__in=names) | Q(alias__in=names))
            .order_by(published_first, "created_at", "pk")
            .values_list("pk", "name", "alias")
        )
        for pk, name, alias in rows:
            for each in (name, alias):
                if each in names:
                    found.setdefault((space_id, each), pk)
    return found


def _relate(triples: Iterable[tuple[uuid.UUID, uuid.UUID, str]], author: User | None) -> None:
    links: dict[tuple[uuid.UUID, uuid.UUID], list[str]] = defaultdict(list)
    for source, target, name in triples:
        if source != target:
            links[source, target].append(name)
    relations_insert(
        [
            Relation(
                source_id=source,
                target_id=target,
                kind=KIND,
                origin=RelationOrigin.TEXT,
                status=RelationStatus.CONFIRMED,
                metadata={"links": names},
                created_by=author,
            )
            for (source, target), names in links.items()
        ],
        author=author,
        ignore_taken=True,  # the same relation may have been made by hand
    )
