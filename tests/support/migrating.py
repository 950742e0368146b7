"""A kind, nodes of it, and migrations of them."""

from typing import Any

from knowledge import services
from knowledge.choices import NodeStatus
from knowledge.kind_work import migration_work
from knowledge.models import Kind, KindMigration, Node, Space
from project.accounts.models import User

NEW: dict[str, Any] = {
    "type": "object",
    "properties": {
        "contact": {
            "type": "object",
            "properties": {"email": {"type": "string", "format": "email"}},
            "required": ["email"],
        },
        "level": {"type": "integer", "minimum": 1},
    },
    "required": ["contact"],
    "additionalProperties": False,
}
STEPS: list[dict[str, Any]] = [
    {"op": "move", "from": "mail", "to": "contact.email"},
    {"op": "convert", "path": "level", "to": "integer"},
    {"op": "default", "path": "level", "value": 1},
    {"op": "remove", "path": "fax"},
]


def made(user: User, space: Space, title: str, **fields: Any) -> Node:
    values = {"kind": "policy", "metadata": {"mail": f"{title}@example.org", "level": "2"}}
    return services.node_create(acting_user=user, space=space, title=title, **(values | fields))


def three_nodes(owner: User, space: Space) -> list[Node]:
    """Two drafts, whose metadata differ, and a published node."""
    return [
        made(owner, space, "ana"),
        made(owner, space, "bia", metadata={"mail": "bia@example.org", "fax": "1"}),
        made(owner, space, "caio", status=NodeStatus.PUBLISHED, content="Some text of tides.\n"),
    ]


def planned(user: User, kind: Kind, **over: Any) -> KindMigration:
    values = {"schema": NEW, "steps": STEPS} | over
    return services.kind_migration_plan(acting_user=user, kind=kind, **values)


def done(user: User, migration: KindMigration) -> KindMigration:
    services.kind_migration_apply(acting_user=user, migration=migration)
    migration_work(migration.pk)
    migration.refresh_from_db()
    return migration


def undone(user: User, migration: KindMigration, **how: Any) -> KindMigration:
    services.kind_migration_rollback(acting_user=user, migration=migration, **how)
    migration_work(migration.pk)
    migration.refresh_from_db()
    return migration


def metadata_of(nodes: list[Node]) -> list[Any]:
    return [Node.objects.get(pk=node.pk).metadata for node in nodes]
