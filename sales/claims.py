"""Sales without a known member: whose they are is said later, by a person, and once.

A manager claims one for whomever it is. A till attaches one for a shopper who enrolled after
paying, or forgot to say who they are: within what the installation allows, so that nobody gathers
strangers' sales. Either way the engine is told then, under the id that the order would have had.
"""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Least, Now

from audit.models import Entry
from audit.record import By, Where, Who, record
from connectors.errors import NotFound
from database.encryption import blind_index
from database.holding import hold
from members.engine import engine
from members.identity import email_identity
from members.models import Member
from outbox.errors import UnderWay
from outbox.ledger import enqueue_again
from sales.errors import CannotAttach, NotNow, NotToBeClaimed
from sales.models import Claim, Sale
from sales.record import promise_order
from sales.refunds import promise_refunds
from sales.twins import find_twin
from stores.models import Installation
from stores.places import Place

log = structlog.get_logger(__name__)

WITHOUT_MEMBER = (Sale.NotDelivered.NOBODY, Sale.NotDelivered.UNKNOWN_MEMBER)
A_DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Said:
    """Who says whose it is, where, and why."""

    how: Claim.How
    place: Place
    by: By


def to_be_claimed() -> Q:
    return Q(not_delivered__in=WITHOUT_MEMBER, voided_at=None)


def claim(sale: Sale, member: Member, who: Who, reason: str) -> Claim:
    """A manager says whose it is. Raises NotToBeClaimed, and NotNow while a worker is at it."""
    where = Where.at(till=sale.till, store=sale.store, installation=sale.installation)
    said = Said(Claim.How.MANAGER, Place(None, None, None), By(who, where, reason))
    with transaction.atomic(durable=True):
        return settle(sale, member, said)


def attach(sale: Sale, member: Member, place: Place, by: By) -> Claim:
    """A till says whose it is. The same for the same member again gives what is there.

    Asks the engine whose phone it is where the sale names one. Raises NotToBeClaimed, CannotAttach,
    NotNow, and the connector's OutsideError, before anything is changed. What a till may not stands
    in the trail, too.
    """
    earlier = Claim.objects.filter(sale=sale, member=member).first()
    if earlier is not None:
        return earlier
    try:
        check_can_attach(sale, member, place)
        with transaction.atomic(durable=True):
            check_daily_limit(sale.installation, place)
            return settle(sale, member, Said(Claim.How.TILL, place, by))
    except CannotAttach as error:
        record(
            act="sale.attached",
            who=by.who,
            subject=sale,
            where=by.where,
            outcome=Entry.Outcome.REFUSED,
            after={"member": str(member.pk)},
            reason=str(error),
        )
        raise


def settle(sale: Sale, member: Member, said: Said) -> Claim:
    """Of two at once the later one finds it claimed. Raises NotToBeClaimed and NotNow."""
    is_ours = Sale.objects.filter(to_be_claimed(), pk=sale.pk).update(
        member=member, not_delivered="", email=None, phone=None, email_index=""
    )
    if not is_ours or Claim.objects.filter(sale=sale).exists():
        raise NotToBeClaimed(why_not_to_be_claimed(Sale.objects.get(pk=sale.pk)))
    why_kept = sale.not_delivered
    sale.refresh_from_db()
    check_told_nowhere_else(sale)
    made = Claim.objects.create(
        sale=sale,
        member=member,
        how=said.how,
        installation=sale.installation,
        store=said.place.store,
        till=said.place.till,
        associate=said.place.associate,
        by=said.by.who.name,
        reason=said.by.reason[:200],
    )
    promise_after_all(sale)
    act = "sale.claimed" if said.how == Claim.How.MANAGER else "sale.attached"
    after = {"sale": sale.pos_id, "member": str(member.pk), "total_cents": sale.total_cents}
    said.by.record(act, sale, before={"not_delivered": why_kept}, after=after)
    log.info(act, sale=sale.pk, claim=made.pk)
    return made


