"""The one retry policy, as a table of numbers."""

import random

import pytest

from outbox.policy import (
    CAP_SECONDS,
    FIRST_READ_SECONDS,
    LOST_TRIES,
    MISCONFIGURED_TRIES,
    Done,
    Park,
    Read,
    Retry,
    Verify,
    Withdrawn,
    after,
    after_no_reading,
    after_reading,
    jitter,
)
from outbox.states import Outcome, Reason

SETTLE = 120.0


class Highest(random.Random):
    """The longest that a jitter can be."""

    def uniform(self, a: float, b: float) -> float:
        return b


HIGH = Highest()


@pytest.mark.parametrize(
    ("outcome", "tries", "readable", "idempotent", "decision"),
    [
        (Outcome.DONE, 1, True, True, Done()),
        (Outcome.NOT_WANTED, 1, True, True, Withdrawn()),
        (Outcome.REFUSED, 1, True, True, Park(Reason.REFUSED)),
        (Outcome.NOT_FOUND, 1, True, True, Park(Reason.NOT_FOUND)),
        (Outcome.BUG, 1, True, True, Park(Reason.BUG)),
        (Outcome.THROTTLED, 1, True, True, Retry(7.5)),
        (Outcome.THROTTLED, 99, True, True, Retry(7.5)),
        (Outcome.UNAVAILABLE, 1, True, True, Retry(2)),
        (Outcome.UNAVAILABLE, 2, True, True, Retry(4)),
        (Outcome.UNAVAILABLE, 8, True, True, Retry(256)),
        (Outcome.UNAVAILABLE, 9, True, True, Retry(CAP_SECONDS)),
        (Outcome.UNAVAILABLE, 10_000, True, True, Retry(CAP_SECONDS)),
        (Outcome.MISCONFIGURED, 1, True, True, Retry(CAP_SECONDS)),
        (Outcome.MISCONFIGURED, MISCONFIGURED_TRIES - 1, True, True, Retry(CAP_SECONDS)),
        (Outcome.MISCONFIGURED, MISCONFIGURED_TRIES, True, True, Park(Reason.MISCONFIGURED)),
        (Outcome.REPLY_LOST, 1, True, True, Verify(FIRST_READ_SECONDS)),
        (Outcome.REPLY_LOST, 1, True, False, Verify(FIRST_READ_SECONDS)),
        (Outcome.REPLY_LOST, 1, False, False, Park(Reason.CANNOT_TELL)),
        (Outcome.REPLY_LOST, 1, False, True, Retry(2)),
        (Outcome.REPLY_LOST, LOST_TRIES, True, True, Verify(FIRST_READ_SECONDS)),
        (Outcome.REPLY_LOST, LOST_TRIES, False, True, Park(Reason.KEEPS_GETTING_LOST)),
    ],
)
def test_after_an_attempt(outcome, tries, readable, idempotent, decision):
    said = after(outcome, tries, 7.5, HIGH, readable=readable, idempotent=idempotent)
    assert said == decision


def test_every_outcome_leads_somewhere():
    for outcome in set(Outcome) - {Outcome.ABANDONED, Outcome.NOT_SENT}:
        assert after(outcome, 1, 1.0, HIGH, readable=True, idempotent=True)


@pytest.mark.parametrize(
    ("seen", "unseen", "blurred", "late", "idempotent", "decision"),
    [
        (True, 0, 0, False, False, Done()),
        (True, 1, 1, True, False, Done()),
        (False, 1, 0, False, True, Verify(SETTLE)),
        (False, 2, 0, False, True, Verify(SETTLE)),
        (False, 1, 0, True, True, Verify(SETTLE)),
        (False, 2, 0, True, True, Retry(2)),
        (False, 2, 0, True, False, Retry(2)),
        (False, 0, 2, True, True, Retry(2)),
        (False, 0, 2, True, False, Park(Reason.CANNOT_TELL)),
        (False, 1, 1, True, False, Park(Reason.CANNOT_TELL)),
        (False, 0, 2, False, False, Verify(SETTLE)),
    ],
)
def test_after_a_reading(seen, unseen, blurred, late, idempotent, decision):
    read = Read(seen=seen, unseen=unseen, blurred=blurred, late_enough=late)
    assert after_reading(read, 1, SETTLE, HIGH, idempotent=idempotent) == decision


def test_what_keeps_getting_lost_waits_for_a_person():
    read = Read(seen=False, unseen=2, blurred=0, late_enough=True)
    said = after_reading(read, LOST_TRIES, SETTLE, HIGH, idempotent=True)
    assert said == Park(Reason.KEEPS_GETTING_LOST)


@pytest.mark.parametrize(("reads", "said_wait", "pause"), [(1, 0, 2), (3, 0, 8), (1, 9, 9)])
def test_what_cannot_be_read_is_read_later(reads, said_wait, pause):
    assert after_no_reading(reads, said_wait, HIGH) == Verify(pause)


def test_jitter_is_spread_over_all_of_its_span():
    pauses = [jitter(6, random.Random(seed)) for seed in range(400)]
    assert 0 <= min(pauses) < 4
    assert 60 < max(pauses) <= 64
    assert 28 < sum(pauses) / len(pauses) < 36
