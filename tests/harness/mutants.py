"""make mutants: each rule taken out once, in a copy of the checkout; the slice must fail there.

Ends with 1 where one survives, or its text is no longer found.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.harness.shop import READY_MADE, make_ready
from tests.support.servers import ROOT

SLICE = "tests/harness/test_slice.py"
# The last is bytecode that is being written.
LEFT_OUT = (".git", ".venv*", "var", "node_modules", ".*_cache", ".hypothesis", "*.pyc.*")
LONGEST_SECONDS = 300


@dataclass(frozen=True)
class Change:
    """`before` stands once in `file`; `after` takes its place."""

    file: str
    before: str
    after: str


@dataclass(frozen=True)
class Mutant:
    name: str
    rule: str
    """Where DESIGN.md has it."""
    script: str
    """The script that was written for it; others may be quicker."""
    changes: tuple[Change, ...]

    def plant(self, root: Path) -> None:
        for change in self.changes:
            path = root / change.file
            text = path.read_text()
            assert text.count(change.before) == 1, f"{self.name}: not once in {change.file}"
            path.write_text(text.replace(change.before, change.after))

    def is_stale(self) -> bool:
        texts = [(ROOT / change.file).read_text() for change in self.changes]
        return any(
            text.count(change.before) != 1 for text, change in zip(texts, self.changes, strict=True)
        )


MUTANTS = [
    Mutant(
        "asked before anything is committed",
        "A redemption: committed BEFORE the engine is called",
        "web_dies_while_the_engine_acts",
        (
            Change(
                "redemptions/actions.py",
                "        write_down(redemption, by, standing, ending)\n    except CannotRedeem:",
                "    except CannotRedeem:",
            ),
            Change(
                "redemptions/actions.py",
                "        write_failure(redemption, error)\n",
                "        write_down(redemption)\n        write_failure(redemption, error)\n",
            ),
            Change(
                "redemptions/actions.py",
                "        write_success(redemption, made)\n",
                "        write_down(redemption)\n        write_success(redemption, made)\n",
            ),
        ),
    ),
    Mutant(
        "the same key makes another one",
        "A redemption, 1: one act, one key",
        "same_key_after_a_lost_answer",
        (
            Change(
                "api/redemptions.py",
                "        key=key,\n",
                '        key=f"{key}-{PendingRedemption.objects.count()}",\n',
            ),
        ),
    ),
    Mutant(
        "what another row has is a candidate",
        "A redemption, 4: a code that no row of ours has",
        "same_key_after_a_lost_answer",
        (
            Change(
                "redemptions/settling.py",
                "        if record is not None and is_spoken_for(redemption, record):",
                "        if False:",
            ),
        ),
    ),
    Mutant(
        "any candidate is taken",
        "A redemption, 4: two or more are disputed",
        "member_redeems_online_after_the_engine_acted",
        (
            Change(
                "redemptions/settling.py",
                "    if len(reading.candidates) == 1 and (reading.clear or known):",
                "    if reading.candidates:",
            ),
        ),
    ),
    Mutant(
        "a candidate's title is not looked at",
        "A redemption, 4: the offer's title, and a code record that names the member",
        "member_redeems_another_offer_online",
        (
            Change(
                "redemptions/settling.py",
                "        if record is not None and is_ours(redemption, row, record):",
                "        if record is not None:",
            ),
        ),
    ),
    Mutant(
        "a lone candidate is taken at once after a time-out",
        "A redemption, 4: the deadline plus settle time",
        "member_redeems_online_before_the_engine_acts",
        (
            Change(
                "redemptions/settling.py",
                "SHOWS_AT_ONCE = (Reason.REPLY_LOST,)",
                "SHOWS_AT_ONCE = (Reason.REPLY_LOST, Reason.TIMED_OUT)",
            ),
        ),
    ),
    Mutant(
        "given up at the first reading",
        "A redemption, 4: not in two readings, the last after the settle time",
        "engine_acts_after_we_gave_up",
        (
            Change(
                "redemptions/settling.py",
                "    elif is_absent(redemption, reading) and late_enough:",
                "    elif is_absent(redemption, reading):",
            ),
            Change(
                "redemptions/settling.py",
                "redemption.readable_reads >= 2",
                "redemption.readable_reads >= 1",
            ),
        ),
    ),
    Mutant(
        "undo is forgotten while it is unclear",
        "A redemption, 4: undo pressed meanwhile",
        "engine_acts_after_we_gave_up",
        (
            Change(
                "redemptions/models.py",
                "            if issued and self.reverse_when_found:",
                "            if False:",
            ),
        ),
    ),
    Mutant(
        "undone while the till still takes it",
        "A redemption, 7: withdraw the code, then the engine",
        "undo_of_a_code_that_the_till_still_takes",
        (
            Change(
                "api/redemptions.py",
                "    if redemption.state == State.ISSUED and not body.withdrawn:",
                "    if False:",
            ),
        ),
    ),
    Mutant(
        "a code on a sale goes back at its lease's end",
        "A redemption, 7: a code that was applied and not removed is a manager's",
        "leases_that_are_over",
        (
            Change(
                "redemptions/life.py",
                "WITHDRAWN = Q(applied_at=None) | Q(withdrawn_at__isnull=False)",
                "WITHDRAWN = Q()",
            ),
        ),
    ),
    Mutant(
        "a code that a till saw sold goes back at its lease's end",
        "A redemption, 3: claimed_used_at stops automatic reversal",
        "leases_that_are_over",
        (
            Change(
                "redemptions/life.py",
                "FREE = UNSOLD & WITHDRAWN",
                "FREE = WITHDRAWN",
            ),
            Change(
                "redemptions/models.py",
                "state=State.ISSUED, claimed_used_at=None, next_check_at__lte=Now()",
                "state=State.ISSUED, next_check_at__lte=Now()",
            ),
        ),
    ),
    Mutant(
        "a sold code goes back at its lease's end",
        "A redemption, 3 and 6: of use and reversal exactly one wins",
        "leases_that_are_over",
        (
            Change(
                "redemptions/models.py",
                "self.filter(state=State.ISSUED, claimed_used_at=None,",
                "self.filter(state__in=[State.ISSUED, State.USED], claimed_used_at=None,",
            ),
            Change(
                "redemptions/models.py",
                "only_from: Sequence[State] = (State.ISSUED,), **changes",
                "only_from: Sequence[State] = (State.ISSUED, State.USED), **changes",
            ),
            Change(
                "redemptions/settling.py",
                "    if redemption.state == State.ISSUED:\n        # Whoever",
                "    if redemption.state in {State.ISSUED, State.USED}:\n        # Whoever",
            ),
        ),
    ),
    Mutant(
        "a held code goes back",
        "A redemption, 6: hold freezes the lease",
        "leases_that_are_over",
        (
            Change(
                "redemptions/life.py",
                "    silent = Q(gone_at=None, lease_until__lte=Now() - unasked)",
                "    silent = Q(gone_at=None)",
            ),
        ),
    ),
    Mutant(
        "used without a condition",
        "A redemption, 3: one conditional update",
        "sale_of_a_code_that_was_undone",
        (
            Change(
                "redemptions/use.py",
                "    state = State(redemption.state)\n    if state == State.USED:\n",
                "    state = State(redemption.state)\n"
                "    rows = PendingRedemption.objects.filter(pk=redemption.pk)\n"
                "    if rows.update(state=State.USED, reason=Reason.SOLD, **sold):\n"
                "        return Outcome.USED\n"
                "    if state == State.USED:\n",
            ),
        ),
    ),
    Mutant(
        "one code for two sales",
        "A redemption, 3: one sale has it",
        "two_sales_of_one_code",
        (
            Change(
                "redemptions/use.py",
                "    return Outcome.USED if redemption.sale == sale else Outcome.USED_BEFORE",
                "    return Outcome.USED",
            ),
        ),
    ),
    Mutant(
        "no point of no return",
        "A redemption, 7: a sale after the first attempt does not make it used",
        "sale_while_the_points_go_back",
        (
            Change(
                "redemptions/use.py",
                "state == State.REVERSING and redemption.first_reversal_attempt_at is not None:",
                "False:",
            ),
        ),
    ),
    Mutant(
        "the attempt is recorded after the call",
        "A redemption, 7: recording the first attempt is the point of no return",
        "sale_while_the_points_go_back",
        (
            Change(
                "redemptions/reversal.py",
                "    if not record_attempt(redemption, sight, engine_id):\n"
                "        return\n"
                "    try:\n"
                "        engine.approve_cancellation(engine_id, redemption.code, "
                "asked_at=asked_at)\n",
                "    try:\n"
                "        engine.approve_cancellation(engine_id, redemption.code, "
                "asked_at=asked_at)\n"
                "        record_attempt(redemption, sight, engine_id)\n",
            ),
        ),
    ),
    Mutant(
        "tried again after a sale",
        "A redemption, 7: a sale after it stops further attempts",
        "sale_after_an_attempt_that_failed",
        (
            Change(
                "redemptions/reversal.py",
                "        if redemption.sold_at is not None:\n"
                "            settle_sold(redemption, sight)\n"
                "            return\n",
                "",
            ),
            Change(
                "redemptions/reversal.py",
                "        pk=redemption.pk, state=State.REVERSING, sold_at=None\n",
                "        pk=redemption.pk, state=State.REVERSING\n",
            ),
        ),
    ),
    Mutant(
        "no fencing of a late worker",
        "Outbox: lease owner; what another finds out counts",
        "worker_that_comes_back_late",
        (
            Change(
                "outbox/models.py",
                "lease_owner=self.lease_owner,\n                fence=self.fence,\n",
                "",
            ),
        ),
    ),
    Mutant(
        "sent again blindly after a lost answer",
        "Outbox: after a lost reply we read first",
        "void_after_an_answer_that_was_lost",
        (
            Change(
                "outbox/policy.py",
                "        return Verify(FIRST_READ_SECONDS)\n    return unread",
                "        return Retry(0.0)\n    return unread",
            ),
        ),
    ),
    Mutant(
        "a dead worker's delivery is sent again",
        "Outbox: attempts are recorded before they are made",
        "worker_dies_after_the_order_was_taken",
        (
            Change(
                "outbox/claims.py",
                "    free(ids, Outcome.ABANDONED, State.VERIFYING)",
                "    free(ids, Outcome.ABANDONED, State.PENDING)",
            ),
        ),
    ),
    Mutant(
        "what was only claimed counts as sent",
        "Outbox: what reading can't tell is parked, and nothing else",
        "worker_dies_before_it_knows_the_buyer",
        (Change("outbox/claims.py", "may_be_sent=at_once)", "may_be_sent=True)"),),
    ),
    Mutant(
        "two orders of a member at once",
        "Outbox: of one member only one such delivery is in flight",
        "orders_of_one_member_at_once",
        (
            Change(
                "sales/orders.py",
                '    return f"email:{email_index}" if email_index else',
                '    return "" if email_index else',
            ),
        ),
    ),
    Mutant(
        "a refund overtakes its order",
        "Outbox: order is kept per sale",
        "void_while_an_order_is_not_there_yet",
        (Change("outbox/models.py", '(~Q(order_by="") & ordered) | (', "("),),
    ),
    Mutant(
        "an order is withdrawn after its first attempt",
        "A sale: a void after the first attempt is a refund of the whole",
        "void_after_an_answer_that_was_lost",
        (
            Change(
                "outbox/ledger.py",
                "key=key, state=State.PENDING, attempts=0)",
                "key=key, state__in=[State.PENDING, State.VERIFYING])",
            ),
        ),
    ),
    Mutant(
        "a refund of what was never told",
        "A sale: a void before the first attempt withdraws the delivery",
        "orders_of_one_member_at_once",
        (
            Change(
                "sales/record.py",
                "bool(sale.not_delivered) or withdraw(ORDER, sale.order_id)",
                "bool(sale.not_delivered)",
            ),
        ),
    ),
    Mutant(
        "delayed: points are set aside until the sale alone",
        "A redemption, 5: points available are the balance less open delayed points",
        "points_that_were_sold_and_have_not_gone_yet",
        (
            Change(
                "redemptions/models.py",
                "STILL_TO_GO = (Deduction.DUE, Deduction.TOLD)",
                "STILL_TO_GO: tuple[Deduction, ...] = ()",
            ),
        ),
    ),
    Mutant(
        "delayed: another code ends nothing",
        "A redemption, 2: at most one open delayed one",
        "points_that_are_set_aside",
        (
            Change(
                "redemptions/actions.py",
                "                ending.carry_out(by)\n",
                "                pass\n",
            ),
        ),
    ),
    Mutant(
        "delayed: ended by an approved cancellation",
        "A redemption, 5: it is never sent to approve-cancellation",
        "sale_of_a_delayed_code_that_was_undone",
        (
            Change(
                "redemptions/models.py",
                "        to = State.CANCELLED if self.delayed else State.REVERSING\n",
                "        to = State.REVERSING\n",
            ),
        ),
    ),
    Mutant(
        "a refund beyond what is left",
        "A sale, a refund: beyond what is left is refused",
        "refunds_in_parts",
        (
            Change(
                "sales/refunds.py",
                'refunded_cents__lte=F("total_cents") - refund.total_cents',
                'refunded_cents__lte=F("total_cents")',
            ),
            Change(
                "sales/refunds.py",
                'refunded_cents=F("refunded_cents") + refund.total_cents',
                'refunded_cents=F("refunded_cents")',
            ),
        ),
    ),
    Mutant(
        "a refund overtakes its sale",
        "Outbox: order is kept per sale",
        "refund_before_its_order_is_there",
        (
            Change(
                "sales/refunds.py",
                'order_by=f"sale:{refund.sale_id}" if refund.sale else',
                'order_by=f"refund:{refund.pk}" if refund.sale else',
            ),
        ),
    ),
    Mutant(
        "a refund that waits is forgotten",
        "A sale, a refund: released in the transaction that records the sale",
        "refund_that_waits_for_its_sale",
        (Change("sales/record.py", "    release_waiting(sale)\n", ""),),
    ),
]


@dataclass(frozen=True)
class Verdict:
    mutant: Mutant
    killed_by: str
    seconds: float

    def __str__(self) -> str:
        by = f"`{self.killed_by}`" if self.killed_by else "**survived**"
        return f"| {self.mutant.name} | {by} | {self.seconds:.0f} s |"


def try_out(mutant: Mutant, words: list[str]) -> Verdict:
    """`words` choose the tests, for pytest."""
    begun = time.monotonic()
    with TemporaryDirectory() as folder:
        root = Path(folder) / "checkout"
        shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*LEFT_OUT))
        mutant.plant(root)
        done = run(root, words)
    return Verdict(mutant, killer(done), time.monotonic() - begun)


def run(root: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    output = root / "var"
    output.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", "-rfE", *words]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=root,
        env=environment(output),
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )


def environment(output: Path) -> dict[str, str]:
    """The caller's, but for what a pytest around this one has set: always on SQLite."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ours.pop("DATABASE_URL", None)
    return {**ours, "LOYALTY_MODE": "test", "TEST_OUTPUT_DIR": str(output)}


