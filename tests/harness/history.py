"""One member's random history: what a till, the member and a bad day do to them.

Everything follows from the seed but the interleaving of processes, which no seed holds.
"""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from sandbox.control import SandboxError
from tests.harness.bringing_back import ToldRefund, refund, refund_before_its_sale
from tests.harness.pos import Answer, Pos
from tests.harness.shop import DEADLINE_SECONDS, DELAYED_PREFIX, UNASKED, Shop

# Option -> its price; one where the associate chooses has none.
OFFERS: dict[int, int | None] = {90121: 500, 90122: 950, 90130: None}
# None of them equals a price, so that only what is planted is ambiguous.
CHOSEN_POINTS = (37, 120, 260)
# Later than our deadline, and surely before the settle time: what an engine does after that, no
# reading can know.
LATE = DEADLINE_SECONDS + 0.7

# Of all histories: their till's points go with the order.
SHARE_DELAYED = 0.4

Fault = tuple[str, dict[str, Any]]
# What may happen to a call that asks for points or a code.
REDEEM_FAULTS: list[Fault] = [
    ("drop_before", {}),
    ("drop_before", {"rst": True}),
    ("drop_after", {}),
    ("drop_after", {"rst": True}),
    ("late", {"seconds": LATE}),
    ("late", {"seconds": DEADLINE_SECONDS / 2}),
    ("slow", {"seconds": LATE}),
    ("hang", {"seconds": LATE}),
    ("status", {"status": 500}),
    ("status", {"status": 502, "made": True}),
    ("status", {"status": 503}),
    ("throttle", {"retry_after": 1}),
    ("not_approved", {}),
    ("code_missing", {}),
    ("html_after", {}),
    ("cut", {}),
    ("empty", {}),
]
TELL_FAULTS: list[Fault] = [
    ("drop_before", {}),
    ("drop_after", {}),
    ("late", {"seconds": LATE}),
    ("hang", {"seconds": LATE}),
    ("status", {"status": 500, "made": True}),
    ("status", {"status": 503}),
    ("throttle", {"retry_after": 1}),
    ("html_after", {}),
]
READ_FAULTS: list[Fault] = [
    ("status", {"status": 503, "times": 2}),
    ("hang", {"seconds": LATE}),
    ("drop_before", {"times": 2}),
    ("throttle", {"retry_after": 1}),
]


@dataclass
class Code:
    """What the POS was told of a redemption."""

    id: str
    code: str
    points: int
    answered_at_once: bool = False
    """The very answer to the first asking: the engine's reply was not lost."""
    reversed_answer: int = 0
    outcomes: list[str] = field(default_factory=list)
    """What sales that named it were told."""
    used_by: set[str] = field(default_factory=set)


@dataclass
class ToldSale:
    body: dict[str, Any]
    answer: Answer | None = None
    void: Answer | None = None
    refunds: dict[str, ToldRefund] = field(default_factory=dict)
    """By the id at the engine."""

    @property
    def refunded_cents(self) -> int:
        return sum(refund.cents for refund in self.refunds.values() if refund.counts)


