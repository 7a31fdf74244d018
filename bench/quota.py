"""How much of the engine's quota background work uses, and how often it asks for too much.

    python -m bench.quota [--seconds N] [--workers N]

The sandbox keeps to ten calls in each of its seconds and answers 429 beyond. Workers tell it of
orders, as many as it takes, on SQLite and on PostgreSQL: first alone, then beside a till that looks
a member up every other second (two calls each), whose calls must never meet a 429.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.databases import NAMES
from bench.load import RoundFailed, Target, run_round
from bench.system import System, running
from needs import WRK
from tests.support.waiting import until

RATE = 10
READY_SECONDS = 60
THINK_SECONDS = 2.0


@dataclass(frozen=True)
class Used:
    """Of one while: calls that were answered, by endpoint, and those that met a 429."""

    seconds: float
    passed: Counter[str]
    refused: Counter[str]

    @property
    def share(self) -> float:
        return sum(self.passed.values()) / (RATE * self.seconds)


def main() -> int:
    parser = argparse.ArgumentParser("bench.quota", description="Deliveries to the quota.")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if WRK.provide() is None:
        return 1
    # Ended by its process id, it still ends the servers that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for kind in NAMES:
        with tempfile.TemporaryDirectory() as folder, running(kind, Path(folder)) as system:
            measure(kind, system, options.seconds, options.workers)
    return 0


def measure(kind: str, system: System, seconds: int, workers: int) -> None:
    system.sandbox.switch(rate=RATE)
    system.new_orders(2 * RATE * seconds + 20 * RATE)
    with working(system, workers):
        until(lambda: system.told() > RATE, "the workers have begun", READY_SECONDS)
        alone = used(system, seconds)
        tell(f"{kind}, {workers} workers alone", alone)
        print(f"  share of the quota: {alone.share:.2f}", flush=True)
        system.new_bearers(1)
        beside = used_beside_a_till(system, seconds)
        tell(f"{kind}, {workers} workers beside a till", beside)


@contextmanager
def working(system: System, workers: int) -> Iterator[None]:
    with ExitStack() as stack:
        for number in range(workers):
            stack.callback(system.start_worker(f"worker-{number}").stop)
        yield


def used(system: System, seconds: float) -> Used:
    """Counted at the sandbox, over whole seconds of its clock."""
    begin = ceiling(time.time())
    time.sleep(begin - time.time())
    time.sleep(seconds)
    time.sleep(0.2)  # the last of them are answered
    return counted(system, begin, begin + seconds)


def used_beside_a_till(system: System, seconds: int) -> Used:
    begin = ceiling(time.time())
    target = Target("panel", system.look_up_url, system.mails, system.bearers)
    with suppress(RoundFailed):  # a look-up that met a 429, which the counts tell
        run_round(target, tills=1, seconds=seconds, think_seconds=THINK_SECONDS)
    return counted(system, begin, begin + seconds)


def ceiling(seconds: float) -> float:
    return float(int(seconds) + 1)


def counted(system: System, begin: float, end: float) -> Used:
    passed: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for call in system.sandbox.calls():
        if begin <= datetime.fromisoformat(call["at"]).timestamp() < end:
            (refused if call["status"] == 429 else passed)[call["endpoint"]] += 1
    return Used(end - begin, passed, refused)


def tell(what: str, used: Used) -> None:
    print(f"\n{what}, {used.seconds:.0f} s: {in_words(used.passed)}")
    print(f"  429: {sum(used.refused.values())} {in_words(used.refused)}".rstrip(), flush=True)


def in_words(calls: Counter[str]) -> str:
    return ", ".join(f"{endpoint} {count}" for endpoint, count in sorted(calls.items()))


if __name__ == "__main__":
    sys.exit(main())
