"""How a change of points is told to an associate, and what we know of it."""

from collections.abc import Sequence
from datetime import timedelta

from connectors.yotpo.payloads import HistoryItem
from offers.money import show_money
from outbox.states import State as Delivered
from redemptions.models import PendingRedemption
from redemptions.states import UNDER_WAY, Reason, State
from redemptions.use import Outcome
from sales.models import Refund, Remainder, Sale

BOTH = "As in our records."
ENGINE_ALONE = "Not from our tills."
BY_HAND = "Told by us, under a title by which it is found."
PENDING = "Pending: it does not count yet."
NO_TITLE = "Without a title"
A_PURCHASE = "A purchase"
A_REFUND = "A refund"
FROM_THE_WEB_SHOP = "The loyalty system has it from the web shop, where it earns."
WHICH_SALE = "The loyalty system does not say which sale it was."
WHICH_REFUND = "The loyalty system does not say of which sale."

# Why the points of a code came back, as far as it is worth telling.
ENDED: dict[str, str] = {
    Reason.REMOVED: "taken off the sale and given back",
    Reason.ABANDONED: "given back, for its sale was abandoned",
    Reason.NOT_HEARD_OF: "given back, for no sale with it was heard of",
    Reason.VOIDED: "given back, for its sale was voided",
    Reason.BY_ENGINE: "ended by the loyalty system",
    Reason.BY_SHOPPER: "given back, as the shopper asked online",
    Reason.BY_MANAGER: "given back by a manager",
    Reason.REPLACED: "ended, for another code took its place",
}
STANDS: dict[str, str] = {
    State.ISSUED: "not used yet",
    State.USED: "used",
    State.REVERSING: "being given back",
    State.DISPUTED: "a manager must look at it",
}
# Where the telling of an order or a refund stands.
TOLD: dict[str, str] = {
    Delivered.PENDING: "The loyalty system has not been told of it yet.",
    Delivered.RUNNING: "The loyalty system is being told of it now.",
    Delivered.VERIFYING: "The loyalty system's answer was lost: we read whether it was taken.",
    Delivered.PARKED: "The loyalty system has not taken it: a manager sees to it, under "
    "Deliveries.",
    Delivered.WITHDRAWN: "The loyalty system was not told of it.",
}

# What a code of a sale turned out to be.
CODES: dict[str, str] = {
    Outcome.USED: "used in this sale",
    Outcome.USED_BEFORE: "another sale had used it before",
    Outcome.BEING_REVERSED: "its points were on their way back",
    Outcome.DISPUTED: "its points went back before: a manager decides",
    Outcome.CANCELLED: "used in this sale, after it had been ended here",
    Outcome.ANOTHER_MEMBERS: "used in this sale, and it was another member's: a manager is asked",
    Outcome.UNKNOWN: "not made at our tills",
}


def in_points(number: int) -> str:
    """-1 -> 1 point: whether they went or came stands in the words around."""
    return f"{abs(number):,} point{'' if abs(number) == 1 else 's'}"


