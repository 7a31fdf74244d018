"""Telling the engine of a sale: what the outbox's routes call."""

import structlog
from django.conf import settings
from django.db import transaction

from connectors.errors import NotFound
from connectors.yotpo.client import Yotpo
from connectors.yotpo.orders import Order
from connectors.yotpo.payloads import Customer
from database.encryption import blind_index
from members.engine import engine
from members.models import Member
from outbox.errors import NotWanted
from outbox.models import Delivery
from redemptions import delayed
from redemptions.use import Outcome
from sales.items import order_items
from sales.models import Sale
from sales.record import codes_by_now
from sales.twins import find_twin

log = structlog.get_logger(__name__)


def tell_order(delivery: Delivery) -> None:
    """Raises NotWanted where the engine knows nobody by the buyer's email or phone."""
    sale = sale_of(delivery)
    client = engine()
    if sale.member is None:
        name_buyer(sale, read_buyer(client, sale))
    if sale.member is None:
        raise NotWanted
    client.create_order(order_of(sale, sale.member), asked_at=delivery.asked_at)


def note_told(delivery: Delivery) -> None:
    """The engine took the order: the points of its delayed codes go now."""
    delayed.note_told(sale_of(delivery).order_id)


def sale_of(delivery: Delivery) -> Sale:
    sales = Sale.objects.select_related("member", "installation", "store", "associate")
    return sales.get(pk=delivery.payload["sale"])


def read_buyer(client: Yotpo, sale: Sale) -> Customer:
    """Who bought it, by the engine. Raises NotWanted for one whom it does not know."""
    try:
        if sale.member is not None:
            return client.customer(email=sale.member.email)
        if sale.email:
            return client.customer(email=sale.email)
        return client.customer(phone=sale.phone)
    except NotFound:
        keep_to_be_claimed(sale)
        raise NotWanted from None


def name_buyer(sale: Sale, buyer: Customer) -> None:
    """Raises NotWanted for one without an email, and where the engine has it from elsewhere."""
    if not buyer.email:
        keep_to_be_claimed(sale)
        raise NotWanted
    sale.member = Member.objects.seen(buyer.email)
    sale.email = sale.phone = None
    with transaction.atomic():
        # Two copies may have named one buyer in two ways, which only shows now.
        twin = find_twin(sale)
        if twin:
            sale.not_delivered, sale.same_as = Sale.NotDelivered.SAME_ORDER, twin
            delayed.note_told(sale.order_id)
        sale.save(update_fields=["member", "email", "phone", "not_delivered", "same_as"])
    if twin:
        raise NotWanted


def note_before(delivery: Delivery) -> None:
    """How the buyer stands before each attempt: a lost answer is read by it.

    An earlier attempt is known to have come to nothing, and others of the buyer may lie between.
    Raises NotWanted for a buyer whom the engine does not know.
    """
    sale = sale_of(delivery)
    buyer = read_buyer(engine(), sale)
    if sale.member is None:
        name_buyer(sale, buyer)
    sale.purchases_before = buyer.total_purchases
    sale.spent_cents_before = buyer.total_spend_cents
    sale.save(update_fields=["purchases_before", "spent_cents_before"])


def keep_to_be_claimed(sale: Sale) -> None:
    """An order would enrol a stranger without their consent."""
    with transaction.atomic():
        Sale.objects.filter(pk=sale.pk).update(not_delivered=Sale.NotDelivered.UNKNOWN_MEMBER)
        delayed.note_told(sale.order_id)
    log.info("sale.kept_to_be_claimed", sale=sale.pk)


def order_of(sale: Sale, member: Member) -> Order:
    return Order(
        order_id=sale.order_id,
        email=member.email,
        total_cents=sale.total_cents,
        currency=sale.currency,
        status=sale.installation.status_sent,
        completed_at=sale.completed_at,
        coupon_codes=codes_of(sale),
        discount_cents=sale.discount_cents,
        items=order_items(sale),
        ignore_ip_ua=sale.installation.ignore_ip_ua,
        **told_of_place(sale),
    )


def told_of_place(sale: Sale) -> dict[str, str]:
    """Where it was made and by whom, as far as the POS and the admin say."""
    told: dict[str, str] = {}
    if store := sale.store:
        told |= {"store": store.address or store.name, "city": store.city, "state": store.state}
    if associate := sale.associate:
        told |= {"associate": associate.code, "associate_name": associate.name}
    return told


def codes_of(sale: Sale) -> tuple[str, ...]:
    """Each once, and as the engine wrote it: a till may have typed other capitals.

    Not one that an earlier sale had used: the engine would take it for this sale's where this order
    comes first, and a refund of the earlier one would not give its points back.
    """
    ours = [code for code in codes_by_now(sale) if code["outcome"] != Outcome.USED_BEFORE]
    return tuple(dict.fromkeys(code.get("at_engine", code["code"]) for code in ours))


def is_order_seen(delivery: Delivery) -> bool | None:
    """After a lost answer: whether the buyer's purchases grew by just this one.

    None where reading can't tell: nothing was noted before, or another purchase came between.
    """
    sale = sale_of(delivery)
    if sale.member is None or sale.purchases_before is None:
        return None
    now = engine().customer(email=sale.member.email)
    if now.total_purchases is None or now.total_purchases < sale.purchases_before:
        return None
    more = now.total_purchases - sale.purchases_before
    spent = (now.total_spend_cents or 0) - (sale.spent_cents_before or 0)
    if more == 0:
        return False
    return True if more == 1 and spent == sale.total_cents else None


def flight_of_order(delivery: Delivery) -> str:
    """Of one buyer only one is under way where the engine's ids can't be relied on.

    By email, whether or not we know the member yet; by phone, where there is nothing else.
    """
    if settings.ENGINE_KEYS_ORDERS:
        return ""
    sale = Sale.objects.select_related("member").get(pk=delivery.payload["sale"])
    email_index = sale.member.email_index if sale.member else sale.email_index
    return f"email:{email_index}" if email_index else f"phone:{blind_index(sale.phone or '')}"
