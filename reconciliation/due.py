"""Who is to be read: a round through all members, so that each gets their turn.

A member is due where an act of ours has had the time to show at the engine since their last
reading, or where something was open then. The round's place is committed, so a killed one goes on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce, Greatest, Now

from members.models import Member
from outbox.models import Delivery
from reconciliation.models import Cursor, Reading
from reconciliation.ours import cutoff_of, since_of
from reconciliation.timing import ROUND
from redemptions.models import PendingRedemption
from sales.models import ORDER, Sale

# So many members are looked at with one question, and so many due ones are read with one.
SLICE, BATCH = 500, 50
# What is open is looked at again that often, so that it disappears when it is over.
AGAIN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Due:
    member_id: UUID
    oldest_act_at: datetime
    """The oldest act that no reading covers, or when they were to be read again."""


def slices() -> Iterator[list[UUID]]:
    """Once round, from where the last run stopped. The cursor moves when a slice was worked off."""
    cursor, _ = Cursor.objects.get_or_create(name=ROUND)
    start = cursor.member_id
    after, is_second_half = start, start is None
    while True:
        rows = Member.objects.order_by("pk")
        rows = rows.filter(pk__gt=after) if after else rows
        if is_second_half and start is not None:
            rows = rows.filter(pk__lte=start)
        ids = list(rows.values_list("pk", flat=True)[:SLICE])
        if ids:
            yield ids
            after = ids[-1]
            Cursor.objects.filter(name=ROUND).update(member_id=after, moved_at=Now())
        if len(ids) < SLICE:
            if is_second_half:
                Cursor.objects.filter(name=ROUND).update(
                    member_id=None, rounds=F("rounds") + 1, moved_at=Now()
                )
                return
            after, is_second_half = None, True


def due_among(ids: list[UUID], now: datetime) -> list[Due]:
    """Three questions, whatever the number of members. Those with the oldest acts come first."""
    cutoff = cutoff_of(now)
    acts = newest_acts(ids, now)
    readings = {
        pk: (covers, again_at)
        for pk, covers, again_at in Reading.objects.filter(member__in=ids).values_list(
            "pk", "covers", "again_at"
        )
    }
    due = []
    for pk in ids:
        covers, again_at = readings.get(pk, (None, None))
        act = oldest_uncovered(acts.get(pk, []), covers, cutoff)
        if act is None and again_at is not None and again_at <= now:
            act = again_at
        if act is not None:
            due.append(Due(pk, act))
    return sorted(due, key=lambda each: each.oldest_act_at)


def oldest_uncovered(
    acts: list[datetime], covers: datetime | None, cutoff: datetime
) -> datetime | None:
    """What is younger than the cutoff may not show yet: its turn comes."""
    open_ones = [act for act in acts if act <= cutoff and (covers is None or act > covers)]
    return min(open_ones, default=None)


def newest_acts(ids: list[UUID], now: datetime) -> dict[UUID, list[datetime]]:
    """When the rows of each member, in the days that are compared, changed last."""
    since = since_of(now)
    acts: dict[UUID, list[datetime]] = {}
    redemptions = PendingRedemption.objects.filter(member__in=ids, changed_at__gte=since)
    told = Delivery.objects.filter(kind=ORDER, key=OuterRef("order_id")).values("changed_at")[:1]
    sales = Sale.objects.filter(member__in=ids, recorded_at__gte=since).annotate(
        acted_at=Greatest(Coalesce(Subquery(told), F("recorded_at")), F("recorded_at"))
    )
    for rows, at in ((redemptions, "changed_at"), (sales, "acted_at")):
        for pk, moment in rows.order_by().values_list("member", at):
            acts.setdefault(pk, []).append(moment)
    return acts


def how_far_behind(now: datetime) -> tuple[int, datetime | None]:
    """Members who are due now, and the oldest act that no reading covers. A question a slice."""
    left, oldest = 0, None
    after = None
    while ids := list(
        (Member.objects.filter(pk__gt=after) if after else Member.objects.all())
        .order_by("pk")
        .values_list("pk", flat=True)[:SLICE]
    ):
        due = due_among(ids, now)
        left += len(due)
        if due and (oldest is None or due[0].oldest_act_at < oldest):
            oldest = due[0].oldest_act_at
        after = ids[-1]
    return left, oldest