def later(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 1:
        return "at once"
    if minutes < 60:
        return f"{minutes} minute{'' if minutes == 1 else 's'} later"
    hours = minutes // 60
    if hours < 48:
        return f"{hours} hour{'' if hours == 1 else 's'} later"
    return f"{hours // 24} days later"


def of_redemption(redemption: PendingRedemption, sale: Sale | None) -> str:
    amount, whose = in_points(redemption.points), spender(redemption)
    if redemption.state in UNDER_WAY:
        return f"{redemption.offer_name}: {amount} asked for{whose}, being checked"
    code = f"Code {redemption.code} for" if redemption.code else "A code for"
    if redemption.state == State.CANCELLED:
        return f"{code} {redemption.offer_name}: ended, no points were taken"
    spent = "to go with its sale" if redemption.points_set_aside else "spent"
    how = stands(redemption, sale)
    return f"{code} {redemption.offer_name}: {amount} {spent}{whose}, {how}"


def spender(redemption: PendingRedemption) -> str:
    by = f" by {redemption.associate.name}" if redemption.associate else ""
    return by + place(redemption.till, redemption.store)


def place(till: object, store: object) -> str:
    return f" at {till}" if till else f" in {store}" if store else ""


def stands(redemption: PendingRedemption, sale: Sale | None) -> str:
    if redemption.state == State.USED and sale is not None:
        return f"used in sale {sale.pos_id}"
    if redemption.state != State.REVERSED:
        return STANDS[redemption.state]
    if redemption.reason == Reason.LET_GO:
        return "let go by a manager"
    ended = ENDED.get(redemption.reason, undone(redemption))
    return f"{ended} {later(redemption.changed_at - redemption.requested_at)}"


def undone(redemption: PendingRedemption) -> str:
    other = redemption.undone_by
    by_other = other is not None and other != redemption.associate
    return f"undone by {other}" if by_other else "undone"


def of_reversal(redemption: PendingRedemption, points: int) -> str:
    ended = ENDED.get(redemption.reason, undone(redemption))
    return f"Code {redemption.code} for {redemption.offer_name} {ended}: {in_points(points)} back"


def of_foreign_code(row: HistoryItem, sale: Sale | None) -> str:
    used = f", used in sale {sale.pos_id}" if sale else ""
    return f"Online: code {row.status} for {row.title}, {in_points(row.points)} spent{used}"


def of_sale(sale: Sale, points: int | None = None) -> str:
    where = f" in {sale.store}" if sale.store else ""
    earned = "" if points is None else f", {in_points(points)}"
    return f"Sale {sale.pos_id}{where}{earned}"


def why_untold(sale: Sale) -> str:
    """Nothing where the engine is to be told of it."""
    if not sale.not_delivered:
        return ""
    if sale.not_delivered == Sale.NotDelivered.ONLINE_ORDER:
        return FROM_THE_WEB_SHOP
    return f"No points: {sale.get_not_delivered_display()}."


def of_refund(refund: Refund, points: int | None = None) -> str:
    what = f"{refund.sale} voided" if refund.is_void else f"Refund of {named(refund)}"
    if points is None:
        return f"{what}, {show_money(refund.total_cents, refund.currency)}"
    return f"{what}: {in_points(points)} {'taken back' if points < 0 else 'back'}"


def named(refund: Refund) -> str:
    return f"sale {refund.sale.pos_id if refund.sale else refund.named_sale}"


def standing(state: str, *, is_read: bool, is_unclear: bool) -> str:
    """Of an order or refund of which no row can be shown. `is_unclear`: there are some to choose
    from."""
    if state != Delivered.DONE:
        return TOLD[state]
    told = "The loyalty system was told of it"
    if not is_read:
        return f"{told}."
    if is_unclear:
        return f"{told}; which of the rows of that time is this one's can't be said for certain."
    return f"{told}, and shows no points for it so far."


def unseen(*, is_read: bool) -> str:
    """Of a redemption without a row."""
    if is_read:
        return "In our records only."
    return "In our records."


def may_be_of(sales: Sequence[Sale]) -> str:
    named = " or ".join(sale.pos_id for sale in sales)
    return f"It came while sale {named} was told: it may be of that sale."


def of_correction(points: int, redemption: PendingRedemption | None) -> str:
    of = f" of code {redemption.code}" if redemption and redemption.code else ""
    return f"Correction{of}: {in_points(points)} {'given' if points > 0 else 'taken'}"


def of_give_back(refund: Refund) -> str:
    """Where the engine gives no spent points back, we do."""
    return of_refund(refund, refund.points_given_back)


def of_remainder(remainder: Remainder) -> str:
    sale, points = remainder.sale.pos_id, in_points(remainder.points)
    done = "given" if remainder.points > 0 else "taken"
    return f"Refunds of sale {sale}: {points} {done} that rounding had left"


def of_code(told: dict[str, str]) -> str:
    outcome = told["outcome"]
    return f"Code {told['code']}: {CODES.get(outcome, outcome.replace('_', ' '))}"


def of_order(sale: Sale) -> str:
    """How far the telling of a sale is."""
    if sale.not_delivered == Sale.NotDelivered.ONLINE_ORDER:
        return FROM_THE_WEB_SHOP
    if sale.not_delivered:
        return f"Not told to the loyalty system: {sale.get_not_delivered_display()}."
    state = sale.delivery
    return TOLD.get(state, "The loyalty system was told of it.")
