"""A member beside the offers of a till: who they are, and what of it is within their reach."""

from dataclasses import dataclass

from connectors.errors import OutsideError
from connectors.yotpo.client import Yotpo
from members.engine import beside
from members.identity import Identity
from members.last_known import find_or_recall
from members.lookup import FoundMember, identifier
from offers.catalogue import Offer, catalogue
from stores.models import Installation


@dataclass(frozen=True, slots=True)
class LookUp:
    """`failure` is why the offers can't be read, where they can't."""

    member: FoundMember
    offers: list[Offer]
    failure: OutsideError | None


def look_up(engine: Yotpo, installation: Installation, identity: Identity) -> LookUp:
    """The customer and their in-store offers, asked for side by side.

    Raises the connector's errors where the customer can't be read.
    """
    reading = beside(lambda: catalogue.read(engine, installation, identifier(identity)))
    member = find_or_recall(engine, identity)
    try:
        return LookUp(member, reading.result(), None)
    except OutsideError as failure:
        return LookUp(member, [], failure)


def missing_points(member: FoundMember, offer: Offer) -> int:
    """How many points the member lacks for the offer. A debt is filled up before anything else."""
    return offer.short_by(member.points_available + min(member.points_balance, 0))
