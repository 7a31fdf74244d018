"""What must be true when all is settled: the engine's append-only ledger against our rows.

It trusts the sandbox's ledger and what the POS was answered, and nothing else of ours.
"""

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.harness.history import OFFERS, Code, History, ToldSale
from tests.harness.shop import DEADLINE_SECONDS, SETTLE_SECONDS, Shop

# An engine redemption made in this time could be the row's (redemptions/evidence.py): two seconds
# early, for clocks that tell whole ones, and one and a half for how well its clock is known.
EARLY = timedelta(seconds=3.5)
WINDOW = EARLY + timedelta(seconds=5 + DEADLINE_SECONDS + SETTLE_SECONDS + 2)
CENTS_PER_POINT = 100
CANNOT_TELL = {"two_candidates", "never_clear"}
# The points went back, and a sale has the code.
GIVEN_BACK = {"sold_after"}
# Of what rounding left; its title in the ledger.
CORRECTION = "Correction of refunds"


@dataclass
class Row:
    """One of our redemptions."""

    id: str
    member_id: str
    act_key: str
    state: str
    reason: str
    points: int
    engine_id: int | None
    code: str
    offer_id: int
    sale: str
    lease_until: object
    requested_at: datetime
    engine_words: str
    delayed: bool
    deduction: str


COLUMNS = [column.name for column in fields(Row)]


