"""What a till brings back of a sale: a part, the rest, the same again, or before the sale came."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.harness.pos import Answer

if TYPE_CHECKING:
    from tests.harness.history import History, ToldSale

CENTS_PER_POINT = 100
# Where the POS was told that it counts.
TAKEN = {200, 201}


@dataclass
class ToldRefund:
    body: dict[str, Any]
    answer: Answer | None = None

    @property
    def counts(self) -> bool:
        """By what the till was answered last."""
        answer = self.answer
        return answer is not None and answer.status in TAKEN and answer.body["state"] == "promised"

    @property
    def cents(self) -> int:
        return int(self.body["total_cents"])


def refund(history: "History") -> None:
    """A part of a sale, its rest, or now and then too much."""
    if history.sales:
        order_id = history.rng.choice(list(history.sales))
        refund_one(history, order_id, a_part(history, history.sales[order_id]))


def a_part(history: "History", sale: "ToldSale") -> int:
    """Each takes a point or more: one that moved nothing can't be found at the engine."""
    total = sale.body["total_cents"]
    left = total - sum(refund.cents for refund in sale.refunds.values() if refund.counts)
    least = -(-total // max(total // CENTS_PER_POINT, 1))
    wanted = history.rng.choice([total // 3, total // 2, left, left, left + 1])
    return max(min(max(wanted, least), left + 1), 1)


def refund_one(history: "History", order_id: str, cents: int) -> ToldRefund:
    sale = history.sales[order_id]
    pos_id = f"R{sale.body['id']}-{len(sale.refunds)}"
    facts = {"sale_id": sale.body["id"], "total_cents": cents, "currency": "USD"}
    told = sale.refunds[history.order_id_of(pos_id)] = ToldRefund({"id": pos_id, **facts})
    tell(history, order_id, told, again=history.rng.random() < 0.3)
    return told


def tell(history: "History", order_id: str, told: ToldRefund, *, again: bool = False) -> None:
    history.trouble_refund(order_id)
    for _ in range(1 + again):
        answer = history.pos.insist("refunds", told.body)
        history.check_answer(answer, "refund")
        history.note(f"refund {told.body['id']} of {order_id} {told.cents} -> {answer}")
        told.answer = answer


def refund_before_its_sale(history: "History") -> None:
    """It waits; the sale comes, and then the till asks how it stands."""
    order_id = history.new_sale(history.some_code() if history.rng.random() < 0.5 else None)
    told = refund_one(history, order_id, a_part(history, history.sales[order_id]))
    if told.answer and told.answer.status != 202:
        history.surprises.append(f"{told.body['id']} came before its sale: {told.answer}")
    history.sell_one(order_id)
    told.answer = history.pos.insist("refunds", told.body)
    history.note(f"refund {told.body['id']} after its sale -> {told.answer}")
