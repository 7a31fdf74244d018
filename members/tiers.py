"""The engine's VIP tiers, by which the next one of a member's has a name.

A merchant changes them a few times a year, and a look-up waits for nothing but the member: the list
is read beside it, at most once an hour in each process.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple

import structlog

from connectors.errors import OutsideError
from connectors.yotpo.client import Yotpo
from connectors.yotpo.payloads import Tier, TierActions
from members.engine import beside

log = structlog.get_logger(__name__)

KEPT_SECONDS = 3600.0
# After a reading that failed.
AGAIN_SECONDS = 60.0


class Ladder:
    """What this process knows of the tiers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ask_at = -math.inf  # not before then
        self._tiers: Sequence[Tier] = ()

    def next_after(self, engine: Yotpo, name: str) -> str | None:
        """The name of the tier above; None for the highest, or while the list is not known."""
        self._read_if_old(engine)
        return next_after(self._tiers, name)

    def forget(self) -> None:
        with self._lock:
            self._ask_at, self._tiers = -math.inf, ()

    def _read_if_old(self, engine: Yotpo) -> None:
        with self._lock:
            if self._clock() < self._ask_at:
                return
            # Whoever comes next need not ask as well.
            self._ask_at = self._clock() + AGAIN_SECONDS
        beside(lambda: self._read(engine))

    def _read(self, engine: Yotpo) -> None:
        try:
            tiers = engine.vip_tiers()
        except OutsideError as error:
            log.warning("tiers.not_read", error=str(error))
            return
        with self._lock:
            self._tiers, self._ask_at = tiers, self._clock() + KEPT_SECONDS


def next_after(tiers: Sequence[Tier], name: str) -> str | None:
    """The lowest of those that ask for more than the named one in one thing, and less in none."""
    own = next((tier for tier in tiers if tier.name == name), None)
    if own is None:
        return None
    asks = asked_by(own)
    above = [
        tier
        for tier in tiers
        if asked_by(tier) != asks
        and all(more >= less for more, less in zip(asked_by(tier), asks, strict=True))
    ]
    return min(above, key=asked_by).name if above else None


def reached(tiers: Sequence[Tier], done: TierActions) -> str | None:
    """The highest tier that so much gives entry to; None for none.

    An estimate: how long somebody stays in a tier is the account's to decide.
    """
    have = tuple(count or 0 for count in astuple(done))
    open_to = [
        tier
        for tier in tiers
        if all(count >= asked for count, asked in zip(have, asked_by(tier), strict=True))
    ]
    return max(open_to, key=asked_by).name if open_to else None


def asked_by(tier: Tier) -> tuple[int, ...]:
    """What it takes to enter: points, cents, purchases, referrals."""
    return tuple(wanted or 0 for wanted in astuple(tier.entry)) if tier.entry else (0, 0, 0, 0)


ladder = Ladder()
