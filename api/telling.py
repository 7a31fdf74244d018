"""Our objects as the API tells them."""

from datetime import datetime
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone

from api import schemas
from members.engine import engine
from members.enrol import NewMember
from members.lookup import FoundMember
from members.models import Member
from members.tiers import ladder
from offers.catalogue import Offer
from offers.reach import missing_points
from redemptions.delayed import less_set_aside
from redemptions.life import seconds_left
from redemptions.models import PendingRedemption, PendingRedemptionQuerySet, standing
from redemptions.states import UNDER_WAY, State


def tell_member(found: FoundMember) -> schemas.Member:
    """With what is open of theirs: one read."""
    held = open_redemptions(found.id) if found.id else []
    pending = [redemption for redemption in held if redemption.is_open]
    found = less_set_aside(found, held)
    return schemas.Member(
        id=found.id,
        email=found.email,
        phone=found.phone,
        first_name=found.first_name,
        last_name=found.last_name,
        points_balance=found.points_balance,
        points_available=found.points_available,
        tier=tell_tier(found),
        expiring=schemas.Expiring.model_validate(found.expiring) if found.expiring else None,
        opted_in=found.opted_in,
        redeemable=tell_redeemable(found, pending),
        as_of=found.as_of,
        live=found.live,
        waiting=found.waiting,
        pending=[tell_redemption(redemption) for redemption in pending],
    )


def tell_tier(found: FoundMember) -> schemas.Tier | None:
    """The engine's customer does not say what the next tier is called; its list of tiers does."""
    if found.tier is None:
        return None
    return schemas.Tier(
        name=found.tier.name,
        points_to_next=found.tier.points_to_next,
        next_name=ladder.next_after(engine(), found.tier.name) if found.live else None,
    )


def tell_redeemable(found: FoundMember, pending: list[PendingRedemption]) -> schemas.Redeemable:
    reason = found.why_not
    if not reason and any(redemption.state in UNDER_WAY for redemption in pending):
        reason = "another_under_way"
    return schemas.Redeemable.model_validate({"ok": not reason, "reason": reason or None})


def open_redemptions(member_id: UUID) -> list[PendingRedemption]:
    """Codes not used yet, acts not ended yet, and points set aside, the newest first."""
    rows = PendingRedemption.objects.filter(standing(), member_id=member_id)
    return list(with_clock(rows).order_by("-requested_at"))


def with_clock(rows: PendingRedemptionQuerySet) -> PendingRedemptionQuerySet:
    """Read with the database's time, by which leases run: one read, however many rows."""
    return rows.annotate(read_at=Now())


def tell_new_member(member: Member, new: NewMember) -> schemas.Member:
    """Somebody whom the engine just took in, and will not show for some seconds."""
    return tell_member(
        FoundMember(
            id=member.id,
            email=new.email,
            phone=new.phone,
            first_name=new.first_name,
            last_name=new.last_name,
            points_balance=0,
            tier=None,
            expiring=None,
            opted_in=True,
            as_of=timezone.now(),
        )
    )


def tell_offer(member: FoundMember, offer: Offer) -> schemas.Offer:
    missing = missing_points(member, offer)
    rate = offer.cents_per_point
    return schemas.Offer(
        id=offer.id,
        name=offer.name,
        description=offer.description,
        points=offer.points,
        value_cents=offer.value_cents,
        currency=offer.currency,
        kind=offer.kind,
        cents_per_point=None if rate is None else float(rate),
        affordable=missing == 0,
        short_by=missing,
    )


def tell_redemption(redemption: PendingRedemption) -> schemas.Redemption:
    has_lease = redemption.state == State.ISSUED
    read_at: datetime | None = getattr(redemption, "read_at", None)
    return schemas.Redemption(
        id=redemption.id,
        state=State(redemption.state),
        reason=redemption.reason or None,
        member=schemas.MemberId(id=redemption.member_id),
        offer=schemas.OfferName(id=redemption.offer_id, name=redemption.offer_name),
        points=redemption.points,
        value_cents=redemption.value_cents,
        currency=redemption.currency,
        code=redemption.code or None,
        delayed=redemption.delayed,
        lease_expires_at=redemption.lease_until if has_lease else None,
        lease_seconds_left=seconds_left(redemption, read_at),
        created_at=redemption.requested_at,
    )
