"""A shop with a past, at the engine and in our ledger; in some lives the two differ.

At the engine everything comes about as it would: by its own rules, an hour ago, under the switch
that makes an engine behave so (`sandbox.planting`).
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from database.encryption import blind_index
from members.identity import email_identity
from members.models import Member
from outbox.models import Attempt, Delivery
from outbox.states import Outcome
from outbox.states import State as Told
from reconciliation.kinds import Kind
from reconciliation.ours import CORRECTION, order_of_member
from redemptions.models import PendingRedemption
from redemptions.states import Deduction, Reason, State
from sales.models import ORDER, REFUND, Refund, Sale
from sandbox.control import Sandbox
from stores.models import Installation

FIVE_OFF, ONLINE_ONLY = 90121, 90180
# So many seconds ago: first an ordinary sale, then what the life is about, then what followed.
SALE, MADE, AFTER, LAST = 7200, 3600, 3000, 2400
A_CALL = 200  # acts

Acts = list[dict[str, Any]]


@dataclass
class Life:
    """One member's. `acts` at the engine; `write` gives our rows once it has answered."""

    email: str
    number: int
    acts: Acts
    write: "Callable[[Book, Member, list[Any]], None]"
    expected: frozenset[str] = frozenset()


@dataclass
class Book:
    """Our rows, written in bulk."""

    installation: Installation
    now: datetime
    redemptions: list[PendingRedemption] = field(default_factory=list)
    sales: list[Sale] = field(default_factory=list)
    told: list[tuple[Sale, list[int], bool]] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)

    def ago(self, seconds: float) -> datetime:
        return self.now - timedelta(seconds=seconds)

    def redemption(self, member: Member, state: State, **facts: Any) -> PendingRedemption:
        made = facts.pop("made", MADE)
        row = PendingRedemption(
            **{
                "installation": self.installation,
                "member": member,
                "act_key": uuid.uuid4().hex,
                "offer_id": FIVE_OFF,
                "offer_name": "$5 off",
                "offer_kind": "fixed",
                "points": 500,
                "value_cents": 500,
                "currency": "USD",
                "state": state,
                "requested_at": self.ago(made),
                "changed_at": self.ago(LAST),
                "next_check_at": self.ago(0),
                "lease_until": self.now + timedelta(hours=1),
            }
            | facts
        )
        self.redemptions.append(row)
        return row

    def sale(self, member: Member, pos_id: str, ago: list[int], cents: int = 4200, **facts: Any):
        sale = Sale(
            installation=self.installation,
            pos_id=pos_id,
            order_id=pos_id,
            member=member,
            completed_at=self.ago(ago[0]),
            total_cents=cents,
            currency="USD",
            content=pos_id,
            recorded_at=self.ago(ago[0]),
            **facts,
        )
        self.sales.append(sale)
        self.told.append((sale, ago, True))

    def refund(self, refund_id: str, cents: int) -> None:
        """Of the sale that was written last."""
        sale = self.sales[-1]
        sale.refunded_cents += cents
        refund = Refund(
            installation=self.installation,
            pos_id=refund_id,
            refund_id=refund_id,
            sale=sale,
            order_id=sale.order_id,
            total_cents=cents,
            currency="USD",
            content=refund_id,
            state=Refund.State.PROMISED,
            told_at=self.ago(LAST),
        )
        self.refunds.append(refund)

    def correction(self, member: Member, number: int, points: int) -> None:
        self.deliveries.append(
            Delivery(
                kind=CORRECTION,
                key=f"difference-{number}",
                payload={"difference": number, "member": str(member.pk), "points": points},
                order_by=order_of_member(member.pk),
                state=Told.DONE,
                attempts=1,
                changed_at=self.ago(AFTER),
            )
        )

    def save(self) -> None:
        PendingRedemption.objects.bulk_create(self.redemptions, 200)
        Sale.objects.bulk_create(self.sales, 200)
        self.deliveries += [
            Delivery(
                kind=ORDER,
                key=sale.order_id,
                payload={"sale": sale.pk},
                order_by=f"sale:{sale.pk}",
                state=Told.DONE,
                attempts=len(ago),
                changed_at=self.ago(ago[-1]),
            )
            for sale, ago, _ in self.told
        ]
        Refund.objects.bulk_create(self.refunds, 200)
        self.deliveries += [
            Delivery(
                kind=REFUND,
                key=refund.refund_id,
                payload={"sale": refund.sale_id, "refund": refund.pk},
                order_by=f"sale:{refund.sale_id}",
                state=Told.DONE,
                attempts=1,
                changed_at=refund.told_at,
            )
            for refund in self.refunds
        ]
        Delivery.objects.bulk_create(self.deliveries, 200)
        by_key = {row.key: row for row in self.deliveries}
        Attempt.objects.bulk_create(
            [
                Attempt(
                    delivery=by_key[sale.order_id],
                    number=number,
                    started_at=self.ago(seconds),
                    ended_at=self.ago(seconds),
                    outcome=Outcome.DONE if number == len(ago) else Outcome.REPLY_LOST,
                )
                for sale, ago, _ in self.told
                for number, seconds in enumerate(ago, start=1)
            ]
            + [
                Attempt(
                    delivery=by_key[refund.refund_id],
                    number=1,
                    started_at=refund.told_at,
                    ended_at=refund.told_at,
                    outcome=Outcome.DONE,
                )
                for refund in self.refunds
            ],
            200,
        )


