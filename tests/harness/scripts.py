"""Scripted histories: each tries one rule in the order of events in which breaking it shows.

They go through the same till, sandbox and oracle as the random ones. Where a script holds a call at
the sandbox, what it does meanwhile is certain to fall in between.
"""

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.harness.bringing_back import refund_one
from tests.harness.history import LATE, Code, History
from tests.harness.pos import Answer
from tests.harness.shop import DEADLINE_SECONDS, UNASKED, Shop
from tests.support.waiting import until

FIVE_OFF, BY_POINTS, PRICE = 90121, 90130, 500
OPENING = 9000
# Far from the random ones.
FIRST_NUMBER = 1_000_000
# An answer that comes just in time, and one that nobody waits for.
HELD, HELD_READ, FOR_EVER = DEADLINE_SECONDS - 0.3, DEADLINE_SECONDS / 2, 20
PATIENCE_SECONDS = 25
TRIES = 3

REDEEM, ORDER, READ = "POST /redemptions", "POST /orders", "GET /customers"
REFUND = "POST /refunds"
GIVE_BACK = "POST /redemptions/*/cancellation_completed"

Play = Callable[["Script"], None]
PLAYS: dict[str, Play] = {}
KILLING: set[str] = set()
DELAYED: set[str] = set()


def script(*, kills: bool = False, delayed: bool = False) -> Callable[[Play], Play]:
    """`delayed`: at a till whose points go with the order."""

    def add(play: Play) -> Play:
        PLAYS[play.__name__] = play
        if delayed:
            DELAYED.add(play.__name__)
        if kills:
            KILLING.add(play.__name__)
        return play

    return add


class Script(History):
    """The history of one script, and what its acts are made of."""

    def __init__(self, shop: Shop, seed: int, name: str) -> None:
        number = FIRST_NUMBER + list(PLAYS).index(name)
        super().__init__(shop, seed, number, delayed=name in DELAYED)
        self.name, self.opening = name, OPENING

    def run(self) -> None:
        """What does not come about within its time is told by the oracle, like all else."""
        try:
            if self.begin():
                PLAYS[self.name](self)
        except AssertionError as error:
            self.surprises.append(f"{self.name}: {error}")
        self.clear_faults()

    def perhaps(self, *_: Any, **__: Any) -> None:
        """Nothing goes wrong but what the script says."""

    def hold_call(self, endpoint: str, kind: str, **details: Any) -> Callable[[], None]:
        """A fault for this member's next call; gives a function that waits until it is met."""
        whose = {"customer_email": self.email} if endpoint in {REDEEM, READ} else {}
        number = self.fault(endpoint, kind, {**whose, **details.pop("match", {})}, **details)

        def is_met() -> bool:
            return all(one["id"] != number for one in self.shop.sandbox.state()["faults"])

        def met() -> None:
            until(is_met, f"{endpoint} is called", PATIENCE_SECONDS)

        return met

    def redeem_five(self, key: str = "", *, insist: bool = True) -> Answer:
        body = {"member": {"id": self.member}, "offer_id": FIVE_OFF}
        return self.ask(body, key or self.new_key(), insist=insist)

    def code(self) -> Code:
        """One that is issued; a machine that is very busy may have to find it first."""
        answer = self.redeem_five()
        if answer.status == 202:
            self.await_state(answer.body["id"], "issued")
            answer = self.redeem_five(self.keys[-1])
        assert answer.body.get("code"), f"no code: {answer}"
        return self.codes[answer.body["id"]]

    def unclear(self) -> str:
        """A redemption whose answer is lost; its id."""
        answer = self.redeem_five()
        assert answer.status == 202, f"not unclear: {answer}"
        return str(answer.body["id"])

    def take(self, code: Code | None) -> str:
        """A sale, told until it is answered; what became of the code."""
        sale = self.new_sale(code)
        self.sell_one(sale)
        return code.outcomes[-1] if code else ""

    def row(self, redemption: str, columns: str = "state") -> tuple[object, ...]:
        plain = redemption.replace("-", "") if self.shop.is_sqlite else redemption
        [row] = self.shop.database.execute(
            f"SELECT {columns} FROM redemptions_pendingredemption WHERE id = ?", plain
        )
        return row

    def set_row(self, redemption: str, changes: str, *values: object) -> None:
        plain = redemption.replace("-", "") if self.shop.is_sqlite else redemption
        self.shop.database.execute(
            f"UPDATE redemptions_pendingredemption SET {changes} WHERE id = ?", *values, plain
        )

    def await_state(self, redemption: str, state: str) -> None:
        until(lambda: self.row(redemption) == (state,), f"it is {state}", PATIENCE_SECONDS)

    def must_be(self, found: object, wanted: object) -> None:
        if found != wanted:
            self.surprises.append(f"{self.name}: {found!r}, and must be {wanted!r}")

    def delivery(self, key: str, columns: str = "state") -> tuple[object, ...]:
        rows = self.shop.database.execute(
            f"SELECT {columns} FROM outbox_delivery WHERE kind = 'order' AND key = ?", key
        )
        assert rows, f"no delivery of {key}"
        return rows[0]

    def until_in_time(self, act: Callable[[], bool]) -> None:
        """Again, where the machine was too slow for it to fall in between."""
        assert any(act() for _ in range(TRIES)), "the machine is too slow for this"


