"""Recording refunds: each once, never more than its sale, and in the sale's order to the engine."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from audit.record import By, Where, Who
from database.encryption import blind_index
from database.holding import hold
from database.text import storable
from members.identity import email_identity
from outbox.ledger import enqueue, enqueue_again, withdraw
from sales.agreement import refund_agrees
from sales.conflicts import note_conflict
from sales.errors import (
    CannotMatch,
    MoreThanLeft,
    OtherContent,
    OtherCurrency,
    SaleWasVoided,
)
from sales.fingerprint import differing, fingerprint
from sales.models import REFUND, Conflict, Refund, Sale
from stores.models import Installation
from stores.places import Place

log = structlog.get_logger(__name__)

State, Reason = Refund.State, Refund.Reason
# A manager finds their sale.
MATCHED_FROM = (State.KEPT, State.WAITING)


@dataclass(frozen=True, slots=True)
class NewRefund:
    """A refund as a POS tells it. Cents are whole. Without `sale_id` it is blind."""

    pos_id: str
    total_cents: int
    currency: str
    sale_id: str = ""
    bought_online: bool = False
    """The engine has the order from the web shop: `sale_id` is its id there."""
    email: str = ""
    phone: str = ""
    """E.164."""
    items: tuple[dict[str, Any], ...] = ()
    told: dict[str, Any] = field(default_factory=dict)
    """What else it said, known to us or not."""

    def fingerprint(self) -> str:
        return fingerprint(self)


@dataclass(frozen=True, slots=True)
class RecordedRefund:
    refund: Refund
    is_new: bool


def record_refund(
    installation: Installation, new: NewRefund, place: Place, *, by: By | None = None
) -> RecordedRefund:
    """Record it once, take it from what is left of its sale, and promise to tell the engine.

    The same again gives what is there. Raises OtherContent for the same id with other content, and
    CannotRefund for what does not fit its sale; then nothing is recorded.
    """
    new = replace(new, items=storable(new.items), told=storable(new.told))
    there = find_refund(installation, new.pos_id)
    if there is None:
        try:
            with transaction.atomic(durable=True):
                refund = write(installation, new, place)
                if by:
                    by.record("refund.recorded", refund, after=facts_of(refund))
                return RecordedRefund(refund, is_new=True)
        except IntegrityError:
            # Told twice at the same time: the other one won.
            there = find_refund(installation, new.pos_id)
            if there is None:
                raise
    if there.content != new.fingerprint() and not (there.from_file and refund_agrees(there, new)):
        differs = differing(plain_facts(new), there)
        note_conflict(installation, Conflict.Subject.REFUND, new, differs)
        raise OtherContent("refund")
    return RecordedRefund(there, is_new=False)


def find_refund(installation: Installation, pos_id: str) -> Refund | None:
    refunds = Refund.objects.select_related("installation", "sale")
    return refunds.filter(installation=installation, pos_id=pos_id, is_void=False).first()


def plain_facts(new: NewRefund) -> dict[str, Any]:
    return {
        "total_cents": new.total_cents,
        "currency": new.currency,
        "named_sale": new.sale_id,
        "bought_online": new.bought_online,
        "items": list(new.items),
    }


def write(
    installation: Installation, new: NewRefund, place: Place, *, from_file: bool = False
) -> Refund:
    """In the caller's transaction. Raises CannotRefund, and IntegrityError where it is there."""
    refund = Refund(
        installation=installation,
        pos_id=new.pos_id,
        refund_id=refund_id_of(installation, new.pos_id),
        store=place.store,
        till=place.till,
        associate=place.associate,
        told=new.told,
        content=new.fingerprint(),
        from_file=from_file,
        **plain_facts(new),
    )
    find_order(refund, new)
    refund.save(force_insert=True)
    promise_to_tell(refund)
    log.info("refund.recorded", refund=refund.pk, state=refund.state, reason=refund.reason)
    return refund


