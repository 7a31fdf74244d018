"""The engine tells that a member's figures changed: what we keep of them is read anew.

What it says of them is not taken over, for webhooks come twice, late and out of order. Only members
whom a till looked up of late are read: a campaign concerns many more, and nobody is written down
here for what a webhook says.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now

from connectors.errors import NotFound
from connectors.yotpo.webhook import Event
from members.engine import engine
from members.last_known import renew, was_looked_up
from members.lookup import read_member
from members.models import Member
from outbox.errors import NotWanted
from outbox.ledger import enqueue, is_pending
from outbox.models import Delivery
from stores.models import Installation

MEMBER_READING = "member_reading"
# What is told within such a span makes one reading, after its end: an order brings three webhooks.
SPAN = timedelta(seconds=10)
# Of others no till shows figures while the engine is out of reach, or very seldom.
LATELY = timedelta(days=30)


def figures_changed(event: Event, installation: Installation) -> str:
    """Points earned, opted in or out, another tier, points about to expire. What was done."""
    if not event.email:
        return "names_nobody"
    member = Member.objects.with_email(event.email)
    if member is None:
        return "not_known_here"
    if not was_looked_up(member, LATELY):
        return "not_looked_up_lately"
    if is_pending(MEMBER_READING, flight_of(member.pk)):
        return "is_to_be_read"
    promise_reading(member, installation)
    return "read_anew"


def flight_of(member_id: object) -> str:
    return f"reading:{member_id}"


def flight_of_reading(delivery: Delivery) -> str:
    """An older answer must not be written over a newer one."""
    return flight_of(delivery.payload["member"])


def promise_reading(member: Member, installation: Installation) -> None:
    """One for each span of time, due when it is over."""
    now: datetime = Member.objects.filter(pk=member.pk).values_list(Now(), flat=True).get()
    span = int(now.timestamp() // SPAN.total_seconds())
    end = (span + 1) * SPAN.total_seconds() - now.timestamp()
    with transaction.atomic():
        enqueue(
            kind=MEMBER_READING,
            key=f"{member.pk}-{span}",
            installation_id=installation.pk,
            payload={"member": str(member.pk)},
            due_in=timedelta(seconds=end),
        )


def read_anew(delivery: Delivery) -> None:
    """The outbox's call. Raises the connector's errors; NotWanted where nobody is there now."""
    member = Member.objects.filter(pk=delivery.payload["member"]).first()
    if member is None:
        raise NotWanted
    try:
        found = read_member(engine(), member)
    except NotFound:
        raise NotWanted from None
    if found.id is not None:
        renew(found.id, found)
