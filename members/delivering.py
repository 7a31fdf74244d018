"""Bringing a kept enrolment, and a birthday, to the engine: what the outbox's routes call."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from audit.record import By, Where, Who
from connectors.errors import NotFound, Unavailable
from connectors.yotpo.client import Yotpo
from connectors.yotpo.payloads import Customer
from members.engine import engine
from members.enrol import record_consents
from members.keeping import Details, details_json, promise_birthday, read_details
from members.models import Enrolment, Member
from outbox.errors import NotWanted
from outbox.models import Delivery

# So often the engine may not know a new customer yet; the pauses grow to five minutes.
TOO_NEW_TRIES = 30
# What an enrolment adds to somebody whom the engine has already.
ADDED = {"phone": "phone", "first_name": "first_name", "last_name": "last_name"}


def tell_enrolment(delivery: Delivery) -> None:
    """Make the member or, where there is one by now, add what is missing and change nothing.

    Raises NotWanted for one that ended, or of which a newer version is told.
    """
    row = waiting_row(delivery)
    if row is None:
        raise NotWanted
    details, client = read_details(row), engine()
    there = customer_of(client, details)
    if there is None:
        told = {name: getattr(details, name) for name in ADDED}
        client.save_customer(email=details.email, opted_in=True, **told)
    elif missing := missing_at(there, details):
        client.save_customer(email=there.email or details.email, **missing)


def is_enrolment_seen(delivery: Delivery) -> bool:
    row = waiting_row(delivery)
    if row is None:
        return False  # then it is tried again, and found not to be wanted
    details = read_details(row)
    there = customer_of(engine(), details)
    return there is not None and not missing_at(there, details)


def waiting_row(delivery: Delivery) -> Enrolment | None:
    """The row, if it waits in the very version that this delivery tells."""
    rows = Enrolment.objects.select_related("installation", "store", "associate", "member")
    return rows.filter(
        pk=delivery.payload["enrolment"],
        version=delivery.payload["version"],
        state=Enrolment.State.WAITING,
    ).first()


def customer_of(client: Yotpo, details: Details) -> Customer | None:
    try:
        return client.customer(email=details.email)
    except NotFound:
        return None


def missing_at(there: Customer, details: Details) -> Mapping[str, Any]:
    """What we were told and the engine does not have."""
    return {
        name: told
        for name in ADDED
        if (told := getattr(details, name)) is not None and getattr(there, name) is None
    }


def note_enrolled(delivery: Delivery) -> None:
    """They are a member: keep what they consented to, owe their birthday, forget the rest."""
    row = waiting_row(delivery)
    if row is None:
        return
    details = read_details(row)
    member = Member.objects.seen(details.email)
    record_consents(member, details.consents, row.store, row.associate, given_at=row.asked_at)
    left = None
    if details.birthday is not None:
        owed = Details(email=member.email, birthday=details.birthday)
        left = details_json.dump_json(owed).decode()
        promise_birthday(row)
    itself = Enrolment.objects.filter(pk=row.pk)
    itself.end(Enrolment.State.ENROLLED, member=member, details=left)
    worker = By(Who.machine("worker"), Where.at(store=row.store, installation=row.installation))
    worker.record("member.enrolled", member, after={"enrolment": str(row.pk)})


def tell_birthday(delivery: Delivery) -> None:
    """A customer who is too new to be read is tried again; NotFound only after long."""
    row = Enrolment.objects.get(pk=delivery.payload["enrolment"])
    if row.details is None:
        raise NotWanted
    details = read_details(row)
    if details.birthday is None:
        raise NotWanted
    try:
        engine().save_birthday(email=details.email, **asdict(details.birthday))
    except NotFound as error:
        if delivery.attempts >= TOO_NEW_TRIES:
            raise
        call = (error.system, error.method, error.path, error.status)
        raise Unavailable(*call, reason="too_new") from None


def note_birthday(delivery: Delivery) -> None:
    Enrolment.objects.filter(pk=delivery.payload["enrolment"]).update(details=None)


def flight_of_enrolment(delivery: Delivery) -> str:
    """Of one person only one is under way."""
    return f"enrolment:{delivery.payload['enrolment']}"
