"""Let the database refuse to change or delete versions."""

from django.db import migrations

GUARD = """
CREATE FUNCTION knowledge_version_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept CONSTANT text[] := ARRAY['id', 'version', 'checksum', 'chain', 'parents', 'author_name',
        'change_origin', 'change_origin_id', 'history_id', 'history_date', 'history_type',
        'history_change_reason', 'history_relation_id', 'space_id'];
    was jsonb;
    becomes jsonb;
    name text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        was := to_jsonb(OLD);
        becomes := to_jsonb(NEW);
        -- An account that is deleted takes its reference along; the author's name stays.
        IF NEW.history_user_id IS NULL
           AND was - 'history_user_id' = becomes - 'history_user_id' THEN
            RETURN NEW;
        END IF;
        IF current_setting('acervo.erasing', true) = 'on' AND NEW.erased_at IS NOT NULL THEN
            FOREACH name IN ARRAY kept LOOP
                IF was -> name IS DISTINCT FROM becomes -> name THEN
                    RAISE EXCEPTION 'An erase may not change % of a version.', name
                        USING ERRCODE = 'restrict_violation';
                END IF;
            END LOOP;
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'Versions are immutable: % of % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
              HINT = 'An erase for legal reasons empties a version and leaves a tombstone.';
END
$$;
CREATE TRIGGER node_versions_are_immutable BEFORE UPDATE OR DELETE ON knowledge_nodeversion
    FOR EACH ROW EXECUTE FUNCTION knowledge_version_guard();
CREATE TRIGGER relation_versions_are_immutable BEFORE UPDATE OR DELETE ON knowledge_relationversion
    FOR EACH ROW EXECUTE FUNCTION knowledge_version_guard();
"""

NO_GUARD = """
DROP TRIGGER relation_versions_are_immutable ON knowledge_relationversion;
DROP TRIGGER node_versions_are_immutable ON knowledge_nodeversion;
DROP FUNCTION knowledge_version_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0003_version_chain_backfill")]

    operations = [
        migrations.RemoveField(model_name="nodeversion", name="version_tags"),
        migrations.RunSQL(
            sql="CREATE UNIQUE INDEX one_row_a_relation_and_version "
            "ON knowledge_relationversion (id, version)",
            reverse_sql="DROP INDEX one_row_a_relation_and_version",
        ),
        # Relations as they stood at a moment are looked up by their ends.
        migrations.RunSQL(
            sql="CREATE INDEX relation_version_by_source ON knowledge_relationversion (source_id);"
            "CREATE INDEX relation_version_by_target ON knowledge_relationversion (target_id)",
            reverse_sql="DROP INDEX relation_version_by_source; DROP INDEX relation_version_by_target",
        ),
        migrations.RunSQL(sql=GUARD, reverse_sql=NO_GUARD),
    ]
