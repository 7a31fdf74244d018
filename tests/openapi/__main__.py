"""make harness-api: calls drawn from the API's own description. Ends with 1 on a find."""

import argparse
import secrets
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.harness.shop import output_folder, running_shop
from tests.openapi.walk import Walk
from tests.support.servers import sqlite_database


def main() -> int:
    parser = argparse.ArgumentParser(prog="make harness-api")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    asked = parser.parse_args()
    say(f"seed={asked.seed}")
    started = time.monotonic()
    with (
        TemporaryDirectory() as away,
        sqlite_database(Path(away), seeded=False) as database,
        running_shop(database, output_folder(), name="api", worker_processes=1) as shop,
    ):
        report = Walk(shop, asked.seed).go(asked.calls)
    say(f"{report}; seed {asked.seed}, {time.monotonic() - started:.0f} s")
    return 1 if report.findings else 0


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
