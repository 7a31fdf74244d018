"""What our ledger says of members: their redemptions, orders told, corrections. Set-based."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Exists, Min, OuterRef

from members.models import Member
from outbox.models import Attempt, Delivery
from outbox.states import Outcome
from outbox.states import State as Told
from reconciliation.kinds import State
from reconciliation.models import Difference
from redemptions.disputes import ADJUSTMENT, order_of, title_of
from redemptions.models import PendingRedemption
from redemptions.timing import MARGIN, settle_time
from sales.models import GIVE_BACK, ORDER, REFUND, REMAINDER, Refund, Sale
from sales.refunding import give_back_title
from sales.remainders import correction_title as remainder_title

ORDER_AGAIN = "order-again"
CORRECTION = "correction"
# The engine may have acted on these.
MAY_HAVE_ACTED = (Outcome.DONE, Outcome.REPLY_LOST, Outcome.ABANDONED, Outcome.BUG)
# Kind -> what its payload names, and its title in the history.
REFUND_TITLES = {
    GIVE_BACK: ("refund", give_back_title),
    REMAINDER: ("remainder", remainder_title),
}
# Rows of ours from before the days that are compared may explain what is seen in them.
BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class OrderTold:
    """A sale that the engine took. `attempts`: when it may have acted, by our clock."""

    sale: Sale
    done_at: datetime
    attempts: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class RefundTold:
    """A refund that the engine took. `attempts`: as of an order."""

    pk: int
    pos_id: str
    total_cents: int
    sale: Sale
    done_at: datetime
    attempts: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Corrected:
    """Points given or taken by hand; `title` is found in the member's history.

    Of a dispute (`redemption_id`) or of a difference that is about a redemption (`repaired_id`).
    """

    delivery_id: int
    title: str
    points: int
    done_at: datetime
    redemption_id: str = ""
    repaired_id: str = ""


@dataclass(frozen=True, slots=True)
class Ours:
    """One member as we know them. `cutoff`: what was done later is compared the next time."""

    member: Member
    since: datetime
    cutoff: datetime
    redemptions: Sequence[PendingRedemption]
    orders: Sequence[OrderTold]
    corrections: Sequence[Corrected]
    orders_ever: int
    """Accepted by the engine since we began, without voided ones."""
    codes_at_tills: frozenset[str]
    has_refunds: bool
    refunds: Sequence[RefundTold] = ()


def cutoff_of(now: datetime) -> datetime:
    """What was done before shows at the engine by now."""
    return now - settle_time() - MARGIN


def since_of(now: datetime) -> datetime:
    return now - timedelta(days=settings.RECONCILE_DAYS)


def ours_of(members: Iterable[Member], now: datetime) -> dict[UUID, Ours]:
    """All of them with the same few queries, whatever their number."""
    by_id = {member.pk: member for member in members}
    cutoff, since = cutoff_of(now), since_of(now)
    open_since = open_differences_of(by_id)
    earliest = min([since, *open_since.values()]) - BEFORE
    redemptions = redemptions_of(by_id, earliest)
    sales = sales_of(by_id, earliest)
    told = told_of(sales)
    refunds = refunds_told_of(sales)
    corrections = corrections_of(by_id, redemptions)
    for pk, found in corrections_of_refunds(sales).items():
        corrections[pk] += found
    ever = orders_ever(by_id, cutoff)
    return {
        pk: Ours(
            member=member,
            # What was there before we ever saw the member is none of ours.
            since=max(min(since, open_since.get(pk, since)), member.first_seen_at),
            cutoff=cutoff,
            redemptions=redemptions[pk],
            orders=[told[sale.pk] for sale in sales[pk] if sale.pk in told],
            corrections=corrections[pk],
            orders_ever=ever.get(pk, 0),
            codes_at_tills=frozenset(
                code["code"] for sale in sales[pk] for code in sale.coupon_codes
            ),
            has_refunds=any(sale.voided_at or sale.refunded_cents for sale in sales[pk]),
            refunds=[refund for sale in sales[pk] for refund in refunds[sale.pk]],
        )
        for pk, member in by_id.items()
    }


def open_differences_of(ids: Iterable[UUID]) -> dict[UUID, datetime]:
    """From when on a member must be compared so that what is open does not go by growing old."""
    rows = Difference.objects.filter(member__in=list(ids), state__in=[State.OPEN, State.REPAIRING])
    oldest = rows.order_by().values_list("member").annotate(Min("first_seen_at"))
    return {pk: since_of(first_seen_at) for pk, first_seen_at in oldest}


def redemptions_of(ids: Iterable[UUID], since: datetime) -> dict[UUID, list[PendingRedemption]]:
    rows = PendingRedemption.objects.filter(member__in=list(ids), requested_at__gte=since)
    found: dict[UUID, list[PendingRedemption]] = defaultdict(list)
    for row in rows.select_related("member", "installation").order_by("requested_at"):
        found[row.member_id].append(row)
    return found


def sales_of(ids: Iterable[UUID], since: datetime) -> dict[UUID, list[Sale]]:
    rows = Sale.objects.filter(member__in=list(ids), recorded_at__gte=since)
    found: dict[UUID, list[Sale]] = defaultdict(list)
    for row in rows.defer("email", "phone", "items", "told").order_by("recorded_at"):
        if row.member_id is not None:
            found[row.member_id].append(row)
    return found


def told_of(sales: dict[UUID, list[Sale]]) -> dict[int, OrderTold]:
    """By sale: the orders that the engine has accepted, with the attempts that may have done it."""
    by_order = {f"sale:{sale.pk}": sale for rows in sales.values() for sale in rows}
    deliveries = Delivery.objects.filter(
        kind__in=[ORDER, ORDER_AGAIN], order_by__in=list(by_order), state=Told.DONE
    )
    done: dict[str, datetime] = {}
    of_delivery: dict[int, str] = {}
    for pk, order_by, changed_at in deliveries.values_list("pk", "order_by", "changed_at"):
        of_delivery[pk] = order_by
        done[order_by] = max(changed_at, done.get(order_by, changed_at))
    tries: dict[str, list[datetime]] = defaultdict(list)
    attempts = Attempt.objects.filter(
        delivery__in=list(of_delivery), may_be_sent=True, outcome__in=MAY_HAVE_ACTED
    )
    for delivery_id, started_at in attempts.values_list("delivery", "started_at"):
        tries[of_delivery[delivery_id]].append(started_at)
    return {
        by_order[name].pk: OrderTold(by_order[name], at, tuple(sorted(tries[name])))
        for name, at in done.items()
        if tries[name]
    }


def refunds_told_of(sales: dict[UUID, list[Sale]]) -> dict[int, list[RefundTold]]:
    """By sale: the refunds that the engine has accepted."""
    by_pk = {sale.pk: sale for rows in sales.values() for sale in rows if sale.refunded_cents}
    rows = Refund.objects.filter(sale__in=by_pk, told_at__isnull=False).defer("items", "told")
    by_id = {row.refund_id: row for row in rows}
    tries: dict[str, list[datetime]] = defaultdict(list)
    attempts = Attempt.objects.filter(
        delivery__kind=REFUND,
        delivery__key__in=list(by_id),
        may_be_sent=True,
        outcome__in=MAY_HAVE_ACTED,
    )
    for key, started_at in attempts.values_list("delivery__key", "started_at"):
        tries[key].append(started_at)
    found: dict[int, list[RefundTold]] = defaultdict(list)
    for key, row in by_id.items():
        if row.sale_id is not None and row.told_at is not None and tries[key]:
            sale, at = by_pk[row.sale_id], tuple(sorted(tries[key]))
            told = RefundTold(row.pk, row.pos_id, row.total_cents, sale, row.told_at, at)
            found[row.sale_id].append(told)
    return found


def corrections_of(
    ids: Iterable[UUID], redemptions: dict[UUID, list[PendingRedemption]]
) -> dict[UUID, list[Corrected]]:
    orders = {order_of(row): pk for pk, rows in redemptions.items() for row in rows}
    orders |= {order_of_member(pk): pk for pk in ids}
    done = Delivery.objects.filter(
        kind__in=[ADJUSTMENT, CORRECTION], order_by__in=list(orders), state=Told.DONE
    )
    found: dict[UUID, list[Corrected]] = defaultdict(list)
    for delivery in done:
        title = title_of(delivery) if delivery.kind == ADJUSTMENT else correction_title(delivery)
        found[orders[delivery.order_by]].append(
            Corrected(
                delivery.pk,
                title,
                delivery.payload["points"],
                delivery.changed_at,
                delivery.payload.get("redemption", ""),
                delivery.payload.get("repaired", ""),
            )
        )
    return found


def corrections_of_refunds(sales: dict[UUID, list[Sale]]) -> dict[UUID, list[Corrected]]:
    """Spent points that we gave back with refunds, and what corrected their rounding."""
    of_sale = {f"sale:{sale.pk}": pk for pk, rows in sales.items() for sale in rows}
    done = Delivery.objects.filter(
        kind__in=list(REFUND_TITLES), order_by__in=list(of_sale), state=Told.DONE
    )
    given = dict(
        Refund.objects.filter(sale__in=[s.pk for rows in sales.values() for s in rows]).values_list(
            "pk", "points_given_back"
        )
    )
    found: dict[UUID, list[Corrected]] = defaultdict(list)
    for delivery in done:
        names, title = REFUND_TITLES[delivery.kind]
        row = delivery.payload[names]
        points = delivery.payload.get("points", given.get(row)) or 0
        found[of_sale[delivery.order_by]].append(
            Corrected(delivery.pk, title(row), points, delivery.changed_at)
        )
    return found


def order_of_member(pk: UUID) -> str:
    """Corrections of one member are told one after the other."""
    return f"member:{pk}"


def correction_title(delivery: Delivery) -> str:
    """Found again in the history. Closed by a full stop, so that none is a part of another."""
    return f"Correction D{delivery.payload['difference']}."


def orders_ever(ids: Iterable[UUID], cutoff: datetime) -> dict[UUID, int]:
    done = Delivery.objects.filter(
        kind=ORDER, key=OuterRef("order_id"), state=Told.DONE, changed_at__lte=cutoff
    )
    rows = Sale.objects.filter(Exists(done), member__in=list(ids), voided_at=None)
    return dict(rows.order_by().values_list("member").annotate(Count("pk")))
