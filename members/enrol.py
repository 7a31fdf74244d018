"""Enrolling: a new member is made once, and only where there is none yet."""

from dataclasses import dataclass

from django.db import transaction

from connectors.errors import NotFound
from connectors.yotpo.client import Yotpo
from members.lookup import FoundMember, found
from members.models import Consent, Member
from stores.models import Associate, Store

# Change it whenever the words beside the box change: a consent is to words.
MARKETING_WORDING = "till-2026-11"


@dataclass(frozen=True, slots=True)
class NewMember:
    """Checked details of someone who wants to join. `phone` is E.164."""

    email: str
    phone: str | None
    first_name: str | None
    last_name: str | None
    marketing_emails: bool


def find_twin(engine: Yotpo, new: NewMember) -> tuple[FoundMember | None, bool]:
    """Who is at the engine already, and whether by this very email.

    A shared phone is no proof of a twin, so that one is for the associate to judge.
    Raises Unavailable, Throttled, Misconfigured or Refused.
    """
    try:
        return found(engine.customer(email=new.email)), True
    except NotFound:
        pass
    if new.phone is None:
        return None, False
    try:
        return found(engine.customer(phone=new.phone)), False
    except NotFound:
        return None, False


def enrol(
    engine: Yotpo, new: NewMember, *, store: Store | None = None, associate: Associate | None = None
) -> Member:
    """Make the member at the engine and keep what they consented to.

    The engine's call is an upsert by email, so repeating it makes no second member.
    Raises Unavailable, Throttled, Misconfigured, Refused or ReplyLost; nothing is kept then.
    """
    engine.save_customer(
        email=new.email,
        phone=new.phone,
        first_name=new.first_name,
        last_name=new.last_name,
        opted_in=True,
    )
    with transaction.atomic():
        member = Member.objects.seen(new.email)
        record_consent(member, new, store, associate)
    return member


def record_consent(
    member: Member, new: NewMember, store: Store | None, associate: Associate | None
) -> None:
    """Once for an answer: an enrolment that is sent again adds nothing."""
    last = member.consents.filter(purpose=Consent.Purpose.MARKETING_EMAIL).first()
    if last and (last.granted, last.wording_version) == (new.marketing_emails, MARKETING_WORDING):
        return
    member.consents.create(
        purpose=Consent.Purpose.MARKETING_EMAIL,
        granted=new.marketing_emails,
        wording_version=MARKETING_WORDING,
        store=store,
        associate=associate,
    )
