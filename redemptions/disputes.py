"""What a manager can do where reading the engine does not tell: two acts, by how it came about."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.db.models.functions import Coalesce, Now

from audit.record import Where, Who, record
from connectors.errors import OutsideError
from connectors.yotpo.client import Yotpo
from connectors.yotpo.payloads import CodeRecord
from outbox.ledger import enqueue, find, send_again
from outbox.models import Delivery
from outbox.states import ENDED
from outbox.states import State as Told
from redemptions.evidence import is_anothers
from redemptions.models import PendingRedemption
from redemptions.states import Deduction, Reason, State
from redemptions.timing import settle_time

log = structlog.get_logger(__name__)

ADJUSTMENT = "adjustment"
# A till said that it was sold; by then the sale should have come.
SALE_COMES_WITHIN = timedelta(hours=24)


class Act(models.TextChoices):
    """The words are for a manager who reads them for the first time."""

    TAKE_AGAIN = "take_again", "Take the points again"
    GIVE_AGAIN = "give_again", "Give the points that were taken again"
    NEVER_GIVEN_BACK = "never_given_back", "They never came back: the sale has what is its own"
    LET_GO = "let_go", "Let it go: leave the points as they are"
    GIVE_BACK = "give_back", "Give the points back"
    NONE_IS_OURS = "none_is_ours", "Nothing was made: no points are to be given back"
    SOLD = "sold", "It was sold"
    END = "end", "End the code: no points have gone"
    TAKE = "take", "Take the points now"
    FORGO = "forgo", "Let it go: the discount was free"


# How it came about -> what can be done.
ACTS: dict[str, tuple[Act, Act]] = {
    Reason.SOLD_AFTER: (Act.TAKE_AGAIN, Act.LET_GO),
    Reason.SOLD_ENDED: (Act.TAKE_AGAIN, Act.LET_GO),
    Reason.SOLD_UNCLEAR: (Act.TAKE_AGAIN, Act.NEVER_GIVEN_BACK),
    Reason.VOIDED_AFTER: (Act.GIVE_AGAIN, Act.LET_GO),
    Reason.REVERSAL_REFUSED: (Act.GIVE_BACK, Act.LET_GO),
    Reason.LATE_REPLY: (Act.GIVE_BACK, Act.LET_GO),
    Reason.TWO_CANDIDATES: (Act.GIVE_BACK, Act.NONE_IS_OURS),
    Reason.NEVER_CLEAR: (Act.GIVE_BACK, Act.NONE_IS_OURS),
    Reason.CODE_HELD_TWICE: (Act.GIVE_BACK, Act.NONE_IS_OURS),
}
OF_AN_OPEN_CODE = (Act.SOLD, Act.GIVE_BACK)
OF_AN_OPEN_DELAYED_CODE = (Act.SOLD, Act.END)
OF_POINTS_THAT_DID_NOT_GO = (Act.TAKE, Act.FORGO)


class CannotSettle(Exception):
    """`str()` tells the manager why, and what to do."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a manager decided. `code` names the candidate that is given back."""

    act: Act
    who: Who
    reason: str
    code: str = ""


def asks_for_a_manager() -> Q:
    """Disputed, used without its points, or an open code of which only a person can know whether it
    was sold."""
    claimed = Q(claimed_used_at__lte=Now() - SALE_COMES_WITHIN)
    still_on_a_sale = Q(applied_at__isnull=False, withdrawn_at=None, lease_until__lte=Now())
    stopped = Q(stop_asked_at__isnull=False)
    is_open = Q(state=State.ISSUED) & (claimed | still_on_a_sale | stopped)
    for_free = Q(state=State.USED, deduction=Deduction.MISSING)
    return Q(state=State.DISPUTED) | is_open | for_free


