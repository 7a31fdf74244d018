"""How much we may ask of one outside system: a breaker, and the quota that its headers tell.

Interactive calls never wait: they go at once, or fail at once while the breaker is open. Background
work asks `wait_for_background` first. All of it is in this process; the outbox has children of both
classes that share what they know with other processes.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping

from connectors.errors import Call, Unavailable

FAILURES_TO_OPEN = 10
OPEN_SECONDS = 3.0
# Longer than any call's deadline: a probe whose thread died must not close the door for ever.
PROBE_SECONDS = 30.0
# What a header may make us wait at most: more than a minute is a mistake.
LONGEST_WAIT = 60.0
# Background work's part of the cap, while people at tills may call at any moment, and while nobody
# has for so long that the shop can be taken for closed. The last tenth is for calls that come late
# and fall into the next window.
PART_BESIDE_PEOPLE, PART_ALONE = 0.5, 0.9
PEOPLE_STAY_SECONDS = 600.0

# Whether this thread does background work, whichever limits it asks.
_thread = threading.local()


def be_background() -> None:
    """This thread's calls are nobody's at a till."""
    _thread.is_background = True


class Breaker:
    """Stops calls to a system that was out of reach ten times running, and tries again with one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until: float | None = None
        self._probe_until = -math.inf

    def lets_through(self) -> bool:
        with self._lock:
            if self._open_until is None:
                return True
            now = self._clock()
            if now < max(self._open_until, self._probe_until):
                return False
            self._probe_until = now + PROBE_SECONDS
            return True

    def closed_for(self) -> float:
        """Seconds until a call has a chance to be let through; takes nothing."""
        with self._lock:
            if self._open_until is None:
                return 0.0
            return max(0.0, max(self._open_until, self._probe_until) - self._clock())

    def note(self, ok: bool) -> bool:
        """Whether this opened or closed it."""
        with self._lock:
            if not ok:
                return self._note_failure(self._clock())
            was_open = self._open_until is not None
            self._failures, self._open_until = 0, None
            self._probe_until = -math.inf
            return was_open

    def _note_failure(self, now: float) -> bool:
        self._failures += 1
        # Failures of calls that were under way when it opened don't keep it open for longer.
        still_open = self._open_until is not None and now < self._open_until
        if self._failures < FAILURES_TO_OPEN or still_open:
            return False
        self._open_until = now + OPEN_SECONDS
        self._probe_until = -math.inf
        return True


class Limits:
    """What `Session` asks before, and tells after, every call to one system.

    `rate_per_second` is the merchant's cap. While people call, half of it, and of what the system's
    headers say is left, is kept for them; ten minutes after the last one it is lent to background
    work. Who never asked `wait_for_background` in a thread is a person there.
    """

    def __init__(
        self,
        rate_per_second: float = 10.0,
        *,
        breaker: Breaker | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate_per_second
        self._clock = clock
        self._sleep = sleep
        self._breaker = breaker or Breaker(clock)
        self._lock = threading.Lock()
        self._limit = rate_per_second
        self._next_slot = -math.inf
        self._people_until = -math.inf
        self.remaining: int | None = None
        self.resets_at: float | None = None

    def before(self, call: Call) -> None:
        """Raise Unavailable while the breaker is open.

        Each call that is let through must be followed by `after`.
        """
        if not getattr(_thread, "is_background", False):
            self._note_person()
        if not self._breaker.lets_through():
            raise Unavailable(*call, reason="breaker")

    def _note_person(self) -> None:
        with self._lock:
            self._people_until = self._clock() + PEOPLE_STAY_SECONDS

    def after(self, ok: bool) -> None:
        """`ok`: the system was reached, whatever it answered (429 and other 4xx included)."""
        self._breaker.note(ok)

    def note_rate(self, headers: Mapping[str, str]) -> None:
        """Take in `ratelimit-limit`, `-remaining` and `-reset` (seconds), where they are sent."""
        lower = {name.lower(): value for name, value in headers.items()}
        remaining = number(lower.get("ratelimit-remaining"))
        if remaining is None:
            return
        limit = number(lower.get("ratelimit-limit"))
        reset = number(lower.get("ratelimit-reset"))
        with self._lock:
            self.remaining = int(remaining)
            self._limit = limit or self._rate
            self.resets_at = self._clock() + min(1.0 if reset is None else reset, LONGEST_WAIT)

    def note_throttled(self, wait: float) -> None:
        """A 429: nothing is left for `wait` seconds."""
        with self._lock:
            self.remaining = 0
            self.resets_at = self._clock() + wait

    def closed_for(self) -> float:
        """Seconds for which the breaker certainly lets no call through."""
        return self._breaker.closed_for()

    def wait_for_background(self, calls: int = 1, longest: float = math.inf) -> bool:
        """Block until so many background calls may go; this thread's calls are such from now on.

        False, with nothing taken, where that is not to be had in `longest` seconds.
        """
        be_background()
        give_up_at = self._clock() + longest
        while (pause := self._background_pause(calls)) > 0:
            if self._clock() + pause > give_up_at:
                return False
            self._sleep(pause)
        return True

    def _background_pause(self, calls: int) -> float:
        """Seconds until it is worth asking again; 0 takes the slot."""
        with self._lock:
            now = self._clock()
            ready = max(self._next_slot, self._window_ready())
            if ready > now:
                return ready - now
            self._next_slot = now + calls * self._seconds_a_call()
            return 0.0

    def _people_call(self) -> bool:
        return self._clock() < self._people_until

    def _seconds_a_call(self) -> float:
        """Between two background calls."""
        return 1 / (self._rate * (PART_BESIDE_PEOPLE if self._people_call() else PART_ALONE))

    def _window_ready(self) -> float:
        """When enough of the system's own window is left: half of it, where people call."""
        if self.remaining is None or self.resets_at is None:
            return -math.inf
        kept = self._limit / 2 if self._people_call() else 0
        return -math.inf if self.remaining > kept else self.resets_at


def number(text: str | None) -> float | None:
    """A header's number, not negative; None for anything else that may stand there."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
