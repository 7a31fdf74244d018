"""Commands and workers killed in the middle of a file: nothing is doubled, and nothing is lost."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from database.spreadsheets import write_csv
from sandbox.control import Sandbox
from tests.support.marks import mainly_on
from tests.support.servers import ROOT, Database, environment
from tests.support.waiting import until

# A busy machine records a row or two a second; what is waited for costs no more than it takes.
PATIENCE = 3600
TITLES = ["id", "completed_at", "total", "email", "kind", "sale_id"]
MEMBERS = 20
# Of a hundred rows so many name a member; two are refunds of such sales, and one can't be read.
NAMED, REFUNDS, FLAWED = 20, 2, 1
POINTS_A_SALE, POINTS_A_REFUND = 40, 10
QUICK = {"YOTPO_RATE_PER_SECOND": "1000", "ENGINE_SETTLE_SECONDS": "1"}
RECORDED = "SELECT position FROM backfill_backfill WHERE state = 'recording'"


@dataclass(frozen=True)
class Shop:
    """Where a file is recorded, by a command and by a worker."""

    sandbox: Sandbox
    database: Database
    env: dict[str, str]
    log: Path

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "manage.py", *words],
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=log,
            )

    def number(self, question: str) -> int:
        rows = self.database.execute(question)
        return int(str(rows[0][0])) if rows else 0

    def free(self) -> None:
        """Nobody waits in a test for what the dead held."""
        self.database.execute("UPDATE backfill_backfill SET held_until = NULL")


@pytest.fixture
def shop(each_database: Database, output_dir: Path) -> Iterator[Shop]:
    with Sandbox.start(rate=None) as sandbox:
        for number in range(MEMBERS):
            sandbox.add_member(email=mail(number), points=0)
        env = environment(sandbox, each_database.url, **QUICK)
        yield Shop(sandbox, each_database, env, output_dir / "backfill.log")


def mail(number: int) -> str:
    return f"buyer.{number}@example.com"


def row(number: int) -> list[str]:
    place, hundred = number % 100, number - number % 100
    if place < NAMED:
        return [f"S-{number}", "2026-05-02 12:00", "40.00", mail(number % MEMBERS), "", ""]
    if place < NAMED + REFUNDS:
        return [f"R-{number}", "", "10.00", "", "refund", f"S-{hundred + place - NAMED}"]
    if place < NAMED + REFUNDS + FLAWED:
        return [f"S-{number}", "2026-05-02 12:00", "40,00", "", "", ""]
    return [f"S-{number}", "2026-05-02 12:00", "40.00", "", "", ""]


def kill_in_the_middle(shop: Shop, words: list[str], times: int, rows: int) -> None:
    """Command and worker side by side and, every second time, the worker alone."""
    for number in range(times):
        goal = rows * (number + 1) // (times + 1)
        processes = [shop.start("run_worker")]
        processes += [] if number % 2 else [shop.start(*words)]
        try:
            until(lambda goal=goal: shop.number(RECORDED) >= goal, f"row {goal}", PATIENCE)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        shop.free()


def finish(shop: Shop, words: list[str]) -> None:
    open_ones = "SELECT count(*) FROM outbox_delivery WHERE state NOT IN ('done', 'withdrawn')"
    worker = shop.start("run_worker")
    try:
        assert shop.start(*words).wait(PATIENCE) == 0
        until(lambda: shop.number(open_ones) == 0, "everything is told", PATIENCE)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)


@pytest.mark.slow
@mainly_on("sqlite")
@pytest.mark.parametrize(
    ("rows", "kills"), [(500, 2), pytest.param(10_000, 6, marks=pytest.mark.long)]
)
def test_killed_again_and_again_it_records_each_row_once(shop, tmp_path, rows, kills):
    file = tmp_path / "sales.csv"
    file.write_bytes(write_csv(TITLES, map(row, range(rows))))
    words = ["backfill_sales", str(file), "--installation", "demo", "--tell-engine"]
    kill_in_the_middle(shop, words, kills, rows)
    finish(shop, words)

    hundreds = rows // 100
    figures = "SELECT state, new, already_there, not_taken FROM backfill_backfill"
    flawed = FLAWED * hundreds
    assert shop.database.execute(figures) == [("done", rows - flawed, 0, flawed)]
    sales = "SELECT count(*), count(DISTINCT pos_id) FROM sales_sale WHERE from_file"
    expected = (100 - REFUNDS - FLAWED) * hundreds
    assert [tuple(map(int, found)) for found in shop.database.execute(sales)] == [
        (expected, expected)
    ]
    assert shop.number("SELECT count(*) FROM backfill_part") == 0
    assert shop.number("SELECT count(*) FROM backfill_rownottaken") == flawed
    # The engine's own ledger: each order and each refund once.
    earned = NAMED * hundreds * POINTS_A_SALE - REFUNDS * hundreds * POINTS_A_REFUND
    assert sum(shop.sandbox.balance(mail(number)) for number in range(MEMBERS)) == earned
