"""Run the legs of `make test`, `make long` or `make next`; keep what each wrote, and sum up.

One runs after the other. REQUIRE_ALL=1 makes a leg fail, instead of being skipped, when the machine
lacks a program for it that apt brings.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from needs import CHROMIUM, FIREFOX, HEADLESS, NEXT_PYTHON, PLAYWRIGHT, POSTGRES, Need
from with_postgres import temporary_postgres

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "var" / "test-output"
LONGEST_LEG_SECONDS = 900
ENDED_WITHIN_SECONDS = 30

# Named at the end of a leg, so that what makes the whole run long stays in sight.
SLOW_ONES = ("--durations=10", "--durations-min=5")


Places = Mapping[Need, Path | None]


@dataclass(frozen=True)
class Leg:
    name: str
    pytest: tuple[str, ...]
    needs: tuple[Need, ...] = ()
    also: tuple[Need, ...] = ()
    """Without one of these some of its tests are skipped, or take longer."""
    on_postgres: bool = False
    on_next: bool = False


# The Python and the Django to come, with the pins of their own.
NEXT_VENV = (".venv-next", "requirements-next.txt")

# A file keeps to one process: the servers that it starts would else start in each.
BY_FILE = ("--dist", "loadfile", "--no-loadscope-reorder")
# More than there are cores, for many tests wait: for a process to start, a deadline, an answer.
BESIDE = ("-n", "4", *BY_FILE)
# A browser draws while its test waits.
BROWSERS_BESIDE = ("-n", "3", *BY_FILE)

# What it reads is not there before the last leg.
OUTPUT_APART = "--ignore=tests/output"

# The sandbox is no part of the product.
APART = ("--ignore=tests/contract", OUTPUT_APART)
FIRST_ONE = ("--at-most", "1")

# It reads what the others wrote: no log may hold a customer's data.
LAST = Leg("output", ("tests/output",))
LEGS = [
    Leg("sqlite", (*BESIDE, "-m", "not browser and not storm", OUTPUT_APART)),
    Leg(
        "browser",
        (*BROWSERS_BESIDE, "-m", "browser", "tests/browser"),
        (CHROMIUM, PLAYWRIGHT),
        also=(HEADLESS, FIREFOX),
    ),
    Leg(
        "postgres",
        (*BESIDE, "-m", "database", "--ignore=tests/browser", *APART),
        (POSTGRES,),
        on_postgres=True,
    ),
    LAST,
]
# More of the same: browsers, thousands of calls, orders and deaths on the other database.
LONG_LEGS = [*(replace(leg, pytest=("--long", *leg.pytest)) for leg in LEGS[:-1]), LAST]
# What kills, races and waits finds nothing that only the next Python or Django would break, and
# neither does the second value of a parameter; there is no browser in its venv.
NEXT_LEGS = [
    Leg(
        "next",
        (*BESIDE, "-m", "not slow", *FIRST_ONE, "--ignore=tests/browser", *APART),
        (NEXT_PYTHON,),
        on_next=True,
    ),
    LAST,
]
RUNS = {"test": LEGS, "long": LONG_LEGS, "next": NEXT_LEGS}


@dataclass(frozen=True)
class Outcome:
    leg: Leg
    word: str
    seconds: float = 0

    @property
    def is_skipped(self) -> bool:
        return self.word == "SKIPPED"

    def __str__(self) -> str:
        return f"  {self.leg.name:<10}{self.word:<9}{self.seconds:6.0f} s"


def main(legs: Sequence[Leg]) -> int:
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)
    with ExitStack() as running:
        # Each has tests that start servers on PostgreSQL.
        needs = [POSTGRES, *(need for leg in legs for need in leg.needs + leg.also)]
        places = {need: need.provide() for need in dict.fromkeys(needs)}
        env = environment(places.get(CHROMIUM))
        env["TESTS_SHARED_DIR"] = running.enter_context(tempfile.TemporaryDirectory())
        if programs := places[POSTGRES]:
            log = OUTPUT / "postgres-server.log"
            env["POSTGRES_URL"] = running.enter_context(temporary_postgres(programs, log))
        outcomes = [
            run(leg, env, places) if all(places[need] for need in leg.needs) else without(leg)
            for leg in legs
        ]
    return sum_up(outcomes, [need for need, place in places.items() if place is None])


def environment(chromium: Path | None) -> dict[str, str]:
    """The caller's, less what would turn the tests on a real database or engine.

    Nor may it keep Python from storing what it compiled: each leg would compile all tests again.
    """
    ours = {"DATABASE_URL", "POSTGRES_URL", "YOTPO_BASE_URL", "PYTHONDONTWRITEBYTECODE"}
    env = {name: value for name, value in os.environ.items() if name not in ours}
    env |= {"LOYALTY_MODE": "test", "TEST_OUTPUT_DIR": str(OUTPUT)}
    if chromium:
        env["CHROMIUM"] = str(chromium)
    return env


def without(leg: Leg) -> Outcome:
    is_required = os.environ.get("REQUIRE_ALL") == "1" and any(need.packages for need in leg.needs)
    return Outcome(leg, "FAILED" if is_required else "SKIPPED")


def run(leg: Leg, env: Mapping[str, str], places: Places) -> Outcome:
    print(f"\n== {leg.name}: pytest {shlex.join(leg.pytest)}", flush=True)
    if leg.on_postgres:
        env = {**env, "DATABASE_URL": env["POSTGRES_URL"]}
    started = time.monotonic()
    log = OUTPUT / f"{leg.name}.log"
    failed = any(tee(command, env, log) != 0 for command in commands(leg, places))
    return Outcome(leg, "FAILED" if failed else "passed", time.monotonic() - started)


def commands(leg: Leg, places: Places) -> list[list[str]]:
    """One after the other, as long as each ends well."""
    tests = ["-m", "pytest", *leg.pytest, *SLOW_ONES]
    if not leg.on_next:
        return [[sys.executable, *tests]]
    folder, _ = NEXT_VENV
    return [set_next_up(places), [str(ROOT / folder / "bin" / "python"), *tests]]


def set_next_up(places: Places) -> list[str]:
    return [str(places[NEXT_PYTHON]), "scripts/setup_venv.py", *NEXT_VENV]


def tee(command: list[str], env: Mapping[str, str], log: Path) -> int:
    """Run with output to the terminal and to `log`, for a bounded time."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    limit = threading.Timer(LONGEST_LEG_SECONDS, interrupt, [process])
    limit.start()
    try:
        with log.open("a") as kept:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                kept.write(line)
        return process.wait()
    finally:
        limit.cancel()
        interrupt(process)


def interrupt(process: subprocess.Popen[Any]) -> None:
    """As Ctrl-C does, so that pytest still ends what its fixtures started; then without mercy."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDED_WITHIN_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)


def sum_up(outcomes: Sequence[Outcome], missing: Sequence[Need] = ()) -> int:
    print("\n== Summary")
    for outcome in outcomes:
        print(outcome)
    skipped = [outcome for outcome in outcomes if outcome.is_skipped]
    if skipped:
        names = ", ".join(outcome.leg.name for outcome in skipped)
        print(f"\n!!! {len(skipped)} test legs skipped: {names}")
    for need in missing:
        print(f"!!! {need.name} is missing. {need.way_out}")
    return 1 if any(outcome.word == "FAILED" for outcome in outcomes) else 0


def stop(signum: int, _frame: object) -> None:
    sys.exit(128 + signum)


if __name__ == "__main__":
    # SIGINT as well: a shell starts background jobs with it ignored, and so would pytest be.
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    sys.exit(main(RUNS[sys.argv[1]]))
