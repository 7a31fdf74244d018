"""The last known figures of members, for when the engine is out of reach.

A look-up writes nothing for a member seen before: the figures gather in memory and are written in
one batch, at most every LAST_KNOWN_SECONDS. A process that dies loses one batch at most.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now
from pydantic import TypeAdapter

from connectors.errors import NotFound, Unavailable
from connectors.yotpo.client import Yotpo
from database import batch as batch_room
from database.encryption import blind_index
from members.enrol import NewMember, find_twin
from members.identity import Email, Identity, Phone, email_identity
from members.keeping import recall_kept
from members.lookup import FoundMember, find_member
from members.models import LastKnown, Member

figures = TypeAdapter(FoundMember)


def find_or_recall(engine: Yotpo, identity: Identity) -> FoundMember:
    """Who this is by the engine or, while it is out of reach, by what it said last (not `live`).

    Somebody whose enrolment is kept is `waiting`. Raises as `find_member`; Unavailable and NotFound
    only where nothing is known.
    """
    try:
        member = find_member(engine, identity)
    except Unavailable:
        known = recall(identity) or recall_kept(identity, live=False)
        if known is None:
            raise
        return known
    except NotFound:
        kept = recall_kept(identity, live=True)
        if kept is None:
            raise
        return kept
    batch.note(member)
    return member


def find_or_recall_twin(engine: Yotpo, new: NewMember) -> tuple[FoundMember | None, bool, bool]:
    """As `find_twin`, and whether the engine was reached: else by what it said last.

    Raises Throttled, Misconfigured or Refused.
    """
    try:
        return *find_twin(engine, new), True
    except Unavailable:
        same = recall(Email(new.email))
        other = recall(Phone(new.phone)) if new.phone and same is None else None
        return same or other, same is not None, False


def recall(identity: Identity) -> FoundMember | None:
    """By the email, or the member of that phone whom the engine named last."""
    if isinstance(identity, Email):
        key = {"member__email_index": blind_index(email_identity(identity.address))}
    else:
        key = {"phone_index": blind_index(identity.number)}
    known = LastKnown.objects.filter(**key).order_by("-as_of").first()
    return replace(figures.validate_json(known.figures), live=False) if known else None


class Batch(batch_room.Batch[UUID, FoundMember]):
    """Figures of members whom this process has looked up."""

    lost = "last_known.batch_lost"

    def every_seconds(self) -> float | None:
        return settings.LAST_KNOWN_SECONDS

    def note(self, member: FoundMember) -> None:
        if member.id is not None:
            self.put(member.id, member)

    def save(self, noted: Mapping[UUID, FoundMember]) -> None:
        LastKnown.objects.bulk_create(
            [row_of(member) for member in noted.values()],
            update_conflicts=True,
            unique_fields=["member"],
            update_fields=["figures", "phone_index", "as_of", "looked_up_at"],
        )


def row_of(member: FoundMember) -> LastKnown:
    return LastKnown(member=Member(id=member.id), looked_up_at=member.as_of, **figures_of(member))


def figures_of(member: FoundMember) -> dict[str, Any]:
    return {
        "figures": figures.dump_json(member).decode(),
        "phone_index": blind_index(member.phone) if member.phone else "",
        "as_of": member.as_of,
    }


def was_looked_up(member: Member, within: timedelta) -> bool:
    return LastKnown.objects.filter(member=member, looked_up_at__gte=Now() - within).exists()


def renew(member_id: UUID, found: FoundMember) -> None:
    """They were read though nobody looked them up."""
    LastKnown.objects.filter(member_id=member_id).update(**figures_of(found))


batch = Batch()
