"""What people and groups may send; and a group "Premium" whose people may send 1,000 an hour."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


def premium_make(apps, schema_editor):
    group, _made = apps.get_model('auth', 'Group').objects.get_or_create(name='Premium')
    allowances = apps.get_model('accounts', 'GroupAllowance').objects
    allowances.get_or_create(group=group, defaults={'messages_per_hour': 1000})


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='messages_per_hour',
            field=models.PositiveIntegerField(blank=True, help_text='Empty: what the groups of the person allow, or else everybody.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='messages an hour'),
        ),
        migrations.CreateModel(
            name='GroupAllowance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('messages_per_hour', models.PositiveIntegerField(default=1000, help_text='Each person of the group may send as many; of several groups the most counts.', validators=[django.core.validators.MinValueValidator(1)], verbose_name='messages an hour')),
                ('group', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='allowance', to='auth.group', verbose_name='group')),
            ],
            options={
                'verbose_name': 'allowance',
                'verbose_name_plural': 'allowances',
            },
        ),
        migrations.RunPython(premium_make, migrations.RunPython.noop),
    ]