def order(life: "Scene", order_id: str, ago: int, cents: int = 4200, **more: Any) -> dict[str, Any]:
    return {
        "do": "order",
        "ago": ago,
        "customer_email": life.email,
        "order_id": order_id,
        "total_amount_cents": cents,
        "currency_code": "USD",
        "status": "paid",
        **more,
    }


@dataclass(frozen=True)
class Scene:
    """Who it is, for the functions below."""

    number: int

    @property
    def email(self) -> str:
        return f"member{self.number}@example.com"

    @property
    def sale_id(self) -> str:
        return f"S-{self.number}"

    def redeem(self, ago: int = MADE, **more: Any) -> dict[str, Any]:
        facts = {"do": "redeem", "ago": ago, "email": self.email, "option_id": FIVE_OFF}
        return facts | more

    def cancel(self, ago: int = AFTER, **more: Any) -> dict[str, Any]:
        # Every life begins with the member and an ordinary sale; the third act redeems.
        return {"do": "cancel", "ago": ago, "id": "$2.id", "code": "$2.code", **more}


def reversed_row(book: Book, member: Member, made: dict[str, Any], before: int) -> None:
    book.redemption(
        member,
        State.REVERSED,
        reason=Reason.UNDONE,
        code=made["code"],
        engine_id=made["id"],
        first_reversal_attempt_at=book.ago(AFTER),
        reversal_attempts=1,
        balance_before_reversal=before,
        newest_row_before_reversal=book.ago(MADE - 10),
    )


BALANCE = 2000 + 42 - 500
HISTORIES = ("status", "row", "none")


# Lives without a difference


def bought(scene: Scene) -> tuple[Acts, Any]:
    return [], lambda book, member, answers: None


def used(scene: Scene) -> tuple[Acts, Any]:
    acts = [scene.redeem(), order(scene, f"{scene.sale_id}-2", AFTER, coupon_code="$2.code")]

    def write(book: Book, member: Member, answers: list[Any]) -> None:
        made = answers[2]
        sold = {"sale": f"{scene.sale_id}-2", "sold_at": book.ago(AFTER)}
        facts = {"code": made["code"], "engine_id": made["id"], "reason": Reason.SOLD}
        book.redemption(member, State.USED, **facts, **sold)
        book.sale(member, f"{scene.sale_id}-2", [AFTER])

    return acts, write


def used_and_refunded(scene: Scene) -> tuple[Acts, Any]:
    acts, write = used(scene)
    refund = {"do": "refund", "ago": LAST, "order_id": f"{scene.sale_id}-2", "id": "R"}
    acts.append(refund | {"total_amount_cents": 4200, "id": f"R-{scene.number}"})
    return acts, write


def refunded_in_parts(scene: Scene) -> tuple[Acts, Any]:
    """The last one is too little to take a point."""
    parts = {f"R-{scene.number}-1": 1000, f"R-{scene.number}-2": 99}
    acts = [
        {"do": "refund", "ago": LAST, "order_id": scene.sale_id, "id": name}
        | {"total_amount_cents": cents}
        for name, cents in parts.items()
    ]

    def write(book: Book, member: Member, answers: list[Any]) -> None:
        for name, cents in parts.items():
            book.refund(name, cents)

    return acts, write


def undone(scene: Scene) -> tuple[Acts, Any]:
    shown = {"cancellation_history": HISTORIES[scene.number % 3]}
    acts = [scene.redeem(), scene.cancel(switches=shown)]
    return acts, lambda book, member, answers: reversed_row(book, member, answers[2], BALANCE)


def open_code(scene: Scene) -> tuple[Acts, Any]:
    def write(book: Book, member: Member, answers: list[Any]) -> None:
        made = answers[2]
        book.redemption(member, State.ISSUED, code=made["code"], engine_id=made["id"])

    return [scene.redeem()], write


def nothing_made(scene: Scene) -> tuple[Acts, Any]:
    reason = Reason.REPLY_LOST
    return (
        [],
        lambda book, member, answers: (
            book.redemption(member, State.NOT_MADE, reason=reason) and None
        ),
    )


