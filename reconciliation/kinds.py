"""What can differ between our ledger and the engine's."""

from django.db import models


class Kind(models.TextChoices):
    """The words are for a manager who reads them for the first time."""

    ONLINE = "online_act", "Done in the web shop"
    LATE_COMMIT = "late_commit", "The engine acted after we said that it had not"
    UNKNOWN_CODE = "unknown_code", "Points went for a code that we did not ask for"
    NOT_AT_ENGINE = "not_at_engine", "The engine does not know a code of ours"
    CODE_ELSEWHERE = "code_elsewhere", "The engine says that a code of ours is another member's"
    NOT_GIVEN_BACK = "not_given_back", "Undone here, but the points did not come back"
    GIVEN_BACK_TWICE = "given_back_twice", "Undone once, and the points came back twice"
    GIVEN_BACK_UNASKED = "given_back_unasked", "The engine gave back the points of a live code"
    ORDER_NOT_PROCESSED = "order_not_processed", "The engine took an order and did nothing with it"
    ORDER_TWICE = "order_twice", "The engine counted an order twice"
    REFUND_NOT_PROCESSED = (
        "refund_not_processed",
        "The engine took a refund and did nothing with it",
    )
    DELAYED_NOT_TAKEN = "delayed_not_taken", "A code was used and its points were not taken"
    OTHER_COST = "other_cost", "The engine took another number of points than we told"
    CORRECTION_MISSING = "correction_missing", "A correction of ours does not show at the engine"
    CORRECTION_TWICE = "correction_twice", "A correction of ours shows twice at the engine"


class State(models.TextChoices):
    OPEN = "open", "Open"
    EXPLAINED = "explained", "Explained: nothing to do"
    REPAIRING = "repairing", "A repair is under way"
    REPAIRED = "repaired", "Repaired"
    DISMISSED = "dismissed", "Seen by a manager, left as it is"
    GONE = "gone", "Gone by itself"


# A reading that does not show these any more ends them.
STANDING = (State.OPEN, State.EXPLAINED, State.REPAIRING)


class Repair(models.TextChoices):
    """What can be done about one, by the doors that there are."""

    GIVE_BACK = "give_back", "End the code at the engine and give its points back"
    CORRECT = "correct", "Correct the points"
    SEND_ORDER = "send_order", "Send the order again under the same id"
