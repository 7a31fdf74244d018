"""A worker that is a real process, killed while the engine takes a part of a pool's codes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.control import Sandbox
from tests.harness.shop import Worker
from tests.support.marks import mainly_on
from tests.support.servers import Database, environment, manage
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.long, mainly_on("sqlite")]

TOTE = "90140"
UPLOAD = "POST /redemption_codes"
PARTS = "SELECT state, attempts FROM outbox_delivery WHERE kind = 'codes' ORDER BY id"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(rate=None) as sandbox:
        yield sandbox


def test_nothing_is_sent_twice_and_nothing_is_lost(
    sandbox: Sandbox, each_database: Database, tmp_path: Path
):
    env = environment(sandbox, each_database.url, YOTPO_RATE_PER_SECOND="1000")
    file = tmp_path / "codes.csv"
    file.write_text("\n".join(f"KILLED-{os.getpid()}-{n:05}" for n in range(20_001)))
    # The engine has the first part, and its answer is long in coming.
    sandbox.fault(UPLOAD, "late", seconds=60)
    manage(env, "upload_codes", TOTE, str(file))
    worker = Worker(env, tmp_path / "worker.log")
    try:
        worker.start()
        until(lambda: sandbox.call_counts().get(UPLOAD), "a call under way")
        worker.kill()
        # Whichever was the first; of one offer one is under way.
        assert sorted(each_database.execute(PARTS))[2] == ("running", 1)
        worker.start()
        until(lambda: states(each_database) == {"done"}, "all parts told", 120)
    finally:
        worker.kill()
    assert sandbox.call_counts()[UPLOAD] == 3
    assert [attempts for _, attempts in each_database.execute(PARTS)] == [1, 1, 1]
    ((confirmed,),) = each_database.execute(
        f"SELECT confirmed FROM offers_pool WHERE option_id = {TOTE}"
    )
    assert confirmed == 20_001


def states(database: Database) -> set[object]:
    return {state for state, _ in database.execute(PARTS)}
