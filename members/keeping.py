"""Enrolments that are kept while the engine is out of reach: written, merged, mended, dropped.

An email waits once: whoever enrols it again adds to what is kept. Each change is a new version of
the row with a delivery of its own; one of an older version has nothing to tell any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from pydantic import TypeAdapter

from audit.record import By
from database.encryption import blind_index
from members.enrol import Birthday, Given, NewMember
from members.identity import Identity, email_identity
from members.lookup import FoundMember
from members.models import Enrolment, Member
from outbox.ledger import enqueue, find, send_again, withdraw
from outbox.models import Delivery
from outbox.states import State as DeliveryState
from stores.models import Associate, Installation, Store

log = structlog.get_logger(__name__)

ENROLMENT = "enrolment"
BIRTHDAY = "birthday"
# The engine shows a new customer after some seconds, and takes no birthday before.
SHOWN_AFTER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Details:
    """What was typed and checked. `phone` is E.164; None is what nobody told."""

    email: str
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    consents: tuple[Given, ...] = ()
    birthday: Birthday | None = None

    def with_newer(self, newer: "Details") -> "Details":
        """What was typed later counts, and nothing that was told before is lost."""
        told = {
            field.name: value
            for field in fields(newer)
            if field.name != "consents" and (value := getattr(newer, field.name)) is not None
        }
        by_purpose = {given.purpose: given for given in (*self.consents, *newer.consents)}
        return replace(self, **told, consents=tuple(by_purpose.values()))


details_json = TypeAdapter(Details)


class AlreadyWaiting(Exception):
    """Another enrolment waits under this email."""


def keep(
    new: NewMember,
    *,
    installation: Installation,
    store: Store | None = None,
    associate: Associate | None = None,
    consents: Sequence[Given] | None = None,
    birthday: Birthday | None = None,
    by: By | None = None,
) -> Enrolment:
    """Promise that they become a member when the engine answers. `by` goes into the trail."""
    details = Details(
        email=new.email,
        phone=new.phone,
        first_name=new.first_name,
        last_name=new.last_name,
        consents=tuple(new.consents if consents is None else consents),
        birthday=birthday,
    )
    row = Enrolment(installation=installation, store=store, associate=associate)
    with transaction.atomic():
        there = locked(details.email) or write(row, details)
        if there is not None:
            row, changed = there, add(there, details)
        if by and (there is None or changed):
            by.record("enrolment.kept", row, after={"version": row.version})
    log.info("enrolment.kept", enrolment=str(row.id), version=row.version)
    return row


def locked(email: str) -> Enrolment | None:
    """The one that waits under this email, held until the transaction ends."""
    index = blind_index(email_identity(email))
    rows = Enrolment.objects.select_for_update(of=("self",))
    return rows.filter(state=Enrolment.State.WAITING, email_index=index).first()


def write(row: Enrolment, details: Details) -> Enrolment | None:
    """Write a new one; the one that somebody else wrote in the same moment, where there is one."""
    fill(row, details)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        there = locked(details.email)
        if there is None:
            raise
        return there
    row.refresh_from_db()
    promise(row)
    return None


def add(row: Enrolment, details: Details) -> bool:
    """Whether that changed anything."""
    known = read_details(row)
    wanted = known.with_newer(details)
    if wanted != known:
        change(row, wanted)
    return wanted != known


def change(row: Enrolment, details: Details) -> None:
    """Write a new version and promise it. Raises AlreadyWaiting; for a transaction."""
    old = delivery_key(row)
    fill(row, details)
    row.version += 1
    row.asked_at = Now()
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise AlreadyWaiting("Somebody else waits to be enrolled under this email.") from None
    row.refresh_from_db()
    promise(row)
    end_delivery(old)


def fill(row: Enrolment, details: Details) -> None:
    row.details = details_json.dump_json(details).decode()
    row.email_index = blind_index(email_identity(details.email))
    row.phone_index = blind_index(details.phone) if details.phone else ""


def read_details(row: Enrolment) -> Details:
    """Raises ValueError for one that was emptied."""
    if row.details is None:
        raise ValueError("Nothing is kept of this enrolment any more.")
    return details_json.validate_json(row.details)


def delivery_key(row: Enrolment) -> str:
    return f"{row.pk}-{row.version}"


def promise(row: Enrolment) -> None:
    enqueue(
        kind=ENROLMENT,
        key=delivery_key(row),
        installation_id=row.installation_id,
        payload={"enrolment": str(row.pk), "version": row.version},
    )


def end_delivery(key: str) -> None:
    """It has nothing to tell any more: one that waits for a person finds that out, too."""
    delivery = find(ENROLMENT, key)
    if delivery is not None and delivery.state == DeliveryState.PARKED:
        send_again(delivery)
    elif delivery is not None:
        withdraw(ENROLMENT, key)


def drop(row: Enrolment, by: By) -> bool:
    """A manager decides that one which the engine refused is not enrolled: nothing of it is kept.

    False where it does not wait for a person any more.
    """
    with transaction.atomic():
        waiting = parked(row)
        if waiting is None:
            return False
        Enrolment.objects.filter(pk=row.pk).end(Enrolment.State.DROPPED)
        by.record("enrolment.dropped", waiting, before={"version": waiting.version})
        end_delivery(delivery_key(waiting))
    log.info("enrolment.dropped", enrolment=str(row.id))
    return True


def mend(row: Enrolment, told: Mapping[str, Any], by: By) -> bool:
    """A manager corrects what the engine refused; it is sent at once. `told`: fields of Details.

    False where it does not wait for a person any more. Raises AlreadyWaiting; nothing is changed
    then.
    """
    with transaction.atomic():
        waiting = parked(row)
        if waiting is None:
            return False
        change(waiting, replace(read_details(waiting), **told))
        by.record("enrolment.mended", waiting, after={"fields": sorted(told)})
    return True


def parked(row: Enrolment) -> Enrolment | None:
    """The row, held until the transaction ends, if it waits for a person."""
    rows = Enrolment.objects.select_for_update(of=("self",))
    waiting = rows.filter(pk=row.pk, state=Enrolment.State.WAITING).first()
    return waiting if waiting is not None and is_parked(waiting) else None


def parked_ids() -> list[str]:
    """Of enrolments of which a version waits for a person."""
    told = Delivery.objects.filter(kind=ENROLMENT, state=DeliveryState.PARKED)
    return [payload["enrolment"] for payload in told.values_list("payload", flat=True)]


def is_parked(row: Enrolment) -> bool:
    delivery = delivery_of(row)
    return delivery is not None and delivery.state == DeliveryState.PARKED


def delivery_of(row: Enrolment) -> Delivery | None:
    """What tells the engine of it, in the row's present version."""
    if row.state != Enrolment.State.WAITING:
        return None
    return find(ENROLMENT, delivery_key(row))