def told_twice_counted_once(scene: Scene) -> tuple[Acts, Any]:
    again = f"{scene.sale_id}-2"
    acts = [order(scene, again, MADE), order(scene, again, AFTER)]
    return acts, lambda book, member, answers: book.sale(member, again, [MADE, AFTER])


def delayed_and_taken(scene: Scene) -> tuple[Acts, Any]:
    again = f"{scene.sale_id}-2"
    acts = [scene.redeem(delayed=True), order(scene, again, AFTER, coupon_code="$2.code")]

    def write(book: Book, member: Member, answers: list[Any]) -> None:
        made = answers[2]
        facts = {"code": made["code"], "engine_id": made["id"], "delayed": True}
        facts["deduction"] = Deduction.TOLD
        sold = {"sale": again, "sold_at": book.ago(AFTER)}
        book.redemption(member, State.USED, reason=Reason.SOLD, **facts, **sold)
        book.sale(member, again, [AFTER])

    return acts, write


def corrected(scene: Scene) -> tuple[Acts, Any]:
    title = f"Correction D{scene.number}."
    acts = [
        {
            "do": "adjust",
            "ago": AFTER,
            "customer_email": scene.email,
            "point_adjustment_amount": 40,
            "history_title": title,
        }
    ]
    return acts, lambda book, member, answers: book.correction(member, scene.number, 40)


def disputed(scene: Scene) -> tuple[Acts, Any]:
    """What a manager is asked already is not asked twice."""
    return (
        [scene.redeem()],
        lambda book, member, answers: (
            book.redemption(member, State.DISPUTED, reason=Reason.NEVER_CLEAR) and None
        ),
    )


# Lives with one


def redeemed_online(scene: Scene) -> tuple[Acts, Any]:
    acts = [scene.redeem(option_id=ONLINE_ONLY, origin="online")]
    return acts, lambda book, member, answers: None


def bought_online(scene: Scene) -> tuple[Acts, Any]:
    return [order(scene, f"ONLINE-{scene.number}", MADE)], lambda book, member, answers: None


def late_commit(scene: Scene) -> tuple[Acts, Any]:
    acts = [scene.redeem(ago=MADE - 200)]
    said = {"reason": Reason.REPLY_LOST, "made": MADE}
    return (
        acts,
        lambda book, member, answers: (
            book.redemption(member, State.NOT_MADE, changed_at=book.ago(MADE - 150), **said)
            and None
        ),
    )


def unknown_code(scene: Scene) -> tuple[Acts, Any]:
    return [scene.redeem()], lambda book, member, answers: None


def not_at_engine(scene: Scene) -> tuple[Acts, Any]:
    return (
        [],
        lambda book, member, answers: (
            book.redemption(
                member,
                State.ISSUED,
                code=f"LOST-{scene.number}",
                engine_id=1_000_000 + scene.number,
            )
            and None
        ),
    )


def code_elsewhere(scene: Scene) -> tuple[Acts, Any]:
    """The code that we hold is somebody else's at the engine, whom we never met."""
    somebody = f"stranger{scene.number}@example.com"
    acts = [
        {"do": "member", "email": somebody, "points": 2000, "ago": SALE},
        scene.redeem(email=somebody),
    ]

    def write(book: Book, member: Member, answers: list[Any]) -> None:
        facts = {"code": answers[3]["code"], "engine_id": 1_000_000 + scene.number}
        book.redemption(member, State.ISSUED, **facts)

    return acts, write


def not_given_back(scene: Scene) -> tuple[Acts, Any]:
    acts = [scene.redeem(), scene.cancel(switches={"first_cancellation": "ignore"})]
    return acts, lambda book, member, answers: reversed_row(book, member, answers[2], BALANCE)


def given_back_twice(scene: Scene) -> tuple[Acts, Any]:
    shown = {"cancellation_history": HISTORIES[scene.number % 3], "second_cancellation": "again"}
    acts = [scene.redeem(), scene.cancel(switches=shown, times=2)]
    return acts, lambda book, member, answers: reversed_row(book, member, answers[2], BALANCE)


def given_back_unasked(scene: Scene) -> tuple[Acts, Any]:
    acts, write = open_code(scene)
    return [*acts, scene.cancel()], write


def order_not_processed(scene: Scene) -> tuple[Acts, Any]:
    again = f"{scene.sale_id}-2"
    acts = [order(scene, again, MADE, switches={"order_statuses": ["fulfilled"]})]
    return acts, lambda book, member, answers: book.sale(member, again, [MADE])


def order_twice(scene: Scene) -> tuple[Acts, Any]:
    again = f"{scene.sale_id}-2"
    twice = {"orders_idempotent": False}
    acts = [order(scene, again, MADE), order(scene, again, AFTER, switches=twice)]
    return acts, lambda book, member, answers: book.sale(member, again, [MADE, AFTER])


