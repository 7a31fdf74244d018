"""The engine tells that a member's figures changed: what we keep of them is read anew.

What it says of them is not taken over, for webhooks come twice, late and out of order. Only members
that we know are read: nobody is written down here for what a webhook says.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now

from connectors.errors import NotFound
from connectors.yotpo.webhook import Event
from members.engine import engine
from members.last_known import batch
from members.lookup import read_member
from members.models import Member
from outbox.errors import NotWanted
from outbox.ledger import enqueue
from outbox.models import Delivery
from stores.models import Installation

MEMBER_READING = "member_reading"
# What is told within such a span makes one reading, after its end: an order brings three webhooks.
SPAN = timedelta(seconds=10)


def figures_changed(event: Event, installation: Installation) -> str:
    """Points earned, opted in or out, another tier, points about to expire. What was done."""
    if not event.email:
        return "names_nobody"
    member = Member.objects.with_email(event.email)
    if member is None:
        return "not_known_here"
    promise_reading(member, installation)
    return "read_anew"


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
        batch.save({found.id: found})
