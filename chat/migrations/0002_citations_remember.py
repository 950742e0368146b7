"""Let citations remember their node when it is deleted."""

from typing import Any

from django.db import migrations, models
from django.db.models import F


def remember(apps: Any, _editor: Any) -> None:
    """Take over the ids that are there; what is gone already is told apart by its passage."""
    rows = apps.get_model("chat", "Citation").objects
    rows.exclude(node=None).update(cited_id=F("node_id"))
    rows.filter(node=None).update(cited_id=F("chunk_id"))


class Migration(migrations.Migration):
    dependencies = [("chat", "0001_initial")]

    operations = [
        migrations.AddField(
            "citation", "cited_id", models.UUIDField(editable=False, null=True)
        ),
        migrations.RunPython(remember, migrations.RunPython.noop),
        migrations.AlterField(
            "citation",
            "cited_id",
            models.UUIDField(
                db_index=True,
                editable=False,
                help_text="The node's id: it stays when the node goes.",
            ),
        ),
    ]
