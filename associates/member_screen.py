"""What the screen shows of a member: who, what they have, what they can get, what is open."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from access.middleware import PanelRequest
from associates.templatetags.panel import points, thousands
from associates.tokens import Shown, sign_shown
from members.engine import engine
from members.identity import Email, Identity, Phone
from members.lookup import FoundMember, TierView
from members.models import Member
from offers import reach
from offers.catalogue import Kind, Offer, place_of
from offers.money import show_money
from redemptions.delayed import ends_here, is_delayed, less_ending, less_set_aside
from redemptions.models import OPEN_FOR, PendingRedemption
from redemptions.states import UNDER_WAY
from stores.models import Installation

# Offers out of reach are a nudge, not a list.
NEARLY = 3
IN_PLACE = SafeString(' hx-swap-oob="true"')


@dataclass(frozen=True, slots=True)
class OfferCard:
    offer: Offer
    short_by: int
    worth: str
    ends_code: bool
    """Taking it ends the member's open delayed code."""


@dataclass(frozen=True, slots=True)
class MemberScreen:
    member: FoundMember
    ready: list[OfferCard]
    nearly: list[OfferCard]
    offers_failed: bool
    pending: list[PendingRedemption]
    found_by_phone: bool
    freed: int
    """Points more for a delayed offer: of the open delayed code, which that ends."""

    @property
    def under_way(self) -> bool:
        """A redemption is not ended: no other may begin."""
        return any(redemption.state in UNDER_WAY for redemption in self.pending)

    @property
    def can_redeem(self) -> bool:
        return not self.under_way and not self.member.why_not


def look_up(request: PanelRequest, identity: Identity) -> MemberScreen:
    """The customer and their in-store offers, asked for side by side.

    Raises the connector's errors where the customer can't be read; offers that can't be read
    leave the rest of the screen as it is.
    """
    found = reach.look_up(engine(), request.installation, identity)
    return compose(
        found.member,
        found.offers,
        request.installation,
        failed=found.failure is not None,
        by_phone=isinstance(identity, Phone),
    )


def refresh(request: PanelRequest, member: Member) -> MemberScreen:
    return look_up(request, Email(member.email))


def compose(
    found: FoundMember,
    offers: list[Offer],
    installation: Installation,
    *,
    failed: bool,
    by_phone: bool,
) -> MemberScreen:
    standing = OPEN_FOR.ask(found.id) if found.id else []
    member = less_set_aside(found, standing)
    swapping = less_set_aside(found, less_ending(standing, installation))
    has_code = ends_here(standing, installation) is not None
    cards = [
        card(swapping, offer, ends_code=has_code)
        if is_delayed(installation, offer)
        else card(member, offer)
        for offer in offers
    ]
    cards.sort(key=lambda card: place_of(card.offer, card.short_by))
    return MemberScreen(
        member=member,
        ready=[c for c in cards if not c.short_by],
        nearly=nearest(cards),
        offers_failed=failed,
        pending=[redemption for redemption in standing if redemption.is_open],
        found_by_phone=by_phone,
        freed=swapping.points_available - member.points_available,
    )


def nearest(cards: list[OfferCard]) -> list[OfferCard]:
    """What is worth saving for. An offer of any number of points has no price, and one point is
    soon had: it is named only where there is nothing else."""
    missing = [c for c in cards if c.short_by]
    priced = [c for c in missing if c.offer.kind is not Kind.VARIABLE]
    return (priced or missing)[:NEARLY]


def card(member: FoundMember, offer: Offer, *, ends_code: bool = False) -> OfferCard:
    missing = reach.missing_points(member, offer)
    return OfferCard(offer, missing, worth(offer, member.points_available), ends_code)


def worth(offer: Offer, available: int) -> str:
    """What it takes off, as money; for a variable offer, with all the points there are."""
    cents = offer.worth_cents(available)
    if cents is None or cents <= 0:
        return ""
    money = show_money(cents, offer.currency)
    return f"up to {money}" if offer.kind is Kind.VARIABLE else money


