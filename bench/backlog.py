"""How a large backlog drains, and what that does to look-ups.

    python -m bench.backlog [--minutes N] [--orders N] [--tills N] [--databases sqlite,postgres]

The engine takes 150 ms for a call and has no limit. Before there is a backlog, tills look members
up while an idle worker runs. Then 100,000 orders wait to be told, and the same tills go on while
the worker drains them: in each turn the look-ups' p95 as a ratio to that before, how many orders a
second were told, and the worker's memory.
"""

import argparse
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.databases import NAMES
from bench.load import Round, Target, run_round
from bench.servers import Server
from bench.system import System, running
from needs import WRK

ENGINE_SECONDS = 0.150
THINK_SECONDS = 1.0
TURN_SECONDS = 20
TURNS_BEFORE = 3
GETTING_GOING_SECONDS = 5
NO_LIMIT = {"YOTPO_RATE_PER_SECOND": "10000"}


@dataclass(frozen=True)
class Turn:
    look_ups: Round
    told_per_second: float
    memory_mb: float


def main() -> int:
    parser = argparse.ArgumentParser("bench.backlog", description="A large backlog drains.")
    parser.add_argument("--minutes", type=float, default=10, help="for each database")
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--tills", type=int, default=4)
    parser.add_argument("--databases", default=",".join(NAMES))
    options = parser.parse_args()
    if WRK.provide() is None:
        return 1
    # Ended by its process id, it still ends the servers that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for kind in options.databases.split(","):
        with tempfile.TemporaryDirectory() as name, running(kind, Path(name), **NO_LIMIT) as system:
            system.sandbox.switch(latency_seconds=ENGINE_SECONDS)
            worker = system.start_worker()
            try:
                measure(kind, system, worker, options)
            finally:
                worker.stop()
    return 0


def measure(kind: str, system: System, worker: Server, options: argparse.Namespace) -> None:
    look_up(system, options.tills, GETTING_GOING_SECONDS)
    before = [look_up(system, options.tills, TURN_SECONDS) for _ in range(TURNS_BEFORE)]
    floor = statistics.median(one.p95 for one in before)
    idle_mb = worker.memory_mb
    system.new_orders(options.orders)
    end = time.monotonic() + 60 * options.minutes
    turns = []
    print(f"\n{kind}: {options.orders:,} orders, {options.tills} tills, p95 before {floor:.0f} ms")
    print("| minute | orders/s | p95 ratio | worker MB |\n|---|---|---|---|")
    while time.monotonic() < end and system.told() < options.orders:
        turn = take_turn(system, worker, options.tills)
        turns.append(turn)
        minute = options.minutes - (end - time.monotonic()) / 60
        cells = f"{turn.told_per_second:.0f} | {turn.look_ups.p95 / floor:.2f}"
        print(f"| {minute:.1f} | {cells} | {turn.memory_mb:.0f} |", flush=True)
    tell(turns, floor, idle_mb)


def take_turn(system: System, worker: Server, tills: int) -> Turn:
    told, began = system.told(), time.monotonic()
    look_ups = look_up(system, tills, TURN_SECONDS)
    more, seconds = system.told() - told, time.monotonic() - began
    return Turn(look_ups, more / seconds, worker.memory_mb)


def look_up(system: System, tills: int, seconds: float) -> Round:
    system.new_bearers(tills)
    target = Target("panel", system.look_up_url, system.mails, system.bearers)
    return run_round(target, tills=tills, seconds=seconds, think_seconds=THINK_SECONDS)


def tell(turns: list[Turn], floor: float, idle_mb: float) -> None:
    rates = [turn.told_per_second for turn in turns]
    ratios = [turn.look_ups.p95 / floor for turn in turns]
    print(f"\n  p95 of look-ups to before: {statistics.median(ratios):.2f} (median of turns)")
    print(f"  orders a second: {min(rates):.0f} to {max(rates):.0f}")
    first, last = turns[0].memory_mb, turns[-1].memory_mb
    memory = f"idle {idle_mb:.0f} MB, first {first:.0f}, last {last:.0f}"
    print(f"  worker's memory: {memory}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
