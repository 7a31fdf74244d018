"""Who is to be read: found from what was done of late, so that members without acts cost nothing.

A member is due where an act of ours has had the time to show at the engine since their last
reading, or where something was open then. The oldest act comes first, so each gets their turn. Once
nobody was left, what is older is not looked at again: that moment is committed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from outbox.models import Delivery
from reconciliation.models import Cursor, Reading
from reconciliation.ours import cutoff_of, since_of
from reconciliation.timing import ROUND
from redemptions.models import PendingRedemption
from sales.models import ORDER, Refund, Sale

# So many due members are taken at once, and so many of them are read with one question.
SLICE, BATCH = 1_000, 50
# What is open is looked at again that often, so that it disappears when it is over.
AGAIN_AFTER = timedelta(hours=1)
# An act is dated when it is written; others see it when its transaction ends.
LONGEST_TRANSACTION = timedelta(minutes=10)

# Rows of a member's id and a time.
Acts = QuerySet[Any, Any]


@dataclass(frozen=True, slots=True)
class Due:
    member_id: UUID
    oldest_act_at: datetime
    """The oldest act that no reading covers, or when they were to be read again."""


def slices(now: datetime) -> Iterator[list[Due]]:
    """All who are due, the oldest acts first. Whoever is given must be read, or put off, before the
    next slice is asked for."""
    while due := due_now(now, SLICE):
        yield due[:SLICE]
    cutoff = cutoff_of(now)
    older = Q(covers=None) | Q(covers__lt=cutoff)
    Cursor.objects.filter(older, name=ROUND).update(covers=cutoff, moved_at=Now())


def due_now(now: datetime, limit: int | None = None) -> list[Due]:
    """A question for each kind of act, and one for the readings to be done again. Of each the first
    `limit`."""
    cutoff = cutoff_of(now)
    found: dict[UUID, datetime] = {}
    again = Reading.objects.filter(again_at__lte=now).order_by("again_at")
    acts = [*acts_between(start_of(now), cutoff), again.values_list("pk", "again_at")]
    for pk, moment in (row for rows in acts for row in rows[:limit]):
        found[pk] = min(moment, found.get(pk, moment))
    due = [Due(pk, moment) for pk, moment in found.items()]
    return sorted(due, key=lambda each: each.oldest_act_at)


def start_of(now: datetime) -> datetime:
    """Nothing older is to be looked at."""
    covers = Cursor.objects.filter(name=ROUND).values_list("covers", flat=True).first()
    since = since_of(now)
    return max(since, covers - LONGEST_TRANSACTION) if covers else since


def acts_between(start: datetime, cutoff: datetime) -> list[Acts]:
    """Members and their oldest act that no reading covers, by kind. What is younger than the cutoff
    may not show yet: its turn comes."""
    told = Delivery.objects.filter(kind=ORDER, changed_at__gte=start, changed_at__lte=cutoff)
    told_at = told.filter(key=OuterRef("order_id")).values("changed_at")[:1]
    return [
        uncovered(PendingRedemption.objects.annotate(at=F("changed_at")), start, cutoff),
        uncovered(Sale.objects.annotate(at=F("recorded_at")), start, cutoff),
        uncovered(
            Sale.objects.filter(order_id__in=told.values("key")).annotate(at=Subquery(told_at)),
            start,
            cutoff,
        ),
        uncovered(
            Refund.objects.annotate(member=F("sale__member"), at=F("told_at")), start, cutoff
        ),
    ]


def uncovered(rows: "QuerySet[Any]", start: datetime, cutoff: datetime) -> Acts:
    read = Reading.objects.filter(member=OuterRef("member"), covers__gte=OuterRef("at"))
    acts = rows.filter(~Exists(read), member__isnull=False, at__gte=start, at__lte=cutoff)
    oldest: Acts = acts.order_by().values_list("member").annotate(oldest=Min("at"))
    return oldest.order_by("oldest")
