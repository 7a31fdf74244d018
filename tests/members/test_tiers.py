"""What the tier above is called."""

from decimal import Decimal

import pytest

from connectors.yotpo.client import Yotpo
from connectors.yotpo.payloads import Tier, TierActions
from members.engine import readers
from members.tiers import Ladder, next_after
from sandbox.control import Sandbox

READ = "GET /vip_tiers"


def tier(name: str, **asks: int) -> Tier:
    return Tier(1, name, TierActions(**asks) if asks else None, Decimal(1))


TIERS = [tier("Gold", points_earned=2500), tier("Free"), tier("Silver", points_earned=1500)]


@pytest.mark.parametrize(
    ("name", "above"),
    [("Free", "Silver"), ("Silver", "Gold"), ("Gold", None), ("Nobody's", None)],
)
def test_the_next_one_asks_for_a_little_more(name: str, above: str | None) -> None:
    assert next_after(TIERS, name) == above


def test_one_that_asks_for_something_else_is_not_above() -> None:
    others = [tier("Spender", amount_spent_cents=9_000), tier("Silver", points_earned=1500)]
    assert next_after(others, "Silver") is None


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def ask(ladder: Ladder, engine: Yotpo) -> str | None:
    """Ask, and let the reading beside it end."""
    answer = ladder.next_after(engine, "Silver")
    readers().submit(int).result()
    return answer


@pytest.fixture
def clock(settings) -> Clock:
    settings.WEB_THREADS = 1  # one reader: what is read next ends after what was read before
    return Clock()


def test_the_list_is_read_once_an_hour(engine: Yotpo, sandbox: Sandbox, clock: Clock) -> None:
    ladder = Ladder(clock)
    ask(ladder, engine)  # the reading beside it may end before the answer, or not
    assert [ask(ladder, engine) for _ in range(3)] == ["Gold"] * 3
    assert sandbox.call_counts()[READ] == 1
    clock.now = 3601
    assert ask(ladder, engine) == "Gold"
    assert sandbox.call_counts()[READ] == 2


def test_a_reading_that_failed_is_tried_again_in_a_minute(
    engine: Yotpo, sandbox: Sandbox, clock: Clock
) -> None:
    ladder = Ladder(clock)
    sandbox.fault(READ, "drop_before", times=None)
    assert [ask(ladder, engine) for _ in range(2)] == [None, None]
    sandbox.clear_faults()
    assert ask(ladder, engine) is None
    clock.now = 61
    ask(ladder, engine)
    assert ask(ladder, engine) == "Gold"
