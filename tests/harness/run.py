"""Many histories against one deployment, side by side; then the oracle."""

import random
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby

from tests.harness import oracle
from tests.harness.chaos import Chaos
from tests.harness.history import History
from tests.harness.settling import settle
from tests.harness.shop import Shop

SIDE_BY_SIDE = 12
# Those of one wave meet the same engine and are judged together.
A_WAVE = 500
SECONDS_BETWEEN_BLOWS = 2.0
# What the engine's reference leaves open: a wave meets one choice of each.
ENGINES: dict[str, list[object]] = {
    "cancellation_history": ["status", "row"],
    "second_cancellation": ["ok", "refuse"],
    "cancel_used_code": ["ok", "refuse"],
    "code_field": ["both", "reward_text", "code"],
    "success_status": [200, 201],
    "numbers_as_strings": [False, True],
    "content_type": ["application/json", "text/plain"],
}


@dataclass
class Outcome:
    histories: int = 0
    seconds: float = 0
    blows: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    deliveries: Counter[str] = field(default_factory=Counter)
    settling_seconds: float = 0
    wrong: dict[int, list[str]] = field(default_factory=dict)
    report: str = ""


def run(
    shop: Shop, seed: int, numbers: Iterable[int], *, every: float = SECONDS_BETWEEN_BLOWS
) -> Outcome:
    """`every`: mean seconds between two blows of `Chaos`; 0 for none."""
    outcome, begun = Outcome(), time.monotonic()
    for _, together in groupby(numbers, key=wave_of):
        wave(shop, seed, list(together), every, outcome)
        outcome.seconds = time.monotonic() - begun
    return outcome


def wave_of(number: int) -> int:
    return number // A_WAVE


def wave(shop: Shop, seed: int, numbers: list[int], every: float, outcome: Outcome) -> None:
    histories = [History(shop, seed, number) for number in numbers]
    choose_engine(shop, random.Random(f"{seed}:{wave_of(numbers[0])}:engine"))
    with Chaos(shop, seed + numbers[0], every) as chaos, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for done in [pool.submit(history.run) for history in histories]:
            done.result()
    outcome.blows += chaos.done
    shop.sandbox.clear_faults()
    begun = time.monotonic()
    left = settle(shop)
    outcome.settling_seconds += time.monotonic() - begun
    wrong = oracle.judge(shop, histories)
    if left:
        wrong.setdefault(numbers[0], []).extend(left)
    outcome.histories += len(histories)
    outcome.states = counts(shop, "state, reason", "redemptions_pendingredemption")
    outcome.deliveries = counts(shop, "kind, state, parked_reason", "outbox_delivery")
    outcome.wrong |= wrong
    if wrong:
        told = oracle.report(shop, histories, wrong)
        outcome.report += told + "\n\n"


def choose_engine(shop: Shop, rng: random.Random) -> None:
    shop.sandbox.switch(**{name: rng.choice(choices) for name, choices in ENGINES.items()})


def counts(shop: Shop, columns: str, table: str) -> Counter[str]:
    rows = shop.database.execute(f"SELECT {columns}, count(*) FROM {table} GROUP BY {columns}")
    return Counter({" ".join(map(str, words)).strip(): int(str(count)) for *words, count in rows})