def acts_of(redemption: PendingRedemption) -> tuple[Act, ...]:
    """What can be done now; nothing while points are being taken or given again."""
    asks = PendingRedemption.objects.filter(asks_for_a_manager(), pk=redemption.pk)
    if not asks.exists() or is_being_taken(redemption):
        return ()
    if redemption.state == State.ISSUED:
        return OF_AN_OPEN_DELAYED_CODE if redemption.delayed else OF_AN_OPEN_CODE
    if redemption.state == State.USED:
        return OF_POINTS_THAT_DID_NOT_GO
    return ACTS.get(redemption.reason, (Act.GIVE_BACK, Act.LET_GO))


def is_being_taken(redemption: PendingRedemption) -> bool:
    """Or given."""
    adjustments = Delivery.objects.filter(kind=ADJUSTMENT, order_by=order_of(redemption))
    return adjustments.exclude(state__in=ENDED).exists()


def is_taken_again(redemption: PendingRedemption) -> bool:
    """Used, and only because a manager took the points again after the engine had given them back.

    Asks nothing for any other.
    """
    if redemption.reason != Reason.BY_MANAGER:
        return False
    taken = find(ADJUSTMENT, adjustment_key(redemption, Act.TAKE_AGAIN))
    return taken is not None and taken.state == Told.DONE


def adjustment_key(redemption: PendingRedemption, act: Act) -> str:
    return f"{act.replace('_', '-')}-{redemption.id}"


def order_of(redemption: PendingRedemption) -> str:
    return f"redemption:{redemption.id}"


def needs_code(redemption: PendingRedemption) -> bool:
    return not redemption.code


def settle_by_hand(engine: Yotpo, redemption: PendingRedemption, settlement: Settlement) -> None:
    """Do what the manager decided, and write it down. Raises CannotSettle."""
    act = settlement.act
    if act not in acts_of(redemption):
        raise CannotSettle("This can't be done any more: look how it stands now.")
    changes = read_candidate(engine, redemption, settlement) if act == Act.GIVE_BACK else {}
    before = redemption.state
    try:
        with transaction.atomic(durable=True):
            # Of two managers at once the second sees here what the first has decided.
            PendingRedemption.objects.select_for_update().get(pk=redemption.pk)
            if act not in acts_of(redemption) or not carry_out(redemption, act, changes):
                raise CannotSettle("Somebody else was quicker: look how it stands now.")
            record(
                act=f"redemption.settled.{act.value}",
                who=settlement.who,
                subject=redemption,
                where=where_of(redemption),
                before={"state": before},
                after={"state": redemption.state},
                reason=settlement.reason,
            )
    except IntegrityError:
        raise CannotSettle("Another redemption holds this code: it is not this one's.") from None
    log.info("redemption.settled_by_hand", redemption=str(redemption.id), act=act.value)


def carry_out(redemption: PendingRedemption, act: Act, changes: dict[str, Any]) -> bool:
    source = [State(redemption.state)]
    by_hand: dict[str, Any] = {"only_from": source, "provided": asks_for_a_manager()}
    match act:
        case Act.FORGO:
            return forgo(redemption)
        case Act.TAKE_AGAIN | Act.TAKE:
            return promise_to_adjust(redemption, act, -redemption.points)
        case Act.GIVE_AGAIN:
            return promise_to_adjust(redemption, act, redemption.points)
        case Act.NEVER_GIVEN_BACK | Act.SOLD:
            sold: dict[str, Any] = {"sold_at": Coalesce("sold_at", Now())}
            if redemption.delayed:
                # Its sale may come, or never: whether the points went is read either way.
                sold |= {"deduction": Deduction.TOLD, "next_check_at": Now() + settle_time()}
            return redemption.move(State.USED, Reason.BY_MANAGER, **by_hand, **sold)
        case Act.LET_GO:
            return redemption.move(State.REVERSED, Reason.LET_GO, **by_hand)
        case Act.NONE_IS_OURS:
            return redemption.move(State.NOT_MADE, Reason.BY_MANAGER, **by_hand)
        case Act.GIVE_BACK | Act.END:
            freed: dict[str, Any] = {"withdrawn_at": Now(), "sold_at": None, "sale": ""}
            return redemption.end(Reason.BY_MANAGER, **by_hand, **freed, **changes)


