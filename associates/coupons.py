"""A redemption as the screen shows it: the code to scan, or what is known of it so far."""

from typing import Any

import segno
from barcode import Code128

from offers.catalogue import Kind
from offers.money import show_money
from offers.pools import says_no_codes
from redemptions.life import is_frozen, seconds_left
from redemptions.models import PendingRedemption
from redemptions.states import UNDER_WAY, Reason, State
from redemptions.tickets import removed

REFUSALS: dict[str, tuple[str, int]] = {
    Reason.NOT_SENT: (
        "The loyalty system can't be reached. No points were taken. Press Redeem again.",
        503,
    ),
    Reason.THROTTLED: (
        "The loyalty system is busy. No points were taken. "
        "Wait a few seconds, then press Redeem again.",
        429,
    ),
    Reason.MISCONFIGURED: (
        "The loyalty system does not accept this shop's keys. No points were taken. "
        "Tell your manager; trying again does not help.",
        503,
    ),
    Reason.ENGINE_SAID_NO: ("The loyalty system said no. No points were taken.", 422),
}
WAITING = (*UNDER_WAY, State.REVERSING)
NO_CODES_LEFT = (
    "There are no codes left for {offer}. No points were taken. Offer something else, and tell "
    "your manager, who can load new codes. The loyalty system said: {words}"
)


def refusal(redemption: PendingRedemption) -> tuple[str, int]:
    """Words for the associate, and the status. The engine's own words where it gave some."""
    text, status = REFUSALS[redemption.reason]
    if has_no_codes(redemption):
        text = NO_CODES_LEFT.format(offer=redemption.offer_name, words=redemption.engine_words)
    elif redemption.engine_words:
        text = f"The loyalty system said no: {redemption.engine_words}. No points were taken."
    return text, status


def has_no_codes(redemption: PendingRedemption) -> bool:
    """Only a custom coupon's codes come from a pool that may be empty."""
    from_pool = redemption.offer_kind == Kind.CUSTOM
    return from_pool and says_no_codes(redemption.engine_words)


def coupon_context(redemption: PendingRedemption) -> dict[str, Any]:
    issued = redemption.state == State.ISSUED
    on_sale = issued and redemption.applied_at is not None and redemption.withdrawn_at is None
    return {
        "on_sale": on_sale,
        "gone": issued and redemption.gone_at is not None,
        "removed": issued and removed(redemption),
        "taken_off": issued and redemption.withdrawn_at is not None,
        "lease": lease_words(redemption) if issued else None,
        "redemption": redemption,
        "mark": mark_of(redemption),
        "stopping": issued and redemption.stop_asked_at is not None,
        "come_off": must_come_off(redemption),
        "ended_by": redemption.reason,
        "waiting": redemption.state in WAITING,
        "under_way": redemption.state in UNDER_WAY,
        "worth": show_money(redemption.value_cents, redemption.currency)
        if redemption.value_cents
        else "",
        "barcode": bars(redemption.code) if issued else None,
        "qr": qr(redemption.code) if issued else "",
    }


def mark_of(redemption: PendingRedemption) -> str:
    """Changes when the card must say something else of its own accord."""
    return f"{redemption.state}-stop" if redemption.stop_asked_at else redemption.state


def must_come_off(redemption: PendingRedemption) -> bool:
    """Ended while it was on a sale, or to be ended there: the till is asked to take it off."""
    if redemption.state == State.ISSUED:
        return redemption.stop_asked_at is not None and redemption.withdrawn_at is None
    ended = redemption.state in (State.CANCELLED, State.REVERSING, State.REVERSED)
    by_others = redemption.reason in (Reason.BY_ENGINE, Reason.BY_SHOPPER)
    was_there = redemption.applied_at is not None and redemption.withdrawn_at is None
    return ended and by_others and was_there


def lease_words(redemption: PendingRedemption) -> dict[str, Any]:
    """How long the code is kept: a number that the screen counts down, or why it stands still."""
    left = seconds_left(redemption) or 0
    return {
        "left": left,
        "clock": f"{left // 60}:{left % 60:02}",
        "frozen": is_frozen(redemption),
        "may_extend": not redemption.lease_extended and redemption.gone_at is None,
    }


def bars(code: str) -> dict[str, Any] | None:
    """Code 128 as an SVG path: one unit a module. None for a code that it can't write."""
    if not code.isascii() or not code.isprintable():
        return None
    modules = Code128(code).build()[0]
    path = "".join(f"M{x} 0h1v1h-1z" for x, module in enumerate(modules) if module == "1")
    return {"width": len(modules), "path": path}


def qr(code: str) -> str:
    """An inline SVG. It has no style of its own: the page's policy forbids that."""
    return segno.make(code, micro=False).svg_inline(
        border=2, svgclass="qr", lineclass="ink", omitsize=True, title="QR code"
    )
