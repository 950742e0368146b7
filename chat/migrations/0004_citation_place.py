from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0003_turn_states'),
    ]

    operations = [
        migrations.AddField(
            model_name='citation',
            name='place',
            field=models.CharField(blank=True, default='', help_text='Where in its source: a sheet, a slide, a message, a file of an archive.', max_length=500, verbose_name='place'),
            preserve_default=False,
        ),
    ]
