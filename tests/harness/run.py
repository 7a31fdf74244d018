"""Many histories against one deployment, side by side; then the oracle."""

import random
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby

from tests.harness import oracle
from tests.harness.chaos import Chaos, plan
from tests.harness.history import History
from tests.harness.settling import LONGEST_SECONDS, PATIENCE_SECONDS, settle
from tests.harness.shop import Shop

SIDE_BY_SIDE = 12
# Those of one wave meet the same engine and are judged together.
A_WAVE = 500
HISTORIES_FOR_A_BLOW = 10.0
# What the engine's reference leaves open: a wave meets one choice of each.
ENGINES: dict[str, list[object]] = {
    "cancellation_history": ["status", "row", "none"],
    "second_cancellation": ["ok", "refuse"],
    "cancel_used_code": ["ok", "refuse"],
    "code_field": ["both", "reward_text", "code"],
    "success_status": [200, 201],
    "numbers_as_strings": [False, True],
    "content_type": ["application/json", "text/plain"],
}
# How what the engine tells arrives: twice, out of order, late, by somebody else as well, or not.
TELLINGS: dict[str, list[object]] = {
    "webhook_copies": [1, 2],
    "webhook_loss": ["none", "half", "all"],
    "webhook_order": ["kept", "reversed"],
    "webhook_delay_seconds": [0, 1.5],
    "webhook_forged": [False, True],
}
# Only where the engine takes keys: else a sale that is counted late blurs what the next one's lost
# answer is read by.
ENGINES_WITH_KEYS: dict[str, list[object]] = {"order_delay_seconds": [0, 1]}


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
    shop: Shop,
    seed: int,
    numbers: Iterable[int],
    *,
    every: float = HISTORIES_FOR_A_BLOW,
    patience: float = PATIENCE_SECONDS,
    longest: float = LONGEST_SECONDS,
) -> Outcome:
    """`every`: one blow of `Chaos` falls for so many histories; 0 for none."""
    outcome, begun = Outcome(), time.monotonic()
    for _, together in groupby(numbers, key=wave_of):
        histories = [History(shop, seed, number) for number in together]
        live(shop, histories, every, outcome)
        end(shop, histories, outcome, patience=patience, longest=longest)
        outcome.seconds = time.monotonic() - begun
    return outcome


def wave_of(number: int) -> int:
    return number // A_WAVE


def live(shop: Shop, histories: list[History], every: float, outcome: Outcome) -> None:
    """One wave, side by side, while blows fall."""
    seed, first = histories[0].seed, histories[0].number
    choose_engine(shop, random.Random(f"{seed}:{wave_of(first)}:engine"))
    chaos = Chaos(shop, plan(seed + first, len(histories), every))

    def one(history: History) -> None:
        history.run()
        chaos.one_ended()

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for done in [pool.submit(one, history) for history in histories]:
            done.result()
    outcome.blows += chaos.done
    shop.sandbox.clear_faults()


def end(
    shop: Shop, histories: list[History], outcome: Outcome, *, patience: float, longest: float
) -> None:
    begun = time.monotonic()
    # What was told last is still on its way, and nothing here shows it.
    time.sleep(shop.sandbox.state()["switches"]["webhook_delay_seconds"])
    left = settle(shop, patience=patience, longest=longest)
    # What the engine accepted last counts so much later, and nothing shows whether it is still due.
    time.sleep(shop.sandbox.state()["switches"]["order_delay_seconds"])
    outcome.settling_seconds += time.monotonic() - begun
    wrong = oracle.judge(shop, histories)
    if left:
        wrong.setdefault(histories[0].number, []).extend(left)
    outcome.histories += len(histories)
    outcome.states = counts(shop, "state, reason, deduction", "redemptions_pendingredemption")
    outcome.deliveries = counts(shop, "kind, state, parked_reason", "outbox_delivery")
    outcome.wrong |= wrong
    if wrong:
        told = oracle.report(shop, histories, wrong)
        outcome.report += told + "\n\n"


def choose_engine(shop: Shop, rng: random.Random) -> None:
    engines = ENGINES | TELLINGS | (ENGINES_WITH_KEYS if shop.keyed_orders else {})
    shop.sandbox.switch(**{name: rng.choice(choices) for name, choices in engines.items()})


def counts(shop: Shop, columns: str, table: str) -> Counter[str]:
    rows = shop.database.execute(f"SELECT {columns}, count(*) FROM {table} GROUP BY {columns}")
    return Counter({" ".join(map(str, words)).strip(): int(str(count)) for *words, count in rows})
