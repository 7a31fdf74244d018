"""A bad day: processes are killed, the database is held for a moment."""

import os
import random
import signal
import sqlite3
import threading
from collections import Counter
from contextlib import closing, suppress
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from tests.harness.shop import Shop

LONGEST_LOCK_SECONDS = 1.0
TABLES = ["redemptions_pendingredemption", "outbox_delivery", "sales_sale", "api_keyedcall"]


class Chaos:
    """Works in a thread of its own until it is left. `every` is the mean pause in seconds."""

    def __init__(self, shop: Shop, seed: int, every: float) -> None:
        self.done: Counter[str] = Counter()
        self._shop, self._every = shop, every
        self._rng = random.Random(f"{seed}:chaos")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._broken: BaseException | None = None

    def __enter__(self) -> Self:
        if self._every:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._every:
            self._thread.join()
        if self._broken and error is None:
            raise self._broken

    def _run(self) -> None:
        acts = [self.kill_web, self.kill_worker, self.hold_database]
        try:
            while not self._over.wait(self._rng.expovariate(1 / self._every)):
                act = self._rng.choices(acts, [4, 3, 3])[0]
                act()
                self.done[act.__name__] += 1
        except BaseException as error:  # noqa: BLE001 - told to the thread that waits
            self._broken = error

    def kill_web(self) -> None:
        pids = self._shop.web_pids()
        if pids:
            with suppress(ProcessLookupError):
                os.kill(self._rng.choice(pids), signal.SIGKILL)

    def kill_worker(self) -> None:
        worker = self._rng.choice(self._shop.workers)
        worker.kill()
        worker.start()
        self._shop.free_dead_jobs()

    def hold_database(self) -> None:
        """Nobody can write for up to a second."""
        seconds = self._rng.uniform(0.1, LONGEST_LOCK_SECONDS)
        url = self._shop.database.url
        if self._shop.is_sqlite:
            path = url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as held:
                held.execute("BEGIN IMMEDIATE")
                self._over.wait(seconds)
                held.execute("ROLLBACK")
            return
        # One table alone: who waits for a second while holding a first makes deadlocks of its own.
        table = sql.Identifier(self._rng.choice(TABLES))
        with psycopg.connect(url) as server:
            server.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(table))
            self._over.wait(seconds)
            server.rollback()
