"""The database itself refuses to change or delete an entry, whoever asks.

A migration that alters the table must install the triggers again: SQLite writes such a table anew
and drops them with the old one (a test notices).
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

WORDS = "An entry of the audit trail is never changed or deleted."
EVENTS = ("UPDATE", "DELETE")

POSTGRES_FUNCTION = f"""
CREATE OR REPLACE FUNCTION audit_entry_is_kept() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{WORDS}' USING ERRCODE = 'integrity_constraint_violation'; END $$
"""


def trigger(event: str) -> str:
    return f"audit_entry_refuses_{event.lower()}"


def install_sql(vendor: str) -> list[str]:
    """Nothing for a database that we do not run on."""
    if vendor == "sqlite":
        return [
            f"CREATE TRIGGER {trigger(event)} BEFORE {event} ON audit_entry "
            f"BEGIN SELECT RAISE(ABORT, '{WORDS}'); END"
            for event in EVENTS
        ]
    if vendor == "postgresql":
        return [
            POSTGRES_FUNCTION,
            *(
                f"CREATE TRIGGER {trigger(event)} BEFORE {event} ON audit_entry "
                "FOR EACH ROW EXECUTE FUNCTION audit_entry_is_kept()"
                for event in EVENTS
            ),
        ]
    return []


def remove_sql(vendor: str) -> list[str]:
    on = " ON audit_entry" if vendor == "postgresql" else ""
    removed = [f"DROP TRIGGER IF EXISTS {trigger(event)}{on}" for event in EVENTS]
    if vendor == "postgresql":
        removed.append("DROP FUNCTION IF EXISTS audit_entry_is_kept()")
    return removed


def run(statements: list[str], connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def install(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    run(install_sql(editor.connection.vendor), editor.connection)


def remove(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    run(remove_sql(editor.connection.vendor), editor.connection)