def scripts_of(shop: Shop, seed: int, names: Iterable[str]) -> list[Script]:
    return [Script(shop, seed, name) for name in PLAYS if name in set(names)]


def play(scripts: list[Script]) -> None:
    """Those that kill one after the other, for they must not meet others; then all the rest."""
    for one in scripts:
        if one.name in KILLING:
            one.run()
    rest = [one for one in scripts if one.name not in KILLING]
    if rest:
        with ThreadPoolExecutor(len(rest)) as pool:
            for done in [pool.submit(one.run) for one in rest]:
                done.result()


# Processes that die.


@script(kills=True)
def web_dies_while_the_engine_acts(it: Script) -> None:
    """Nobody hears of the code. The row, which was there before, finds it."""
    met = it.hold_call(REDEEM, "late", seconds=FOR_EVER)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(it.redeem_five, insist=False)
        met()
        it.shop.kill_web()


def sell_and_kill(it: Script, endpoint: str, kind: str) -> bool:
    """The worker that has the order dies while its call is held. False where it was let go."""
    sale = it.new_sale(None)
    match = {"order_id": sale} if endpoint == ORDER else {}
    met = it.hold_call(endpoint, kind, seconds=FOR_EVER, match=match)
    it.sell_one(sale)
    met()
    [owner] = it.delivery(sale, "lease_owner")
    its_worker = [one for one in it.shop.workers if f":{one.pid}:" in str(owner)]
    if not its_worker:
        return False
    it.shop.kill_worker(its_worker[0])
    is_left = it.delivery(sale, "state, lease_owner") == ("running", owner)
    # Its lease would run out in 16 seconds.
    it.shop.database.execute(
        "UPDATE outbox_delivery SET lease_until = ? WHERE key = ? AND lease_owner = ?",
        it.shop.moment(), sale, owner,
    )  # fmt: skip
    return is_left


@script(kills=True)
def worker_dies_before_it_knows_the_buyer(it: Script) -> None:
    """Nothing was sent, so it is sent again; nobody has to look."""
    it.until_in_time(lambda: sell_and_kill(it, READ, "slow"))


@script(kills=True)
def worker_dies_after_the_order_was_taken(it: Script) -> None:
    """It is read, and not sent again."""
    it.until_in_time(lambda: sell_and_kill(it, ORDER, "late"))


# Lost answers.


@script()
def same_key_after_a_lost_answer(it: Script) -> None:
    """It names the same redemption; and what another row of ours has is not taken for it."""
    first = it.code()
    it.hold_call(REDEEM, "drop_after")
    lost = it.unclear()
    it.await_state(lost, "issued")
    answer = it.redeem_five(it.keys[-1])
    it.must_be((answer.status, answer.body.get("id")), (200, lost))
    it.must_end = {first.id: "issued", lost: "issued"}


