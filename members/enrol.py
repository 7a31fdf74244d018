"""Enrolling: a new member is made once, and only where there is none yet."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import transaction

from audit.record import By
from connectors.errors import NotFound
from connectors.yotpo.client import Yotpo
from members.lookup import FoundMember, found
from members.models import Consent, Enrolment, Member
from stores.models import Associate, Store

# Change it whenever the words beside the box change: a consent is to words.
MARKETING_WORDING = "till-2026-11"


@dataclass(frozen=True, slots=True)
class Given:
    """What was agreed to or refused, and the version of the words that were shown for it."""

    purpose: str
    granted: bool
    wording_version: str


@dataclass(frozen=True, slots=True)
class Birthday:
    day: int
    month: int
    year: int | None = None


@dataclass(frozen=True, slots=True)
class NewMember:
    """Checked details of someone who wants to join. `phone` is E.164."""

    email: str
    phone: str | None
    first_name: str | None
    last_name: str | None
    marketing_emails: bool

    @property
    def consents(self) -> tuple[Given, ...]:
        """What the panel's form asks for."""
        return (Given(Consent.Purpose.MARKETING_EMAIL, self.marketing_emails, MARKETING_WORDING),)


def nothing_more(_member: Member) -> None:
    """For an enrolment from which nothing else follows."""


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
    engine: Yotpo,
    new: NewMember,
    *,
    store: Store | None = None,
    associate: Associate | None = None,
    consents: Sequence[Given] | None = None,
    by: By | None = None,
    then: Callable[[Member], object] = nothing_more,
) -> Member:
    """Make the member at the engine and keep what they consented to.

    `consents` where they were asked for elsewhere than in the panel's form; `by` goes into the
    trail; `then` runs in the transaction in which the member is written down. The engine's call is
    an upsert by email, so repeating it makes no second member.
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
        given = new.consents if consents is None else consents
        record_consents(member, given, store, associate)
        if by:
            by.record("member.enrolled", member, after={"consents": list(map(asdict, given))})
        Enrolment.objects.end_waiting_of(member)
        then(member)
    return member


def record_consents(
    member: Member,
    consents: Sequence[Given],
    store: Store | None,
    associate: Associate | None,
    given_at: datetime | None = None,
) -> None:
    """Once for an answer: an enrolment that is sent again adds nothing.

    `given_at` where it was not just now.
    """
    when = {"given_at": given_at} if given_at else {}
    last: dict[str, Given] = {}
    for kept in member.consents.order_by("given_at", "id"):
        last[kept.purpose] = Given(kept.purpose, kept.granted, kept.wording_version)
    Consent.objects.bulk_create(
        Consent(member=member, store=store, associate=associate, **asdict(given), **when)
        for given in consents
        if last.get(given.purpose) != given
    )
