"""Workers that are real processes, killed and told to stop, on both databases and engines."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.outbox.over_http import Shop
from tests.support.marks import mainly_on
from tests.support.servers import ROOT, Database
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, mainly_on("postgres")]

MODULE = [sys.executable, "-m", "tests.outbox.worker_process"]
STATES = "SELECT DISTINCT state FROM outbox_delivery WHERE key LIKE ?"


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


@pytest.fixture
def env(shop: Shop, each_database: Database) -> dict[str, str]:
    return {
        "LOYALTY_MODE": "demo",
        "DATABASE_URL": each_database.url,
        "SHOP_URL": shop.url,
        "ENGINE_DEADLINE_SECONDS": "1",
        "ENGINE_SETTLE_SECONDS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


class Worker:
    def __init__(self, env: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*MODULE, "work"], cwd=ROOT, env=env, stdout=output, stderr=output
            )

    def end(self, sign: signal.Signals) -> int:
        self.process.send_signal(sign)
        return self.process.wait(30)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def promise(env: Mapping[str, str], prefix: str, count: int) -> None:
    subprocess.run([*MODULE, "promise", prefix, str(count)], cwd=ROOT, env=env, check=True)


def states(database: Database, prefix: str) -> set[object]:
    return {state for (state,) in database.execute(STATES, f"{prefix}-%")}


def test_killed_in_the_middle_of_a_call(env, shop, each_database, output_dir):
    log = output_dir / "outbox-workers.log"
    shop.open.clear()
    promise(env, "hang", 1)
    with Worker(env, log) as first:
        assert shop.received.wait(30)
        assert os.getpriority(os.PRIO_PROCESS, first.process.pid) == min(19, os.nice(0) + 5)
        first.end(signal.SIGKILL)
    assert states(each_database, "hang") == {"running"}
    shop.open.set()

    with Worker(env, log):
        until(lambda: states(each_database, "hang") == {"done"}, "another one finishes it", 60)
    assert shop.effects == {"hang-0": 1}


@pytest.mark.storm
def test_killed_again_and_again_nothing_is_lost_and_nothing_done_twice(
    env, shop, each_database, output_dir
):
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    log = output_dir / "outbox-workers.log"
    promise(env, "storm", 60)
    with ExitStack() as running:
        workers = [running.enter_context(Worker(env, log)) for _ in range(2)]
        for number in range(3):
            done = len(shop.effects)
            until(lambda done=done: len(shop.effects) > done, "something is delivered", 60)
            time.sleep(rng.uniform(0, 0.2))  # at any moment of a delivery
            workers[number % 2].end(signal.SIGKILL)
            workers[number % 2] = running.enter_context(Worker(env, log))
        until(lambda: states(each_database, "storm") == {"done"}, f"all told (seed {seed})", 120)
    assert shop.effects == {f"storm-{number}": 1 for number in range(60)}, f"seed {seed}"


def test_told_to_stop_it_finishes_what_it_has_begun(env, shop, each_database, output_dir):
    log = output_dir / "outbox-workers.log"
    shop.open.clear()
    promise(env, "drain", 5)
    with Worker(env, log) as worker:
        assert shop.received.wait(30)
        worker.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            worker.process.wait(1)
        shop.open.set()
        assert worker.process.wait(30) == 0

    assert states(each_database, "drain") == {"done", "pending"}
    assert 1 <= len(shop.effects) <= 2, "it had two threads"
