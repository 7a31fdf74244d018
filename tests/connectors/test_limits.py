import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors.errors import Call, Unavailable
from connectors.limits import PEOPLE_STAY_SECONDS, Breaker, Limits

CALL = Call("yotpo", "GET", "/customers")


class Clock:
    """Stands still until told; sleeping moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> Limits:
    return Limits(rate_per_second=10, clock=clock, sleep=clock.sleep)


def fail(limits: Limits, times: int) -> None:
    for _ in range(times):
        limits.before(CALL)
        limits.after(False)


class TestBreaker:
    def test_stays_closed_for_nine_failures(self, limits: Limits) -> None:
        fail(limits, 9)
        limits.before(CALL)

    def test_opens_after_ten(self, limits: Limits) -> None:
        fail(limits, 10)
        with pytest.raises(Unavailable) as caught:
            limits.before(CALL)
        assert caught.value.reason == "breaker"

    def test_a_success_between_starts_the_count_anew(self, limits: Limits) -> None:
        fail(limits, 9)
        limits.after(True)
        fail(limits, 9)
        limits.before(CALL)

    def test_lets_one_probe_through_after_three_seconds(self, limits: Limits, clock: Clock) -> None:
        fail(limits, 10)
        clock.now += 2.9
        with pytest.raises(Unavailable):
            limits.before(CALL)
        clock.now += 0.1
        limits.before(CALL)
        with pytest.raises(Unavailable):
            limits.before(CALL)

    def test_closes_when_the_probe_succeeds(self, limits: Limits, clock: Clock) -> None:
        fail(limits, 10)
        clock.now += 3
        limits.before(CALL)
        limits.after(True)
        fail(limits, 9)
        limits.before(CALL)

    def test_opens_again_when_the_probe_fails(self, limits: Limits, clock: Clock) -> None:
        fail(limits, 10)
        clock.now += 3
        fail(limits, 1)
        with pytest.raises(Unavailable):
            limits.before(CALL)
        clock.now += 3
        limits.before(CALL)

    def test_calls_under_way_when_it_opened_dont_keep_it_open(
        self, limits: Limits, clock: Clock
    ) -> None:
        fail(limits, 10)
        clock.now += 2
        limits.after(False)
        clock.now += 1
        limits.before(CALL)

    def test_a_probe_that_never_came_back_is_given_up(self, limits: Limits, clock: Clock) -> None:
        fail(limits, 10)
        clock.now += 3
        limits.before(CALL)
        clock.now += 30
        limits.before(CALL)

    def test_lets_one_of_many_threads_probe(self, clock: Clock) -> None:
        breaker = Breaker(clock)
        for _ in range(10):
            breaker.note(False)
        clock.now += 3
        together = threading.Barrier(16)
        through = []

        def ask() -> None:
            together.wait()
            through.append(breaker.lets_through())

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert through.count(True) == 1


class TestQuota:
    @pytest.mark.parametrize(
        "headers",
        [
            {"ratelimit-remaining": "7", "ratelimit-reset": "2", "ratelimit-limit": "10"},
            {"RateLimit-Remaining": "7", "RateLimit-Reset": " 2 "},
            {"RATELIMIT-REMAINING": "7.0", "RATELIMIT-RESET": "2.0", "RATELIMIT-LIMIT": "many"},
        ],
    )
    def test_notes_what_is_left(
        self, limits: Limits, clock: Clock, headers: dict[str, str]
    ) -> None:
        limits.note_rate(headers)
        assert limits.remaining == 7
        assert limits.resets_at == clock.now + 2

    @pytest.mark.parametrize("junk", ["", "lots", "-1", "nan", "inf", "1, 2", "0x7"])
    def test_overlooks_junk(self, limits: Limits, junk: str) -> None:
        limits.note_rate({"ratelimit-remaining": junk, "ratelimit-reset": "5"})
        assert limits.remaining is None

    def test_without_headers_keeps_what_it_knew(self, limits: Limits) -> None:
        limits.note_rate({"ratelimit-remaining": "7"})
        limits.note_rate({"content-type": "text/plain"})
        assert limits.remaining == 7

    def test_waits_for_no_reset_longer_than_a_minute(self, limits: Limits, clock: Clock) -> None:
        limits.note_rate({"ratelimit-remaining": "0", "ratelimit-reset": "1795000000"})
        assert limits.resets_at == clock.now + 60


def somebody_calls(limits: Limits) -> None:
    """At a till: in a thread that never asked to be let go."""
    with ThreadPoolExecutor(1) as till:
        till.submit(limits.before, CALL).result()


class TestBackground:
    def test_is_a_matter_of_the_thread(self, clock: Clock) -> None:
        """A client that is made meanwhile has limits of its own."""
        asked, made = (Limits(10, clock=clock, sleep=clock.sleep) for _ in range(2))
        asked.wait_for_background()
        made.before(CALL)
        start = clock.now
        for _ in range(2):
            made.wait_for_background()
        assert math.isclose(clock.now - start, 1 / 9)

    def test_goes_at_half_the_cap_beside_people(self, limits: Limits, clock: Clock) -> None:
        somebody_calls(limits)
        start = clock.now
        for _ in range(11):
            limits.wait_for_background()
        assert math.isclose(clock.now - start, 10 / 5)

    def test_alone_is_lent_what_they_leave(self, limits: Limits, clock: Clock) -> None:
        start = clock.now
        for _ in range(10):
            limits.wait_for_background()
            limits.before(CALL)  # its own calls are nobody's at a till
        assert math.isclose(clock.now - start, 9 / 9)

    def test_gives_it_back_with_the_first_of_their_calls(
        self, limits: Limits, clock: Clock
    ) -> None:
        limits.wait_for_background()
        somebody_calls(limits)
        limits.wait_for_background()  # the slot that was given before
        start = clock.now
        limits.wait_for_background()
        assert math.isclose(clock.now - start, 0.2)

    def test_is_alone_again_when_the_shop_is_closed(self, limits: Limits, clock: Clock) -> None:
        somebody_calls(limits)
        clock.now += PEOPLE_STAY_SECONDS
        limits.wait_for_background()
        start = clock.now
        limits.wait_for_background()
        assert math.isclose(clock.now - start, 1 / 9)

    def test_leaves_half_of_the_window_to_people(self, limits: Limits, clock: Clock) -> None:
        somebody_calls(limits)
        start = clock.now
        limits.note_rate(
            {"ratelimit-remaining": "5", "ratelimit-limit": "10", "ratelimit-reset": "4"}
        )
        limits.wait_for_background()
        assert clock.now == start + 4

    @pytest.mark.parametrize(("left", "waits"), [("1", 0), ("0", 4)])
    def test_alone_takes_all_of_the_window(
        self, limits: Limits, clock: Clock, left: str, waits: float
    ) -> None:
        start = clock.now
        limits.note_rate(
            {"ratelimit-remaining": left, "ratelimit-limit": "10", "ratelimit-reset": "4"}
        )
        limits.wait_for_background()
        assert clock.now == start + waits

    def test_goes_at_once_while_much_is_left(self, limits: Limits, clock: Clock) -> None:
        somebody_calls(limits)
        start = clock.now
        limits.note_rate({"ratelimit-remaining": "6", "ratelimit-limit": "10"})
        limits.wait_for_background()
        assert clock.now == start

    def test_waits_as_a_429_asks(self, limits: Limits, clock: Clock) -> None:
        start = clock.now
        limits.note_throttled(2.5)
        limits.wait_for_background()
        assert clock.now == start + 2.5

    def test_interactive_calls_dont_wait(self, limits: Limits, clock: Clock) -> None:
        start = clock.now
        limits.note_rate({"ratelimit-remaining": "0", "ratelimit-reset": "9"})
        limits.before(CALL)
        assert clock.now == start