def recall_kept(identity: Identity, *, live: bool) -> FoundMember | None:
    """Who waits under this email or phone. `live`: the engine answers, and does not know them."""
    row = Enrolment.objects.waiting_for(identity)
    return found_of(row, live=live) if row else None


def found_of(row: Enrolment, *, live: bool) -> FoundMember:
    details = read_details(row)
    return FoundMember(
        id=None,
        email=details.email,
        phone=details.phone,
        first_name=details.first_name,
        last_name=details.last_name,
        points_balance=0,
        tier=None,
        expiring=None,
        opted_in=None,
        as_of=row.asked_at,
        live=live,
        waiting=True,
    )


def promise_birthday(row: Enrolment) -> None:
    """In the transaction in which they became a member."""
    enqueue(
        kind=BIRTHDAY,
        key=str(row.pk),
        installation_id=row.installation_id,
        payload={"enrolment": str(row.pk)},
        due_in=SHOWN_AFTER,
    )


def owe_birthday(member: Member, birthday: Birthday, installation: Installation) -> None:
    """Of somebody whom the engine just took in: it is told when it can take it."""
    details = Details(email=member.email, birthday=birthday)
    row = Enrolment.objects.create(
        installation=installation,
        member=member,
        state=Enrolment.State.ENROLLED,
        details=details_json.dump_json(details).decode(),
        ended_at=Now(),
    )
    promise_birthday(row)
