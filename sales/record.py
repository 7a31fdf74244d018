"""Recording what a POS reports: a sale once, its codes used in the same transaction, a void."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from audit.record import By
from database.encryption import blind_index
from database.text import storable
from members.identity import email_identity
from members.models import Member
from outbox.ledger import enqueue, withdraw
from redemptions import delayed
from redemptions.life import void_ticket
from redemptions.models import PendingRedemption
from redemptions.sold import found_since, use_what_was_sold
from redemptions.use import TAKEN, CodeOutcome, Outcome, ask_about_odd, unuse, use
from sales.agreement import sale_agrees
from sales.conflicts import note_conflict
from sales.errors import NoSuchSale, OtherContent
from sales.fingerprint import differing, fingerprint
from sales.models import ORDER, Conflict, Sale
from sales.origins import origin_of, rule_that_holds
from sales.refunds import hold_sale, refund_what_is_left, release_waiting, withdraw_refunds
from sales.twins import find_twin
from stores.models import Installation
from stores.places import Place

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewSale:
    """A sale as a POS tells it. Cents are whole and after discounts; the time is aware."""

    pos_id: str
    completed_at: datetime
    total_cents: int
    currency: str
    ticket: str = ""
    discount_cents: int | None = None
    email: str = ""
    phone: str = ""
    """E.164."""
    coupon_codes: tuple[str, ...] = ()
    items: tuple[dict[str, Any], ...] = ()
    origin: str = ""
    online_order_id: str = ""
    told: dict[str, Any] = field(default_factory=dict)
    """What else it said, known to us or not."""

    def fingerprint(self) -> str:
        return fingerprint(self)


@dataclass(frozen=True, slots=True)
class Recorded:
    sale: Sale
    is_new: bool


def record(
    installation: Installation, new: NewSale, place: Place, *, by: By | None = None
) -> Recorded:
    """Record it once, use its codes, and promise the engine its order: all or nothing.

    `by` goes into the trail. The same again gives what is there. Raises OtherContent for the same
    id with other content.
    """
    texts = ("coupon_codes", "items", "origin", "told")
    new = replace(new, **{name: storable(getattr(new, name)) for name in texts})
    there = find_sale(installation, new.pos_id)
    if there is None:
        try:
            with transaction.atomic(durable=True):
                sale = write(installation, new, place)
                if by:
                    by.record("sale.recorded", sale, after=facts_of(sale))
            if has_unknown_code(sale):
                use_what_was_sold()
            return Recorded(sale, is_new=True)
        except IntegrityError:
            # Told twice at the same time: the other one won.
            there = find_sale(installation, new.pos_id)
            if there is None:
                raise
    if there.content != new.fingerprint() and not (there.from_file and sale_agrees(there, new)):
        note_conflict(installation, Conflict.Subject.SALE, new, differing(plain_facts(new), there))
        raise OtherContent
    return Recorded(there, is_new=False)


def find_sale(installation: Installation, pos_id: str) -> Sale | None:
    sales = Sale.objects.select_related("installation")
    return sales.filter(installation=installation, pos_id=pos_id).first()


def plain_facts(new: NewSale) -> dict[str, Any]:
    return {
        "ticket": new.ticket,
        "completed_at": new.completed_at,
        "total_cents": new.total_cents,
        "discount_cents": new.discount_cents,
        "currency": new.currency,
        "items": list(new.items),
        "origin": new.origin,
    }


def write(
    installation: Installation,
    new: NewSale,
    place: Place,
    *,
    from_file: bool = False,
    tells_engine: bool = True,
) -> Sale:
    """In the caller's transaction. Raises IntegrityError where it is there."""
    hold_sale(installation, new.pos_id)
    sale = Sale(
        installation=installation,
        pos_id=new.pos_id,
        order_id=order_id_of(installation, new.pos_id),
        store=place.store,
        till=place.till,
        associate=place.associate,
        told=new.told,
        content=new.fingerprint(),
        from_file=from_file,
        **plain_facts(new),
    )
    codes = use(new.coupon_codes, sale.order_id)
    name_buyer(sale, new, codes)
    codes = [of_another(code, sale) for code in codes]
    sale.coupon_codes = [told_of(code) for code in codes]
    keep_from_engine(sale, new)
    if not tells_engine and sale.not_delivered in {"", Sale.NotDelivered.NOBODY}:
        sale.not_delivered = Sale.NotDelivered.HISTORY  # which nobody claims either
    if sale.not_delivered != Sale.NotDelivered.SAME_ORDER:  # the other one has the same codes
        for code in codes:
            ask_about_odd(code)
    sale.save(force_insert=True)
    if not sale.not_delivered:
        promise_order(sale)
    else:
        delayed.note_told(sale.order_id)
    release_waiting(sale)
    log.info(
        "sale.recorded",
        sale=sale.pk,
        not_delivered=sale.not_delivered,
        rule=sale.rule,
        codes=len(codes),
    )
    return sale


def promise_order(sale: Sale, promise: Callable[..., Any] = enqueue) -> None:
    """Its order is told under its own id; what is told of the sale later waits behind it."""
    promise(
        kind=ORDER,
        key=sale.order_id,
        installation_id=sale.installation_id,
        payload=sale.facts(),
        order_by=f"sale:{sale.pk}",
    )


def order_id_of(installation: Installation, pos_id: str) -> str:
    """Two POSes of one merchant may number alike, so each has a prefix; the first one's is empty.

    Where that makes another installation's id nevertheless, as "A-" and "11" do of "A-1" and "1",
    it gets a sign between that neither ids nor prefixes can have.
    """
    order_id = f"{installation.order_prefix}{pos_id}"
    others = Sale.objects.exclude(installation=installation)
    return f"{installation.pk}~{pos_id}" if others.filter(order_id=order_id).exists() else order_id


