"""Named by settings.DATABASES; Django looks for this module by its name."""

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from django.db.backends.sqlite3 import base

from database.turns import Turn, turn_of

T = TypeVar("T")
WRITES = ("BEGIN", "INSERT", "UPDATE", "DELETE", "REPLACE")


class Connection(sqlite3.Connection):
    """Holds the turn from the beginning of a transaction, or of a single write, to its end."""

    turn: Turn | None = None
    longest_wait = 5.0
    _is_our_turn = False

    def in_turn(self, statement: str, execute: Callable[[], T]) -> T:
        if self.turn is None:
            return execute()
        if not self._is_our_turn:
            if not statement.lstrip().startswith(WRITES):
                return execute()
            self.turn.take(self.longest_wait)
            self._is_our_turn = True
        # At the end of each statement, for a transaction may also be ended by one.
        try:
            return execute()
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        """Unless a transaction is open."""
        if self._is_our_turn and self.turn is not None and not self.in_transaction:
            self._is_our_turn = False
            self.turn.give_back()

    def commit(self) -> None:
        try:
            super().commit()
        finally:
            self._end_turn()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self._end_turn()

    def close(self) -> None:
        super().close()
        if self._is_our_turn and self.turn is not None:
            self._is_our_turn = False
            self.turn.give_back()


class Cursor(base.SQLiteCursorWrapper):
    connection: Connection

    def execute(self, query: Any, params: Any = None) -> Any:
        run = super().execute
        return self.connection.in_turn(query, lambda: run(query, params))

    def executemany(self, query: Any, param_list: Any) -> Any:
        run = super().executemany
        return self.connection.in_turn(query, lambda: run(query, param_list))


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        return {**params, "factory": Connection}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        made: Any = super().get_new_connection(conn_params)
        if not self.is_in_memory_db():
            made.turn = turn_of(str(conn_params["database"]))
        made.longest_wait = float(conn_params.get("timeout", Connection.longest_wait))
        return made

    def create_cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(factory=Cursor)
