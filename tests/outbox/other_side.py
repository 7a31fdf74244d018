"""An outside system that does as it is told, and remembers what it was asked."""

from collections.abc import Callable
from typing import Any

from outbox.models import Delivery
from outbox.routes import Route


class OtherSide:
    """`says`, `reads` and `notes` are used up one by one; then it accepts, and shows what it
    accepted.
    """

    def __init__(self) -> None:
        self.says: list[Any] = []
        self.reads: list[Any] = []
        self.notes: list[Any] = []
        self.noted: list[str] = []
        self.while_noting: Callable[[Delivery], None] = lambda _delivery: None
        self.calls: list[str] = []
        self.readings: list[str] = []
        self.done: list[str] = []
        self.parked: list[str] = []
        self.meanwhile: Callable[[Delivery], None] = lambda _delivery: None
        self.follows: Callable[[Delivery], None] = lambda _delivery: None

    def call(self, delivery: Delivery) -> str:
        self.calls.append(delivery.key)
        self.meanwhile(delivery)
        return str(answer(self.says, "accepted"))

    def before(self, delivery: Delivery) -> None:
        self.noted.append(delivery.key)
        answer(self.notes, None)
        self.while_noting(delivery)

    def seen(self, delivery: Delivery) -> bool | None:
        self.readings.append(delivery.key)
        found: bool | None = answer(self.reads, False)
        return found

    def on_done(self, delivery: Delivery) -> None:
        self.follows(delivery)
        self.done.append(delivery.key)

    def on_parked(self, delivery: Delivery) -> None:
        self.parked.append(delivery.key)


def answer(script: list[Any], otherwise: Any) -> Any:
    said = script.pop(0) if script else otherwise
    if isinstance(said, Exception):
        raise said
    return said


def member(delivery: Delivery) -> str:
    return f"member:{delivery.payload.get('member', '')}"


def routes_to(side: OtherSide) -> dict[str, Route]:
    ends = {"system": "shop", "call": side.call, "on_done": side.on_done}
    ends["on_parked"] = side.on_parked
    return {
        "order": Route(**ends, seen=side.seen, idempotent=True),
        "adjustment": Route(**ends, seen=side.seen, one_in_flight_by=member),
        "noted": Route(**ends, before=side.before, seen=side.seen),
        "blind": Route(**ends),
        "reading": Route(**ends, in_the_back=True),
        "blind_keyed": Route(**ends, idempotent=True),
    }


DELIVERIES: dict[str, Route] = {}
