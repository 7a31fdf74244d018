"""Where each kind of delivery goes. The outbox knows kinds and payloads, not what they mean."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from outbox.models import Delivery


def nothing_follows(_delivery: "Delivery") -> None:
    """For a route from whose end nothing follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How a kind of delivery is made.

    `call` makes the outside call; it raises connectors.errors.OutsideError's children, or NotWanted
    before anything was sent. What it gives back is `delivery.answer` in `on_done`. It should hand
    `delivery.asked_at` to the connector, which then sends nothing too late.
    `before` notes, committed, what `seen` compares with. It runs before each sending, once the
    delivery is claimed; what dies in it was not sent. It may raise what `call` may.
    `seen` reads the other side after a lost answer: True, it was done; False, a good reading shows
    that it was not; None, reading can't tell. Without one, nothing can be read.
    `on_done` and `on_parked` run in the transaction that records the end: no outside calls.
    `system` shares breaker and quota with all calls to it; `calls` is how many one delivery makes.
    `idempotent`: the other side takes the key, so a second sending changes nothing.
    `in_the_back`: nothing hangs on it, so all other kinds go before it.
    `one_in_flight_by`: of those with the same value only one is under way or being verified.
    """

    call: Callable[["Delivery"], Any]
    system: str
    before: Callable[["Delivery"], None] | None = None
    seen: Callable[["Delivery"], bool | None] | None = None
    on_done: Callable[["Delivery"], None] = nothing_follows
    on_parked: Callable[["Delivery"], None] = nothing_follows
    idempotent: bool = False
    in_the_back: bool = False
    one_in_flight_by: Callable[["Delivery"], str] | None = None
    calls: int = 1


def routes() -> dict[str, Route]:
    """All there are, by kind."""
    known: dict[str, Route] = import_string(settings.DELIVERY_ROUTES)
    return known


def kinds_in_the_back() -> list[str]:
    return [kind for kind, route in routes().items() if route.in_the_back]


def route_of(kind: str) -> Route:
    """Raises LookupError for a kind that settings.DELIVERY_ROUTES does not name."""
    try:
        return routes()[kind]
    except KeyError:
        raise LookupError(
            f"Deliveries of kind {kind!r} have no route: add one to {settings.DELIVERY_ROUTES}."
        ) from None
