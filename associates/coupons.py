"""A redemption as the screen shows it: the code to scan, or what is known of it so far."""

from typing import Any

import segno
from barcode import Code128

from offers.money import show_money
from redemptions.models import PendingRedemption
from redemptions.states import UNDER_WAY, Reason, State

REFUSALS: dict[str, tuple[str, int]] = {
    Reason.NOT_SENT: (
        "The loyalty system can't be reached. No points were taken. Try again.",
        503,
    ),
    Reason.THROTTLED: (
        "The loyalty system is busy. No points were taken. Wait a few seconds, then try again.",
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


def refusal(redemption: PendingRedemption) -> tuple[str, int]:
    """Words for the associate, and the status. The engine's own words where it gave some."""
    text, status = REFUSALS[redemption.reason]
    if redemption.engine_words:
        text = f"The loyalty system said no: {redemption.engine_words}. No points were taken."
    return text, status


def coupon_context(redemption: PendingRedemption) -> dict[str, Any]:
    issued = redemption.state == State.ISSUED
    return {
        "redemption": redemption,
        "waiting": redemption.state in WAITING,
        "under_way": redemption.state in UNDER_WAY,
        "worth": show_money(redemption.value_cents, redemption.currency)
        if redemption.value_cents
        else "",
        "barcode": bars(redemption.code) if issued else None,
        "qr": qr(redemption.code) if issued else "",
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