@script()
def engine_acts_after_we_gave_up(it: Script) -> None:
    """Read at once, it is not there yet. Undo, pressed meanwhile, is kept in mind."""
    it.hold_call(REDEEM, "slow", seconds=LATE)
    lost = it.unclear()
    it.redeem_five(it.keys[-1])
    it.may_go_back.add(lost)
    it.pos.insist(f"redemptions/{lost}/reverse", {"withdrawn": True})
    it.must_end = {lost: "reversed"}


@script()
def member_redeems_online_before_the_engine_acts(it: Script) -> None:
    """What is seen alone at first is not ours, and in the end nobody can tell."""
    met = it.hold_call(REDEEM, "slow", seconds=LATE)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(it.unclear)
        met()
        it.redeem_online(FIVE_OFF)
        lost = asked.result()
    it.redeem_five(it.keys[-1])
    it.must_end = {lost: "disputed"}


@script()
def member_redeems_online_after_the_engine_acted(it: Script) -> None:
    """Two are there, and either could be ours."""
    met = it.hold_call(REDEEM, "late", seconds=LATE)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(it.unclear)
        met()
        it.redeem_online(FIVE_OFF)
        it.must_end = {asked.result(): "disputed"}


@script()
def member_redeems_another_offer_online(it: Script) -> None:
    """It cost as much at the same time, but is shown not to be this one."""
    met = it.hold_call(REDEEM, "hang", seconds=FOR_EVER)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(it.unclear)
        met()
        made = it.shop.sandbox.redeem_online(it.email, BY_POINTS, PRICE)
        it.note(f"online {BY_POINTS} -> {made['id']} {made['code']}")
        lost = asked.result()
    until(lambda: it.row(lost, "readable_reads > 0")[0], "it was read", PATIENCE_SECONDS)
    it.set_row(lost, "first_readable_read_at = ?", it.shop.moment(-UNASKED))
    it.must_end = {lost: "disputed"}


# Undo, sales, leases.


@script()
def undo_of_a_code_that_the_till_still_takes(it: Script) -> None:
    code = it.code()
    it.must_be(it.reverse_one(code, withdrawn=False).problem, "not-withdrawn")
    it.must_be(it.take(code), "used")
    it.must_end = {code.id: "used"}


@script()
def leases_that_are_over(it: Script) -> None:
    """Only the code that nobody has, holds or took goes back: the last to be seen to."""
    sold, claimed, applied, held, free = (it.code() for _ in range(5))
    it.must_be(it.take(sold), "used")
    it.hold_one(held)
    # As a bridge tells it.
    it.set_row(claimed.id, "claimed_used_at = ?", it.shop.moment())
    it.set_row(applied.id, "applied_at = ?", it.shop.moment())
    for code in (sold, claimed, applied, free):
        it.set_row(code.id, "lease_until = ?", it.shop.moment(-UNASKED))
    for code in (sold, claimed, applied, held):
        it.set_row(code.id, "next_check_at = ?", it.shop.moment(-UNASKED))
    it.may_go_back.add(free.id)
    it.set_row(free.id, "next_check_at = ?", it.shop.moment())
    it.await_state(free.id, "reversed")
    it.must_be([it.take(code) for code in (claimed, applied, held)], ["used"] * 3)
    it.must_end = {code.id: "used" for code in (sold, claimed, applied, held)}
    it.must_end[free.id] = "reversed"


@script()
def sale_of_a_code_that_was_undone(it: Script) -> None:
    code = it.code()
    it.reverse_one(code)
    it.await_state(code.id, "reversed")
    it.must_be(it.take(code), "disputed")
    it.must_end = {code.id: "disputed"}


@script()
def two_sales_of_one_code(it: Script) -> None:
    code = it.code()
    it.must_be([it.take(code), it.take(code)], ["used", "used_before"])
    it.must_end = {code.id: "used"}


@script()
def sale_while_the_points_go_back(it: Script) -> None:
    """Past the point of no return: the engine gives them back, and the sale has the code."""
    code = it.code()
    met = it.hold_call(GIVE_BACK, "late", seconds=HELD, match={"reward_text": code.code})
    with ThreadPoolExecutor(1) as pool:
        undone = pool.submit(it.reverse_one, code)
        met()
        it.take(code)
        undone.result()
    it.must_end = {code.id: "disputed"}


