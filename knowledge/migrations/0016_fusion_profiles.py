"""Retrieval profiles: the database refuses to change one that somebody may have searched with."""

import django.contrib.postgres.fields
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

GUARD = """
CREATE FUNCTION knowledge_profile_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    loose CONSTANT text[] := ARRAY['created_by_id', 'evaluation_id'];
BEGIN
    -- An account or an evaluation that is deleted takes its reference along.
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - loose = to_jsonb(OLD) - loose
       AND coalesce(NEW.created_by_id = OLD.created_by_id, NEW.created_by_id IS NULL)
       AND coalesce(NEW.evaluation_id = OLD.evaluation_id, NEW.evaluation_id IS NULL) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'Retrieval profiles are immutable: % is refused.', TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'Another setting is another version.';
END
$$;
CREATE TRIGGER retrieval_profiles_are_immutable BEFORE UPDATE OR DELETE
    ON knowledge_retrievalprofile FOR EACH ROW EXECUTE FUNCTION knowledge_profile_guard();
"""
NO_GUARD = """
DROP TRIGGER retrieval_profiles_are_immutable ON knowledge_retrievalprofile;
DROP FUNCTION knowledge_profile_guard();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0015_no_truncate'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='evaluationresult',
            name='legs',
            field=models.JSONField(default=dict, help_text='Recall, reciprocal rank and nDCG of each leg alone, by its name.'),
        ),
        migrations.AddField(
            model_name='evaluationrun',
            name='generation_id',
            field=models.UUIDField(editable=False, help_text='It may be gone.', null=True, verbose_name='index generation'),
        ),
        migrations.AddField(
            model_name='evaluationrun',
            name='profile_id',
            field=models.UUIDField(editable=False, null=True, verbose_name='retrieval profile'),
        ),
        migrations.AddField(
            model_name='evaluationrun',
            name='profile_version',
            field=models.PositiveIntegerField(default=0, verbose_name='version of the profile'),
        ),
        migrations.CreateModel(
            name='RetrievalProfile',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField(editable=False, unique=True, verbose_name='version')),
                ('knobs', models.JSONField(default=dict, help_text='By name. One that came later than the row has its built-in value.', verbose_name='knobs')),
                ('note', models.TextField(blank=True, verbose_name='note')),
                ('origin', models.CharField(choices=[('built_in', 'Built in'), ('manual', 'Made by hand'), ('tuned', 'Learned from golden questions')], editable=False, max_length=10, verbose_name='comes from')),
                ('figures', models.JSONField(default=dict, editable=False, help_text='What a tuned profile was measured to be, on questions it was not tuned on.', verbose_name='figures')),
                ('author_name', models.CharField(blank=True, editable=False, help_text='The user name at that time: it outlives the account.', max_length=150)),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('based_on', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='followers', to='knowledge.retrievalprofile', verbose_name='made from')),
                ('created_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='made by')),
                ('evaluation', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='knowledge.evaluationrun', verbose_name='backed by')),
            ],
            options={
                'verbose_name': 'retrieval profile',
                'verbose_name_plural': 'retrieval profiles',
                'ordering': ['-version'],
            },
        ),
        migrations.CreateModel(
            name='ProfileActivation',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('is_current', models.BooleanField(default=True, verbose_name='holds now')),
                ('is_rollback', models.BooleanField(default=False, verbose_name='rolled back')),
                ('reason', models.TextField(blank=True, verbose_name='reason')),
                ('author_name', models.CharField(blank=True, max_length=150)),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='activated')),
                ('activated_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='activated by')),
                ('space', models.ForeignKey(help_text='Empty: the installation.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='profile_activations', to='knowledge.space', verbose_name='space')),
                ('previous', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='knowledge.retrievalprofile', verbose_name='before')),
                ('profile', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='activations', to='knowledge.retrievalprofile', verbose_name='retrieval profile')),
            ],
            options={
                'verbose_name': 'activation of a profile',
                'verbose_name_plural': 'activations of profiles',
                'ordering': ['-created_at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='RetrievalTuning',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('completed', 'Completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=10, verbose_name='status')),
                ('options', models.JSONField(default=dict, verbose_name='options')),
                ('questions', models.PositiveIntegerField(default=0, verbose_name='questions')),
                ('done', models.FloatField(default=0.0, help_text='From 0 to 1.', verbose_name='done')),
                ('figures', models.JSONField(default=dict, verbose_name='figures')),
                ('outcome', models.TextField(blank=True, verbose_name='outcome')),
                ('degraded', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), default=list, size=None, verbose_name='without')),
                ('error', models.TextField(blank=True, verbose_name='error')),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('lease_owner', models.CharField(blank=True, max_length=64)),
                ('lease_until', models.DateTimeField(null=True)),
                ('trace_id', models.CharField(blank=True, max_length=64, verbose_name='trace id')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('started_at', models.DateTimeField(null=True, verbose_name='started')),
                ('finished_at', models.DateTimeField(null=True, verbose_name='finished')),
                ('compared_to', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='knowledge.retrievalprofile', verbose_name='compared to')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='started by')),
                ('profile', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='tunings', to='knowledge.retrievalprofile', verbose_name='retrieval profile')),
                ('space', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tunings', to='knowledge.space', verbose_name='space')),
            ],
            options={
                'verbose_name': 'tuning of retrieval',
                'verbose_name_plural': 'tunings of retrieval',
                'ordering': ['-created_at', 'id'],
            },
        ),
        migrations.AddIndex(
            model_name='retrievalprofile',
            index=models.Index(fields=['-created_at', 'id'], name='profile_newest'),
        ),
        migrations.AddConstraint(
            model_name='profileactivation',
            constraint=models.UniqueConstraint(condition=models.Q(('is_current', True)), fields=('space',), name='one_current_profile_a_space', nulls_distinct=False),
        ),
        migrations.AddIndex(
            model_name='retrievaltuning',
            index=models.Index(fields=['-created_at', 'id'], name='tuning_newest'),
        ),
        migrations.AddIndex(
            model_name='retrievaltuning',
            index=models.Index(condition=models.Q(('status__in', ['queued', 'running'])), fields=['created_at'], name='tuning_unfinished'),
        ),
        migrations.RunSQL(sql=GUARD, reverse_sql=NO_GUARD),
    ]