@dataclass
class Evidence:
    """Of one member: what the engine holds, and what we hold."""

    ledger: list[dict[str, Any]] = field(default_factory=list)
    made: list[dict[str, Any]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


@dataclass
class Books:
    """What the outbox and the sales hold, of all members."""

    deliveries: dict[tuple[str, str], tuple[str, str]]
    """Kind and key -> state and why it is parked."""
    unheard: set[tuple[str, str]]
    """Attempts without an answer for which we know no fault: a busy machine, or a dead worker."""
    sales: dict[str, str]
    """Id at the engine -> why it is not delivered."""
    tries: dict[tuple[str, str], list[str]]
    """How each attempt ended, for a person."""


def judge(shop: Shop, histories: Iterable[History]) -> dict[int, list[str]]:
    """What is wrong, by the history's number; only for those with something wrong."""
    wrong = {trial.history.number: list(trial.findings()) for trial in trials(shop, histories)}
    return {number: findings for number, findings in wrong.items() if findings}


def trials(shop: Shop, histories: Iterable[History]) -> Iterator["Trial"]:
    histories = list(histories)
    evidence, books = gather(shop, histories), read_books(shop)
    for history in histories:
        yield Trial(history, evidence[history.email], books)


def gather(shop: Shop, histories: list[History]) -> dict[str, Evidence]:
    """In four questions, whatever the number of histories."""
    found: dict[str, Evidence] = defaultdict(Evidence)
    by_customer = {one["id"]: one["email"] for one in shop.sandbox.customers()}
    for movement in shop.sandbox._call("POST", "ledger", {})["rows"]:
        found[by_customer[movement["customer_id"]]].ledger.append(movement)
    for made in shop.sandbox.redemptions():
        found[made["email"]].made.append(made)
    by_member = {history.member: history.email for history in histories}
    rows = shop.database.execute(
        f"SELECT {', '.join(COLUMNS)} FROM redemptions_pendingredemption ORDER BY requested_at"
    )
    for values in rows:
        row = Row(**dict(zip(COLUMNS, values, strict=True)))  # type: ignore[arg-type]
        row.id, row.member_id = plain_id(row.id), plain_id(row.member_id)
        row.requested_at = moment_of(row.requested_at)
        if row.member_id in by_member:
            found[by_member[row.member_id]].rows.append(row)
    return found


def plain_id(stored: object) -> str:
    """SQLite stores it without hyphens."""
    return str(uuid.UUID(str(stored)))


def moment_of(stored: object) -> datetime:
    at = stored if isinstance(stored, datetime) else datetime.fromisoformat(str(stored))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


TRIES = """
    SELECT kind, key, outcome, started_at, ended_at FROM outbox_delivery
    JOIN outbox_attempt ON outbox_attempt.delivery_id = outbox_delivery.id ORDER BY number
"""


def read_books(shop: Shop) -> Books:
    told = shop.database.execute("SELECT kind, key, state, parked_reason FROM outbox_delivery")
    tries: dict[tuple[str, str], list[str]] = defaultdict(list)
    unheard = set()
    for kind, key, outcome, begun, ended in shop.database.execute(TRIES):
        tries[str(kind), str(key)].append(str(outcome))
        if ended and was_unheard(shop, str(outcome), moment_of(begun), moment_of(ended)):
            unheard.add((str(kind), str(key)))
    sales = shop.database.execute("SELECT order_id, not_delivered FROM sales_sale")
    return Books(
        deliveries={
            (str(kind), str(key)): (str(state), str(why)) for kind, key, state, why in told
        },
        unheard=unheard,
        sales={str(pos_id): str(why) for pos_id, why in sales},
        tries=tries,
    )


def was_unheard(shop: Shop, outcome: str, begun: datetime, ended: datetime) -> bool:
    """By the clock and by our own blows, whatever the attempt calls it."""
    if outcome == "abandoned":
        return any(begun <= died <= ended for died in shop.workers_died_at)
    return outcome == "reply_lost" and ended - begun >= timedelta(seconds=DEADLINE_SECONDS)


class Trial:
    """One history's case."""

    def __init__(self, history: History, evidence: Evidence, books: Books) -> None:
        self.history, self.evidence = history, evidence
        self.deliveries, self.recorded, self.unheard = books.deliveries, books.sales, books.unheard
        self.tries = books.tries
        moved = [(movement["kind"], movement["ref"]) for movement in evidence.ledger]
        self.at_engine = Counter(moved)
        self.by_engine_id = {row.engine_id: row for row in evidence.rows if row.engine_id}
        self.online = [made for made in evidence.made if made["origin"] == "online"]
        self.ours = [made for made in evidence.made if made["origin"] == "api"]
        self.unclaimed = [made for made in self.ours if made["id"] not in self.by_engine_id]
        self.cannot_tell = [
            row for row in evidence.rows if row.state == "disputed" and row.reason in CANNOT_TELL
        ]

        self.charged = {row.id for row in self.charged_in_doubt()}

    def charged_in_doubt(self) -> Iterator[Row]:
        """Of those of which nobody can know: as many as the engine made, each for one of them."""
        left = list(self.unclaimed)
        for row in self.cannot_tell:
            made = next((made for made in left if could_be(row, made)), None)
            if made is not None:
                left.remove(made)
                yield row

    def findings(self) -> Iterator[str]:
        yield from self.history.surprises
        yield from self.nothing_is_left_open()
        yield from self.every_code_has_its_row()
        yield from self.states_agree()
        yield from self.nobody_was_told_wrong()
        yield from self.nothing_went_back_unasked()
        yield from self.scripts_ended_as_they_must()
        yield from self.disputes_were_planted()
        yield from self.every_sale_was_told_once()
        yield from self.every_refund_counts_as_answered()
        yield from self.corrections_are_what_rounding_left()
        yield from self.points_agree()

    def nothing_is_left_open(self) -> Iterator[str]:
        for row in self.evidence.rows:
            if row.state in {"requested", "uncertain", "reversing"}:
                yield f"{row.id} was left {row.state}"
            if row.state == "issued" and row.lease_until is None:
                yield f"{row.id} is issued without a lease"
            if row.state == "used" and row.deduction in {"due", "told"}:
                yield f"{row.id} was used, and nobody saw whether its points went"

    def every_code_has_its_row(self) -> Iterator[str]:
        """And each row one at most: nobody was charged twice for one act."""
        disputed = [*self.cannot_tell, *self.never_charged()]
        for made in self.unclaimed:
            row = next((row for row in disputed if could_be(row, made)), None)
            if row is None:
                yield f"the engine made {made['id']} {made['code']}, and no row of ours has it"
            else:
                disputed.remove(row)
        known = {made["id"]: made for made in self.evidence.made}
        for row in self.evidence.rows:
            if row.engine_id is not None and row.engine_id not in known:
                yield f"{row.id} holds {row.engine_id}, which is not this member's at the engine"
            elif row.engine_id is not None and row.code not in {"", known[row.engine_id]["code"]}:
                yield f"{row.id} holds {row.code}, which is not the code of {row.engine_id}"
        charged = Counter(
            row.act_key for row in self.evidence.rows if row.engine_id or row in self.cannot_tell
        )
        for key, times in charged.items():
            if times > 1:
                yield f"the act {key} was carried out {times} times"

    def never_charged(self) -> list[Row]:
        """Delayed, and the answer was lost: nothing shows it, and nobody has its code."""
        return [row for row in self.evidence.rows if row.delayed and row.state == "not_made"]

    def delayed_agrees(self, row: Row, made: dict[str, Any]) -> Iterator[str]:
        """Points went there where they went here; for free only with a cause."""
        gone = row.state == "used" and row.deduction == "gone"
        if made["deducted"] != gone and not self.was_let_go(row):
            took = "took" if made["deducted"] else "did not take"
            yield f"{row.id} is {row.state} {row.deduction}, and the engine {took} its points"
        is_free = row.state == "used" and row.deduction == "missing"
        if is_free and made["state"] != "cancelled" and not self.ran_short(row):
            yield f"{row.id} was a free discount without a cause"
        unheard = row.id in self.history.may_go_back
        if row.state == "issued" and made["state"] == "cancelled" and not unheard:
            yield f"{row.id} is issued, and the engine ended it"
        if row.state in {"reversing", "reversed"}:
            yield f"{row.id} is {row.state}, and it never took points"

    def was_let_go(self, row: Row) -> bool:
        """All of its sale was refunded: whether its points went and came again, nobody looks."""
        sale = self.history.sales.get(row.sale)
        if sale is None or row.state != "used" or row.deduction:
            return False
        return sum(self.parts_told(row.sale, sale)) == sale.body["total_cents"]

    def ran_short(self, row: Row) -> bool:
        """The member had fewer points at some time since: redeemed online, or refunded."""
        return any(
            movement["balance"] < row.points
            for movement in self.evidence.ledger
            if moment_of(movement["at"]) >= row.requested_at - EARLY
        )

    def states_agree(self) -> Iterator[str]:
        """Given back there is what is given back here, and the other way round."""
        for made in self.evidence.made:
            row = self.by_engine_id.get(made["id"])
            if row is None:
                continue
            if row.delayed:
                yield from self.delayed_agrees(row, made)
                continue
            back = row.state == "reversed" or row.reason in GIVEN_BACK
            unseen = row.reason == "reversal_refused" and self.is_going_back_unseen(row)
            if back != (made["state"] == "cancelled") and not unseen:
                yield f"{row.id} is {row.state} {row.reason}, at the engine it is {made['state']}"
            if row.state in {"refused", "not_made"}:
                yield f"{row.id} is {row.state}, and the engine made {made['id']}"

    def nobody_was_told_wrong(self) -> Iterator[str]:
        rows = {row.id: row for row in self.evidence.rows}
        for code in self.history.codes.values():
            row = rows.get(code.id)
            if row is None or row.code != code.code:
                yield f"the till was given {code.code} of {code.id}, which has no such code"
            elif code.reversed_answer == 200 and row.state not in self.after_reversal(row):
                yield f"the till was told that {code.id} is reversed; it is {row.state}"
            taken = {sale for sale in code.used_by if not self.was_taken_back(sale)}
            if len(taken) > 1:
                yield f"the code of {code.id} was taken by {len(taken)} sales"
        for row in self.evidence.rows:
            if row.act_key not in self.history.keys:
                yield f"{row.id} was made under {row.act_key}, which no till sent"

    def after_reversal(self, row: Row) -> set[str]:
        """A delayed one only ended; a sale that has it nevertheless takes its points."""
        return {"cancelled", "used", "disputed"} if row.delayed else {"reversed", "disputed"}

    def was_taken_back(self, pos_id: str) -> bool:
        """Voided before the engine heard of it: its codes are free again, for another sale, too."""
        void = self.history.sales[pos_id].void
        return void is not None and void.body.get("refund") is False

    def nothing_went_back_unasked(self) -> Iterator[str]:
        """A till still took the code, or nobody had given it up."""
        for row in self.evidence.rows:
            back = row.state in {"reversed", "cancelled"} or row.reason in GIVEN_BACK
            back &= row.state != "cancelled" or row.id not in self.history.ended
            told = self.told(row) is not None
            if back and told and row.id not in self.history.may_go_back:
                yield f"{row.id} went back ({row.reason}), and nobody had given it up"

    def scripts_ended_as_they_must(self) -> Iterator[str]:
        rows = {row.id: row for row in self.evidence.rows}
        for told, state in self.history.must_end.items():
            row = rows.get(told)
            if row is None or row.state != state:
                yield f"{told} is {row.state if row else 'nowhere'}, and must be {state}"

    def disputes_were_planted(self) -> Iterator[str]:
        """Exactly those of which nobody could know, by id."""
        for row in self.evidence.rows:
            must, may = self.must_be_disputed(row), self.may_be_disputed(row)
            if row.state == "disputed" and not (must or may):
                yield f"{row.id} is disputed ({row.reason}) without a cause"
            if must and row.state != "disputed":
                yield f"{row.id} is {row.state}, and nobody can know that"
            if self.is_anothers(row) and not (self.is_ambiguous(row) and self.is_like_it(row)):
                yield f"{row.id} took {row.code}, which the member redeemed online"
        known = {row.act_key for row in self.evidence.rows}
        for key in self.history.must_dispute - known:
            yield f"there is no row of the act {key}"

    def is_anothers(self, row: Row) -> bool:
        return any(made["id"] == row.engine_id for made in self.online)

    def is_like_it(self, row: Row) -> bool:
        """The same offer; where the points are chosen, a title does not tell."""
        chosen = OFFERS[row.offer_id] is None
        made = next(made for made in self.online if made["id"] == row.engine_id)
        return chosen or made["option_id"] == row.offer_id

    def told(self, row: Row) -> Code | None:
        return self.history.codes.get(row.id)

    def outcomes(self, row: Row) -> list[str]:
        """What sales with its code were told."""
        code = self.told(row)
        return code.outcomes if code else []

    def must_be_disputed(self, row: Row) -> bool:
        planted = row.act_key in self.history.must_dispute and self.was_lost(row)
        return planted or "disputed" in self.outcomes(row)

    def may_be_disputed(self, row: Row) -> bool:
        if row.reason in CANNOT_TELL:
            return self.is_ambiguous(row) or (self.was_lost(row) and self.looks_taken(row))
        if row.reason == "reversal_refused":
            return self.is_going_back_unseen(row)
        # Sold past the point of no return: reading told that the points had gone back.
        return row.reason == "sold_after" and "being_reversed" in self.outcomes(row)

    def is_ambiguous(self, row: Row) -> bool:
        """Its answer was lost, and the member redeemed as much online in the same seconds.

        Or there is one more of which, for that cause, nobody knows whose it is.
        """
        others = sum(could_be(row, made) for made in self.unclaimed) > 1
        online = any(could_be(row, made) for made in self.online)
        return self.was_lost(row) and (online or others)

    def looks_taken(self, row: Row) -> bool:
        """A refund took as many points: its row in the history could be the redemption's."""
        return any(
            moved["kind"] == "refund" and moved["points"] == -row.points
            for moved in self.evidence.ledger
        )

    def is_going_back_unseen(self, row: Row) -> bool:
        """The engine's answer to giving it back was lost, and a second asking is refused.

        Then the balance alone would tell, and another of this member went back as well, or a sale
        of theirs with codes was refunded.
        """
        lost = any(
            "cancellation" in endpoint and what != "throttle" and whose["reward_text"] == row.code
            for endpoint, what, whose in self.history.met
            if "reward_text" in whose
        )
        code = self.told(row)
        unheard = lost or (code is not None and not code.reversed_answer)
        others = [made for made in self.evidence.made if made["id"] != row.engine_id]
        went_back = any(made["state"] == "cancelled" for made in others)
        return unheard and (went_back or self.had_codes_refunded())

    def had_codes_refunded(self) -> bool:
        return any(
            self.used_by(pos_id) and self.parts_told(pos_id, sale)
            for pos_id, sale in self.history.sales.items()
        )

    def was_lost(self, row: Row) -> bool:
        """A machine that is very busy can be late for the deadline and still hear a late answer."""
        code = self.told(row)
        return code is None or not code.answered_at_once

    def every_sale_was_told_once(self) -> Iterator[str]:
        for pos_id, sale in self.history.sales.items():
            wanted = self.orders_wanted(pos_id, sale)
            there = self.at_engine["order", pos_id]
            if wanted is not None and there != wanted:
                yield f"sale {pos_id}: the engine has {there} orders, not {wanted}"
            yield from self.its_deliveries_ended(pos_id, sale)
        for kind, ref in self.at_engine:
            if kind == "order" and ref not in self.history.sales:
                yield f"the engine has an order {ref} that no till reported"

    def orders_wanted(self, pos_id: str, sale: ToldSale) -> int | None:
        """None where the POS was never answered, so that neither would be wrong."""
        if sale.answer is None or sale.answer.status not in {200, 201}:
            return None
        if sale.answer.body["not_delivered"] not in {None, "voided"}:
            return 0
        if sale.void is not None:
            return int(bool(sale.void.body["refund"]))
        return 1

    def may_be_parked(self, kind: str, key: str, pos_id: str) -> bool:
        """The answer to a refund was lost, and it is not told again: at times reading can't tell.

        An order can be read: of one member one is under way, and how they stood was noted before.
        """
        lost = any(
            endpoint == "POST /refunds" and what != "throttle" and whose["order_id"] == pos_id
            for endpoint, what, whose in self.history.met
        )
        unheard = lost or (kind, key) in self.unheard
        return kind == "refund" and unheard and not self.history.shop.keyed_orders

    def state_of(self, kind: str, key: str) -> tuple[str, str]:
        return self.deliveries.get((kind, key), ("none", ""))

    def its_deliveries_ended(self, pos_id: str, sale: ToldSale) -> Iterator[str]:
        answered = sale.answer is not None and sale.answer.status in {200, 201}
        if answered and pos_id not in self.recorded:
            yield f"sale {pos_id} was acknowledged, and is not recorded"
        waits = self.has_a_parked_one(pos_id, sale)
        for kind, key in deliveries_of(pos_id, sale):
            state, why = self.state_of(kind, key)
            parked = (state, why) == ("parked", "cannot_tell")
            rightly = parked and self.may_be_parked(kind, key, pos_id)
            ended = state in {"none", "done", "withdrawn"}
            if not (ended or rightly or (waits and state == "pending" and kind != "order")):
                yield f"delivery {kind} {key} is {state} {why}"
            if kind == "order" and answered and state == "none" and not self.recorded[pos_id]:
                yield f"sale {pos_id} was recorded without a delivery"

    def has_a_parked_one(self, pos_id: str, sale: ToldSale) -> bool:
        return any(self.state_of(*each)[0] == "parked" for each in deliveries_of(pos_id, sale))

    def parts_told(self, pos_id: str, sale: ToldSale) -> list[int]:
        """Cents that the engine has heard were given back, refund by refund."""
        parts = {key: refund.cents for key, refund in sale.refunds.items() if refund.counts}
        if sale.void is not None and sale.void.body["refund"]:
            left = sale.body["total_cents"] - sum(parts.values())
            parts |= {f"{pos_id}~void": left} if left else {}
        return [cents for key, cents in parts.items() if self.is_told(key)]

    def is_told(self, refund_id: str) -> bool:
        """What is not done is there only if the engine shows it."""
        done = self.state_of("refund", refund_id)[0] == "done"
        return done or self.at_engine["refund", refund_id] > 0

    def every_refund_counts_as_answered(self) -> Iterator[str]:
        for pos_id, sale in self.history.sales.items():
            total = sale.body["total_cents"]
            if sale.refunded_cents > total:
                yield f"sale {pos_id} of {total} had {sale.refunded_cents} refunded"
            for key, refund in sale.refunds.items():
                told = self.at_engine["refund", key]
                if told and not refund.counts:
                    yield f"the engine has the refund {key}, which was answered {refund.answer}"
                # One row takes what was earned, another gives back what was spent.
                if told > 2:
                    yield f"the engine counted the refund {key} {told} times"

    def points_agree(self) -> Iterator[str]:
        there = sum(movement["points"] for movement in self.evidence.ledger)
        here = self.history.opening + sum(points for _, points in self.our_ledger())
        if there != here:
            ours = ", ".join(f"{what} {points:+}" for what, points in self.our_ledger() if points)
            yield f"the engine has {there} points, our ledger says {here}: {ours}"

    def our_ledger(self) -> Iterator[tuple[str, int]]:
        for made in self.online:
            yield f"online {made['id']}", -made["points"]
        for row in self.evidence.rows:
            yield f"{row.state} {row.id}", self.cost(row)
        for pos_id, sale in self.history.sales.items():
            if not self.orders_wanted(pos_id, sale):
                continue
            earned = sale.body["total_cents"] // CENTS_PER_POINT
            yield f"sale {pos_id}", earned
            total, parts = sale.body["total_cents"], self.parts_told(pos_id, sale)
            yield f"refunds of {pos_id}", -sum(earned * part // total for part in parts)
            if parts and sum(parts) == total:
                yield f"spent on {pos_id}", -sum(self.cost(row) for row in self.used_by(pos_id))
        yield "corrections", sum(row["points"] for row in self.corrections())

    def corrections(self) -> list[dict[str, Any]]:
        return [row for row in self.evidence.ledger if row["title"].startswith(CORRECTION)]

    def corrections_are_what_rounding_left(self) -> Iterator[str]:
        """Each the remainder of a sale that was refunded whole in parts; of each, one at most."""
        left = Counter(
            sum(earned * part // total for part in parts) - earned
            for pos_id, sale in self.history.sales.items()
            for total in [sale.body["total_cents"]]
            for earned in [total // CENTS_PER_POINT]
            for parts in [self.parts_told(pos_id, sale)]
            if sum(parts) == total
        )
        made = Counter(row["points"] for row in self.corrections())
        for points in made - left:
            yield f"a correction of {points:+} is no sale's remainder"

    def cost(self, row: Row) -> int:
        """What it moved, by our rows alone."""
        if row.delayed:
            return -row.points if row.state == "used" and row.deduction == "gone" else 0
        online = self.is_anothers(row)
        if row.state in {"issued", "used"}:
            return 0 if online else -row.points
        if row.state == "reversed":
            return row.points if online else 0
        if row in self.cannot_tell and row.act_key in self.history.must_dispute:
            return -row.points
        if row in self.cannot_tell:
            # Nobody can know; the engine's side is taken.
            return -row.points if row.id in self.charged else 0
        return 0

    def used_by(self, pos_id: str) -> list[Row]:
        return [row for row in self.evidence.rows if row.state == "used" and row.sale == pos_id]

    def __str__(self) -> str:
        """All that is known, for a person."""
        told = [f"  {line}" for line in self.history.log]
        rows = [f"  {row}" for row in self.evidence.rows]
        made = [f"  {json.dumps(one)}" for one in self.evidence.made]
        moved = [
            f"  {m['at']} {m['points']:+} {m['kind']} {m['ref']} -> {m['balance']}"
            for m in self.evidence.ledger
        ]
        sold = [
            f"  {kind} {key}: {' '.join(self.deliveries[kind, key])} {self.tries[kind, key]}"
            for pos_id, sale in self.history.sales.items()
            for kind, key in deliveries_of(pos_id, sale)
            if (kind, key) in self.deliveries
        ]
        parts = (
            ("What was done", told),
            ("Our rows", rows),
            ("Deliveries", sold),
            ("Redemptions at the engine", made),
            ("The engine's ledger", moved),
        )
        return "\n".join(line for title, lines in parts for line in (f" {title}:", *lines))


def deliveries_of(pos_id: str, sale: ToldSale) -> list[tuple[str, str]]:
    refunds = [*sale.refunds, f"{pos_id}~void"]
    told = [("order", pos_id), *(("refund", key) for key in refunds)]
    return [*told, *(("refund-reading", key) for key in refunds)]


def could_be(row: Row, made: dict[str, Any]) -> bool:
    """As far as points and time tell."""
    at = moment_of(made["created_at"])
    early = row.requested_at - EARLY
    return made["points"] == row.points and early <= at <= early + WINDOW


def report(shop: Shop, histories: Iterable[History], wrong: dict[int, list[str]]) -> str:
    """Each history that went wrong: its seed, what was done, and both sides' rows."""
    told = []
    for trial in trials(shop, [history for history in histories if history.number in wrong]):
        history = trial.history
        title = f"History {history.number} of seed {history.seed}, {history.opening} points"
        found = [f"  !!! {finding}" for finding in wrong[history.number]]
        told.append("\n".join([title, *found, str(trial)]))
    return "\n\n".join(told)
