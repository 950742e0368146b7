"""Let the database refuse to empty the tables of versions and releases in one go.

A trigger for each row, as migrations 0004 and 0009 make them, is not asked by TRUNCATE.
"""

from django.db import migrations

TABLES = (
    "knowledge_nodeversion",
    "knowledge_relationversion",
    "knowledge_release",
    "knowledge_releaseentry",
    "knowledge_releaserelation",
)

FUNCTION = """
CREATE FUNCTION knowledge_truncate_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Tests empty their databases after each test that commits.
    IF current_setting('acervo.throwaway', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'Versions and releases are immutable: TRUNCATE of % is refused.', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
"""
GUARD = FUNCTION + "".join(
    f"CREATE TRIGGER {table}_is_not_emptied BEFORE TRUNCATE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION knowledge_truncate_guard();\n"
    for table in TABLES
)
NO_GUARD = (
    "".join(f"DROP TRIGGER {table}_is_not_emptied ON {table};\n" for table in TABLES)
    + "DROP FUNCTION knowledge_truncate_guard();"
)


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0014_feeds")]

    operations = [migrations.RunSQL(sql=GUARD, reverse_sql=NO_GUARD)]
