"""How many redemptions a second, as a ratio to a bare view that inserts and updates one row.

    python -m bench.redeem [--quick]

On SQLite and on PostgreSQL. The engine is the sandbox and answers at once, so that what is counted
is ours (and the sandbox's own work, on the same cores). A redemption comes over the JSON API: the
key's row, the engine's two readings, the ledger's row, the engine's call, what came of it. The bare
view (bench/bare.py) is served in the same way, on the same kind of database with the same settings.
On SQLite the panel runs once more without waiting for the disk at each commit
(bench/less_careful.py): what safety from a power cut costs. All in turn, again and again.
"""

import argparse
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.databases import NAMES, new_databases
from bench.load import Round, run_wrk
from bench.servers import Server, panel_env, prepare, program_env, run, web_command
from needs import WRK
from ports import any_free
from sandbox.control import Sandbox

SCRIPT = Path(__file__).with_name("redemptions.lua")
CONNECTIONS = 32
# So many that none has two of its redemptions under way at once.
MEMBERS = 500
POINTS = 1_000_000_000
GETTING_GOING_SECONDS = 3
NO_API_LIMIT = {"API_RATE_PER_SECOND": "1000000", "API_BURST": "1000000"}


@dataclass
class Contender:
    """One server that is measured."""

    name: str
    server: Server
    path: str
    env: dict[str, str]
    key: Path
    script: Path = SCRIPT
    rounds: list[Round] = field(default_factory=list)

    def run(self, mails: Path, seconds: float) -> Round:
        url = self.server.url + self.path
        words = [self.name, str(mails), str(self.key)]
        return run_wrk(self.script, url, words, connections=CONNECTIONS, seconds=seconds)


def main() -> int:
    parser = argparse.ArgumentParser("bench.redeem", description="Redemptions a second.")
    parser.add_argument("--quick", action="store_true", help="one short turn each, to try it")
    quick = parser.parse_args().quick
    if WRK.provide() is None:
        return 1
    # Ended by its process id, it still ends the servers that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for kind in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            measure(kind, Path(folder), turns=1 if quick else 5, seconds=3 if quick else 8)
    return 0


def measure(kind: str, folder: Path, *, turns: int, seconds: float) -> None:
    with Sandbox.start(rate=None, db=folder / "engine.sqlite3") as sandbox:
        mails = fill(sandbox, folder)
        with running(kind, sandbox, folder) as contenders:
            for contender in contenders:
                contender.run(mails, GETTING_GOING_SECONDS)
            for _ in range(turns):
                for contender in contenders:
                    contender.rounds.append(contender.run(mails, seconds))
            tell(kind, contenders)


def fill(sandbox: Sandbox, folder: Path) -> Path:
    mails = [f"member.{number}@example.com" for number in range(MEMBERS)]
    for mail in mails:
        sandbox.add_member(email=mail, points=POINTS)
    file = folder / "mails"
    file.write_text("\n".join(mails) + "\n")
    return file


@contextmanager
def running(kind: str, sandbox: Sandbox, folder: Path) -> Iterator[list[Contender]]:
    with ExitStack() as stack:
        new = stack.enter_context(new_databases(kind, folder))
        contenders = [panel("panel", sandbox, folder, new("panel")), bare(folder, new("bare"))]
        if kind == "sqlite":
            careless = panel("less careful", sandbox, folder, new("careless"), "bench.less_careful")
            contenders.append(careless)
        for contender in contenders:
            stack.callback(contender.server.stop)
        for contender in contenders:
            contender.server.wait("/readyz")
        yield contenders


def panel(
    name: str,
    sandbox: Sandbox,
    folder: Path,
    database_url: str,
    settings: str = "loyalty_panel.settings",
) -> Contender:
    port = any_free()
    more = {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": settings, **NO_API_LIMIT}
    env = panel_env(sandbox, folder, port, more=more)
    prepare(env)
    key = folder / f"{name}.key"
    key.write_text(run(env, "-m", "bench.shop", "key"))
    server = Server(name, web_command(), env, f"http://127.0.0.1:{port}", folder)
    return Contender(name, server, "/api/v1/redemptions", env, key)


def bare(folder: Path, database_url: str) -> Contender:
    port = any_free()
    env = {**program_env(port), "DATABASE_URL": database_url}
    run(env, "-m", "bench.bare")
    command = web_command().replace("loyalty_panel.wsgi", "bench.bare")
    server = Server("bare", command, env, f"http://127.0.0.1:{port}", folder)
    key = folder / "bare.key"
    key.write_text("none\n")
    return Contender("bare", server, "/rows", env, key)


def tell(kind: str, contenders: list[Contender]) -> None:
    by_name = {contender.name: contender.rounds for contender in contenders}
    rates = {
        name: statistics.median(one.per_second for one in rounds)
        for name, rounds in by_name.items()
    }
    print(f"\n{kind}, {CONNECTIONS} connections: a second " + told(rates, 0))
    print(f"  a redemption to a bare row: {ratio(by_name['panel'], by_name['bare']):.2f}")
    if "less careful" in by_name:
        kept = ratio(by_name["panel"], by_name["less careful"])
        print(f"  synchronous=FULL to NORMAL: {kept:.2f}", flush=True)


def told(rates: dict[str, float], digits: int) -> str:
    return ", ".join(f"{name} {rate:.{digits}f}" for name, rate in rates.items())


def ratio(mine: list[Round], others: list[Round]) -> float:
    """Of rates in the same turn; of the turns the median."""
    turns = zip(mine, others, strict=True)
    return statistics.median(one.per_second / other.per_second for one, other in turns)


if __name__ == "__main__":
    sys.exit(main())
