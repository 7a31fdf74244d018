"""What an order earned, by evidence alone: the history names no order, so by its time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Min, Q
from django.db.models.functions import Coalesce, Now

from connectors.yotpo.payloads import Customer, HistoryItem
from outbox.models import Attempt
from redemptions.evidence import has_code, skew_of
from redemptions.timing import WHOLE_SECONDS, deadline, settle_time
from sales.models import ORDER, Sale

# How what we give or take of our own is called in the history.
OUR_TITLES = ("points back r", "correction")


@dataclass(frozen=True, slots=True)
class Span:
    """By the database's clock, aware."""

    since: datetime
    until: datetime

    def widened(self, before: timedelta, after: timedelta) -> "Span":
        return Span(self.since - before, self.until + after)

    def holds(self, moment: datetime | None) -> bool:
        return moment is not None and self.since <= moment <= self.until


def earned_by(sale: Sale, customer: Customer) -> int | None:
    """Points; None where the customer's history does not prove it.

    Proof is one row that gave points when the order was told, while no other order of the member
    was; or none, once the engine had its time, in a history that reaches further back. What was
    proven before the first refund counts: rows of refunds are not beside it then.
    """
    if sale.points_earned is not None:
        return sale.points_earned
    row = row_of(sale, customer)
    return row.points if row else 0 if earned_nothing(sale, customer) else None


def earned_nothing(sale: Sale, customer: Customer) -> bool:
    span = told_within(sale)
    if span is None or customer.history is None or rows_of(sale, customer, span):
        return False
    now = database_time(sale)
    skew = skew_of(customer, now)
    dated = [item.created_at for item in customer.history if item.created_at is not None]
    reaches_back = any(moment < span.since + skew for moment in dated)
    return reaches_back and now > span.until and not others_within(sale, span)


def note_earned(sale: Sale, customer: Customer | None) -> None:
    """Before a refund is told, and once."""
    if sale.points_earned is None and customer is not None:
        sale.points_earned = earned_by(sale, customer)
        sale.save(update_fields=["points_earned"])


def row_of(sale: Sale, customer: Customer) -> HistoryItem | None:
    """The only row that the order can have made; None where there is none or are several."""
    span = told_within(sale)
    if span is None or others_within(sale, span):
        return None
    rows = rows_of(sale, customer, span)
    return rows[0] if len(rows) == 1 else None


def told_within(sale: Sale) -> Span | None:
    """From the first attempt to tell its order until the engine had done its part."""
    tries = Attempt.objects.filter(
        delivery__kind=ORDER, delivery__key=sale.order_id, may_be_sent=True
    ).aggregate(since=Min("started_at"), until=Max(Coalesce("ended_at", Now())))
    if tries["since"] is None:
        return None
    return Span(tries["since"], tries["until"]).widened(WHOLE_SECONDS, deadline() + settle_time())


def rows_of(sale: Sale, customer: Customer, span: Span) -> Sequence[HistoryItem]:
    skew = skew_now(sale, customer)
    return [
        item
        for item in customer.history or ()
        if item.points > 0
        and item.created_at is not None
        and span.holds(item.created_at - skew)
        and not has_code(item)
        and not is_our_own(item)
    ]


def is_our_own(item: HistoryItem) -> bool:
    """Points that we gave or took: our records tell of them."""
    return item.title.lower().startswith(OUR_TITLES)


def others_within(sale: Sale, span: Span) -> bool:
    """Another order of the member was told, or may still have been worked on."""
    wide = span.widened(deadline() + settle_time(), timedelta(0))
    others = Sale.objects.filter(member=sale.member_id).exclude(pk=sale.pk).exclude(member=None)
    return Attempt.objects.filter(
        Q(delivery__kind=ORDER, delivery__key__in=others.values("order_id")),
        may_be_sent=True,
        started_at__range=(wide.since, wide.until),
    ).exists()


def skew_now(sale: Sale, customer: Customer) -> timedelta:
    """By how much the engine's clock was ahead of the database's as it was read, just now."""
    return skew_of(customer, database_time(sale))


def database_time(sale: Sale) -> datetime:
    now: datetime = Sale.objects.filter(pk=sale.pk).values_list(Now(), flat=True).get()
    return now
