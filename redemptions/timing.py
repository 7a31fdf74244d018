"""How long things may take. All of it follows from the deadline of a call to the engine."""

from datetime import timedelta

from django.conf import settings

# The connector does not send what was asked for longer ago than this.
TOO_LATE = timedelta(seconds=5)
MARGIN = timedelta(seconds=5)
# A history is not read more often than this for one redemption, whoever asks.
CHECK_EVERY = timedelta(seconds=2)
# Reading a history that stays unclear ends with a person.
GIVE_UP_AFTER = timedelta(minutes=30)
# Clocks that tell whole seconds.
WHOLE_SECONDS = timedelta(seconds=2)


def deadline() -> timedelta:
    return timedelta(seconds=settings.ENGINE_DEADLINE_SECONDS)


def settle_time() -> timedelta:
    return timedelta(seconds=settings.ENGINE_SETTLE_SECONDS)


def answer_must_be_in() -> timedelta:
    """From the row's writing: after this no process can be waiting for the engine's answer."""
    return TOO_LATE + deadline() + MARGIN


def reversal_claim() -> timedelta:
    """Up to four calls follow one another while a process gives points back."""
    return 4 * deadline() + MARGIN
