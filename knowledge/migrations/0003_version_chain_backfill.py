"""Chain the versions that are there, give relations their first one, and find out what was public."""

from itertools import groupby
from typing import Any

from django.db import migrations
from django.utils import timezone

from knowledge.versions import chain_of, relation_checksum_of

BATCH = 500


def chain_nodes(apps: Any, _editor: Any) -> None:
    """Write the chain, the authors' names and the publications of the versions of nodes."""
    version_model = apps.get_model("knowledge", "NodeVersion")
    publication = apps.get_model("knowledge", "Publication")
    nodes = apps.get_model("knowledge", "Node").objects
    users = dict(apps.get_model("accounts", "User").objects.values_list("pk", "username"))
    current = {
        pk: (version, status, updated_at)
        for pk, version, status, updated_at in nodes.values_list(
            "pk", "version", "status", "updated_at"
        )
    }
    rows = version_model.objects.order_by("id", "version").iterator(chunk_size=BATCH)
    changed: list[Any] = []
    public: list[Any] = []
    for pk, versions in groupby(rows, key=lambda row: row.id):
        known = list(versions)
        chain = ""
        for row in known:
            row.author_name = users.get(row.history_user_id, "")
            row.chain = chain = chain_of(chain, row)
        changed += known
        public += [publication(**times) for times in _public_times(known, current.get(pk))]
        if len(changed) >= BATCH:
            version_model.objects.bulk_update(changed, ["author_name", "chain"], batch_size=100)
            changed.clear()
    version_model.objects.bulk_update(changed, ["author_name", "chain"], batch_size=100)
    publication.objects.bulk_create(public, batch_size=BATCH)


def _public_times(rows: list[Any], current: Any) -> list[dict[str, Any]]:
    """Return when the versions of a node were public, as far as their rows can tell."""
    times = []
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        if row.history_type == "-":
            continue
        is_open = after is None and current is not None and current[:2] == (row.version, "published")
        if not (is_open or row.status == "published" or "published" in row.version_tags):
            continue
        end = None
        if not is_open:
            end = after.history_date if after else (current[2] if current else timezone.now())
        times.append(
            {
                "node_id": row.id,
                "space_id": row.space_id,
                "version": row.version,
                "started_at": row.history_date,
                "ended_at": None if end is None else max(end, row.history_date),
            }
        )
    return times


def version_relations(apps: Any, _editor: Any) -> None:
    """Write the first version of every relation, and its checksum."""
    relations = apps.get_model("knowledge", "Relation").objects
    version_model = apps.get_model("knowledge", "RelationVersion")
    users = dict(apps.get_model("accounts", "User").objects.values_list("pk", "username"))
    names = ("source_id", "target_id", "kind", "weight", "metadata", "status", "origin")
    rows, batch = [], []
    for relation in relations.order_by("pk").iterator(chunk_size=BATCH):
        relation.checksum = relation_checksum_of(relation)
        row = version_model(
            id=relation.pk,
            history_date=relation.created_at,
            history_type="+",
            history_relation_id=relation.pk,
            history_user_id=relation.created_by_id,
            created_by_id=relation.created_by_id,
            author_name=users.get(relation.created_by_id, ""),
            version=1,
            checksum=relation.checksum,
            **{name: getattr(relation, name) for name in names},
        )
        row.chain = chain_of("", row)
        rows.append(row)
        batch.append(relation)
    relations.bulk_update(batch, ["checksum"], batch_size=BATCH)
    version_model.objects.bulk_create(rows, batch_size=BATCH)


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0002_version_chain"), ("accounts", "0001_initial")]

    operations = [
        migrations.RunPython(chain_nodes, migrations.RunPython.noop),
        migrations.RunPython(version_relations, migrations.RunPython.noop),
    ]