def refund_id_of(installation: Installation, pos_id: str) -> str:
    """As `order_id_of`: no other installation's, and no void's."""
    refund_id = f"{installation.order_prefix}{pos_id}"
    taken = Refund.objects.filter(refund_id=refund_id).exists()
    return f"{installation.pk}~{pos_id}" if taken else refund_id


def find_order(refund: Refund, new: NewRefund) -> None:
    """Whose refund it is. Raises CannotRefund where it does not fit its sale."""
    if not new.sale_id:
        keep(refund, Reason.BLIND)
        name_shopper(refund, new)
    elif new.bought_online and (sale := find_told(new.sale_id)):
        take_from(sale, refund)
    elif new.bought_online:
        refund.state, refund.order_id = State.PROMISED, new.sale_id
    elif sale := find_or_await_sale(refund.installation, new.sale_id):
        take_from(sale, refund)
    else:
        refund.state = State.WAITING


def find_or_await_sale(installation: Installation, pos_id: str) -> Sale | None:
    """Where it is not there, it can't be recorded before this transaction has ended."""
    sales = Sale.objects.filter(installation=installation, pos_id=pos_id)
    sale = sales.first()
    if sale is None:
        hold_sale(installation, pos_id)
        sale = sales.first()
    return sale


def find_told(order_id: str) -> Sale | None:
    """What the engine has under this id from us, a till's sale and no web shop's order.

    A refund of it counts like any other, or it would be taken back twice.
    """
    return Sale.objects.filter(order_id=order_id, not_delivered="").first()


def hold_sale(installation: Installation, pos_id: str) -> None:
    """A refund that waits and its sale: of two at once the later one sees the other."""
    hold(f"sale {installation.pk} {pos_id}")


def keep(refund: Refund, reason: Refund.Reason) -> None:
    refund.state, refund.reason = State.KEPT, reason


def name_shopper(refund: Refund, new: NewRefund) -> None:
    """All that there is to find the sale by."""
    refund.email, refund.phone = new.email or None, new.phone or None
    refund.email_index = blind_index(email_identity(new.email)) if new.email else ""


def take_from(sale: Sale, refund: Refund) -> None:
    """It counts from now on: one conditional update, so that all together are never too much.

    Raises CannotRefund.
    """
    if refund.currency != sale.currency:
        raise OtherCurrency(sale.currency)
    has_enough = Sale.objects.filter(
        pk=sale.pk, voided_at=None, refunded_cents__lte=F("total_cents") - refund.total_cents
    )
    taken = has_enough.update(refunded_cents=F("refunded_cents") + refund.total_cents)
    sale.refresh_from_db(fields=["refunded_cents", "voided_at", "not_delivered"])
    if not taken:
        raise SaleWasVoided if sale.voided_at else MoreThanLeft(sale.left_cents)
    refund.sale, refund.order_id = sale, sale.order_id
    refund.state, refund.reason = State.PROMISED, Reason.NONE


def promise_to_tell(refund: Refund, promise: Callable[..., Any] = enqueue) -> None:
    """Behind the order of its sale; nothing, where the engine is not told of that either."""
    if refund.state != State.PROMISED or (refund.sale and refund.sale.not_delivered):
        return
    promise(
        kind=REFUND,
        key=refund.refund_id,
        installation_id=refund.installation_id,
        payload={"sale": refund.sale_id, "refund": refund.pk},
        order_by=f"sale:{refund.sale_id}" if refund.sale else f"order:{refund.order_id}",
    )


def promise_refunds(sale: Sale) -> None:
    """Of a sale that is told after all: its refunds follow. In that transaction, after its order.

    For a sale that was claimed; `sale.not_delivered` is empty by then. Those that a worker left
    untold before go out now. Raises UnderWay.
    """
    for refund in sale.refunds.filter(state=State.PROMISED).order_by("pk"):
        refund.sale = sale  # as it stands now
        promise_to_tell(refund, enqueue_again)


def facts_of(refund: Refund) -> dict[str, Any]:
    """For the trail."""
    return {
        "refund": refund.pos_id,
        "sale": refund.named_sale,
        "total_cents": refund.total_cents,
        "currency": refund.currency,
        "state": refund.state,
        "reason": refund.reason,
    }


