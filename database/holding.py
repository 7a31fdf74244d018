"""One after the other, where there is no row yet that could be locked."""

from django.db import connection, transaction


def hold(name: str) -> None:
    """Until this transaction ends, whoever holds the same name waits here.

    For "look whether it is there, else write that it is awaited": two that look at once would miss
    each other. SQLite lets in one writer anyway. Raises RuntimeError outside a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("A name is held until its transaction ends: begin one.")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
