from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the index is made while searches and imports go on

    dependencies = [
        ('knowledge', '0023_formats_chunking'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='embedding',
            index=models.Index(fields=['generation'], name='embedding_by_generation'),
        ),
    ]
