"""Whose turn it is to write to a SQLite file.

SQLite lets one writer in at a time, and has no queue: those who find it busy sleep, up to a tenth
of a second each time, and whoever happens to ask in the right moment is next. With fifty who write
at once that was seen to keep one waiting for 20 seconds, which is an error. So writers of one
process queue up at a lock, and the first of each process at a lock of the file system, which the
kernel hands on. Reading waits for nobody.
"""

import fcntl
import os
import sqlite3
import threading
from pathlib import Path


class Turn:
    """For one database file; shared by all threads of a process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file = -1

    def take(self, longest: float) -> None:
        """Raises sqlite3.OperationalError, as SQLite itself does, after `longest` seconds.

        Who is first in this process waits for those of other processes without an end: a process
        that dies gives its turn back.
        """
        if not self._lock.acquire(timeout=longest):
            raise sqlite3.OperationalError("database is locked")
        try:
            if self._file < 0:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except BaseException:
            self._lock.release()
            raise

    def give_back(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)
        self._lock.release()

    def forget(self) -> None:
        """In a process that was just forked: the file's lock is the parent's."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1
        self._lock = threading.Lock()


_turns: dict[str, Turn] = {}


def turn_of(database: str) -> Turn:
    """`database` is the path of its file; the turn's own file stands beside it."""
    path = Path(database).resolve()
    return _turns.setdefault(str(path), Turn(path.with_name(f"{path.name}-turn")))


def _forget_all() -> None:
    for turn in _turns.values():
        turn.forget()


os.register_at_fork(after_in_child=_forget_all)
