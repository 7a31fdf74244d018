"""Telling the engine of a refund, and what follows: what the outbox's routes call.

Where an installation says so, the points that were spent on the sale are given back here, too.
"""

from typing import Any

import structlog
from django.conf import settings
from django.db import models, transaction
from django.db.models import Sum
from django.db.models.functions import Now

from connectors.errors import Refused
from connectors.yotpo.orders import Refund as ToldRefund
from connectors.yotpo.payloads import Customer
from members.engine import engine
from members.models import Member
from outbox.errors import NotWanted
from outbox.ledger import enqueue
from outbox.models import Delivery
from redemptions import delayed
from redemptions.evidence import has_code
from redemptions.timing import settle_time
from redemptions.use import unuse
from sales.earned import earned_by, is_our_own, note_earned
from sales.items import items_to_tell
from sales.models import GIVE_BACK, REFUND_READING, Refund, Sale
from sales.orders import flight_of_order
from sales.spent import share, spent_on
from stores.models import Installation

log = structlog.get_logger(__name__)


def refund_of(delivery: Delivery) -> Refund:
    """By the key: so it is found for deliveries of older versions as well."""
    refunds = Refund.objects.select_related("sale__member", "sale__installation", "installation")
    return refunds.get(refund_id=delivery.key)


def flight_of_refund(delivery: Delivery) -> str:
    """It changes by which an order of the same member is read. Online orders name no member."""
    if delivery.payload["sale"] is None or settings.ENGINE_KEYS_ORDERS:
        return ""
    return flight_of_order(delivery)


def note_refund_before(delivery: Delivery) -> None:
    """How many points the member has, and what the order earned, where rounding may leave some.

    Not before a later one: an earlier attempt may have been taken, and be the same to the engine.
    Where it takes no keys, its history before each attempt: a lost answer is read by it.
    """
    refund = refund_of(delivery)
    note_points_may_come_back(refund.sale)
    by_rows = not settings.ENGINE_KEYS_ORDERS
    by_balance = refund.balance_before is None and may_leave_points(refund)
    if not (by_rows or by_balance):
        return
    customer = read_member(refund.sale, with_history=True)
    if refund.sale is not None:
        note_earned(refund.sale, customer)
    if by_balance:
        refund.balance_before = customer.points_balance if customer else None
    if by_rows:
        refund.rows_before = rows_like(refund, customer)
    refund.save(update_fields=["balance_before", "rows_before"])


def note_points_may_come_back(sale: Sale | None) -> None:
    """Where an undo of the member's is under way, the balance alone proves nothing of that then."""
    if sale and sale.member_id and sale.coupon_codes and not sale.not_delivered:
        Member.objects.filter(pk=sale.member_id).update(refund_told_at=Now())


def rows_like(refund: Refund, customer: Customer | None) -> int | None:
    """How many rows took as many points as this refund should, and name no code.

    None where it can't be told what that should be, or is nothing.
    """
    if refund.sale is None or customer is None or customer.history is None:
        return None
    earned = earned_by(refund.sale, customer)
    points = share(earned or 0, refund.total_cents, refund.sale.total_cents)
    if points == 0:
        return None
    return sum(
        row.points == -points and not has_code(row) and not is_our_own(row)
        for row in customer.history
    )


def is_refund_seen(delivery: Delivery) -> bool | None:
    """After a lost answer: whether just one more row looks like it. None: reading can't tell."""
    refund = refund_of(delivery)
    now = rows_like(refund, read_member(refund.sale, with_history=True))
    if now is None or refund.rows_before is None:
        return None
    return {0: False, 1: True}.get(now - refund.rows_before)


def may_leave_points(refund: Refund) -> bool:
    """The engine rounds down at each refund: of a whole at once nothing is left."""
    sale = refund.sale
    return sale is not None and not sale.not_delivered and refund.total_cents < sale.total_cents


def read_member(sale: Sale | None, *, with_history: bool = False) -> Customer | None:
    """None for one whom the engine does not know any more: that must not hold a refund back."""
    if sale is None or sale.member is None:
        return None
    try:
        return engine().customer(email=sale.member.email, with_history=with_history)
    except Refused:
        return None