def facts_of(sale: Sale) -> dict[str, Any]:
    """For the trail: what it was, and what became of the redemptions that it used."""
    return {
        "sale": sale.pos_id,
        "total_cents": sale.total_cents,
        "currency": sale.currency,
        "redemptions": {
            told["redemption"]: told["outcome"]
            for told in sale.coupon_codes
            if "redemption" in told
        },
    }


def told_of(code: CodeOutcome) -> dict[str, str]:
    told = {"code": code.code, "outcome": code.outcome.value}
    if code.redemption is None:
        return told
    return told | {"redemption": str(code.redemption.id), "at_engine": code.redemption.code}


def has_unknown_code(sale: Sale) -> bool:
    """By what was known when it came."""
    return any(told["outcome"] == Outcome.UNKNOWN for told in sale.coupon_codes)


def codes_by_now(sale: Sale) -> list[dict[str, str]]:
    """The sale's codes, with what became of those that nobody knew when it came."""
    if not has_unknown_code(sale):
        return list(sale.coupon_codes)
    found = found_since(sale.order_id)
    return [
        told_of(CodeOutcome(told["code"], Outcome(found[key].outcome), found[key].redemption))
        if told["outcome"] == Outcome.UNKNOWN and (key := told["code"].upper()) in found
        else told
        for told in sale.coupon_codes
    ]


def name_buyer(sale: Sale, new: NewSale, codes: list[CodeOutcome]) -> None:
    """By email, else by the member whose code was taken, else by phone, which the engine reads."""
    if new.email:
        sale.email_index = blind_index(email_identity(new.email))
        sale.member = Member.objects.filter(email_index=sale.email_index).first()
        if sale.member is None:
            sale.email = new.email
        return
    redeemed = [c.redemption for c in codes if c.redemption and c.outcome in TAKEN]
    if redeemed:
        sale.member = redeemed[0].member
    elif new.phone:
        sale.phone = new.phone


def of_another(code: CodeOutcome, sale: Sale) -> CodeOutcome:
    """The discount was given, so it stays used; but its points were not this buyer's."""
    if code.redemption is None or code.outcome not in TAKEN:
        return code
    buyer = sale.member.email_index if sale.member else sale.email_index
    is_theirs = not buyer or code.redemption.member.email_index == buyer
    return code if is_theirs else replace(code, outcome=Outcome.ANOTHER_MEMBERS)


def keep_from_engine(sale: Sale, new: NewSale) -> None:
    """Where it must not hear of it: why. A sale of nothing is told as well, for its codes."""
    rule = rule_that_holds(sale.installation.origin_rules.all(), origin_of(new))
    if rule:
        sale.not_delivered, sale.rule = Sale.NotDelivered.EXCLUDED_ORIGIN, str(rule)
    elif new.online_order_id:
        sale.not_delivered = Sale.NotDelivered.ONLINE_ORDER
    elif not (sale.member or sale.email or sale.phone):
        sale.not_delivered = Sale.NotDelivered.NOBODY
    elif twin := find_twin(sale):
        sale.not_delivered, sale.same_as = Sale.NotDelivered.SAME_ORDER, twin


@dataclass(frozen=True, slots=True)
class Voided:
    """`sale` is None where only an open ticket was voided."""

    sale: Sale | None
    codes: list[PendingRedemption]
    refund: bool
    """The engine heard of the sale before, so it is told of a refund of what was left."""


def void(
    installation: Installation, pos_id: str, reason: str = "", *, by: By | None = None
) -> Voided:
    """Take a sale back, or an open ticket where there is no sale of that id.

    Before the order's first attempt its delivery is withdrawn and its codes go back; after it, the
    engine is told of a refund of what is left. A second void gives the same. `by` goes into the
    trail. Raises NoSuchSale.
    """
    with transaction.atomic(durable=True):
        sales = Sale.objects.select_for_update(of=("self",)).select_related("installation")
        sale = sales.filter(installation=installation, pos_id=pos_id).first()
        if sale is not None:
            return void_sale(sale, reason, by)
        codes = void_ticket(installation, pos_id, by=by)
    if not codes:
        raise NoSuchSale
    return Voided(None, codes, refund=False)


def void_sale(sale: Sale, reason: str, by: By | None) -> Voided:
    if sale.voided_at is None:
        untold = bool(sale.not_delivered) or withdraw(ORDER, sale.order_id)
        if untold:
            unuse(sale.order_id)
            withdraw_refunds(sale)
            sale.not_delivered = sale.not_delivered or Sale.NotDelivered.VOIDED
        else:
            refund_what_is_left(sale)
        Sale.objects.filter(pk=sale.pk).update(
            voided_at=Now(), void_reason=reason[:200], not_delivered=sale.not_delivered
        )
        sale.refresh_from_db()
        if by:
            refund = {"refund": not untold}
            by.record("sale.voided", sale, before=facts_of(sale), after=refund)
        log.info("sale.voided", sale=sale.pk, refund=not untold)
    return Voided(sale, codes_of(sale), refund=not sale.not_delivered)


def codes_of(sale: Sale) -> list[PendingRedemption]:
    """Those of its codes that were made here. A code can come again, so not by their text."""
    made_here = [told["redemption"] for told in codes_by_now(sale) if "redemption" in told]
    rows = PendingRedemption.objects.select_related("member", "installation")
    return list(rows.filter(pk__in=made_here).order_by("requested_at"))