class History:
    """The acts of one member, and all that was answered: the oracle's second source."""

    def __init__(self, shop: Shop, seed: int, number: int, *, delayed: bool | None = None) -> None:
        """`delayed`: whether its points go with the order; else the seed decides."""
        self.shop = shop
        self.seed, self.number = seed, number
        self.rng = random.Random(f"{seed}:{number}")
        by_chance = random.Random(f"{seed}:{number}:delayed").random() < SHARE_DELAYED
        self.delayed = by_chance if delayed is None else delayed
        self.pos = Pos(shop, delayed=self.delayed)
        self.email = f"h{seed}-{number}@example.com"
        self.opening = self.rng.choice([600, 1500, 4000, 9000])
        self.member = ""
        self.codes: dict[str, Code] = {}
        self.sales: dict[str, ToldSale] = {}
        self.keys: list[str] = []
        self.must_dispute: set[str] = set()
        """Keys of acts whose answer was lost while the member redeemed the same online."""
        self.sold_twice: set[str] = set()
        self.ids: dict[str, str] = {}
        """Of each key, the redemption that the till was told of."""
        self.may_go_back: set[str] = set()
        """Redemptions whose points may be given back: withdrawn, voided, or left alone."""
        self.must_end: dict[str, str] = {}
        """Redemption -> the state that it must end in; scripts know it."""
        self.met: list[tuple[str, str, dict[str, Any]]] = []
        """Faults that the sandbox played: endpoint, kind, whose call."""
        self.ended: set[str] = set()
        """Those that the till agreed to end for another."""
        self.is_unsure = False
        """Of an act nobody knows yet what came of it: the engine may still be at it."""
        self.log: list[str] = []
        self.surprises: list[str] = []
        self._faults: list[tuple[int, tuple[str, str, dict[str, Any]]]] = []
        self._started = time.monotonic()

    def note(self, what: str) -> None:
        self.log.append(f"{time.monotonic() - self._started:7.3f} {what}")

    def begin(self) -> bool:
        """The member is there, and was looked up."""
        self.shop.sandbox.add_member(email=self.email, points=self.opening)
        found = self.pos.insist("members/lookup", {"email": self.email})
        if found.status != 200:
            self.surprises.append(f"the look-up was answered {found}")
            return False
        self.member = str(found.body["id"])
        return True

    def run(self) -> None:
        if not self.begin():
            return
        for _ in range(self.rng.randint(2, 6)):
            self.rng.choices(*zip(*STEPS, strict=True))[0](self)  # type: ignore[call-overload]
        self.clear_faults()

    # Faults of the engine, for this member's calls alone.

    def plant(self, endpoint: str, among: list[Fault], match: dict[str, Any]) -> None:
        kind, details = self.rng.choice(among)
        self.fault(endpoint, kind, match, **details)

    def fault(self, endpoint: str, kind: str, match: dict[str, Any], **details: Any) -> int:
        number = self.shop.sandbox.fault(endpoint, kind, match=match, **details)
        self._faults.append((number, (endpoint, kind, match)))
        self.note(f"fault {endpoint} {kind} {details}")
        return number

    def perhaps(self, share: float, endpoint: str, among: list[Fault], **match: Any) -> None:
        if self.rng.random() < share:
            self.plant(endpoint, among, match)

    def clear_faults(self) -> None:
        for number, fault in self._faults:
            try:
                self.shop.sandbox.clear_fault(number)
            except SandboxError:
                self.met.append(fault)
        self._faults = []

    # Steps.

    def new_key(self) -> str:
        self.keys.append(f"k{self.seed}-{self.number}-{len(self.keys)}")
        return self.keys[-1]

    def choose(self) -> dict[str, Any]:
        offer = self.rng.choice(list(OFFERS))
        chosen = {} if OFFERS[offer] else {"points": self.rng.choice(CHOSEN_POINTS)}
        ticket = {"ticket": f"T{self.number}"} if self.rng.random() < 0.3 else {}
        who = {"id": self.member} if self.rng.random() < 0.5 else {"email": self.email}
        return {"member": who, "offer_id": offer, **chosen, **ticket}

    def ask(self, body: dict[str, Any], key: str, *, insist: bool = False) -> Answer:
        """Ask for a code; the first answer that says something, or the only one."""
        answer = self.pos.post("redemptions", body, key)
        self.heard(answer, key, first=True, what=f"redeem {body['offer_id']} {key}")
        if insist and not answer.is_definite:
            answer = self.pos.insist("redemptions", body, key)
            self.heard(answer, key, first=False, what=f"redeem again {key}")
        if answer.problem == "ends-open-code" and self.rng.random() < 0.7:
            self.ended.add(answer.body["ends"]["id"])
            return self.ask(body | {"ends": answer.body["ends"]["id"]}, self.new_key())
        return answer

    def heard(self, answer: Answer, key: str, *, first: bool, what: str) -> None:
        self.note(f"{what} -> {answer} {answer.body.get('id', '')}")
        self.check_answer(answer, what)
        self.is_unsure |= answer.status == 202 or not answer.is_definite
        if answer.status in {200, 201, 202}:
            told = answer.body["id"]
            if self.ids.setdefault(key, told) != told:
                self.surprises.append(f"the key {key} made {self.ids[key]}, then {told}")
        if answer.status in {200, 201} and answer.body.get("code"):
            body = answer.body
            known = self.codes.setdefault(
                body["id"], Code(body["id"], body["code"], body["points"])
            )
            known.answered_at_once |= first and answer.status == 201
            if known.code != body["code"]:
                self.surprises.append(f"{body['id']} was {known.code}, then {body['code']}")

    def check_answer(self, answer: Answer, what: str) -> None:
        if answer.status == 500:
            self.surprises.append(f"{what} was answered 500")

    def redeem(self) -> None:
        self.perhaps(0.4, "POST /redemptions", REDEEM_FAULTS, customer_email=self.email)
        self.perhaps(0.15, "GET /customers", READ_FAULTS, customer_email=self.email)
        self.ask(self.choose(), self.new_key(), insist=self.rng.random() < 0.6)

    def redeem_same_key(self) -> None:
        """The same from several sides at once, and again later."""
        self.perhaps(0.4, "POST /redemptions", REDEEM_FAULTS, customer_email=self.email)
        body, key = self.choose(), self.new_key()
        self.together(*[lambda: self.ask(body, key)] * self.rng.randint(2, 3))
        self.heard(self.pos.post("redemptions", body, key), key, first=False, what=f"repeat {key}")

    def redeem_two_keys(self) -> None:
        self.perhaps(0.3, "POST /redemptions", REDEEM_FAULTS, customer_email=self.email)
        body = self.choose()
        first, second = self.new_key(), self.new_key()
        self.together(lambda: self.ask(body, first), lambda: self.ask(body, second))

    def collide(self) -> None:
        """The answer is lost while the member redeems the same in the web shop: nobody can tell."""
        offer, price = 90121, 500
        # What the engine makes next must be of this act.
        if self.delayed or self.is_unsure or self.shop.sandbox.balance(self.email) < 2 * price:
            return self.redeem()
        self.clear_faults()
        self.fault("POST /redemptions", "late", {"customer_email": self.email}, seconds=LATE)
        key, before = self.new_key(), self.made_at_engine()
        body = {"member": {"id": self.member}, "offer_id": offer}
        with ThreadPoolExecutor(1) as pool:
            asked_at = time.monotonic()
            asked = pool.submit(self.ask, body, key)
            while self.made_at_engine() == before and not asked.done():
                time.sleep(0.02)
            if self.made_at_engine() > before and not asked.done():
                self.redeem_online(offer)
                # Before our own call can have given up, so whoever reads finds both.
                if time.monotonic() < asked_at + DEADLINE_SECONDS:
                    self.must_dispute.add(key)
                    self.note(f"planted: nobody can tell which is {key}'s")
        return None

    def made_at_engine(self) -> int:
        ledger = self.shop.sandbox.ledger(self.email)
        return sum(row["kind"] == "redemption" for row in ledger)

    def online(self) -> None:
        """In the same second as ours, or just after it."""
        offer = self.rng.choice([90121, 90122])
        price = OFFERS[offer] or 0
        if self.shop.sandbox.balance(self.email) < 2 * price:
            return
        body = {"member": {"id": self.member}, "offer_id": offer}
        self.perhaps(0.3, "POST /redemptions", REDEEM_FAULTS, customer_email=self.email)
        key = self.new_key()
        self.together(lambda: self.ask(body, key), lambda: self.redeem_online(offer))

    def redeem_online(self, offer: int) -> None:
        try:
            made = self.shop.sandbox.redeem_online(self.email, offer)
        except SandboxError:
            self.note("online: too few points")
        else:
            self.note(f"online {offer} -> {made['id']} {made['code']}")

    def engine_id_of(self, code: Code) -> int | None:
        made = (one for one in self.shop.sandbox.redemptions() if one["code"] == code.code)
        return next((one["id"] for one in made), None)

    def shopper_asks(self) -> None:
        """For the points of a code back, in the web shop; the engine tells, or it gets lost."""
        code = self.some_code()
        made = self.engine_id_of(code) if code else None
        if code is not None and made is not None:
            self.may_go_back.add(code.id)
            self.shop.sandbox.ask_to_cancel(made)
            self.note(f"the shopper asks for {code.id}")

    def engine_ends(self) -> None:
        """A code whose points wait for their order, as after another one made online."""
        code = self.some_code() if self.delayed else None
        made = self.engine_id_of(code) if code else None
        if code is not None and made is not None:
            self.may_go_back.add(code.id)
            self.shop.sandbox.cancel_coupon(made)
            self.note(f"the engine ends {code.id}")

    def some_code(self) -> Code | None:
        return self.rng.choice(list(self.codes.values())) if self.codes else None

    def hold(self) -> None:
        code = self.some_code()
        if code is not None:
            self.hold_one(code)

    def hold_one(self, code: Code) -> None:
        answer = self.pos.post(f"redemptions/{code.id}/hold", {"ticket": f"T{self.number}"})
        self.check_answer(answer, "hold")
        self.note(f"hold {code.id} -> {answer}")

    def reverse(self) -> None:
        code = self.some_code()
        if code is not None:
            self.perhaps(0.4, "POST /redemptions/*/cancellation_completed", TELL_FAULTS,
                         reward_text=code.code)  # fmt: skip
            self.reverse_one(code, withdrawn=self.rng.random() < 0.8)

    def reverse_one(self, code: Code, *, withdrawn: bool = True) -> Answer:
        if withdrawn:
            self.may_go_back.add(code.id)
        answer = self.pos.post(f"redemptions/{code.id}/reverse", {"withdrawn": withdrawn})
        self.check_answer(answer, "reverse")
        self.note(f"reverse {code.id} withdrawn={withdrawn} -> {answer}")
        if answer.status in {200, 202}:
            code.reversed_answer = code.reversed_answer or answer.status
        return answer

    def sell(self) -> None:
        """With a code or without; the same code may come in a second sale."""
        code = self.some_code() if self.rng.random() < 0.85 else None
        self.sell_one(self.sale_in_trouble(code), again=self.rng.random() < 0.3)

    def new_sale(self, code: Code | None) -> str:
        """Its id at the engine, which bears the installation's prefix."""
        pos_id = f"S{self.seed}-{self.number}-{len(self.sales)}"
        order_id = self.order_id_of(pos_id)
        body: dict[str, Any] = {
            "id": pos_id,
            "completed_at": datetime.now(UTC).isoformat(),
            "total_cents": self.rng.randint(1, 80) * 125,
            "currency": "USD",
            "coupon_codes": [code.code] if code else [],
        }
        if code is None or self.rng.random() < 0.8:
            body["email"] = self.email
        if code is not None:
            others = {key for key, sale in self.sales.items() if code.code in codes_of(sale)}
            if others:
                self.sold_twice |= {order_id, *others}
        self.sales[order_id] = ToldSale(body)
        return order_id

    def order_id_of(self, pos_id: str) -> str:
        return f"{DELAYED_PREFIX}{pos_id}" if self.delayed else pos_id

    def sale_in_trouble(self, code: Code | None) -> str:
        pos_id = self.new_sale(code)
        self.perhaps(0.35, "POST /orders", TELL_FAULTS, order_id=pos_id)
        return pos_id

    def sell_one(self, pos_id: str, *, again: bool = False) -> None:
        told = self.sales[pos_id]
        for _ in range(1 + again):
            answer = self.pos.insist("sales", told.body)
            self.note(f"sale {pos_id} {codes_of(told)} -> {answer.status} {said(answer)}")
            self.check_answer(answer, "sale")
            if told.answer and told.answer.body.get("codes") != answer.body.get("codes"):
                self.surprises.append(f"sale {pos_id} was answered in two ways")
            told.answer = answer
        for one in (told.answer.body.get("codes") or []) if told.answer else []:
            for code in self.codes.values():
                if code.code == one["code"]:
                    code.outcomes.append(one["outcome"])
                    if one["outcome"] == "used":
                        code.used_by.add(pos_id)

    def send_order(self, pos_id: str) -> None:
        """As our worker would, of which there seems to be one more."""
        sale = self.sales[pos_id].body
        body = {
            "customer_email": self.email,
            "order_id": pos_id,
            "total_amount_cents": sale["total_cents"],
            "currency_code": sale["currency"],
            "coupon_code": ",".join(codes_of(self.sales[pos_id])),
        }
        url = f"{self.shop.sandbox.base_url}/orders"
        headers = self.shop.sandbox.headers
        requests.post(url, json=body, headers=headers, timeout=10).raise_for_status()

    def void(self) -> None:
        ids = [pos_id for pos_id in self.sales if pos_id not in self.sold_twice]
        if ids:
            self.void_one(self.rng.choice(ids))

    def void_one(self, pos_id: str) -> None:
        self.trouble_refund(pos_id)
        named = codes_of(self.sales[pos_id])
        self.may_go_back |= {code.id for code in self.codes.values() if code.code in named}
        answer = self.pos.insist(f"sales/{self.sales[pos_id].body['id']}/void", {})
        self.check_answer(answer, "void")
        self.note(f"void {pos_id} -> {answer.status} refund={answer.body.get('refund')}")
        if answer.status == 200:
            self.sales[pos_id].void = answer

    def trouble_refund(self, order_id: str) -> None:
        self.perhaps(0.3, "POST /refunds", TELL_FAULTS, order_id=order_id)

    def time_passes(self) -> None:
        """The lease of a code, and the silence after it, are over."""
        code = self.some_code()
        if code is not None:
            self.let_lease_end(code)

    def let_lease_end(self, code: Code) -> None:
        self.perhaps(0.3, "POST /redemptions/*/cancellation_completed", TELL_FAULTS,
                     reward_text=code.code)  # fmt: skip
        self.may_go_back.add(code.id)
        # As it is when nothing was heard of it for so long: due in this very moment, or just now.
        ahead = timedelta(seconds=self.rng.uniform(0, 1.5))
        self.shop.database.execute(
            "UPDATE redemptions_pendingredemption SET lease_until = ?, next_check_at = ?,"
            " frozen_until = NULL WHERE code = ? AND state = 'issued'",
            self.shop.moment(ahead - UNASKED),
            self.shop.moment(ahead),
            code.code,
        )
        self.note(f"the lease of {code.id} is over")

    def race(self) -> None:
        """Two acts on one code in the same moment."""
        code = self.some_code()
        if code is None:
            return self.redeem()
        sale = self.sale_in_trouble(code)
        sell = lambda: self.sell_one(sale)  # noqa: E731
        against = {
            "reverse": lambda: self.reverse_one(code),
            "lease": lambda: self.let_lease_end(code),
            "hold": lambda: self.hold_one(code),
            "void": lambda: self.void_one(sale),
            "sell": sell,
        }
        if sale in self.sold_twice:
            del against["void"]
        name = self.rng.choice(list(against))
        self.note(f"race: sale and {name}")
        self.together(sell, against[name])
        return None

    def reverse_twice(self) -> None:
        code = self.some_code()
        if code is not None:
            self.together(*[lambda: self.reverse_one(code)] * 2)

    def sell_and_void(self) -> None:
        """Before the engine heard of it, if we are quick."""
        code = self.some_code()
        sale = self.sale_in_trouble(code)
        self.sell_one(sale)
        if sale not in self.sold_twice:
            self.void_one(sale)

    def together(self, *acts: Callable[[], Any]) -> None:
        with ThreadPoolExecutor(len(acts)) as pool:
            for done in [pool.submit(act) for act in acts]:
                done.result()


def codes_of(sale: ToldSale) -> list[str]:
    return list(sale.body["coupon_codes"])


def said(answer: Answer) -> str:
    outcomes = [code["outcome"] for code in answer.body.get("codes") or []]
    return f"{answer.body.get('delivery', answer.problem)} {outcomes}"


STEPS: list[tuple[Callable[[History], None], int]] = [
    (History.redeem, 8),
    (History.redeem_same_key, 2),
    (History.redeem_two_keys, 2),
    (History.online, 2),
    (History.collide, 1),
    (History.hold, 1),
    (History.reverse, 3),
    (History.reverse_twice, 1),
    (History.time_passes, 2),
    (History.sell, 4),
    (History.sell_and_void, 2),
    (History.void, 2),
    (History.race, 3),
    (refund, 4),
    (refund_before_its_sale, 1),
    (History.shopper_asks, 1),
    (History.engine_ends, 1),
]
