"""The life of a redemption, as data. docs/architecture.md shows it, drawn from this."""

from django.db import models

from outbox.diagram import diagram


class State(models.TextChoices):
    REQUESTED = "requested", "Requested"
    UNCERTAIN = "uncertain", "Uncertain"
    ISSUED = "issued", "Issued"
    USED = "used", "Used"
    REVERSING = "reversing", "Reversing"
    REVERSED = "reversed", "Reversed"
    CANCELLED = "cancelled", "Cancelled"
    REFUSED = "refused", "Refused"
    NOT_MADE = "not_made", "Not made"
    DISPUTED = "disputed", "Disputed"


class Reason(models.TextChoices):
    """Why a redemption is where it is; a machine's word, told to people by the screens."""

    NONE = "", "-"
    NOT_SENT = "not_sent", "Not sent to the engine"
    THROTTLED = "throttled", "The engine was too busy"
    ENGINE_SAID_NO = "engine_said_no", "The engine said no"
    MISCONFIGURED = "misconfigured", "The engine refused our credentials"
    REPLY_LOST = "reply_lost", "The engine's answer was lost"
    TIMED_OUT = "timed_out", "The engine did not answer in time"
    PROCESS_DIED = "process_died", "The process died before the answer"
    UNDONE = "undone", "Undone by the associate"
    REMOVED = "removed", "Taken off the sale"
    ABANDONED = "abandoned", "The sale was abandoned"
    NOT_HEARD_OF = "not_heard_of", "Nothing was heard of the sale"
    VOIDED = "voided", "The sale was voided"
    BY_ENGINE = "by_engine", "The engine ended it"
    BY_SHOPPER = "by_shopper", "The shopper asked for the points back"
    BY_MANAGER = "by_manager", "A manager decided so"
    SOLD = "sold", "A sale has the code"
    SOLD_AFTER = "sold_after", "A sale has the code, and the points were given back"
    SOLD_UNCLEAR = "sold_unclear", "A sale has the code; whether the points came back is not clear"
    VOIDED_AFTER = "voided_after", "Its sale was voided after its points had been taken again"
    LATE_REPLY = "late_reply", "The answer came after all"
    TWO_CANDIDATES = "two_candidates", "Two redemptions at the engine could be this one"
    NEVER_CLEAR = "never_clear", "The engine's history did not become clear"
    CODE_HELD_TWICE = "code_held_twice", "Another open redemption holds its code"
    LET_GO = "let_go", "A manager let it go"
    REPLACED = "replaced", "Another code took its place"
    SOLD_ENDED = "sold_ended", "A sale has the code, which the engine had ended"
    REVERSAL_REFUSED = "reversal_refused", "The engine refused to give the points back"


class Deduction(models.TextChoices):
    """Whether the points of a delayed one that was used have gone; empty where none are to go."""

    NONE = "", "-"
    DUE = "due", "The engine has not heard of the order yet"
    TOLD = "told", "The order was told: to be read whether the points went"
    GONE = "gone", "The points went"
    MISSING = "missing", "The points did not go"


# From -> to -> what brings it about.
TRANSITIONS: dict[State, dict[State, str]] = {
    State.REQUESTED: {
        State.ISSUED: "the engine gave a code",
        State.REFUSED: "not sent, or the engine said no",
        State.UNCERTAIN: "the answer was lost",
    },
    State.UNCERTAIN: {
        State.ISSUED: "found in the member's history",
        State.REVERSING: "found, and undo was pressed meanwhile",
        State.CANCELLED: "delayed, and undo was pressed meanwhile",
        State.NOT_MADE: "not in two readings of the history",
        State.DISPUTED: "two candidates, a code held twice, or never clear",
    },
    State.ISSUED: {
        State.USED: "a sale has the code",
        State.REVERSING: "undone, abandoned or voided",
        State.CANCELLED: "delayed and ended, or ended by the engine",
    },
    State.USED: {
        State.REVERSING: "the sale was voided before its order's first attempt",
        State.CANCELLED: "the same, of a delayed one",
        State.DISPUTED: "the same, after its points had been taken again",
    },
    State.REVERSING: {
        State.REVERSED: "the engine gave the points back",
        State.USED: "a sale came before the first attempt",
        State.DISPUTED: "refused without an explanation, or a late answer has another code",
    },
    State.NOT_MADE: {
        State.REVERSING: "the answer came late, with a code",
        State.CANCELLED: "the answer came late, delayed",
    },
    State.CANCELLED: {
        State.USED: "we ended it, and a sale has the code",
        State.DISPUTED: "the engine ended it, and a sale has the code",
    },
    State.REVERSED: {State.DISPUTED: "a sale has the code, or a late answer brings another code"},
    State.DISPUTED: {
        State.USED: "points taken again, or never given back",
        State.REVERSED: "let go, or points given again",
        State.REVERSING: "a candidate is ours: give back",
        State.NOT_MADE: "no candidate is ours",
    },
    State.REFUSED: {},
}

# The engine has been asked or may have been, and we do not know the answer yet.
UNDER_WAY = (State.REQUESTED, State.UNCERTAIN)
# Points are gone and the code may still be taken: codes are unique among these.
OPEN = (State.ISSUED, State.REVERSING)
HAS_CODE = (State.ISSUED, State.USED, State.REVERSING, State.REVERSED, State.CANCELLED)
# Where an open one stands, as it is said at a till.
TILL_WORDS: dict[str, str] = {
    State.REQUESTED: "being checked",
    State.UNCERTAIN: "being checked",
    State.ISSUED: "open",
    State.REVERSING: "being undone",
}
# Nothing was taken, so the same act may be tried again under the same key.
NOTHING_TAKEN = (Reason.NOT_SENT, Reason.THROTTLED)


def sources_of(new: State) -> list[State]:
    """The states from which `new` can be reached."""
    return [old for old, targets in TRANSITIONS.items() if new in targets]


def draw() -> str:
    """The states as a Mermaid diagram, in Markdown."""
    return diagram(TRANSITIONS, State.REQUESTED)
