"""Small facts that a read brings along, written later: what is asked for a customer waits for none.

They gather in memory and are written in one batch. A process that dies loses one batch at most.
"""

import threading
from collections.abc import Mapping
from typing import Generic, TypeVar

import structlog
from django.db import DatabaseError, connection

log = structlog.get_logger(__name__)
K = TypeVar("K")
V = TypeVar("V")


class Batch(Generic[K, V]):
    """What this process has learnt and not yet written. Of one key the last value counts."""

    lost: str  # The event that is logged when the database took no batch.

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: dict[K, V] = {}
        self._timer: threading.Timer | None = None

    def every_seconds(self) -> float | None:
        """How long to gather, at the least. None: until `write` is called."""
        raise NotImplementedError

    def save(self, noted: Mapping[K, V]) -> None:
        """Write all of it, in one go. It may be empty."""
        raise NotImplementedError

    def put(self, key: K, value: V) -> None:
        """In memory; it is written after a while, by a thread of its own."""
        self.put_all({key: value})

    def put_all(self, news: Mapping[K, V]) -> None:
        with self._lock:
            self._noted.update(news)
            seconds = self.every_seconds()
            if self._timer is None and seconds is not None:
                self._timer = threading.Timer(seconds, self._write_apart)
                self._timer.daemon = True
                self._timer.start()

    def write(self) -> int:
        """Write the batch now. Returns how many keys it held."""
        with self._lock:
            noted, self._noted, self._timer = self._noted, {}, None
        self.save(noted)
        return len(noted)

    def _write_apart(self) -> None:
        """In the timer's own thread, which has a database connection of its own."""
        try:
            self.write()
        except DatabaseError:
            log.exception(self.lost)
        finally:
            connection.close()
