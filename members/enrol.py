"""Enrolling: a new member is made once, and only where there is none yet."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import structlog
from django.db import transaction

from audit.record import By
from connectors.errors import NotFound, OutsideError
from connectors.yotpo.client import Yotpo
from members.lookup import FoundMember, found
from members.models import Consent, Member
from stores.models import Associate, Store

log = structlog.get_logger(__name__)

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
    birthday: Birthday | None = None,
    by: By | None = None,
) -> Member:
    """Make the member at the engine and keep what they consented to.

    `consents` where they were asked for elsewhere than in the panel's form; `by` goes into the
    trail. The engine's call is an
    upsert by email, so repeating it makes no second member.
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
    if birthday is not None:
        save_birthday(engine, member, birthday)
    return member


def save_birthday(engine: Yotpo, member: Member, birthday: Birthday) -> None:
    """A birthday that the engine does not take stops nobody from joining.

    It does not take that of somebody too new to be read.
    """
    try:
        engine.save_birthday(email=member.email, **asdict(birthday))
    except OutsideError as error:
        log.warning("member.birthday_not_saved", member=str(member.id), error=str(error))


def record_consents(
    member: Member,
    consents: Sequence[Given],
    store: Store | None,
    associate: Associate | None,
) -> None:
    """Once for an answer: an enrolment that is sent again adds nothing."""
    last: dict[str, Given] = {}
    for kept in member.consents.order_by("given_at", "id"):
        last[kept.purpose] = Given(kept.purpose, kept.granted, kept.wording_version)
    Consent.objects.bulk_create(
        Consent(member=member, store=store, associate=associate, **asdict(given))
        for given in consents
        if last.get(given.purpose) != given
    )