def forgo(redemption: PendingRedemption) -> bool:
    asks = PendingRedemption.objects.filter(asks_for_a_manager(), pk=redemption.pk)
    forgone = asks.filter(state=State.USED).update(deduction=Deduction.NONE)
    redemption.refresh_from_db()
    return bool(forgone)


def promise_to_adjust(redemption: PendingRedemption, act: Act, points: int) -> bool:
    """It stays disputed until the engine did it: it may say no, where points were spent."""
    key = adjustment_key(redemption, act)
    tried = find(ADJUSTMENT, key)
    if tried is not None:
        return send_again(tried)
    enqueue(
        kind=ADJUSTMENT,
        key=key,
        installation_id=redemption.installation_id,
        payload={"redemption": str(redemption.id), "points": points},
        order_by=order_of(redemption),
    )
    return True


def read_candidate(
    engine: Yotpo, redemption: PendingRedemption, settlement: Settlement
) -> dict[str, Any]:
    """Which redemption at the engine is given back: by its code, whose record must be the member's.

    Raises CannotSettle.
    """
    code = settlement.code.strip() or redemption.code
    if not code:
        raise CannotSettle("Type the code of the one that is this redemption's.")
    if code == redemption.code and redemption.engine_id is not None:
        return {}
    try:
        found = engine.redemption_code(code)
    except OutsideError as error:
        raise CannotSettle(
            f"The code could not be looked up at the engine: {error}. Check it, and try again."
        ) from None
    check_is_the_members(redemption, found)
    return {"code": code, "engine_id": found.redemption_id}


def check_is_the_members(redemption: PendingRedemption, found: CodeRecord) -> None:
    if not found.email or is_anothers(redemption, found):
        raise CannotSettle("The engine says that this code is another member's.")


def where_of(redemption: PendingRedemption) -> Where:
    return Where.at(
        till=redemption.till, store=redemption.store, installation=redemption.installation
    )


# What the outbox's route calls


def title_of(delivery: Delivery) -> str:
    """Found again in the history, should the answer be lost. None is a part of the other."""
    correction = "Correction" if delivery.payload["points"] < 0 else "Correction back"
    return f"{correction} {delivery.payload['redemption'][:13]}"


def redemption_of(delivery: Delivery) -> PendingRedemption:
    rows = PendingRedemption.objects.select_related("member", "installation")
    return rows.get(pk=delivery.payload["redemption"])


def take_again(engine: Yotpo, delivery: Delivery) -> None:
    """Or give: its points say which."""
    redemption = redemption_of(delivery)
    engine.adjust_points(
        email=redemption.member.email,
        points=delivery.payload["points"],
        title=title_of(delivery),
        asked_at=delivery.asked_at,
    )


def is_taken_seen(engine: Yotpo, delivery: Delivery) -> bool | None:
    redemption = redemption_of(delivery)
    history = engine.customer(email=redemption.member.email, with_history=True).history
    if history is None:
        return None
    return any(title_of(delivery) in row.title for row in history)


def note_deducted(redemption: PendingRedemption) -> bool:
    """Used before, and a manager had its points taken that did not go with the order."""
    missing = PendingRedemption.objects.filter(pk=redemption.pk, deduction=Deduction.MISSING)
    return bool(missing.update(deduction=Deduction.GONE))


def note_taken(delivery: Delivery) -> None:
    redemption = redemption_of(delivery)
    sold: dict[str, Any] = {"sold_at": Coalesce("sold_at", Now())}
    if redemption.state == State.USED:
        moved = note_deducted(redemption)
    elif delivery.payload["points"] < 0:
        moved = redemption.move(State.USED, Reason.BY_MANAGER, only_from=[State.DISPUTED], **sold)
    else:
        moved = redemption.move(State.REVERSED, Reason.BY_MANAGER, only_from=[State.DISPUTED])
    log.info("redemption.adjusted", redemption=str(redemption.id), moved=moved)
