"""What the till keeps, in a SQLite file: tickets, codes, and what the panel must be told."""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.till.ticket import Ticket

SCHEMA = """
CREATE TABLE IF NOT EXISTS tickets (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('open', 'parked', 'completed', 'voided', 'returned')),
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS one_ticket_is_open ON tickets (state) WHERE state = 'open';
-- By the engine's id of its record. A code that is on no sale and was never withdrawn has no row.
CREATE TABLE IF NOT EXISTS codes (
    record INTEGER PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('on_a_sale', 'used', 'withdrawn')),
    ticket TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS reports (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket TEXT NOT NULL,
    path TEXT NOT NULL,
    body TEXT NOT NULL,
    act_key TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'told', 'refused')),
    words TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
FIRST_NUMBER = 1001
# Letters that nobody mistakes for one another, and that spell nothing.
LETTERS = "BCDFGHJKMNPQRTVWXZ"


class Book:
    """One connection; threads take turns, an act at a time."""

    def __init__(self, path: str) -> None:
        self._turn = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(SCHEMA)

    @contextmanager
    def act(self) -> Iterator[None]:
        """All that is written in it, or nothing."""
        with self._turn:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def clear(self) -> None:
        """As on the first day. Sales get another series of numbers: the panel may know the old."""
        with self.act():
            for table in ("tickets", "codes", "reports", "facts"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608

    def close(self) -> None:
        with self._turn:
            self._db.close()

    # Facts

    def fact(self, name: str, otherwise: str = "") -> str:
        row = self._one("SELECT value FROM facts WHERE name = ?", name)
        return str(row["value"]) if row else otherwise

    def set_fact(self, name: str, value: str) -> None:
        self._do("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value)

    def next_rev(self) -> int:
        """Higher than any before, though the file was thrown away meanwhile."""
        rev = max(int(self.fact("rev", "0")) + 1, int(time.time() * 1000))
        self.set_fact("rev", str(rev))
        return rev

    # Tickets

    def open_ticket(self) -> Ticket | None:
        return next(iter(self.tickets("open")), None)

    def ticket(self, ticket_id: str) -> Ticket | None:
        row = self._one("SELECT body FROM tickets WHERE id = ?", ticket_id)
        return Ticket.read(row["body"]) if row else None

    def tickets(self, *states: str, latest: int = -1) -> list[Ticket]:
        """The latest first."""
        marks = ", ".join("?" * len(states))
        sql = f"SELECT body FROM tickets WHERE state IN ({marks}) ORDER BY number DESC LIMIT ?"  # noqa: S608
        return [Ticket.read(row["body"]) for row in self._all(sql, *states, latest)]

    def is_new(self) -> bool:
        return self._one("SELECT 1 FROM tickets") is None

    def new_ticket(self, clerk: str) -> Ticket:
        number = int(self.fact("number", str(FIRST_NUMBER)))
        self.set_fact("number", str(number + 1))
        ticket = Ticket(id=f"{self._series()}-{number}", clerk=clerk)
        sql = "INSERT INTO tickets (id, state, body) VALUES (?, ?, ?)"
        self._do(sql, ticket.id, ticket.state, ticket.written())
        return ticket

    def _series(self) -> str:
        if not self.fact("series"):
            self.set_fact("series", "".join(secrets.choice(LETTERS) for _ in range(4)))
        return self.fact("series")

    def save(self, ticket: Ticket) -> None:
        sql = "UPDATE tickets SET state = ?, body = ? WHERE id = ?"
        self._do(sql, ticket.state, ticket.written(), ticket.id)

    def remove(self, ticket: Ticket) -> None:
        self._do("DELETE FROM tickets WHERE id = ?", ticket.id)

    # Codes

    def code(self, record: int) -> tuple[str, str]:
        """Its state and its ticket, both empty for one that is free."""
        row = self._one("SELECT state, ticket FROM codes WHERE record = ?", record)
        return (row["state"], row["ticket"]) if row else ("", "")

    def set_code(self, record: int, state: str, ticket: str = "") -> None:
        self._do("INSERT OR REPLACE INTO codes VALUES (?, ?, ?)", record, state, ticket)

    def free_code(self, record: int) -> None:
        self._do("DELETE FROM codes WHERE record = ? AND state = 'on_a_sale'", record)

    # What the panel must be told

    def report(self, ticket: str, path: str, body: str, act_key: str) -> None:
        sql = "INSERT INTO reports (ticket, path, body, act_key) VALUES (?, ?, ?, ?)"
        self._do(sql, ticket, path, body, act_key)

    def due_reports(self) -> list[sqlite3.Row]:
        """The oldest first."""
        return self._all("SELECT * FROM reports WHERE state = 'due' ORDER BY id")

    def settle_report(self, report_id: int, state: str, words: str) -> None:
        sql = "UPDATE reports SET state = ?, words = ? WHERE id = ? AND state = 'due'"
        self._do(sql, state, words, report_id)

    def reports(self) -> dict[str, tuple[str, str]]:
        """By ticket, how its latest report stands, and what was said."""
        rows = self._all("SELECT ticket, state, words FROM reports ORDER BY id")
        return {row["ticket"]: (row["state"], row["words"]) for row in rows}

    def _one(self, sql: str, *values: object) -> sqlite3.Row | None:
        with self._turn:
            row: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
            return row

    def _all(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._turn:
            return self._db.execute(sql, values).fetchall()

    def _do(self, sql: str, *values: object) -> None:
        with self._turn:
            self._db.execute(sql, values)
