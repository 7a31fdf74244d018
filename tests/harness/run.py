"""Many histories against one deployment, side by side; then the oracle."""

import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.harness import oracle
from tests.harness.chaos import Chaos
from tests.harness.history import History
from tests.harness.settling import settle
from tests.harness.shop import Shop

SIDE_BY_SIDE = 12
# So many are judged together; what went wrong is told before the next ones run.
A_WAVE = 250
SECONDS_BETWEEN_BLOWS = 2.0


@dataclass
class Outcome:
    histories: int = 0
    seconds: float = 0
    blows: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    wrong: dict[int, list[str]] = field(default_factory=dict)
    report: str = ""


def run(
    shop: Shop, seed: int, numbers: Iterable[int], *, every: float = SECONDS_BETWEEN_BLOWS
) -> Outcome:
    """`every`: mean seconds between two blows of `Chaos`; 0 for none."""
    numbers, outcome, begun = list(numbers), Outcome(), time.monotonic()
    for first in range(0, len(numbers), A_WAVE):
        wave(shop, seed, numbers[first : first + A_WAVE], every, outcome)
        outcome.seconds = time.monotonic() - begun
    return outcome


def wave(shop: Shop, seed: int, numbers: list[int], every: float, outcome: Outcome) -> None:
    histories = [History(shop, seed, number) for number in numbers]
    with Chaos(shop, seed + numbers[0], every) as chaos, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for done in [pool.submit(history.run) for history in histories]:
            done.result()
    outcome.blows += chaos.done
    shop.sandbox.clear_faults()
    left = settle(shop)
    wrong = oracle.judge(shop, histories)
    if left:
        wrong.setdefault(numbers[0], []).extend(left)
    outcome.histories += len(histories)
    outcome.states = states_of(shop)
    outcome.wrong |= wrong
    if wrong:
        told = oracle.report(shop, histories, wrong)
        outcome.report += told + "\n\n"


def states_of(shop: Shop) -> Counter[str]:
    rows = shop.database.execute(
        "SELECT state, reason, count(*) FROM redemptions_pendingredemption GROUP BY state, reason"
    )
    return Counter({f"{state} {why}".strip(): int(str(count)) for state, why, count in rows})