def check_told_nowhere_else(sale: Sale) -> None:
    """Now that it has a buyer: another installation may have told of the same order.

    Raises NotToBeClaimed.
    """
    twin = find_twin(sale)
    if twin:
        raise NotToBeClaimed(
            f"{twin.installation} told of the same order, as sale {twin.pos_id}: it counts there."
        )


def promise_after_all(sale: Sale) -> None:
    """Its order, and its refunds, which waited with it. Raises NotNow."""
    try:
        promise_order(sale, enqueue_again)
        promise_refunds(sale)
    except UnderWay:
        raise NotNow from None


def why_not_to_be_claimed(sale: Sale) -> str:
    if sale.voided_at:
        return "This sale was voided."
    if Claim.objects.filter(sale=sale).exists():
        return "Somebody has said whose this sale is: look how it stands now."
    if not sale.not_delivered:
        return "This sale has a member."
    return f"This sale is not told to the loyalty system: {sale.get_not_delivered_display()}."


# What a till may


def check_can_attach(sale: Sale, member: Member, place: Place) -> None:
    """Raises NotToBeClaimed or CannotAttach, and the connector's OutsideError."""
    found = Sale.objects.filter(pk=sale.pk)
    if not found.filter(to_be_claimed()).exists():
        raise NotToBeClaimed(why_not_to_be_claimed(sale))
    days = sale.installation.attach_within_days
    if days == 0:
        raise CannotAttach("Sales are not attached at tills here. Ask a manager to claim it.")
    # A till's clock may be wrong, and a file of old sales is recorded long after they were made.
    made_at = Least("completed_at", "recorded_at")
    if not found.alias(made_at=made_at).filter(made_at__gte=Now() - days * A_DAY).exists():
        raise CannotAttach(
            f"This sale is older than {days} days. A manager can claim it in the admin."
        )
    if place.store and sale.store_id not in {None, place.store.pk}:
        raise CannotAttach("This sale was made in another store. A manager can claim it.")
    if not names_nobody_else(sale, member):
        raise CannotAttach(
            "This sale names an email or a phone number that is not this member's. A manager can "
            "claim it in the admin."
        )


def names_nobody_else(sale: Sale, member: Member) -> bool:
    """Whether the email or phone that was told with the sale is the member's, where one was."""
    if sale.email:
        return blind_index(email_identity(sale.email)) == member.email_index
    if not sale.phone:
        return True
    try:
        owner = engine().customer(phone=sale.phone)
    except NotFound:
        return False
    return blind_index(email_identity(owner.email or "")) == member.email_index


def check_daily_limit(installation: Installation, place: Place) -> None:
    """Raises CannotAttach. Of one associate's two at once the later one counts the other."""
    associate = place.associate
    hold(f"attach {installation.pk} {associate.pk if associate else ''}")
    attached = Claim.objects.filter(
        installation=installation,
        how=Claim.How.TILL,
        associate=associate,
        claimed_at__gt=Now() - A_DAY,
    ).count()
    if attached >= installation.attach_daily_limit:
        log.warning("sale.attached_too_often", associate=associate.pk if associate else None)
        raise CannotAttach(
            f"You have attached {attached} sales within a day, which is as many as one may. A "
            "manager can claim this one in the admin."
        )


def sales_of(member: Member, place: Place, installation: Installation) -> QuerySet[Sale]:
    """Sales that named this member's email before they were one: for a till to offer.

    Newest first, and only what may be attached there.
    """
    days = installation.attach_within_days
    sales = Sale.objects.filter(
        to_be_claimed(), installation=installation, email_index=member.email_index
    ).alias(made_at=Least("completed_at", "recorded_at"))
    if place.store:
        sales = sales.filter(Q(store=None) | Q(store=place.store))
    return sales.filter(made_at__gte=Now() - days * A_DAY).order_by("-completed_at")
