"""A bad day: processes are killed, the database is held for a moment.

The seed decides after how many ended histories a blow falls, which one, and which process it meets.
"""

import random
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tests.harness.shop import Shop

LONGEST_LOCK_SECONDS = 1.0
TABLES = ["redemptions_pendingredemption", "outbox_delivery", "sales_sale", "api_keyedcall"]
# Kind -> its share of all blows. A plan of three or more has each of them.
SHARES = {"kill_web": 4, "kill_worker": 3, "hold_database": 3}


@dataclass(frozen=True)
class Blow:
    kind: str
    which: int
    """The process or the table, counted round."""
    seconds: float
    """How long the database is held."""


def plan(seed: int, histories: int, every: float) -> dict[int, Blow]:
    """After how many ended histories a blow falls: one for `every` so many, none for 0.

    The last quarter is spared: what died is missed and taken up while the rest still runs.
    """
    rng = random.Random(f"{seed}:chaos")
    moments = range(1, histories * 3 // 4 + 1)
    count = min(round(histories / every), len(moments)) if every else 0
    kinds = list(SHARES)[:count]
    kinds += rng.choices(list(SHARES), list(SHARES.values()), k=count - len(kinds))
    rng.shuffle(kinds)
    return {
        moment: Blow(kind, rng.randrange(10**6), rng.uniform(0.1, LONGEST_LOCK_SECONDS))
        for moment, kind in zip(sorted(rng.sample(moments, count)), kinds, strict=True)
    }


class Chaos:
    """Deals out the blows of a plan, each in the thread whose history ended."""

    def __init__(self, shop: Shop, blows: dict[int, Blow]) -> None:
        self.done: Counter[str] = Counter()
        self._shop, self._blows = shop, blows
        self._ended = 0
        self._lock = threading.Lock()

    def one_ended(self) -> None:
        with self._lock:
            self._ended += 1
            blow = self._blows.get(self._ended)
            if blow is not None:
                getattr(self, blow.kind)(blow)
                self.done[blow.kind] += 1

    def kill_web(self, blow: Blow) -> None:
        pids = self._shop.web_pids()
        self._shop.kill_web(pids[blow.which % len(pids)] if pids else 0)

    def kill_worker(self, blow: Blow) -> None:
        self._shop.kill_worker(self._shop.workers[blow.which % len(self._shop.workers)])

    def hold_database(self, blow: Blow) -> None:
        """Nobody can write for up to a second."""
        url = self._shop.database.url
        if self._shop.is_sqlite:
            path = url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as held:
                held.execute("BEGIN IMMEDIATE")
                time.sleep(blow.seconds)
                held.execute("ROLLBACK")
            return
        # One table alone: who waits for a second while holding a first makes deadlocks of its own.
        table = sql.Identifier(TABLES[blow.which % len(TABLES)])
        with psycopg.connect(url) as server:
            server.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(table))
            time.sleep(blow.seconds)
            server.rollback()