def show_member(
    request: PanelRequest,
    found: MemberScreen,
    *,
    notice: str = "",
    success: str = "",
    in_place: bool = False,
) -> HttpResponse:
    """The member's part of the page or, `in_place`, each piece of it put where it stands."""
    if found.member.waiting:
        return show_kept(request, found.member, looked_up=True)
    context = words_of(found) | {
        "first": notice or success,
        "kind": "notice" if notice else "success",
        "oob": IN_PLACE if in_place else "",
    }
    return render(request, "associates/member.html", context)


def show_kept(
    request: PanelRequest, member: FoundMember, *, looked_up: bool = False
) -> HttpResponse:
    """Somebody whom the engine does not have yet: their enrolment is kept."""
    name = member.name or member.email
    context = {"name": name, "live": member.live, "looked_up": looked_up}
    return render(request, "associates/kept.html", context)


def words_of(found: MemberScreen) -> dict[str, Any]:
    """What the page says, as plain texts: the template engine takes long to find its way through
    objects and filters, and everyone at a till waits for this page."""
    member = found.member
    may_redeem = found.can_redeem and bool(found.ready)
    return {
        "id": member.id or "",
        "name": member.name or "No name given",
        "points": thousands(member.points_balance),
        "points_word": "point" if member.points_balance == 1 else "points",
        "set_aside": points(member.points_set_aside) if member.points_set_aside else "",
        "available": thousands(member.points_available),
        "below_zero": member.points_balance < 0,
        "live": member.live,
        "as_of": member.as_of,
        "why_not": member.why_not,
        "by_phone": found.found_by_phone,
        "tier": member.tier and tier_words(member.tier),
        "expiring": member.expiring,
        "pending": found.pending,
        "under_way": found.under_way,
        "offers_failed": found.offers_failed,
        "shown": sign_shown(what_is_shown(found, member.id)) if may_redeem and member.id else "",
        "ready": joined(row_of(card, may_redeem=may_redeem) for card in found.ready),
        "nearly": joined(nearly_row(c.offer.name, points(c.short_by)) for c in found.nearly),
    }


def joined(rows: Iterable[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((row,) for row in rows))


def tier_words(tier: TierView) -> dict[str, Any]:
    missing = points(tier.points_to_next) if tier.points_to_next else ""
    progress = "" if tier.progress is None else str(tier.progress)
    return {"name": tier.name, "missing": missing, "progress": progress}


def row_of(card: OfferCard, *, may_redeem: bool) -> SafeString:
    """An offer that can be had."""
    offer = card.offer
    return offer_row(
        offer.id,
        offer.name,
        offer.description,
        cost_words(card),
        may_redeem=may_redeem,
        ends_code=may_redeem and card.ends_code,
    )


def cost_words(card: OfferCard) -> str:
    variable = card.offer.kind is Kind.VARIABLE
    cost = "any number of points" if variable else points(card.offer.points)
    return f"{cost} · {card.worth}" if card.worth else cost


@lru_cache(maxsize=1000)
def offer_row(
    number: int, name: str, description: str, cost: str, *, may_redeem: bool, ends_code: bool
) -> SafeString:
    """Looks the same for everyone who can have it, so it is made once."""
    context = {
        "id": str(number),
        "name": name,
        # What it is called says all, where the description repeats it.
        "description": "" if name in description else description,
        "cost": cost,
        "may_redeem": may_redeem,
        "ends_code": ends_code,
    }
    return render_to_string("associates/member.html#offer", context)


@lru_cache(maxsize=1000)
def nearly_row(name: str, missing: str) -> SafeString:
    return render_to_string("associates/member.html#nearly", {"name": name, "missing": missing})


def what_is_shown(found: MemberScreen, member_id: UUID) -> Shown:
    """What the buttons of the offers send with the number of theirs."""
    offers = tuple(card.offer for card in found.ready)
    return Shown(member_id, found.member.points_available, offers, found.freed)
