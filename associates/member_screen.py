"""What the screen shows of a member: who, what they have, what they can get, what is open."""

from dataclasses import dataclass

from access.middleware import PanelRequest
from associates.tokens import Shown, sign_shown
from connectors.errors import OutsideError
from members.engine import beside, engine
from members.identity import Email, Identity, Phone
from members.last_known import find_or_recall
from members.lookup import FoundMember, identifier
from members.models import Member
from offers.catalogue import Kind, Offer, catalogue, rank
from offers.money import show_money
from redemptions.models import OPEN_FOR, PendingRedemption
from redemptions.states import UNDER_WAY

# Offers out of reach are a nudge, not a list.
NEARLY = 3


@dataclass(frozen=True, slots=True)
class OfferCard:
    offer: Offer
    short_by: int
    worth: str


@dataclass(frozen=True, slots=True)
class MemberScreen:
    member: FoundMember
    ready: list[OfferCard]
    nearly: list[OfferCard]
    offers_failed: bool
    pending: list[PendingRedemption]
    found_by_phone: bool

    @property
    def under_way(self) -> bool:
        """A redemption is not ended: no other may begin."""
        return any(redemption.state in UNDER_WAY for redemption in self.pending)

    @property
    def can_redeem(self) -> bool:
        return not self.under_way and not self.member.why_not

    @property
    def shown(self) -> str:
        """What the buttons of the offers send with the number of theirs."""
        if self.member.id is None:
            return ""
        offers = tuple(card.offer for card in self.ready)
        return sign_shown(Shown(self.member.id, self.member.points_available, offers))


def look_up(request: PanelRequest, identity: Identity) -> MemberScreen:
    """The customer and their in-store offers, asked for side by side.

    Raises the connector's errors where the customer can't be read; offers that can't be read
    leave the rest of the screen as it is.
    """
    client = engine()
    reading = beside(lambda: catalogue.read(client, request.installation, identifier(identity)))
    member = find_or_recall(client, identity)
    try:
        offers, failed = reading.result(), False
    except OutsideError:
        offers, failed = [], True
    return compose(member, offers, failed=failed, by_phone=isinstance(identity, Phone))


def refresh(request: PanelRequest, member: Member) -> MemberScreen:
    return look_up(request, Email(member.email))


def compose(
    member: FoundMember, offers: list[Offer], *, failed: bool, by_phone: bool
) -> MemberScreen:
    cards = [card(member, offer) for offer in rank(offers, member.points_available)]
    return MemberScreen(
        member=member,
        ready=[c for c in cards if not c.short_by],
        nearly=nearest(cards),
        offers_failed=failed,
        pending=OPEN_FOR.ask(member.id) if member.id else [],
        found_by_phone=by_phone,
    )


def nearest(cards: list[OfferCard]) -> list[OfferCard]:
    """What is worth saving for. An offer of any number of points has no price, and one point is
    soon had: it is named only where there is nothing else."""
    missing = [c for c in cards if c.short_by]
    priced = [c for c in missing if c.offer.kind is not Kind.VARIABLE]
    return (priced or missing)[:NEARLY]


def card(member: FoundMember, offer: Offer) -> OfferCard:
    available = member.points_available
    # A debt is filled up before anything can be had.
    missing = offer.short_by(available + min(member.points_balance, 0))
    return OfferCard(offer, missing, worth(offer, available))


def worth(offer: Offer, available: int) -> str:
    """What it takes off, as money; for a variable offer, with all the points there are."""
    cents = offer.worth_cents(available)
    if cents is None or cents <= 0:
        return ""
    money = show_money(cents, offer.currency)
    return f"up to {money}" if offer.kind is Kind.VARIABLE else money
