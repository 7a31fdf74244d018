"""What a room sees in its own tables that a person should know of: the protocol of alerts.

A *watch* is a function without arguments that gives the conditions as they are now. It stands in
the room whose tables it reads, and in settings.ALERT_WATCHES by dotted path. It asks a query or
two, whatever the number of rows, and writes nothing. What it gives is an alert; what it gives no
more is over. So nobody raises or clears anything: `alerts/` does, from what the watches give.

    @gives("delivery.parked")
    def watch_parked() -> Iterator[Condition]:
        for kind, count, since in parked_by_kind():
            yield Condition(kind="delivery.parked", subject=kind, count=count, since=since,
                            words=f"{count} of {kind} wait for a person.", path=reverse(...))
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that a person should know of, for as long as a watch gives it.

    `kind` is a word like `delivery.parked`; with `subject` it is the alert's identity, so neither
    may hold what changes while it lasts. `subject` is an id or a short word, empty where there is
    but one. `words` say what it is and what to do, to somebody who reads them in a mail; kind,
    subject and words name nobody, and hold no code, email or phone. `count` is how many rows it is
    of: an alert that a person set aside comes back when it grows. `since` is aware. `path` leads to
    the rows in the admin. `installation` is the id of the only one that it concerns, or empty.
    """

    kind: str
    subject: str = ""
    words: str
    count: int = 1
    since: datetime | None = None
    path: str = ""
    installation: str = ""


Watch = Callable[[], Iterable[Condition]]

_GIVEN: dict[Watch, tuple[str, ...]] = {}


def gives(*kinds: str) -> Callable[[Watch], Watch]:
    """Says which kinds a watch gives, so that a person can choose one that was never raised yet."""

    def note(watch: Watch) -> Watch:
        _GIVEN[watch] = kinds
        return watch

    return note


def kinds_of(watch: Watch) -> tuple[str, ...]:
    """Empty for one that does not say."""
    return _GIVEN.get(watch, ())
