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
from redemptions.evidence import is_anothers
from redemptions.models import PendingRedemption
from redemptions.states import Reason, State

log = structlog.get_logger(__name__)

ADJUSTMENT = "adjustment"
# A till said that it was sold; by then the sale should have come.
SALE_COMES_WITHIN = timedelta(hours=24)


class Act(models.TextChoices):
    """The words are for a manager who reads them for the first time."""

    TAKE_AGAIN = "take_again", "Take the points again"
    NEVER_GIVEN_BACK = "never_given_back", "They never came back: the sale has what is its own"
    LET_GO = "let_go", "Let it go: leave the points as they are"
    GIVE_BACK = "give_back", "Give the points back"
    NONE_IS_OURS = "none_is_ours", "Nothing was made: no points are to be given back"
    SOLD = "sold", "It was sold"


# How it came about -> what can be done.
ACTS: dict[str, tuple[Act, Act]] = {
    Reason.SOLD_AFTER: (Act.TAKE_AGAIN, Act.LET_GO),
    Reason.SOLD_UNCLEAR: (Act.TAKE_AGAIN, Act.NEVER_GIVEN_BACK),
    Reason.REVERSAL_REFUSED: (Act.GIVE_BACK, Act.LET_GO),
    Reason.LATE_REPLY: (Act.GIVE_BACK, Act.LET_GO),
    Reason.TWO_CANDIDATES: (Act.GIVE_BACK, Act.NONE_IS_OURS),
    Reason.NEVER_CLEAR: (Act.GIVE_BACK, Act.NONE_IS_OURS),
    Reason.CODE_HELD_TWICE: (Act.GIVE_BACK, Act.NONE_IS_OURS),
}
OF_AN_OPEN_CODE = (Act.SOLD, Act.GIVE_BACK)


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
    """Disputed, or an open code of which only a person can know whether it was sold."""
    claimed = Q(claimed_used_at__lte=Now() - SALE_COMES_WITHIN)
    still_on_a_sale = Q(applied_at__isnull=False, withdrawn_at=None, lease_until__lte=Now())
    return Q(state=State.DISPUTED) | (Q(state=State.ISSUED) & (claimed | still_on_a_sale))


def acts_of(redemption: PendingRedemption) -> tuple[Act, ...]:
    """What can be done now; nothing while points are being taken again."""
    asks = PendingRedemption.objects.filter(asks_for_a_manager(), pk=redemption.pk)
    if not asks.exists() or is_being_taken(redemption):
        return ()
    if redemption.state == State.ISSUED:
        return OF_AN_OPEN_CODE
    return ACTS.get(redemption.reason, (Act.GIVE_BACK, Act.LET_GO))


def is_being_taken(redemption: PendingRedemption) -> bool:
    taking = find(ADJUSTMENT, adjustment_key(redemption))
    return taking is not None and taking.state not in ENDED


def adjustment_key(redemption: PendingRedemption) -> str:
    return f"take-again-{redemption.id}"


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
        case Act.TAKE_AGAIN:
            return promise_to_take(redemption)
        case Act.NEVER_GIVEN_BACK | Act.SOLD:
            sold: dict[str, Any] = {"sold_at": Coalesce("sold_at", Now())}
            return redemption.move(State.USED, Reason.BY_MANAGER, **by_hand, **sold)
        case Act.LET_GO:
            return redemption.move(State.REVERSED, Reason.LET_GO, **by_hand)
        case Act.NONE_IS_OURS:
            return redemption.move(State.NOT_MADE, Reason.BY_MANAGER, **by_hand)
        case Act.GIVE_BACK:
            freed: dict[str, Any] = {"withdrawn_at": Now(), "sold_at": None, "sale": ""}
            return redemption.end(Reason.BY_MANAGER, **by_hand, **freed, **changes)


def promise_to_take(redemption: PendingRedemption) -> bool:
    """It stays disputed until the engine took them: it may say no, where they were spent."""
    tried = find(ADJUSTMENT, adjustment_key(redemption))
    if tried is not None:
        return send_again(tried)
    enqueue(
        kind=ADJUSTMENT,
        key=adjustment_key(redemption),
        installation_id=redemption.installation_id,
        payload={"redemption": str(redemption.id), "points": -redemption.points},
        order_by=f"redemption:{redemption.id}",
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


def title_of(redemption: PendingRedemption) -> str:
    """Found again in the history, should the answer be lost."""
    return f"Correction {str(redemption.id)[:13]}"


def redemption_of(delivery: Delivery) -> PendingRedemption:
    rows = PendingRedemption.objects.select_related("member", "installation")
    return rows.get(pk=delivery.payload["redemption"])


def take_again(engine: Yotpo, delivery: Delivery) -> None:
    redemption = redemption_of(delivery)
    engine.adjust_points(
        email=redemption.member.email,
        points=delivery.payload["points"],
        title=title_of(redemption),
        asked_at=delivery.asked_at,
    )


def is_taken_seen(engine: Yotpo, delivery: Delivery) -> bool | None:
    redemption = redemption_of(delivery)
    history = engine.customer(email=redemption.member.email, with_history=True).history
    if history is None:
        return None
    return any(title_of(redemption) in row.title for row in history)


def note_taken(delivery: Delivery) -> None:
    redemption = redemption_of(delivery)
    sold: dict[str, Any] = {"sold_at": Coalesce("sold_at", Now())}
    redemption.move(State.USED, Reason.BY_MANAGER, only_from=[State.DISPUTED], **sold)
    log.info("redemption.taken_again", redemption=str(redemption.id))
