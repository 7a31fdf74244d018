"""What follows from an attempt or a reading: the one retry policy, without clock or database."""

import random
from dataclasses import dataclass

from outbox.states import Outcome, Reason

BASE_SECONDS = 1.0
CAP_SECONDS = 300.0
# Wrong keys are mended by a person; so often is tried before one is asked for (an hour).
MISCONFIGURED_TRIES = 12
# A call whose answer is lost so many times running is lost because of what it says.
LOST_TRIES = 20
# Most lost answers can be read soon; what is not seen then is looked for again when it must be.
FIRST_READ_SECONDS = 2.0
READS_TO_TELL = 2


@dataclass(frozen=True, slots=True)
class Done:
    """It is told."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """It need not be told any more, and was not."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Nothing was done there: send it (again) in so many seconds."""

    in_seconds: float


@dataclass(frozen=True, slots=True)
class Verify:
    """It may have been done: read the other side in so many seconds, before anything else."""

    in_seconds: float


@dataclass(frozen=True, slots=True)
class Park:
    """Only a person can bring it further."""

    reason: Reason


Decision = Done | Withdrawn | Retry | Verify | Park

AT_ONCE: dict[Outcome, Decision] = {
    Outcome.DONE: Done(),
    Outcome.NOT_WANTED: Withdrawn(),
    Outcome.REFUSED: Park(Reason.REFUSED),
    Outcome.NOT_FOUND: Park(Reason.NOT_FOUND),
    Outcome.BUG: Park(Reason.BUG),
}


@dataclass(frozen=True, slots=True)
class Read:
    """What reading has brought since the last attempt.

    `unseen`: readings that showed it is not there. `blurred`: readings that can't tell.
    `late_enough`: the last of them began ENGINE_SETTLE_SECONDS or more after the sending.
    """

    seen: bool
    unseen: int
    blurred: int
    late_enough: bool


def jitter(tries: int, rng: random.Random) -> float:
    """Full jitter: anywhere between nothing and a span that doubles up to its cap, in seconds."""
    return rng.uniform(0, min(CAP_SECONDS, BASE_SECONDS * 2 ** min(tries, 30)))


def after(
    outcome: Outcome,
    tries: int,
    said_wait: float,
    rng: random.Random,
    *,
    readable: bool,
    idempotent: bool,
) -> Decision:
    """What follows from an attempt.

    `tries`: attempts in a row that ended like this one, itself included. `said_wait`: the seconds
    that the other side asked us to wait. `readable`: the route can look whether it was done.
    """
    if outcome in AT_ONCE:
        return AT_ONCE[outcome]
    if outcome == Outcome.THROTTLED:
        return Retry(said_wait)
    if outcome == Outcome.UNAVAILABLE:
        return Retry(jitter(tries, rng))
    if outcome == Outcome.MISCONFIGURED:
        too_often = tries >= MISCONFIGURED_TRIES
        return Park(Reason.MISCONFIGURED) if too_often else Retry(CAP_SECONDS)
    if readable:
        return Verify(FIRST_READ_SECONDS)
    return unread(tries, rng, idempotent=idempotent)


def after_reading(
    read: Read, tries: int, settle_seconds: float, rng: random.Random, *, idempotent: bool
) -> Decision:
    """What follows from a reading of the other side, after a lost answer.

    `tries`: how many answers were lost in a row.
    """
    if read.seen:
        return Done()
    if not read.late_enough or read.unseen + read.blurred < READS_TO_TELL:
        return Verify(settle_seconds)
    if read.unseen >= READS_TO_TELL:
        return again(tries, rng)
    return unread(tries, rng, idempotent=idempotent)


def unread(tries: int, rng: random.Random, *, idempotent: bool) -> Decision:
    """Reading can't tell: it may be sent again only to a system that takes its key."""
    return again(tries, rng) if idempotent else Park(Reason.CANNOT_TELL)


def again(tries: int, rng: random.Random) -> Decision:
    return Park(Reason.KEEPS_GETTING_LOST) if tries >= LOST_TRIES else Retry(jitter(tries, rng))


def after_no_reading(reads: int, said_wait: float, rng: random.Random) -> Decision:
    """The other side could not be read. `reads`: how often that was tried since the attempt."""
    return Verify(max(said_wait, jitter(reads, rng)))
