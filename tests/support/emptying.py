"""What a test that commits leaves behind is taken away: from those tables alone that hold anything.

Django empties all of them and then makes content types and permissions anew, which takes a fifth of
a second on PostgreSQL after each such test.
"""

import functools

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

# Made by the migrations; no test changes them.
KEPT = {"django_content_type", "auth_permission"}


def empty() -> None:
    """All tables of Django's models, of this connection's database."""
    with connection.cursor() as cursor:
        full = tables_with_rows(cursor)
    if full:
        EMPTY[connection.vendor](full)


def tables_with_rows(cursor: CursorWrapper) -> list[str]:
    cursor.execute(asks_which_have_rows())
    return [name for name, has_rows in cursor.fetchall() if has_rows]


@functools.cache
def asks_which_have_rows() -> str:
    names = sorted(set(connection.introspection.django_table_names()) - KEPT)
    quote = connection.ops.quote_name
    return " UNION ALL ".join(
        f"SELECT '{name}', EXISTS (SELECT 1 FROM {quote(name)})" for name in names
    )


def delete_from(tables: list[str]) -> None:
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")


def empty_sqlite(tables: list[str]) -> None:
    with connection.constraint_checks_disabled(), transaction.atomic():
        delete_from(tables)


def empty_postgresql(tables: list[str]) -> None:
    """As a replica would: neither keys nor the trail's triggers are asked."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
        delete_from(tables)


EMPTY = {"sqlite": empty_sqlite, "postgresql": empty_postgresql}
