"""Whether the engine did something with the orders that it accepted, and only once.

The history names no order, and what an order earns is the account's to decide. So that an order
was not processed is said only where the engine's own counts prove it; the rows say which.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

from connectors.yotpo.payloads import HistoryItem
from database.encryption import blind_index
from reconciliation.found import Found
from reconciliation.kinds import Kind
from reconciliation.ours import OrderTold, Ours
from redemptions.evidence import Sight
from redemptions.timing import WHOLE_SECONDS, deadline, settle_time

# Clocks tell whole seconds, and a process may have been held up while it compared two.
SLACK = WHOLE_SECONDS + timedelta(seconds=5)

Matches = dict[int, HistoryItem]


def rows_of_orders(ours: Ours, sight: Sight, earned: Sequence[HistoryItem]) -> Matches:
    """`earned`: rows that gave points and that nothing else explains."""
    return match(judged(ours), dated(earned), sight.skew)


def judged(ours: Ours) -> list[OrderTold]:
    return [o for o in ours.orders if o.done_at <= ours.cutoff and o.attempts[0] >= ours.since]


def dated(rows: Sequence[HistoryItem]) -> list[HistoryItem]:
    return sorted((r for r in rows if r.created_at is not None), key=at_of)


def compare_orders(
    ours: Ours, sight: Sight, matches: Matches, earned: Sequence[HistoryItem]
) -> list[Found]:
    """`matches`, `earned`: as in `rows_of_orders`."""
    orders, rows = judged(ours), dated(earned)
    return [
        *not_processed(ours, sight, [o for o in orders if is_missed(o, matches)]),
        *twice(orders, matches, rows, sight),
        *online(ours, orders, matches, rows, sight),
    ]


def is_missed(order: OrderTold, matches: Matches) -> bool:
    """One that was voided since need not count any more."""
    return order.sale.pk not in matches and order.sale.voided_at is None


def at_of(row: HistoryItem) -> datetime:
    if row.created_at is None:
        raise ValueError("A row without a time was to be left out.")
    return row.created_at


def match(orders: Sequence[OrderTold], rows: Sequence[HistoryItem], skew: timedelta) -> Matches:
    """Each order and the first row after it was told that no earlier order has."""
    left, matches = list(rows), {}
    for order in sorted(orders, key=lambda order: order.attempts[0]):
        told = order.attempts[0] + skew - SLACK
        row = next((row for row in left if at_of(row) >= told), None)
        if row is not None:
            left = [other for other in left if other is not row]
            matches[order.sale.pk] = row
    return matches


def not_processed(ours: Ours, sight: Sight, unmatched: Sequence[OrderTold]) -> list[Found]:
    """Orders of which the history shows nothing, where the engine's counts prove it."""
    customer = sight.customer
    if customer.opted_in is False:
        return []
    proven = [o for o in unmatched if is_before(customer.last_purchase_at, o, sight.skew)]
    if proven:
        return [unprocessed(o, sight, "its last purchase is older") for o in proven]
    if customer.total_purchases is None or ours.has_refunds:
        return []
    missing = min(ours.orders_ever - customer.total_purchases, len(unmatched))
    if missing <= 0:
        return []
    certain = missing == len(unmatched)
    fact = "it counts fewer purchases than it accepted orders"
    found = [unprocessed(o, sight, fact) for o in unmatched]
    if certain:
        return found
    which = f" Can't tell which: {missing} of {len(unmatched)} like it."
    return [replace(f, cause=f.cause + which, is_certain=False) for f in found]


def is_before(last: datetime | None, order: OrderTold, skew: timedelta) -> bool:
    """The engine's last purchase is older than this order, however it dates purchases."""
    if last is None:
        return False
    if last.time() == time():  # some accounts tell the day alone
        last += timedelta(days=1)
    earliest = min(order.attempts[0] + skew, order.sale.completed_at)
    return last < earliest - SLACK


def unprocessed(order: OrderTold, sight: Sight, fact: str) -> Found:
    return of_order(
        Kind.ORDER_NOT_PROCESSED,
        order,
        f"The engine accepted the order and did nothing with it ({fact}): its status word is not "
        "the one that the account waits for, or its work got lost.",
        theirs={
            "purchases": sight.customer.total_purchases,
            "last purchase": moment(sight.customer.last_purchase_at),
        },
    )


def twice(
    orders: Sequence[OrderTold],
    matches: Matches,
    rows: Sequence[HistoryItem],
    sight: Sight,
) -> list[Found]:
    """Told more than once, and each telling is followed by a row of the same title and points."""
    taken = {id(row) for row in matches.values()}
    found = []
    for order in orders:
        first = matches.get(order.sale.pk)
        if first is None or len(order.attempts) < 2:
            continue
        second = order.attempts[1] + sight.skew - SLACK
        last = order.attempts[-1] + sight.skew + deadline() + settle_time()
        more = [
            row
            for row in rows
            if id(row) not in taken and is_alike(row, first) and second <= at_of(row) <= last
        ]
        if more:
            taken |= {id(row) for row in more}
            found.append(counted_again(order, first, more, at_of(first) < second))
    return found


def is_alike(row: HistoryItem, other: HistoryItem) -> bool:
    return (row.title, row.points) == (other.title, other.points)


def counted_again(
    order: OrderTold, first: HistoryItem, more: Sequence[HistoryItem], is_certain: bool
) -> Found:
    return of_order(
        Kind.ORDER_TWICE,
        order,
        "The order was told again after its answer was lost, and the engine counted it each time: "
        "it does not take our order ids as keys (set ENGINE_KEYS_ORDERS=0)."
        + ("" if is_certain else " Can't tell for sure: a purchase like it may have come between."),
        theirs={
            "rows": [moment(row.created_at) for row in (first, *more)],
            "points each": first.points,
        },
        points=-sum(row.points for row in more),
        is_certain=is_certain,
    )


def online(
    ours: Ours,
    orders: Sequence[OrderTold],
    matches: Matches,
    rows: Sequence[HistoryItem],
    sight: Sight,
) -> list[Found]:
    """Rows titled as those of our orders are, while none of ours was told: the web shop's."""
    titles = {row.title for row in matches.values()}
    taken = {id(row) for row in matches.values()}
    since, until = ours.since + sight.skew, ours.cutoff + sight.skew
    return [
        Found(
            Kind.ONLINE,
            blind_index(f"order {at_of(row).isoformat()} {row.points}"),
            "The member bought in the web shop, or at a till of another system.",
            {"order": "none of ours was told then"},
            {"title": row.title, "points": row.points, "at": moment(row.created_at)},
        )
        for row in rows
        if id(row) not in taken
        and row.title in titles
        and since <= at_of(row) <= until
        and not is_near(row, orders, sight.skew)
    ]


def is_near(row: HistoryItem, orders: Sequence[OrderTold], skew: timedelta) -> bool:
    """One order may earn by several rules."""
    span = deadline() + settle_time()
    return any(
        -SLACK <= at_of(row) - (attempt + skew) <= span
        for order in orders
        for attempt in order.attempts
    )


def of_order(kind: Kind, order: OrderTold, cause: str, **more: Any) -> Found:
    return Found(
        kind,
        str(order.sale.pk),
        cause,
        ours={
            "sale": order.sale.pos_id,
            "order": order.sale.order_id,
            "total in cents": order.sale.total_cents,
            "told at": [moment(attempt) for attempt in order.attempts],
        },
        sale_id=order.sale.pk,
        **more,
    )


def moment(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
