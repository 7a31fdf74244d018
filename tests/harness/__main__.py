"""make harness: random histories on SQLite and on PostgreSQL. Ends with 1 where one went wrong."""

import argparse
import os
import secrets
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from needs import POSTGRES
from tests.harness.run import HISTORIES_FOR_A_BLOW, Outcome, run
from tests.harness.shop import output_folder, running_shop
from tests.support.servers import postgres_database, sqlite_database
from with_postgres import temporary_postgres

DATABASES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


def main() -> int:
    asked = arguments()
    say(f"seed={asked.seed}")
    return max(run_on(database, asked) for database in asked.databases.split(","))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make harness")
    parser.add_argument("--n", type=int, default=2000, help="histories on each database")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--only", type=int, help="this history of the seed alone")
    parser.add_argument("--databases", default=",".join(DATABASES))
    words = "whether the engine takes the ids of orders and refunds as keys (on,off: in turn)"
    parser.add_argument("--keys", default="on,off", help=words)
    parser.add_argument("--every", type=float, default=HISTORIES_FOR_A_BLOW,
                        help="histories for one kill or lock; 0 for none")  # fmt: skip
    return parser.parse_args()


def run_on(name: str, asked: argparse.Namespace) -> int:
    with ExitStack() as running:
        if name == "postgres":
            start_postgres(running)
        kinds = asked.keys.split(",")
        numbers = range(asked.n) if asked.only is None else [asked.only]
        return max(
            run_with(name, keys, [n for n in numbers if n % len(kinds) == turn], asked)
            for turn, keys in enumerate(kinds)
        )


def run_with(name: str, keys: str, numbers: list[int], asked: argparse.Namespace) -> int:
    if not numbers:
        return 0
    folder, title = output_folder(), f"{name}-keys-{keys}"
    with ExitStack() as running:
        away = Path(running.enter_context(TemporaryDirectory()))
        made = sqlite_database(away) if name == "sqlite" else postgres_database()
        database = running.enter_context(made)
        shop = running.enter_context(
            running_shop(database, folder, name=title, keyed_orders=keys == "on")
        )
        outcome = run(shop, asked.seed, numbers, every=asked.every)
    tell(title, asked.seed, outcome)
    say(row(name, keys, asked.seed, outcome))
    (folder / f"findings-{title}.txt").write_text(outcome.report)
    return 1 if outcome.wrong else 0


def start_postgres(running: ExitStack) -> None:
    if "POSTGRES_URL" in os.environ:
        return
    programs = POSTGRES.provide()
    if programs is None:
        sys.exit(f"{POSTGRES.name} is missing. {POSTGRES.way_out}")
    log = output_folder() / "postgres-server.log"
    os.environ["POSTGRES_URL"] = running.enter_context(temporary_postgres(programs, log))


def tell(name: str, seed: int, outcome: Outcome) -> None:
    say(outcome.report)
    say(f"{name}: {outcome.histories} histories of seed {seed} in {outcome.seconds:.0f} s")
    say(f"  of that settling: {outcome.settling_seconds:.0f} s")
    for title, counts in (
        ("blows", outcome.blows),
        ("redemptions", outcome.states),
        ("deliveries", outcome.deliveries),
    ):
        told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
        say(f"  {title}: {told}")
    say(f"  wrong: {len(outcome.wrong)}")


def row(name: str, keys: str, seed: int, outcome: Outcome) -> str:
    """As a line of the table in docs/reliability.md."""
    cells = [f"{DATABASES[name]}, {keys}", seed, outcome.histories, outcome.blows.total()]
    cells += [f"{outcome.seconds:.0f} s", len(outcome.wrong)]
    return f"| {' | '.join(map(str, cells))} |"


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