def refund_not_processed(scene: Scene) -> tuple[Acts, Any]:
    """Of two the first alone was worked on."""
    acts, write = refunded_in_parts(scene)

    def write_more(book: Book, member: Member, answers: list[Any]) -> None:
        write(book, member, answers)
        book.refund(f"R-{scene.number}-3", 2000)

    return acts, write_more


def delayed_not_taken(scene: Scene) -> tuple[Acts, Any]:
    """The points were spent elsewhere before the order came."""
    acts, write = delayed_and_taken(scene)
    spent = {"customer_email": scene.email, "point_adjustment_amount": -1900}
    acts.insert(1, {"do": "adjust", "ago": AFTER + 60, **spent})
    return acts, write


def other_cost(scene: Scene) -> tuple[Acts, Any]:
    def write(book: Book, member: Member, answers: list[Any]) -> None:
        made = answers[2]
        facts = {"code": made["code"], "engine_id": made["id"], "points": 450}
        book.redemption(member, State.ISSUED, **facts)

    return [scene.redeem()], write


def correction_missing(scene: Scene) -> tuple[Acts, Any]:
    return [], corrected(scene)[1]


def correction_twice(scene: Scene) -> tuple[Acts, Any]:
    acts, write = corrected(scene)
    return acts * 2, write


CLEAN = [
    bought,
    used,
    used_and_refunded,
    refunded_in_parts,
    undone,
    open_code,
    nothing_made,
    told_twice_counted_once,
    delayed_and_taken,
    corrected,
    disputed,
]
DIFFERENT: dict[Any, Kind] = {
    redeemed_online: Kind.ONLINE,
    bought_online: Kind.ONLINE,
    late_commit: Kind.LATE_COMMIT,
    unknown_code: Kind.UNKNOWN_CODE,
    not_at_engine: Kind.NOT_AT_ENGINE,
    code_elsewhere: Kind.CODE_ELSEWHERE,
    not_given_back: Kind.NOT_GIVEN_BACK,
    given_back_twice: Kind.GIVEN_BACK_TWICE,
    given_back_unasked: Kind.GIVEN_BACK_UNASKED,
    order_not_processed: Kind.ORDER_NOT_PROCESSED,
    order_twice: Kind.ORDER_TWICE,
    refund_not_processed: Kind.REFUND_NOT_PROCESSED,
    delayed_not_taken: Kind.DELAYED_NOT_TAKEN,
    other_cost: Kind.OTHER_COST,
    correction_missing: Kind.CORRECTION_MISSING,
    correction_twice: Kind.CORRECTION_TWICE,
}


def lives(each: int, members: int) -> list[Life]:
    """`each` of every difference, and ordinary ones up to so many members."""
    plan = [(kind, frozenset({kind.value}), make) for make, kind in DIFFERENT.items()] * each
    clean = [(None, frozenset(), CLEAN[n % len(CLEAN)]) for n in range(members - len(plan))]
    made = []
    for number, (_, expected, make) in enumerate(plan + clean):
        scene = Scene(number)
        acts, write = make(scene)
        begin = [
            {"do": "member", "email": scene.email, "points": 2000, "ago": SALE + 600},
            order(scene, scene.sale_id, SALE),
        ]
        made.append(Life(scene.email, number, begin + acts, write, expected))
    return made


def settle(sandbox: Sandbox, installation: Installation, all_lives: list[Life]) -> dict[str, Any]:
    """They live at the engine and in our ledger. The members, by email."""
    now = datetime.now(UTC)
    members = {
        life.email: Member(
            email=life.email,
            email_index=blind_index(email_identity(life.email)),
            first_seen_at=now - timedelta(days=20),
        )
        for life in all_lives
    }
    Member.objects.bulk_create(members.values(), 200)
    for some in chunks(all_lives):
        # Both count back from the same moment.
        book = Book(installation, datetime.now(UTC))
        answers = sandbox.plant(numbered(some, int(book.now.timestamp())))
        for life in some:
            mine, answers = answers[: len(life.acts)], answers[len(life.acts) :]
            book.sale(members[life.email], f"S-{life.number}", [SALE])
            life.write(book, members[life.email], mine)
        book.save()
    return members


def chunks(all_lives: list[Life]) -> Iterator[list[Life]]:
    rest = iter(all_lives)
    while some := list(islice(rest, A_CALL)):
        yield some


def numbered(some: list[Life], now: int) -> Acts:
    """A life names its own answers from 0, and says how long ago; a call counts them through, and
    dates them."""
    acts: Acts = []
    for life in some:
        first = len(acts)
        for act in life.acts:
            facts = {name: value for name, value in act.items() if name != "ago"}
            for name, value in facts.items():
                if isinstance(value, str) and value.startswith("$"):
                    facts[name] = f"${first + int(value[1])}{value[2:]}"
            acts.append(facts | {"at": now - act["ago"]})
    return acts
