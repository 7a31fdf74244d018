"""A process killed at any line of redeem or undo leaves nothing that settling does not end."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from redemptions.states import State
from sandbox.control import Sandbox
from tests.support.marks import mainly_on
from tests.support.servers import ROOT, Database, environment, manage
from tests.support.waiting import until

WHAT = ("redeem", "undo")
ENDS = {"redeem": {State.ISSUED, State.NOT_MADE}, "undo": {State.ISSUED, State.REVERSED}}
OPEN = {"requested", "uncertain", "reversing"}
QUICK = {
    "ENGINE_DEADLINE_SECONDS": "1",
    "ENGINE_SETTLE_SECONDS": "1",
    "YOTPO_RATE_PER_SECOND": "1000",  # the sandbox has no limit, so settling need not save calls
}


@dataclass(frozen=True)
class Aftermath:
    """What was killed, how the rows stood then, and where all of it is settled."""

    sandbox: Sandbox
    database: Database
    killed: dict[str, int]
    before: dict[str, set[str]]


@pytest.fixture(scope="module")
def aftermath(each_database: Database) -> Iterator[Aftermath]:
    """All are killed first and settled together: settling is mostly waiting.

    At an engine of its own: at a shared one a slow call of a test before may still be made good.
    """
    with Sandbox.start(rate=None) as sandbox:
        env = environment(sandbox, each_database.url, **QUICK)
        killed = {what: run_killer(env, what, sandbox.root_url) for what in WHAT}
        before = {what: states(each_database, what) for what in WHAT}
        give_up_claims(each_database)
        until(lambda: nothing_is_open(env, each_database), "nothing is left open", 120)
        yield Aftermath(sandbox, each_database, killed, before)


@pytest.mark.slow
@mainly_on("sqlite")
@pytest.mark.parametrize("what", WHAT)
def test_whatever_line_it_dies_at_no_point_is_lost(aftermath: Aftermath, what: str):
    assert aftermath.killed[what] > 10, "the lines of redeem and undo were not met"
    assert len(aftermath.before[what]) > 1, "it was always killed in the same state"
    assert states(aftermath.database, what) - {State.REFUSED} == ENDS[what]
    # The engine's ledger is the truth: what it took is what our rows say.
    check_codes(aftermath.sandbox, aftermath.database)
    check_points(aftermath.sandbox, what, aftermath.killed[what])


def states(database: Database, what: str) -> set[str]:
    ours = "SELECT DISTINCT state FROM redemptions_pendingredemption WHERE act_key LIKE ?"
    return {str(state) for (state,) in database.execute(ours, f"{what}-%")}


def run_killer(env: dict[str, str], what: str, sandbox_url: str) -> int:
    words = [sys.executable, "-m", "tests.redemptions.killer", what, sandbox_url]
    done = subprocess.run(
        words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def give_up_claims(database: Database) -> None:
    """Every process is dead, so nobody is at the rows that they had claimed."""
    database.execute(
        "UPDATE redemptions_pendingredemption SET next_check_at = ?", database.moment()
    )


def nothing_is_open(env: dict[str, str], database: Database) -> bool:
    manage(env, "settle_redemptions")
    return not set(database.states()) & OPEN


def check_codes(sandbox: Sandbox, database: Database) -> None:
    rows = database.execute("SELECT code, state FROM redemptions_pendingredemption")
    open_codes = {code for code, state in rows if state == State.ISSUED}
    made = {r["code"]: r for r in sandbox.redemptions()}
    assert set(made) <= {code for code, _ in rows}, "a code without a row"
    assert {c for c, r in made.items() if r["state"] != "cancelled"} == open_codes


def check_points(sandbox: Sandbox, what: str, killed: int) -> None:
    for place in range(1, killed + 2):
        ledger = sandbox.ledger(f"{what}-{place}@example.com")
        moved = [row["points"] for row in ledger if row["kind"] != "seed"]
        assert moved in ([], [-500], [-500, 500]), f"place {place}"
