"""The stock of custom codes: what came in, what went out, and when it will be gone.

Others call `told_low` (the engine's webhook), `note_taken` and `note_none_left` (redemptions),
`not_of_pool` (settling) and `empties` (the catalogue).
"""

import re
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.db.models import F, FilteredRelation, Q, QuerySet, Sum
from django.db.models.functions import Now

from offers.models import Batch, Pool, Use, hidden, index_key, index_of
from outbox.limits import aside

log = structlog.get_logger(__name__)

PACE_DAYS = 28
# Less says nothing of a pace.
FEWEST_DAYS = 7
FEWEST_TAKEN = 5

# The engine's words are documented nowhere: those that say of codes, close by, that there are none.
SAYS_NO_CODES = re.compile(
    r"\b(no|no more|not enough|out of|zero)( \w+){0,2} codes?\b"
    r"|\bcodes?( \w+){0,5} (exhausted|empty|used up|ran out|run out)\b",
    re.IGNORECASE,
)


def says_no_codes(words: str) -> bool:
    """Whether a refusal means that the pool is empty. Only a custom coupon's can."""
    return bool(SAYS_NO_CODES.search(words))


class Empties:
    """The offers whose pool is empty, kept in memory: a look-up asks nobody.

    Read again by another thread, at most every EMPTY_POOLS_SECONDS and only while asked for.
    """

    def __init__(self, aside: Callable[[Callable[[], Any]], "Future[Any] | None"] = aside) -> None:
        self._aside = aside
        self._lock = threading.Lock()
        self._known: frozenset[int] = frozenset()
        self._read_at: float | None = None

    def known(self) -> frozenset[int]:
        seconds = settings.EMPTY_POOLS_SECONDS
        if seconds is not None:
            now = time.monotonic()
            with self._lock:
                is_old = self._read_at is None or now >= self._read_at + seconds
                self._read_at = now if is_old else self._read_at
            if is_old:
                self._aside(self.read)
        return self._known

    def read(self) -> None:
        try:
            self._known = frozenset(
                Pool.objects.filter(hidden()).order_by().values_list("option_id", flat=True)
            )
        except DatabaseError:
            log.warning("pools.not_read")

    def note(self, option_id: int, *, is_empty: bool) -> None:
        """What this process has just learnt; the next reading says whether it was kept."""
        if settings.EMPTY_POOLS_SECONDS is None:
            return
        with self._lock:
            there = {option_id}
            self._known = self._known | there if is_empty else self._known - there

    def forget(self) -> None:
        with self._lock:
            self._known, self._read_at = frozenset(), None


empties = Empties()


def told_low(option_id: int, unused: int, at: datetime | None = None, name: str = "") -> bool:
    """The engine says how many codes of an offer are unused: its topic below_threshold.

    `at` is when it said so; what came out of order changes nothing. Returns whether it counted.
    """
    when = min(at or now(), now())
    Pool.objects.get_or_create(option_id=option_id, defaults={"name": name or f"Offer {option_id}"})
    newer = Q(told_at=None) | Q(told_at__lt=when)
    counted = Pool.objects.filter(newer, option_id=option_id).update(
        told_unused=max(unused, 0),
        told_at=when,
        confirmed_when_told=F("confirmed"),
        taken_when_told=F("taken"),
        empty_since=None if unused > 0 else Now(),
    )
    if counted:
        log.info("pool.told", option=option_id, unused=unused)
        empties.note(option_id, is_empty=unused <= 0)
    return bool(counted)


def note_taken(option_id: int) -> None:
    """One of our redemptions was given a code, in the transaction that keeps it."""
    if not Pool.objects.filter(option_id=option_id).update(taken=F("taken") + 1, empty_since=None):
        return
    pool_id = Pool.objects.values_list("pk", flat=True).get(option_id=option_id)
    use, _ = Use.objects.get_or_create(pool_id=pool_id, day=now().date())
    Use.objects.filter(pk=use.pk).update(count=F("count") + 1)


def note_none_left(option_id: int, name: str) -> None:
    """The engine refused a redemption because the pool is empty: tills offer it no more."""
    pool, _ = Pool.objects.get_or_create(option_id=option_id, defaults={"name": name[:255]})
    Pool.objects.filter(pk=pool.pk).update(empty_since=Now())
    log.warning("pool.empty", option=option_id)
    empties.note(option_id, is_empty=True)


def not_of_pool(option_id: int, codes: Iterable[str]) -> set[str]:
    """Those that can't be of that offer's pool, for we filled it alone and without them. One query.

    None where that can't be known: codes may have come otherwise, nothing was sent, or
    BLIND_INDEX_KEY was changed since.
    """
    by_index = {index_of(code): code for code in codes}
    kept = FilteredRelation("parts__kept", condition=Q(parts__kept__index__in=list(by_index)))
    sent = Batch.objects.filter(
        pool__option_id=option_id, pool__ours_alone=True, sent_at__isnull=False
    )
    rows = sent.order_by().annotate(sought=kept).values_list("index_key", "sought__index")
    there = set(rows.distinct())
    if {key for key, _ in there} != {index_key()}:
        return set()
    uploaded = {index for _, index in there}
    return {code for index, code in by_index.items() if index not in uploaded}


def with_pace(pools: QuerySet[Pool]) -> QuerySet[Pool]:
    """With `lately`: the codes of each that were taken within the last four weeks."""
    since = now().date() - timedelta(days=PACE_DAYS)
    return pools.annotate(lately=Sum("uses__count", filter=Q(uses__day__gt=since)))


def forecast(pool: Pool, lately: int | None) -> str:
    """When it will be empty, in plain words."""
    stock = pool.stock
    if pool.is_empty:
        return "empty"
    if stock is None:
        return "nobody told how many there are"
    days_known = min(PACE_DAYS, (now() - pool.created_at).days)
    taken = lately or 0
    if taken < FEWEST_TAKEN or days_known < FEWEST_DAYS:
        return "not enough use to say"
    days = stock * days_known // taken
    pace = "at the pace of the last four weeks"
    if days_known < PACE_DAYS:
        pace = f"at the pace of the last {days_known} days"
    if days > 365:
        return f"more than a year {pace}"
    return f"about {days} day{'' if days == 1 else 's'} {pace}"


def now() -> datetime:
    return datetime.now(UTC)
