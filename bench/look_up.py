"""How fast a look-up is, as a ratio to what the engine itself takes.

    python -m bench.look_up [--quick]

The engine is the sandbox, which takes 150 ms for a call. Three things are asked in turn, again and
again in one run: the engine directly, for one customer over kept connections (the floor); the
panel, served as in production; and a naive view (bench/naive.py). Then the same with the engine
over TLS, where a new connection takes 60 ms more; and, with the engine's limit on, how many calls a
look-up takes. Times are medians of the turns, ratios those of one turn's panel to its floor.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bench import weight
from bench.load import median, ratios
from bench.rig import Load, Rig, Seen, running
from bench.shop import INSTALLATION
from needs import WRK

LOADS = (
    Load(1, seconds=8, turns=3),
    Load(20, seconds=5, turns=3),
    Load(100, seconds=5, turns=3),
    Load(400, seconds=8, turns=3, think_seconds=2),
)
QUICK = (Load(1, 4, 1), Load(20, 3, 1), Load(100, 3, 1), Load(400, 6, 1, 2))
# Slow enough for the engine's limit, ten calls a second.
CALM = Load(1, seconds=20, turns=1, think_seconds=0.3)

HEAD = """| tills | floor p50, p95, p99 ms | panel: ratios | naive: ratios \
| look-ups/s: panel, naive, floor | CPU ms: panel, naive |
|---|---|---|---|---|---|"""


def main() -> int:
    parser = argparse.ArgumentParser("bench.look_up", description="How fast a look-up is.")
    parser.add_argument("--quick", action="store_true", help="one short turn each, to try it")
    loads = QUICK if parser.parse_args().quick else LOADS
    if WRK.provide() is None:
        return 1
    # Ended by its process id, it still ends the servers that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for tls in (False, True):
        with tempfile.TemporaryDirectory() as folder, running(Path(folder), tls=tls) as rig:
            tell_speed(rig, loads, "https" if tls else "http")
            if not tls:
                tell_weight(rig)
                tell_calls(rig)
    return 0


def tell_speed(rig: Rig, loads: tuple[Load, ...], scheme: str) -> None:
    print(f"\nLook-ups, engine over {scheme}, {os.cpu_count()} cores\n\n{HEAD}", flush=True)
    for load in loads:
        print(row_of(load, rig.measure(load, ("engine", "panel", "naive"))), flush=True)
    print(f"\nMemory of the panel's processes after that: {rig.servers['panel'].memory_mb:.0f} MB")


def row_of(load: Load, seen: dict[str, Seen]) -> str:
    floor = seen["engine"]
    answers = [name for name in ("panel", "naive") if not seen[name].failure]
    cells = [str(load), listed(median(floor.rounds, name) for name in ("p50", "p95", "p99"))]
    for name in ("panel", "naive"):
        failed = name not in answers
        cells.append("failed" if failed else listed(ratios(seen[name].rounds, floor.rounds), 2))
    cells.append(listed(median(seen[name].rounds, "per_second") for name in (*answers, "engine")))
    cells.append(listed((seen[name].cpu_ms for name in answers), 1))
    return f"| {' | '.join(cells)} |"


def listed(numbers: Iterable[float], digits: int = 0) -> str:
    return ", ".join(f"{number:.{digits}f}" for number in numbers)


def tell_weight(rig: Rig) -> None:
    files = weight.first_load(rig.servers["panel"].url, f"/panel/{INSTALLATION}/")
    each = ", ".join(f"{path.rpartition('/')[2] or 'page'} {size}" for path, size in files.items())
    print(f"\nFirst load: {sum(files.values())} bytes ({each})")
    print(f"One look-up: {weight.look_up(rig.look_up_url, rig.a_bearer, rig.a_mail)} bytes\n")


def tell_calls(rig: Rig) -> None:
    """With the engine's limit on, and answers at once: only the calls count here."""
    rig.sandbox.switch(rate=10, latency_seconds=0)
    for policy in ("per_member", "shared"):
        rig.share_offers(policy)
        rig.new_bearers(1)
        before = sum(rig.sandbox.call_counts().values())
        done = rig.round("panel", CALM).requests
        calls = sum(rig.sandbox.call_counts().values()) - before
        print(f"Engine calls for a look-up, offers {policy}: {calls / done:.2f} ({done} look-ups)")


if __name__ == "__main__":
    sys.exit(main())