def tell_refund(delivery: Delivery) -> None:
    """Raises NotWanted where the engine was not told of the sale: nobody's, as it turned out."""
    refund = refund_of(delivery)
    if refund.sale is not None and refund.sale.not_delivered:
        leave_untold(refund, refund.sale)
        raise NotWanted
    engine().create_refund(
        ToldRefund(
            id=refund.refund_id,
            order_id=refund.order_id,
            total_cents=refund.total_cents,
            currency=refund.currency,
            items=items_to_tell(refund),
        ),
        asked_at=delivery.asked_at,
    )


def leave_untold(refund: Refund, sale: Sale) -> None:
    """It follows its sale, and is told after it if that is claimed; a void ends it."""
    if not refund.is_void:
        return
    with transaction.atomic():
        unuse(sale.order_id)
        Refund.objects.filter(sale=sale, state=Refund.State.PROMISED).update(
            state=Refund.State.WITHDRAWN, changed_at=Now()
        )


def note_refunded(delivery: Delivery) -> None:
    """The engine has it. What follows overtakes further refunds of this sale.

    So the balances read around each refund show what that one did, and no other.
    """
    refund = refund_of(delivery)
    Refund.objects.filter(pk=refund.pk).update(told_at=Now())
    sale = refund.sale
    if sale is None:
        return
    follows: dict[str, Any] = {
        "key": refund.refund_id,
        "installation_id": refund.installation_id,
        "payload": {"sale": sale.pk, "refund": refund.pk},
        "order_by": f"sale:{sale.pk}",
        "urgent": True,
    }
    if returned_by(sale) == Installation.GivesBack.ENGINE and is_refunded_whole(sale):
        delayed.let_go(sale.order_id)
    if gives_back(sale):
        enqueue(kind=GIVE_BACK, **follows)
    if refund.balance_before is not None:
        enqueue(kind=REFUND_READING, due_in=settle_time(), **follows)


def is_refunded_whole(sale: Sale) -> bool:
    """All of it, and the engine has accepted each refund."""
    untold = sale.refunds.filter(state=Refund.State.PROMISED, told_at=None)
    return sale.left_cents == 0 and not untold.exists()


# Spent points: those that did not go by then are not owed any more, where they would come back


def returned_by(sale: Sale) -> str:
    return sale.installation.spent_points_returned_by


# Where the panel gives them back


def gives_back(sale: Sale) -> bool:
    return (
        returned_by(sale) == Installation.GivesBack.PANEL
        and sale.member_id is not None
        and bool(sale.coupon_codes)
    )


def note_share(delivery: Delivery) -> None:
    """How many come back with this refund: fixed, committed, before they are given.

    All that is due by now, less what came back with earlier refunds: so that in the end it is the
    whole, once. Raises NotWanted where it is nothing, NotKnownYet while it is not known whether
    the points went.
    """
    refund = refund_of(delivery)
    sale = refund.sale
    if sale is None:
        raise NotWanted
    if refund.points_given_back is None:
        told = sale.refunds.filter(told_at__isnull=False)
        spent = spent_on(sale)
        due = share(spent, total(told, "total_cents"), sale.total_cents)
        refund.points_given_back = max(due - total(told, "points_given_back"), 0)
        with transaction.atomic():
            refund.save(update_fields=["points_given_back"])
            if spent == 0 and is_refunded_whole(sale):
                delayed.let_go(sale.order_id)
    if refund.points_given_back == 0:
        raise NotWanted


def total(rows: models.QuerySet[Refund], column: str) -> int:
    found: int | None = rows.aggregate(total=Sum(column))["total"]
    return found or 0


def give_back(delivery: Delivery) -> None:
    refund = refund_of(delivery)
    if refund.sale is None or refund.sale.member is None or refund.points_given_back is None:
        raise NotWanted
    engine().adjust_points(
        email=refund.sale.member.email,
        points=refund.points_given_back,
        title=give_back_title(refund.pk),
        asked_at=delivery.asked_at,
    )


def give_back_title(refund_pk: int) -> str:
    """Found again in the history, should the answer be lost. None is a part of another."""
    return f"Points back R{refund_pk}."


def is_give_back_seen(delivery: Delivery) -> bool | None:
    return is_title_seen(refund_of(delivery).sale, give_back_title(delivery.payload["refund"]))


def is_title_seen(sale: Sale | None, title: str) -> bool | None:
    customer = read_member(sale, with_history=True)
    if customer is None or customer.history is None:
        return None
    return any(title in row.title for row in customer.history)
