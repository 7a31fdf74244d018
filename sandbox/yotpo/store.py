"""The engine's SQLite file: one connection, one transaction at a time, all of them short."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from sandbox.clock import iso, now_with_skew
from sandbox.switches import Switches

SCHEMA = Path(__file__).with_name("schema.sql")
Row = sqlite3.Row
APPLICATION_ID = 0x4C50_5342  # written into the file, so that we know it again
SCHEMA_VERSION = 1


class NotOurs(Exception):
    """The file that was named is no sandbox's."""


@dataclass(frozen=True)
class Work:
    """An open transaction and what its rules depend on.

    Everything written bears `at` (skewed on purpose); delays run by `true_seconds`. Names of
    tables and columns come from the code, never from a call: hence the `noqa: S608`.
    """

    db: sqlite3.Connection
    switches: Switches
    true_seconds: float = field(default_factory=time.time)
    # What the merchant is told once this is committed (sandbox/yotpo/telling.py).
    told: list[Any] = field(default_factory=list)

    @cached_property
    def moment(self) -> datetime:
        return now_with_skew(self.switches.clock_skew_seconds)

    @cached_property
    def at(self) -> str:
        return iso(self.moment)

    def one(self, sql: str, *values: object) -> Row | None:
        row: Row | None = self.db.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: object) -> list[Row]:
        return self.db.execute(sql, values).fetchall()

    def the(self, table: str, row_id: object) -> Row:
        """The row of that id; LookupError if it isn't there."""
        row = self.one(f"SELECT * FROM {table} WHERE id = ?", row_id)  # noqa: S608
        if row is None:
            raise LookupError(table)
        return row

    def number(self, sql: str, *values: object) -> int:
        """The single number that a query gives."""
        return int(self.db.execute(sql, values).fetchone()[0])

    def count(self, table: str) -> int:
        return self.number(f"SELECT count(*) FROM {table}")  # noqa: S608

    def insert(self, table: str, **values: object) -> int:
        """Add a row, return its id."""
        marks = ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"  # noqa: S608
        return int(self.db.execute(sql, list(values.values())).lastrowid or 0)

    def update(self, table: str, row_id: int, **values: object) -> None:
        sets = ", ".join(f"{name} = ?" for name in values)
        sql = f"UPDATE {table} SET {sets} WHERE id = ?"  # noqa: S608
        self.db.execute(sql, [*values.values(), row_id])


class Store:
    """Owns the connection. Threads take turns: no transaction waits for anything but the disk."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._refuse_foreign()
        self._kept = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing in this mode; only a power cut could.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA foreign_keys = ON")

    @contextmanager
    def work(self, switches: Switches) -> Iterator[Work]:
        """One transaction, rolled back as a whole if it raises."""
        with self._lock:
            self._db.execute("BEGIN")
            try:
                yield Work(self._db, switches)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def keep(self) -> None:
        """Remember everything as it stands, in memory, for `put_back`."""
        with self._lock:
            self._db.backup(self._kept)

    def put_back(self) -> None:
        """Everything as it stood when it was kept, at once."""
        with self._lock:
            self._kept.backup(self._db)

    def is_current(self) -> bool:
        """Whether the file can be continued; False if it is empty or from another version."""
        with self._lock:
            return self._pragma("user_version") == SCHEMA_VERSION

    def _refuse_foreign(self) -> None:
        # Making our tables drops what is there: never in a file that is somebody else's.
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and self._pragma("application_id") != APPLICATION_ID:
            raise NotOurs("the file holds another program's database")

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    def close(self) -> None:
        with self._lock:
            self._db.close()
            self._kept.close()


def build_tables(work: Work) -> None:
    """Make the tables anew, whatever was there.

    Dropping a table is not deleting from it, so the ledger's triggers stay out of it.
    """
    # The youngest first: a table is made after those it refers to.
    for row in work.all("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid DESC"):
        if not row["name"].startswith("sqlite_"):
            work.db.execute(f"DROP TABLE {row['name']}")
    for statement in _statements(SCHEMA.read_text()):
        work.db.execute(statement)
    work.db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    work.db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _statements(script: str) -> Iterator[str]:
    # executescript() would commit first; a reset must be one transaction.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