# When its sale comes, is voided, or is found by a manager


def release_waiting(sale: Sale) -> None:
    """Refunds that came before their sale. In the transaction that records it.

    What does not fit is a manager's: the money was given back, and nothing of it is lost.
    """
    waiting = Refund.objects.select_for_update(of=("self",)).filter(
        installation=sale.installation_id, named_sale=sale.pos_id, state=State.WAITING
    )
    for refund in waiting.order_by("recorded_at", "pk"):
        try:
            take_from(sale, refund)
        except MoreThanLeft:
            keep(refund, Reason.TOO_MUCH)
        except OtherCurrency:
            keep(refund, Reason.OTHER_CURRENCY)
        refund.sale, refund.changed_at = sale, Now()
        refund.save(update_fields=["sale", "order_id", "state", "reason", "changed_at"])
        refund.refresh_from_db()
        promise_to_tell(refund)
        log.info("refund.released", refund=refund.pk, state=refund.state, reason=refund.reason)


def refund_what_is_left(sale: Sale) -> None:
    """Its void, after the engine had heard of it. The sale's row is locked."""
    if sale.left_cents == 0 and sale.refunded_cents:
        return
    refund = Refund.objects.create(
        installation_id=sale.installation_id,
        # No id of a POS has this sign.
        refund_id=f"{sale.order_id}~void",
        sale=sale,
        named_sale=sale.pos_id,
        order_id=sale.order_id,
        is_void=True,
        total_cents=sale.left_cents,
        currency=sale.currency,
        state=State.PROMISED,
    )
    Sale.objects.filter(pk=sale.pk).update(refunded_cents=F("total_cents"))
    promise_to_tell(refund)


def withdraw_refunds(sale: Sale) -> None:
    """It was voided before the engine heard of it, so it need not hear of these either."""
    for refund in sale.refunds.filter(state=State.PROMISED):
        withdraw(REFUND, refund.refund_id)
        refund.state, refund.changed_at = State.WITHDRAWN, Now()
        refund.save(update_fields=["state", "changed_at"])


def match(refund: Refund, sale: Sale, who: Who, reason: str) -> None:
    """A manager found the sale of a refund that named none, or none that came.

    Raises CannotMatch where it is settled already or the sale is another POS's, and CannotRefund
    where it does not fit the sale.
    """
    if refund.installation_id != sale.installation_id:
        raise CannotMatch("This sale was made at another installation.")
    with transaction.atomic(durable=True):
        before = facts_of(lock_open(refund))
        take_from(sale, refund)
        settle(refund, named_sale=sale.pos_id)
        promise_to_tell(refund)
        write_down("refund.matched", refund, who, reason, before)


def match_none(refund: Refund, who: Who, reason: str) -> None:
    """A manager found no sale of it: no points are taken back. Raises CannotMatch."""
    with transaction.atomic(durable=True):
        before = facts_of(lock_open(refund))
        keep(refund, Reason.NO_MATCH)
        settle(refund)
        write_down("refund.matched_none", refund, who, reason, before)


def lock_open(refund: Refund) -> Refund:
    """Raises CannotMatch where another was quicker."""
    Refund.objects.select_for_update().get(pk=refund.pk)
    refund.refresh_from_db()
    if refund.state not in MATCHED_FROM or refund.reason == Reason.NO_MATCH:
        raise CannotMatch("This refund is settled already: look how it stands now.")
    return refund


def settle(refund: Refund, **changes: Any) -> None:
    """Whose it is, is known or never will be: who brought it back is kept no longer."""
    refund.email, refund.phone, refund.email_index = None, None, ""
    for name, value in changes.items():
        setattr(refund, name, value)
    refund.changed_at = Now()
    refund.save()
    refund.refresh_from_db()


def write_down(act: str, refund: Refund, who: Who, reason: str, before: dict[str, Any]) -> None:
    where = Where.at(till=refund.till, store=refund.store, installation=refund.installation)
    By(who, where, reason).record(act, refund, before=before, after=facts_of(refund))
    log.info(act, refund=refund.pk)
