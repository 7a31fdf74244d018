"""The last known figures of members, for when the engine is out of reach.

A look-up writes nothing for a member seen before: the figures gather in memory and are written in
one batch, at most every LAST_KNOWN_SECONDS. A process that dies loses one batch at most.
"""

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from django.conf import settings
from pydantic import TypeAdapter

from connectors.errors import Unavailable
from connectors.yotpo.client import Yotpo
from database import batch as batch_room
from database.encryption import blind_index
from members.identity import Email, Identity, email_identity
from members.lookup import FoundMember, find_member
from members.models import LastKnown, Member

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
            update_fields=["figures", "phone_index", "as_of"],
        )


def row_of(member: FoundMember) -> LastKnown:
    return LastKnown(
        member=Member(id=member.id),
        figures=figures.dump_json(member).decode(),
        phone_index=blind_index(member.phone) if member.phone else "",
        as_of=member.as_of,
    )


batch = Batch()
