"""The database itself refuses to change or delete an entry, whoever asks.

A migration that alters the table must install the triggers again: SQLite writes such a table anew
and drops them with the old one (a test notices). Who owns the table can drop them too: that is for
the rights of the database's users to forbid.
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

WORDS = "An entry of the audit trail is never changed or deleted."
# Trigger -> when it fires. What replaces a row is no DELETE to SQLite's triggers, and what empties
# a table none to PostgreSQL's.
SQLITE = {
    "audit_entry_refuses_update": "BEFORE UPDATE ON audit_entry",
    "audit_entry_refuses_delete": "BEFORE DELETE ON audit_entry",
    "audit_entry_refuses_replace": "BEFORE INSERT ON audit_entry "
    "WHEN EXISTS (SELECT 1 FROM audit_entry WHERE id = NEW.id)",
}
POSTGRES = {
    "audit_entry_refuses_update": "BEFORE UPDATE ON audit_entry FOR EACH ROW",
    "audit_entry_refuses_delete": "BEFORE DELETE ON audit_entry FOR EACH ROW",
    "audit_entry_refuses_truncate": "BEFORE TRUNCATE ON audit_entry FOR EACH STATEMENT",
}
POSTGRES_FUNCTION = f"""
CREATE OR REPLACE FUNCTION audit_entry_is_kept() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{WORDS}' USING ERRCODE = 'integrity_constraint_violation'; END $$
"""


def install_sql(vendor: str) -> list[str]:
    """Nothing for a database that we do not run on."""
    if vendor == "sqlite":
        act = f"BEGIN SELECT RAISE(ABORT, '{WORDS}'); END"
        return [f"CREATE TRIGGER {name} {when} {act}" for name, when in SQLITE.items()]
    if vendor == "postgresql":
        act = "EXECUTE FUNCTION audit_entry_is_kept()"
        made = [f"CREATE TRIGGER {name} {when} {act}" for name, when in POSTGRES.items()]
        return [POSTGRES_FUNCTION, *made]
    return []


def remove_sql(vendor: str) -> list[str]:
    if vendor == "postgresql":
        dropped = [f"DROP TRIGGER IF EXISTS {name} ON audit_entry" for name in POSTGRES]
        return [*dropped, "DROP FUNCTION IF EXISTS audit_entry_is_kept()"]
    return [f"DROP TRIGGER IF EXISTS {name}" for name in SQLITE]


def run(statements: list[str], connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def install(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Those that are there already are made anew."""
    vendor = editor.connection.vendor
    run([*remove_sql(vendor), *install_sql(vendor)], editor.connection)


def remove(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    run(remove_sql(editor.connection.vendor), editor.connection)
