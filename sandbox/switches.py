"""How this engine behaves where the vendor's documentation leaves a choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sandbox.messages import refuse_field


@dataclass(frozen=True)
class Switches:
    """One consistent set of choices; a change makes a new one. Times are in seconds."""

    rate: int | None = 10
    latency_seconds: float = 0
    # How much longer a new connection takes, as the round trips of a far-away one do.
    connection_seconds: float = 0
    orders_idempotent: bool = True
    refunds_idempotent: bool = True
    first_cancellation: str = "ok"
    second_cancellation: str = "ok"
    cancel_used_code: str = "ok"
    new_customer_delay_seconds: float = 2
    order_delay_seconds: float = 0
    # None: points are given and taken whatever the order's status; else only at these words.
    order_statuses: tuple[str, ...] | None = None
    # When a refund gives back the points that paid for the discount.
    spent_points_returned: str = "full"
    multi_currency: bool = False
    code_field: str = "both"
    success_status: int = 200
    numbers_as_strings: bool = False
    content_type: str = "application/json"
    # How a cancelled redemption shows in history.
    cancellation_history: str = "status"
    # What stands as the status of a redemption in history; "Pending" proves nothing yet.
    redemption_history: str = "code"
    clock_skew_seconds: float = 0
    # How events reach the merchant: how often each, how many not at all, in which order, how late,
    # and whether somebody without the secret sends each as well.
    webhook_copies: int = 1
    webhook_loss: str = "none"
    webhook_order: str = "kept"
    webhook_delay_seconds: float = 0
    webhook_forged: bool = False
    # What an upload does with a code that is live already.
    uploaded_again: str = "pass over"
    # Whether a code that nobody redeemed yet can be looked up.
    unused_codes_shown: bool = True


@dataclass(frozen=True)
class Rule:
    """Which values a switch takes, and the words for it."""

    accepts: Callable[[object], bool]
    words: str
    choices: tuple[object, ...] = ()


def _one_of(*choices: object) -> Rule:
    def accepts(value: object) -> bool:
        # True == 1 in Python, and a switch must not be set by that accident.
        return any(value == choice and type(value) is type(choice) for choice in choices)

    return Rule(accepts, "one of " + ", ".join(map(repr, choices)), choices)


def _seconds(lowest: float, highest: float) -> Rule:
    def accepts(value: object) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and lowest <= value <= highest  # type: ignore[operator]

    return Rule(accepts, f"seconds from {lowest:g} to {highest:g}")


def _words_or_none(value: object) -> bool:
    listed = isinstance(value, list | tuple) and all(isinstance(word, str) for word in value)
    return value is None or listed


RULES: Mapping[str, Rule] = {
    "rate": _one_of(10, 5, None),
    "latency_seconds": _seconds(0, 60),
    "connection_seconds": _seconds(0, 60),
    "orders_idempotent": _one_of(True, False),
    "refunds_idempotent": _one_of(True, False),
    # "again": it gives the points back each time that it is asked.
    "second_cancellation": _one_of("ok", "refuse", "again"),
    # "ignore": it says yes and does nothing.
    "first_cancellation": _one_of("ok", "ignore"),
    "cancel_used_code": _one_of("ok", "refuse"),
    "new_customer_delay_seconds": _seconds(0, 3600),
    "order_delay_seconds": _seconds(0, 3600),
    "order_statuses": Rule(_words_or_none, "a list of status words, or null for any"),
    "spent_points_returned": _one_of("full", "proportional", "never"),
    "multi_currency": _one_of(True, False),
    "code_field": _one_of("reward_text", "code", "both"),
    "success_status": _one_of(200, 201),
    "numbers_as_strings": _one_of(True, False),
    "content_type": _one_of("application/json", "text/plain"),
    "cancellation_history": _one_of("status", "row", "none"),
    "redemption_history": _one_of("code", "Pending"),
    "clock_skew_seconds": _seconds(-86_400, 86_400),
    "webhook_copies": _one_of(1, 2, 3),
    "webhook_loss": _one_of("none", "half", "all"),
    "webhook_order": _one_of("kept", "reversed"),
    "webhook_delay_seconds": _seconds(0, 600),
    "webhook_forged": _one_of(True, False),
    "uploaded_again": _one_of("pass over", "refuse"),
    "unused_codes_shown": _one_of(True, False),
}


def changed(switches: Switches, changes: Mapping[str, Any]) -> Switches:
    """A new set; raises `Refused` (422) that names the switch that can't be set so."""
    for name, value in changes.items():
        if name not in RULES:
            raise refuse_field(name, "is no switch")
        if not RULES[name].accepts(value):
            raise refuse_field(name, f"must be {RULES[name].words}")
    return replace(switches, **{name: _frozen(value) for name, value in changes.items()})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
