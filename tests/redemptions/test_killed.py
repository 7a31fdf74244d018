"""A process killed at any line of redeem or undo leaves nothing that settling does not end."""

import subprocess
import sys
from collections import Counter

import pytest

from redemptions.states import State
from sandbox.control import Sandbox
from tests.support.servers import ROOT, Database, environment, manage
from tests.support.waiting import until

OPEN = ("requested", "uncertain", "reversing")
# A row is called orphaned 10 s after the deadline, and a dead process's claim lasts as long.
QUICK = {"ENGINE_DEADLINE_SECONDS": "1", "ENGINE_SETTLE_SECONDS": "1"}


@pytest.mark.slow
@pytest.mark.parametrize("what", ["redeem", "undo"])
def test_whatever_line_it_dies_at_no_point_is_lost(each_database: Database, what: str):
    database = each_database
    with Sandbox.start() as sandbox:
        env = environment(sandbox, database.url, **QUICK)
        manage(env, "migrate", "-v0")
        manage(env, "seed_demo")
        database.clear()
        killed = run_killer(env, what, sandbox.root_url)
        before = Counter(database.states())

        settle(env, database)

        assert killed > 30, "the lines of redeem and undo were not met"
        assert len(before) > 1, "it was always killed in the same state"
        check_points(sandbox, database, what, killed)


def run_killer(env: dict[str, str], what: str, sandbox_url: str) -> int:
    words = [sys.executable, "-m", "tests.redemptions.killer", what, sandbox_url]
    done = subprocess.run(
        words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def settle(env: dict[str, str], database: Database) -> None:
    def ended() -> bool:
        manage(env, "settle_redemptions")
        return not set(database.states()) & set(OPEN)

    until(ended, "nothing is left open", seconds=120)


def check_points(sandbox: Sandbox, database: Database, what: str, killed: int) -> None:
    """The engine's ledger is the truth: what it took is what our rows say."""
    rows = database.execute(
        "SELECT code, state FROM redemptions_pendingredemption WHERE state <> ?", "refused"
    )
    state_of = dict(rows)
    open_codes = {code for code, state in rows if state == State.ISSUED}
    made = {r["code"]: r for r in sandbox.redemptions()}
    assert set(made) <= set(state_of), "a code without a row"
    assert {c for c, r in made.items() if r["state"] != "cancelled"} == open_codes
    ends = {State.ISSUED, State.NOT_MADE} if what == "redeem" else {State.ISSUED, State.REVERSED}
    assert {state for _, state in rows} == ends
    for line in range(1, killed + 2):
        ledger = sandbox.ledger(f"{what}-{line}@example.com")
        moved = [row["points"] for row in ledger if row["kind"] != "seed"]
        assert moved in ([], [-500], [-500, 500]), f"line {line}"