@script()
def sale_after_an_attempt_that_failed(it: Script) -> None:
    """No further attempt is made: the sale has what is its own."""
    code = it.code()
    fails = it.fault(GIVE_BACK, "drop_before", {"reward_text": code.code}, times=None)
    it.reverse_one(code)
    tried = "first_reversal_attempt_at IS NOT NULL"
    until(lambda: it.row(code.id, tried)[0], "it was tried", PATIENCE_SECONDS)
    it.must_be(it.take(code), "being_reversed")
    it.shop.sandbox.clear_fault(fails)
    it.must_end = {code.id: "used"}


# Points that go with the order.


@script(delayed=True)
def sale_of_a_delayed_code_that_was_undone(it: Script) -> None:
    """It ended without a call, and the sale that has it takes its points all the same."""
    code = it.code()
    it.reverse_one(code)
    it.must_be(it.row(code.id), ("cancelled",))
    it.must_be(it.take(code), "cancelled")
    until(lambda: it.row(code.id, "deduction") == ("gone",), "its points went", PATIENCE_SECONDS)
    it.must_end = {code.id: "used"}


@script(delayed=True)
def points_that_are_set_aside(it: Script) -> None:
    """Another code ends the first where the till agrees, and the engine is not asked otherwise."""
    first = it.code()
    body = {"member": {"id": it.member}, "offer_id": BY_POINTS, "points": it.opening}
    refused = it.pos.insist("redemptions", body, it.new_key())
    it.must_be(
        (refused.problem, refused.body.get("ends", {}).get("id")), ("ends-open-code", first.id)
    )
    it.ended.add(first.id)
    second = it.ask(body | {"ends": first.id}, it.new_key(), insist=True)
    it.must_be(second.body.get("delayed"), True)
    # The same points paid for both at the engine: it ends the first, and says so, or that is lost.
    it.must_end = {first.id: "cancelled"}


@script(delayed=True)
def points_that_were_sold_and_have_not_gone_yet(it: Script) -> None:
    """The engine has not taken the order, so it shows them still: they buy nothing else."""
    code = it.code()
    sale = it.new_sale(code)
    met = it.hold_call(ORDER, "throttle", retry_after=3, match={"order_id": sale})
    it.sell_one(sale)
    met()
    body = {"member": {"id": it.member}, "offer_id": BY_POINTS, "points": it.opening}
    it.must_be(it.pos.insist("redemptions", body, it.new_key()).problem, "wrong-points")
    it.must_end = {code.id: "used"}


@script(delayed=True)
def delayed_code_that_the_engine_ended(it: Script) -> None:
    """A sale of it takes no points: a manager must know, whichever was heard of first."""
    code = it.code()
    it.may_go_back.add(code.id)
    it.engine_ends()
    outcome = it.take(code)
    ended = {"disputed": "disputed", "used": "used"}
    it.must_be(outcome in ended, True)
    it.must_end = {code.id: ended.get(outcome, "disputed")}


# Orders, where the engine takes one again that it is told again.


@script()
def void_after_an_answer_that_was_lost(it: Script) -> None:
    """The engine may have heard of the sale, so it hears of a refund; and of neither twice."""
    code = it.code()
    sale = it.new_sale(code)
    met = it.hold_call(ORDER, "drop_after", match={"order_id": sale})
    it.sell_one(sale)
    met()
    it.void_one(sale)
    it.must_end = {code.id: "used"}


@script()
def void_while_an_order_is_not_there_yet(it: Script) -> None:
    """The refund waits for its order, though that is due later."""
    sale = it.new_sale(None)
    met = it.hold_call(ORDER, "throttle", retry_after=2, match={"order_id": sale})
    it.sell_one(sale)
    met()
    it.void_one(sale)


@script()
def refunds_in_parts(it: Script) -> None:
    """Three thirds, of which the second's answer is lost: all is taken back, and no point stays."""
    sale = it.new_sale(None)
    it.sales[sale].body["total_cents"] = 1050
    it.sell_one(sale)
    for number in range(3):
        refund_one(it, sale, 350)
        if number == 0:
            it.hold_call(REFUND, "drop_after", match={"order_id": sale})()
    beyond = refund_one(it, sale, 1)
    it.must_be(beyond.answer and beyond.answer.problem, "more-than-left")