def killer(done: subprocess.CompletedProcess[str]) -> str:
    """The test that failed; nothing where all passed. An error of the set-up kills nobody."""
    if done.returncode == 0:
        return ""
    failed = re.search(r"^FAILED \S*::(\S+)", done.stdout, re.MULTILINE)
    assert failed, (done.stdout + done.stderr)[-3000:]
    return failed[1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants")
    parser.add_argument("--only", default="", help="those with this in their name")
    parser.add_argument("--first", type=int, default=1, help="begin with this one")
    asked = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS[asked.first - 1 :] if asked.only in mutant.name]
    stale = [mutant.name for mutant in chosen if mutant.is_stale()]
    for name in stale:
        say(f"stale: {name}: its text is no longer found once")
    with TemporaryDirectory() as folder:
        make_ready(Path(folder))
        os.environ[READY_MADE] = folder
        survived = [one.name for one in chosen if one.name not in stale and not dies(one)]
    say(f"{len(chosen)} mutants, {len(survived)} survived, {len(stale)} stale")
    return 1 if survived or stale else 0


def dies(mutant: Mutant) -> bool:
    """First by its own script, which takes seconds; should that miss it, by the whole slice."""
    verdict = try_out(mutant, [SLICE, "-k", f"rule and {mutant.script}"])
    if not verdict.killed_by:
        verdict = try_out(mutant, [SLICE])
    say(str(verdict))
    return bool(verdict.killed_by)


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
