"""How many sales a second are taken in, as a ratio to a bare view that inserts one row.

    python -m bench.sales [--quick]

On SQLite and on PostgreSQL. A sale comes over the JSON API, names a member who was met before and a
store, a till and an associate that are known: what is written is the sale, the promise to tell the
engine, a worker's task and the trail. No worker runs, so the engine is asked nothing meanwhile. The
bare view (bench/bare.py) is served in the same way, on the same kind of database with the same
settings. Both in turn, again and again.
"""

import argparse
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from bench.databases import NAMES, new_databases
from bench.redeem import (
    CONNECTIONS,
    GETTING_GOING_SECONDS,
    Contender,
    bare,
    fill,
    panel,
    ratio,
    told,
)
from bench.servers import run
from needs import WRK
from sandbox.control import Sandbox

SCRIPT = Path(__file__).with_name("sales.lua")


def main() -> int:
    parser = argparse.ArgumentParser("bench.sales", description="Sales a second.")
    parser.add_argument("--quick", action="store_true", help="two short turns each, to try it")
    quick = parser.parse_args().quick
    if WRK.provide() is None:
        return 1
    # Ended by its process id, it still ends the servers that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for kind in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            measure(kind, Path(folder), turns=2 if quick else 5, seconds=4 if quick else 8)
    return 0


def measure(kind: str, folder: Path, *, turns: int, seconds: float) -> None:
    with Sandbox.start(rate=None, db=folder / "engine.sqlite3") as sandbox:
        mails = fill(sandbox, folder)
        with running(kind, sandbox, folder, mails) as contenders:
            for contender in contenders:
                contender.run(mails, GETTING_GOING_SECONDS)
            for _ in range(turns):
                for contender in contenders:
                    contender.rounds.append(contender.run(mails, seconds))
            tell(kind, *contenders)


@contextmanager
def running(kind: str, sandbox: Sandbox, folder: Path, mails: Path) -> Iterator[list[Contender]]:
    with ExitStack() as stack:
        new = stack.enter_context(new_databases(kind, folder))
        ours = replace(
            panel("panel", sandbox, folder, new("panel")), path="/api/v1/sales", script=SCRIPT
        )
        floor = replace(bare(folder, new("bare")), path="/inserts", script=SCRIPT)
        contenders = [ours, floor]
        for contender in contenders:
            stack.callback(contender.server.stop)
        run(ours.env, "-m", "bench.shop", "members", str(mails))
        for contender in contenders:
            contender.server.wait("/readyz")
        yield contenders


def tell(kind: str, ours: Contender, floor: Contender) -> None:
    rates = {
        one.name: statistics.median(turn.per_second for turn in one.rounds) for one in (ours, floor)
    }
    print(f"\n{kind}, {CONNECTIONS} connections: a second " + told(rates, 0))
    print(f"  a sale to a bare row: {ratio(ours.rounds, floor.rounds):.2f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
