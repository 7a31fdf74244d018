"""What an associate can do with points: redeem them, and undo it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from audit.record import By
from connectors.errors import (
    Misconfigured,
    OutsideError,
    Refused,
    ReplyLost,
    Throttled,
    Unavailable,
)
from connectors.yotpo.client import Yotpo
from connectors.yotpo.payloads import Redemption
from members.engine import beside
from members.lookup import FoundMember, read_member
from members.models import Member
from offers.catalogue import Kind, Offer, catalogue
from offers.pools import note_none_left, says_no_codes
from redemptions import delayed
from redemptions.errors import (
    ActKeyTaken,
    AnotherUnderWay,
    CannotRedeem,
    CannotUndo,
    MemberCannotRedeem,
    NoSuchOffer,
    NotWithdrawn,
    OpenCodeExists,
    PriceChanged,
    WrongPoints,
)
from redemptions.life import UNSOLD
from redemptions.models import PendingRedemption
from redemptions.reversal import give_back
from redemptions.states import UNDER_WAY, Reason, State
from redemptions.withdrawal import NOT_SAID, Withdrawal
from stores.models import Associate, Installation, Store, Till

log = structlog.get_logger(__name__)

# What the engine's answer makes of a redemption (docs/yotpo.md has the table).
# The first that fits counts, so a class stands before its parents.
OUTCOMES: tuple[tuple[type[OutsideError], State, Reason], ...] = (
    (Unavailable, State.REFUSED, Reason.NOT_SENT),
    (Throttled, State.REFUSED, Reason.THROTTLED),
    (Misconfigured, State.REFUSED, Reason.MISCONFIGURED),
    (Refused, State.REFUSED, Reason.ENGINE_SAID_NO),
    (ReplyLost, State.UNCERTAIN, Reason.REPLY_LOST),
)
NO_POINTS_FOR = {
    "engine_down": "The loyalty system can't be reached, so nothing can be redeemed now.",
    "no_email": "The loyalty programme has no email for this person, so nothing can be redeemed.",
    "opted_out": "This person has left the loyalty programme, so nothing can be redeemed.",
}


@dataclass(frozen=True, slots=True)
class Act:
    """Who wants it and where, under the key that was minted with the dialog: one act, one key."""

    key: str
    installation: Installation
    till: Till | None = None
    associate: Associate | None = None
    ticket: str = ""
    store: Store | None = None
    """Where the till is not told."""
    ends: delayed.Agreed | None = None
    """The open delayed code that they agreed to end."""

    def earlier(self) -> PendingRedemption | None:
        return PendingRedemption.objects.of_act(self.installation, self.key)


def redeem(
    *,
    engine: Yotpo,
    act: Act,
    member: Member,
    offer_id: int,
    points: int | None = None,
    price: int | None = None,
    another: bool = False,
    by: By | None = None,
) -> PendingRedemption:
    """Turn points into a coupon code, once for an act's key.

    `points` is for variable offers; `price` is what the associate was told that another costs.
    `another` says that they know of the open code for the same offer. `by` goes into the trail. The
    answer's state tells what came of it: issued, uncertain or refused.
    Raises CannotRedeem's children, and, before anything was asked for, the connector's
    Unavailable, Throttled, Misconfigured and Refused: nothing is stored then.
    """
    asked_at = time.monotonic()
    earlier = act.earlier()
    if earlier is not None:
        return check_same_act(earlier, act, member, offer_id, points)
    try:
        if not another:
            check_no_open_code(member, offer_id, act.ticket)
        offer, found = read_terms(engine, act.installation, member, offer_id)
        standing = delayed.setting_aside(member)
        is_delayed = delayed.is_delayed(act.installation, offer)
        older = delayed.code_to_end(standing, act.installation) if is_delayed else None
        left = delayed.less_set_aside(found, [row for row in standing if row is not older])
        cost = check_can_redeem(left, offer, points, price)
        ending = delayed.check_ends(older, act.ends)
        redemption = new_redemption(act, member, offer, cost)
        write_down(redemption, by, standing, ending)
    except CannotRedeem:
        # Because the very same act was carried out meanwhile, or for good.
        earlier = act.earlier()
        if earlier is None:
            raise
        return check_same_act(earlier, act, member, offer_id, points)
    ask_engine(engine, redemption, asked_at)
    return redemption


def new_redemption(act: Act, member: Member, offer: Offer, cost: int) -> PendingRedemption:
    return PendingRedemption(
        installation=act.installation,
        store=act.till.store if act.till else act.store,
        till=act.till,
        associate=act.associate,
        member=member,
        act_key=act.key,
        offer_id=offer.id,
        offer_name=offer.name[:255],
        offer_kind=offer.kind,
        points=cost,
        value_cents=offer.worth_cents(cost),
        currency=offer.currency,
        ticket=act.ticket,
        delayed=delayed.is_delayed(act.installation, offer),
    )


def check_same_act(
    earlier: PendingRedemption, act: Act, member: Member, offer_id: int, points: int | None
) -> PendingRedemption:
    """The same key means the same act: the same person, for the same member, of the same offer."""
    same = (
        earlier.member_id == member.id
        and earlier.offer_id == offer_id
        and earlier.associate_id == (act.associate.id if act.associate else None)
        and points in {None, earlier.points}
    )
    if not same:
        raise ActKeyTaken("This page belongs to another redemption. Look the member up again.")
    return earlier


def check_no_open_code(member: Member, offer_id: int, ticket: str) -> None:
    code = PendingRedemption.objects.filter(
        member=member, offer_id=offer_id, ticket=ticket, state=State.ISSUED
    ).first()
    if code is not None:
        raise OpenCodeExists(code)


def read_terms(
    engine: Yotpo, installation: Installation, member: Member, offer_id: int
) -> tuple[Offer, FoundMember]:
    """What the engine says now of the offer and of the member, read side by side.

    The price is the engine's, never the page's.
    """
    email = member.email
    reading = beside(lambda: catalogue.read(engine, installation, {"email": email}, fresh=True))
    found = read_member(engine, member)
    for offer in reading.result():
        if offer.id == offer_id:
            return offer, found
    raise NoSuchOffer("This offer can't be had in the store. Look the member up again.")


def check_can_redeem(
    found: FoundMember, offer: Offer, points: int | None, price: int | None
) -> int:
    """The cost in points. Raises MemberCannotRedeem, WrongPoints or PriceChanged."""
    if found.why_not:
        raise MemberCannotRedeem(NO_POINTS_FOR[found.why_not])
    if offer.kind is Kind.VARIABLE:
        return check_chosen(points, found.points_available)
    if points not in {None, offer.points}:
        raise WrongPoints(f"{offer.name} costs {offer.points:,} points.")
    return check_price(offer, price, found.points_available)


def check_chosen(points: int | None, available: int) -> int:
    if points is None or points < 1:
        raise WrongPoints("Type how many points to spend: a whole number, 1 or more.")
    if points > available:
        one = available == 1
        raise WrongPoints(
            f"There {'is' if one else 'are'} only {available:,} point{'' if one else 's'}.",
            available,
        )
    return points


def check_price(offer: Offer, price: int | None, available: int) -> int:
    """`price` is what the associate was told; nobody spends other points than they agreed to."""
    changed = price not in {None, offer.points}
    missing = offer.points - available
    if missing > 0 and changed:
        raise WrongPoints(
            f"{offer.name} costs {offer.points:,} points now; there are {available:,}."
        )
    if missing > 0:
        more = f"{missing:,} more point{'' if missing == 1 else 's'}"
        raise WrongPoints(f"That takes {more} than the {available:,} there are.")
    if changed:
        raise PriceChanged(offer, available)
    return offer.points


def write_down(
    redemption: PendingRedemption,
    by: By | None = None,
    standing: Sequence[PendingRedemption] = (),
    ending: delayed.Ending | None = None,
) -> None:
    """Commit the attempt before the engine hears of it, and with it the end of an older code.

    The database lets one act be one row, and a member have one under way and one delayed one open:
    raises AnotherUnderWay, also where points were set aside since `standing` was read; StillOnSale
    where the older code can't be ended.
    """
    try:
        with transaction.atomic(durable=True):
            if ending:
                ending.carry_out(by)
            redemption.save(force_insert=True)
            if delayed.is_news(redemption, standing):
                raise IntegrityError
            if by:
                by.record("redemption.requested", redemption, after=asked_for(redemption))
    except IntegrityError:
        raise AnotherUnderWay(
            "Another redemption of this member has not ended yet. Wait for it, then try again."
        ) from None
    log.info("redemption.requested", redemption=str(redemption.id), points=redemption.points)


def asked_for(redemption: PendingRedemption) -> dict[str, Any]:
    return {
        "state": redemption.state,
        "member": str(redemption.member_id),
        "offer": redemption.offer_id,
        "points": redemption.points,
        "ticket": redemption.ticket,
    }


def ask_engine(engine: Yotpo, redemption: PendingRedemption, asked_at: float) -> None:
    """Ask once, never again, and write down what came of it."""
    variable = redemption.offer_kind == Kind.VARIABLE
    try:
        made = engine.create_redemption(
            email=redemption.member.email,
            option_id=redemption.offer_id,
            points=redemption.points if variable else None,
            delayed=redemption.delayed,
            asked_at=asked_at,
        )
    except OutsideError as error:
        write_failure(redemption, error)
    else:
        write_success(redemption, made)
    log.info(
        "redemption.answered",
        redemption=str(redemption.id),
        state=redemption.state,
        reason=redemption.reason,
    )


def write_failure(redemption: PendingRedemption, error: OutsideError) -> None:
    state, reason = next((s, r) for kind, s, r in OUTCOMES if isinstance(error, kind))
    engine_id = error.engine_id if isinstance(error, ReplyLost) else None
    if isinstance(error, ReplyLost) and error.timed_out:
        reason = Reason.TIMED_OUT
    moved = redemption.move(
        state,
        reason,
        only_from=[State.REQUESTED],
        engine_words=error.words[:300] if isinstance(error, Refused) else "",
        engine_id=engine_id,
    )
    from_pool = redemption.offer_kind == Kind.CUSTOM
    if from_pool and isinstance(error, Refused) and says_no_codes(error.words):
        note_none_left(redemption.offer_id, redemption.offer_name)
    if engine_id is not None and not moved:
        # Others called it uncertain meanwhile: the id tells them which one is ours.
        PendingRedemption.objects.filter(
            pk=redemption.pk, state=State.UNCERTAIN, engine_id=None
        ).update(engine_id=engine_id)


def write_success(redemption: PendingRedemption, made: Redemption) -> None:
    try:
        if not redemption.issue(only_from=[State.REQUESTED], engine_id=made.id, code=made.code):
            write_late(redemption, made)
    except IntegrityError:
        # The engine gave a code that another open redemption holds: nobody may have it twice.
        # Without the traceback, in which PostgreSQL quotes the code.
        log.error("redemption.code_held_twice", redemption=str(redemption.id))  # noqa: TRY400
        redemption.move(
            State.UNCERTAIN, Reason.REPLY_LOST, only_from=[State.REQUESTED], engine_id=made.id
        )


def write_late(redemption: PendingRedemption, made: Redemption) -> None:
    """The answer came after we had stopped waiting: it always wins."""
    log.warning("redemption.late_reply", redemption=str(redemption.id), state=redemption.state)
    found: dict[str, Any] = {"engine_id": made.id, "code": made.code}
    if redemption.issue(only_from=[State.UNCERTAIN], **found) or redemption.code == made.code:
        return
    if redemption.state == State.ISSUED:
        # Settling took another one for ours; only the engine's own answer is proof.
        PendingRedemption.objects.filter(pk=redemption.pk, state=State.ISSUED).update(**found)
        redemption.refresh_from_db()
        redemption.heed_what_was_told()
        return
    if redemption.delayed:
        # It took no points, so nothing is to go back; a sale that has the code must be known.
        ended = [State.NOT_MADE, State.CANCELLED]
        if redemption.move(State.CANCELLED, Reason.LATE_REPLY, only_from=ended, **found):
            redemption.heed_what_was_told()
        return
    # Nobody waits for it any more: the points go back, or, where another one of the member's was
    # given back in its place, a manager is told which.
    waiting = [State.NOT_MADE, State.DISPUTED]
    if not redemption.move(State.REVERSING, Reason.LATE_REPLY, only_from=waiting, **found):
        redemption.move(
            State.DISPUTED,
            Reason.LATE_REPLY,
            only_from=[State.REVERSING, State.REVERSED, State.CANCELLED],
            engine_words=f"The engine answered late: its redemption is {made.id}, code {made.code}",
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """Who wants points given back, and why. `by` and who approved it go into the trail."""

    associate: Associate | None = None
    why: str = ""
    by: By | None = None
    approved_by: Associate | None = None

    def kept(self) -> dict[str, Any]:
        return {"undone_by": self.associate, "undone_why": self.why}


def undo(
    *,
    engine: Yotpo,
    redemption: PendingRedemption,
    withdrawal: Withdrawal = NOT_SAID,
    though_claimed: bool = True,
    asked: Asked = Asked(),
) -> PendingRedemption:
    """Give the points back. `withdrawal`: whether the POS takes the code no more; a manager who
    agreed to do it all the same says so, too. Not `though_claimed`: only where no till said that it
    was sold.

    The promise is committed first, then the engine is asked; the answer's state tells how far it
    came: reversed, reversing (kept and tried again), or uncertain with `reverse_when_found`.
    Raises CannotUndo; NotWithdrawn where the POS put the code on a sale and did not take it off.
    """
    if redemption.state in UNDER_WAY:
        remember_to_reverse(redemption, asked)
    if redemption.state == State.ISSUED:
        promise_to_reverse(redemption, withdrawal, though_claimed, asked)
    if redemption.state == State.REVERSING:
        give_back(engine, redemption)
    check_undone(redemption)
    return redemption


def remember_to_reverse(redemption: PendingRedemption, asked: Asked) -> None:
    under_way = PendingRedemption.objects.filter(pk=redemption.pk, state__in=UNDER_WAY)
    with transaction.atomic():
        # Who asked first is kept, however often it is asked.
        if under_way.filter(reverse_when_found=False).update(
            reverse_when_found=True, **asked.kept()
        ):
            note_undo(redemption, asked, {"state": redemption.state, "reverse_when_found": True})
    redemption.refresh_from_db()


def promise_to_reverse(
    redemption: PendingRedemption, withdrawal: Withdrawal, though_claimed: bool, asked: Asked
) -> None:
    withdrawn = withdrawal.counts_for(redemption)
    provided = withdrawal.condition(redemption) & (Q() if though_claimed else UNSOLD)
    said = asked.kept() | ({"withdrawn_at": Now()} if withdrawn else {})
    with transaction.atomic(durable=True):
        if redemption.end(Reason.UNDONE, provided=provided, **said):
            note_undo(redemption, asked, {"state": redemption.state, "withdrawn": withdrawn})
    log.info("redemption.undo", redemption=str(redemption.id), state=redemption.state)
    if redemption.state != State.ISSUED:
        return
    if redemption.claimed_used_at is not None and not though_claimed:
        raise NotWithdrawn("The till said that a sale with this code was completed.")
    if not withdrawal.reaches(redemption):
        raise NotWithdrawn(withdrawal.where_else(redemption))
    raise NotWithdrawn(
        "The code is still on the sale. Take it off there first, then press Undo again."
    )


def note_undo(redemption: PendingRedemption, asked: Asked, after: dict[str, Any]) -> None:
    if asked.by:
        if asked.approved_by:
            after["approved_by"] = f"{asked.approved_by} ({asked.approved_by.pk})"
        before = State.ISSUED if "withdrawn" in after else redemption.state
        asked.by.record("redemption.undone", redemption, before={"state": before}, after=after)


NOT_TO_UNDO = {
    State.USED: "This code was used in a sale. Refund the sale instead.",
    State.REFUSED: "Nothing was taken, so there is nothing to undo.",
    State.NOT_MADE: "Nothing was taken, so there is nothing to undo.",
    State.DISPUTED: "A manager must look at this redemption before anything else is done.",
}


def check_undone(redemption: PendingRedemption) -> None:
    text = NOT_TO_UNDO.get(State(redemption.state))
    if text:
        raise CannotUndo(text)


def find(installation: Installation, redemption_id: UUID, member_id: UUID) -> PendingRedemption:
    """One of this installation's and this member's. Raises PendingRedemption.DoesNotExist."""
    return PendingRedemption.objects.select_related("member", "installation").get(
        installation=installation, id=redemption_id, member_id=member_id
    )