@script()
def refund_before_its_order_is_there(it: Script) -> None:
    """Promised while the order is put off, it waits: the engine forgets one of an unknown order."""
    sale = it.new_sale(None)
    it.sales[sale].body["total_cents"] = 4200
    met = it.hold_call(ORDER, "throttle", retry_after=2, match={"order_id": sale})
    it.sell_one(sale)
    met()
    refund_one(it, sale, 1000)


@script()
def refund_that_waits_for_its_sale(it: Script) -> None:
    sale = it.new_sale(None)
    told = refund_one(it, sale, it.sales[sale].body["total_cents"])
    it.must_be(told.answer and told.answer.status, 202)
    it.sell_one(sale)
    told.answer = it.pos.insist("refunds", told.body)
    it.must_be(told.counts, True)


@script()
def orders_of_one_member_at_once(it: Script) -> None:
    """The second is told when the first is known, and the third, voided before, never is."""
    first, second, third = it.new_sale(None), it.new_sale(None), it.new_sale(it.code())
    it.sales[second].body["total_cents"] = it.sales[first].body["total_cents"]
    met = it.hold_call(ORDER, "drop_before", match={"order_id": first})
    it.sell_one(first)
    met()
    it.sell_one(second)
    it.sell_one(third)
    it.void_one(third)
    void = it.sales[third].void
    it.must_be(void and void.body.get("refund"), False)
    it.must_end = dict.fromkeys(it.codes, "reversed")


@script()
def worker_that_comes_back_late(it: Script) -> None:
    """Another has told the order meanwhile. It may write nothing, whatever it found out."""
    it.until_in_time(lambda: sell_and_take_over(it))


def sell_and_take_over(it: Script) -> bool:
    """False where the worker that reads was quicker."""
    sale = it.new_sale(None)
    it.hold_call(ORDER, "drop_before", match={"order_id": sale})
    it.sell_one(sale)
    await_delivery(it, sale, "unseen = 1 AND lease_until IS NULL")
    it.hold_call(READ, "late", seconds=HELD_READ)()
    if not take_over(it, sale):
        return False
    it.send_order(sale)
    number = it.delivery(sale, "id")[0]
    until(
        lambda: has_come_back(it, number) or it.delivery(sale) != ("running",),
        "the late one is fenced off",
        PATIENCE_SECONDS,
    )
    # The other one dies as well.
    ended = "UPDATE outbox_delivery SET lease_until = ? WHERE id = ? AND lease_owner = 'other:1:1'"
    it.shop.database.execute(ended, it.shop.moment(), number)
    return True


def await_delivery(it: Script, sale: str, condition: str) -> None:
    until(lambda: it.delivery(sale, condition)[0], f"{sale}: {condition}", PATIENCE_SECONDS)


def take_over(it: Script, sale: str) -> bool:
    """As a worker that finds nothing and sends again; it seems to be one of ours."""
    taken = it.shop.database.execute(
        "UPDATE outbox_delivery SET state = 'running', attempts = 2, fence = fence + 1,"
        " lease_owner = 'other:1:1', lease_until = ?"
        " WHERE key = ? AND state = 'verifying' AND lease_until IS NOT NULL RETURNING id",
        it.shop.moment(UNASKED), sale,
    )  # fmt: skip
    for (number,) in taken:
        it.shop.database.execute(
            "INSERT INTO outbox_attempt"
            " (delivery_id, number, started_at, outcome, words, may_be_sent)"
            " VALUES (?, 2, ?, '', '', ?)",
            number, it.shop.moment(), True,
        )  # fmt: skip
    return bool(taken)


def has_come_back(it: Script, number: object) -> bool:
    told = it.shop.worker_log.read_text(errors="replace").splitlines()
    fenced = [line for line in told if "delivery.fenced_off" in line]
    return any(re.search(rf"delivery\W+{number}\b", line) for line in fenced)
