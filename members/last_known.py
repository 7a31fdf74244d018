"""The last known figures of members, for when the engine is out of reach.

A look-up writes nothing for a member seen before: the figures gather in memory and are written in
one batch, at most every LAST_KNOWN_SECONDS. A process that dies loses one batch at most.
"""

import threading
from dataclasses import replace
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from pydantic import TypeAdapter

from connectors.errors import Unavailable
from connectors.yotpo.client import Yotpo
from database.encryption import blind_index
from members.identity import Email, Identity, email_identity
from members.lookup import FoundMember, find_member
from members.models import LastKnown, Member

log = structlog.get_logger(__name__)
figures = TypeAdapter(FoundMember)


def find_or_recall(engine: Yotpo, identity: Identity) -> FoundMember:
    """Who this is by the engine or, while it is out of reach, by what it said last (not `live`).

    Raises as `find_member`; Unavailable only where nothing is known.
    """
    try:
        member = find_member(engine, identity)
    except Unavailable:
        known = recall(identity)
        if known is None:
            raise
        return known
    batch.note(member)
    return member


def recall(identity: Identity) -> FoundMember | None:
    """By the email, or the member of that phone whom the engine named last."""
    if isinstance(identity, Email):
        key = {"member__email_index": blind_index(email_identity(identity.address))}
    else:
        key = {"phone_index": blind_index(identity.number)}
    known = LastKnown.objects.filter(**key).order_by("-as_of").first()
    return replace(figures.validate_json(known.figures), live=False) if known else None


class Batch:
    """What this process has learnt and not yet written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: dict[UUID, FoundMember] = {}
        self._timer: threading.Timer | None = None

    def note(self, member: FoundMember) -> None:
        if member.id is None:
            return
        with self._lock:
            self._noted[member.id] = member
            if self._timer is None and settings.LAST_KNOWN_SECONDS is not None:
                self._timer = threading.Timer(settings.LAST_KNOWN_SECONDS, self._write_apart)
                self._timer.daemon = True
                self._timer.start()

    def write(self) -> int:
        """Write the batch now. Returns how many members' figures it held."""
        with self._lock:
            noted, self._noted, self._timer = self._noted, {}, None
        LastKnown.objects.bulk_create(
            [row_of(member) for member in noted.values()],
            update_conflicts=True,
            unique_fields=["member"],
            update_fields=["figures", "phone_index", "as_of"],
        )
        return len(noted)

    def _write_apart(self) -> None:
        """In the timer's own thread, which has a database connection of its own."""
        try:
            self.write()
        except DatabaseError:
            log.exception("last_known.batch_lost")
        finally:
            connection.close()


def row_of(member: FoundMember) -> LastKnown:
    return LastKnown(
        member=Member(id=member.id),
        figures=figures.dump_json(member).decode(),
        phone_index=blind_index(member.phone) if member.phone else "",
        as_of=member.as_of,
    )


batch = Batch()
