"""The life of a delivery, as data. docs/architecture.md shows it, drawn from this."""

from django.db import models

from outbox.diagram import diagram


class State(models.TextChoices):
    PENDING = "pending", "Pending"
    RUNNING = "running", "Running"
    VERIFYING = "verifying", "Verifying"
    DONE = "done", "Done"
    PARKED = "parked", "Parked"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Outcome(models.TextChoices):
    """How an attempt ended."""

    DONE = "done", "Accepted"
    NOT_WANTED = "not_wanted", "No longer wanted, and not sent"
    UNAVAILABLE = "unavailable", "The other system was out of reach, and nothing was done"
    THROTTLED = "throttled", "The other system asked us to wait"
    MISCONFIGURED = "misconfigured", "The other system refused our credentials"
    REFUSED = "refused", "The other system said no"
    NOT_FOUND = "not_found", "The other system does not know whom or what it is about"
    REPLY_LOST = "reply_lost", "It may have been done: the answer was lost"
    NOT_SENT = "not_sent", "The process died before it was sent"
    ABANDONED = "abandoned", "It may have been done: the process died"
    BUG = "bug", "It may have been done: our own code failed"


class Reason(models.TextChoices):
    """Why a delivery waits for a person."""

    REFUSED = "refused", "The other system said no"
    NOT_FOUND = "not_found", "The other system does not know whom or what it is about"
    MISCONFIGURED = "misconfigured", "The other system keeps refusing our credentials"
    CANNOT_TELL = "cannot_tell", "The answer was lost, and reading does not tell what came of it"
    KEEPS_GETTING_LOST = "keeps_getting_lost", "Its answer was lost again and again"
    BUG = "bug", "Our own code failed; the log has the traceback"
    NOT_RECORDED = "not_recorded", "It was accepted, and what follows from that could not be kept"
    NO_ROUTE = "no_route", "This version does not know where it goes"


# From -> to -> what brings it about.
TRANSITIONS: dict[State, dict[State, str]] = {
    State.PENDING: {
        State.RUNNING: "a worker recorded an attempt",
        State.WITHDRAWN: "withdrawn before its first attempt",
        State.PARKED: "nobody knows where it goes",
    },
    State.RUNNING: {
        State.DONE: "accepted",
        State.PENDING: "nothing was done, and it may pass",
        State.VERIFYING: "the answer was lost, or the process died",
        State.PARKED: "it can't be done without a person",
        State.WITHDRAWN: "no longer wanted, and not sent",
    },
    State.VERIFYING: {
        State.DONE: "read at the other side",
        State.PENDING: "not there in two readings",
        State.PARKED: "reading does not tell",
    },
    State.PARKED: {
        State.PENDING: "sent again by a person",
        State.VERIFYING: "sent again by a person: read first",
    },
    State.DONE: {},
    State.WITHDRAWN: {
        State.PENDING: "wanted after all: nothing was sent",
    },
}

UNFINISHED = (State.PENDING, State.RUNNING, State.VERIFYING, State.PARKED)
# A worker may take these.
WAITING = (State.PENDING, State.VERIFYING)
# What the other side may still be doing on our behalf.
IN_FLIGHT = (State.RUNNING, State.VERIFYING)
ENDED = (State.DONE, State.PARKED, State.WITHDRAWN)
# Sent again by a person: these may have been done already.
MAY_BE_DONE = (Reason.CANNOT_TELL, Reason.KEEPS_GETTING_LOST, Reason.BUG, Reason.NOT_RECORDED)


def sources_of(new: State) -> list[State]:
    """The states from which `new` can be reached."""
    return [old for old, targets in TRANSITIONS.items() if new in targets]


def draw() -> str:
    """The states as a Mermaid diagram, in Markdown."""
    return diagram(TRANSITIONS, State.PENDING)
