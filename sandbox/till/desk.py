"""What a clerk does at the till. Each act changes the book, and returns what the panel is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from sandbox.till import coupons, people
from sandbox.till.book import Book
from sandbox.till.goods import CLERKS, CURRENCY, FIRST_SALE, PRODUCTS, STORE, TILL, Clerk
from sandbox.till.refusal import refuse_act
from sandbox.till.ticket import Coupon, Ticket
from sandbox.world import World
from sandbox.yotpo.store import Work

T = TypeVar("T")
# A message of the bridge: its type and its payload.
Told = tuple[str, dict[str, Any]]
PAID_BY = ("card", "cash")
MOST_SALES_SHOWN = 12


class Desk:
    """One till. `Refused` from any act leaves everything as it was."""

    def __init__(self, book: Book, world: World) -> None:
        self.book = book
        self._world = world

    # How things stand

    def clerk(self) -> Clerk:
        return CLERKS[self.book.fact("clerk", "ana")]

    def is_locked(self) -> bool:
        return bool(self.book.fact("locked"))

    def ticket(self) -> Ticket:
        """The open one; there always is one."""
        return self.book.open_ticket() or self._first_or_next()

    def _first_or_next(self) -> Ticket:
        is_first = self.book.is_new()
        ticket = self.book.new_ticket(self.clerk().id)
        if is_first:
            for sku in FIRST_SALE:
                ticket.set_quantity(sku, 1)
        ticket.rev = self.book.next_rev()
        self.book.save(ticket)
        return ticket

    def present(self) -> list[Told]:
        """What a panel must know that has heard nothing yet."""
        ticket = self.ticket()
        return [*_customer_told(ticket), ("cart.changed", ticket.as_cart())]

    # The sale

    def add(self, sku: str, quantity: int) -> list[Told]:
        ticket = self.ticket()
        return self.set_quantity(sku, ticket.quantities.get(sku, 0) + quantity)

    def set_quantity(self, sku: str, quantity: int) -> list[Told]:
        if sku not in PRODUCTS:
            raise refuse_act("unknown", f"This shop does not sell {sku}.", 404)
        ticket = self.ticket()
        ticket.set_quantity(sku, quantity)
        return self._changed(ticket)

    def attach(self, customer: people.Customer) -> list[Told]:
        """Who is on the sale already is not told again: the panel that asked knows."""
        ticket = self.ticket()
        if ticket.customer and customer.items() <= ticket.customer.items():
            return []
        ticket.customer = customer
        self.book.save(ticket)
        return _customer_told(ticket)

    def attach_known(self, customer_id: int) -> list[Told]:
        return self.attach(self._read(lambda work: people.by_id(work, customer_id)))

    def detach(self) -> list[Told]:
        ticket = self.ticket()
        ticket.customer = None
        self.book.save(ticket)
        return [("customer.detached", {})]

    def search(self, sought: str) -> list[people.Customer]:
        return self._read(lambda work: people.search(work, sought))

    def void(self) -> list[Told]:
        ticket = self.ticket()
        if ticket.is_untouched:
            raise refuse_act("empty", "There is nothing on this sale.")
        for coupon in ticket.coupons:
            self.book.free_code(coupon.terms.record)
        ticket.state = "voided"
        return self._over(ticket, ("sale.voided", {"saleId": ticket.id}))

    def park(self) -> list[Told]:
        ticket = self.ticket()
        if ticket.is_untouched:
            raise refuse_act("empty", "There is nothing on this sale.")
        ticket.state = "parked"
        return self._over(ticket, ("sale.parked", {"saleId": ticket.id}))

    def resume(self, ticket_id: str) -> list[Told]:
        parked = self._in_state(ticket_id, "parked")
        present = self.ticket()
        if not present.is_untouched:
            raise refuse_act("busy", "Pay, park or void the sale that is open first.")
        self.book.remove(present)
        parked.state, parked.clerk = "open", self.clerk().id
        return [("sale.resumed", {"saleId": parked.id}), *self._resumed(parked)]

    def _resumed(self, ticket: Ticket) -> list[Told]:
        changed = self._changed(ticket)
        return [*_customer_told(ticket), *changed]

    # Coupons

    def apply(self, code: str, redemption: str) -> list[Told]:
        """Put a code on the sale. Asked for again, it is the same."""
        ticket = self.ticket()
        if ticket.coupon(code):
            return []
        terms = self._read(lambda work: coupons.terms_of(work, code))
        state, elsewhere = self.book.code(terms.record)
        if state:
            raise refuse_act(*self._why_not(state, terms.code, elsewhere))
        self.book.set_code(terms.record, "on_a_sale", ticket.id)
        ticket.add_coupon(Coupon(terms, redemption))
        return self._changed(ticket)

    @staticmethod
    def _why_not(state: str, code: str, ticket_id: str) -> tuple[str, str]:
        return {
            "on_a_sale": ("elsewhere", f"{code} is on sale {ticket_id}, which is parked."),
            "used": ("used", f"{code} was used in sale {ticket_id}."),
            "withdrawn": ("withdrawn", f"{code} was taken back: it no longer counts."),
        }[state]

    def take_off(self, code: str) -> list[Told]:
        """The clerk takes it off; it could be put on again."""
        ticket = self.ticket()
        coupon = ticket.coupon(code)
        if coupon is None:
            raise refuse_act("not_there", f"{code} is not on this sale.", 404)
        self.book.free_code(coupon.terms.record)
        ticket.remove_coupon(coupon)
        return [("discount.removed", {"code": coupon.terms.code}), *self._changed(ticket)]

    def withdraw(self, code: str) -> list[Told]:
        """The panel takes it back. From here on this till never takes it again.

        Refused where it was used: acknowledged, its points would be given back beside the discount.
        """
        row = self._read(lambda work: coupons.record_of(work, code))
        if row is None:
            return []
        state, ticket_id = self.book.code(row["id"])
        if state == "used":
            raise refuse_act(*self._why_not(state, row["code"], ticket_id))
        self.book.set_code(row["id"], "withdrawn", ticket_id)
        ticket = self.book.ticket(ticket_id) if state == "on_a_sale" else None
        return self._without(ticket, row["code"]) if ticket else []

    def _without(self, ticket: Ticket, code: str) -> list[Told]:
        coupon = ticket.coupon(code)
        if coupon:
            ticket.remove_coupon(coupon)
        changed = self._changed(ticket)
        return changed if ticket.state == "open" else []

    # Paying, and taking it back

    def still_counts(self, coupon: Coupon) -> bool:
        """By the engine's record: its points may have been given back since it was put on."""
        row = self._read(lambda work: coupons.record_of(work, coupon.terms.code))
        return row is not None and (row["id"], row["state"]) == (coupon.terms.record, "out")

    def pay(self, paid_by: str) -> list[Told]:
        ticket = self.ticket()
        if not ticket.quantities:
            raise refuse_act("empty", "There is nothing on this sale.")
        if paid_by not in PAID_BY:
            raise refuse_act("unknown", "Pay by card or cash.", 422)
        for coupon in ticket.coupons:
            self.book.set_code(coupon.terms.record, "used", ticket.id)
        ticket.state, ticket.paid_by, ticket.clerk = "completed", paid_by, self.clerk().id
        ticket.completed_at = datetime.now(UTC).isoformat(timespec="seconds")
        sold = json.dumps(sale_report(ticket))
        self.book.report(ticket.id, "sales", sold, f"sale-{ticket.id}")
        return self._over(ticket, ("sale.completed", ticket.as_sale()))

    def give_back(self, ticket_id: str) -> list[Told]:
        """A whole sale is returned: all that the panel's API takes today."""
        ticket = self._in_state(ticket_id, "completed")
        ticket.state = "returned"
        self.book.save(ticket)
        body = json.dumps({"reason": "returned at the till"})
        self.book.report(ticket.id, f"sales/{ticket.id}/void", body, f"return-{ticket.id}")
        return []

    # People

    def switch_clerk(self, clerk_id: str) -> list[Told]:
        """Also what opens a locked till."""
        if clerk_id not in CLERKS:
            raise refuse_act("unknown", "There is no such clerk.", 404)
        self.book.set_fact("clerk", clerk_id)
        self.book.set_fact("locked", "")
        return [("clerk.changed", {}), *self.present()]

    def lock(self) -> list[Told]:
        self.book.set_fact("locked", "1")
        return [("till.locked", {})]

    # What acts have in common

    def _read(self, question: Callable[[Work], T]) -> T:
        return self._world.run(question)[0]

    def _in_state(self, ticket_id: str, state: str) -> Ticket:
        ticket = self.book.ticket(ticket_id)
        if ticket is None or ticket.state != state:
            raise refuse_act("not_there", f"Sale {ticket_id} is not {state}.", 404)
        return ticket

    def _changed(self, ticket: Ticket) -> list[Told]:
        ticket.rev = self.book.next_rev()
        self.book.save(ticket)
        return [("cart.changed", ticket.as_cart())]

    def _over(self, ticket: Ticket, told: Told) -> list[Told]:
        """The next sale is open at once, of nobody."""
        self.book.save(ticket)
        return [told, ("customer.detached", {}), *self.present()]

    # What the page shows

    def state(self) -> dict[str, Any]:
        reports = self.book.reports()
        sales = self.book.tickets("completed", "returned", latest=MOST_SALES_SHOWN)
        clerk = self.clerk()
        return {
            "clerk": {"id": clerk.id, "name": clerk.name},
            "locked": self.is_locked(),
            "ticket": shown(self.ticket()),
            "parked": [shown(ticket) for ticket in self.book.tickets("parked")],
            "sales": [_sale_shown(sale, *reports.get(sale.id, ("due", ""))) for sale in sales],
        }


def _customer_told(ticket: Ticket) -> list[Told]:
    if ticket.customer is None:
        return []
    told = {name: value for name, value in ticket.customer.items() if name != "id"}
    if "id" in ticket.customer:
        told["posCustomerId"] = ticket.customer["id"]
    return [("customer.attached", told)]


def shown(ticket: Ticket) -> dict[str, Any]:
    off = ticket.discounts()
    free = {one.terms.sku: one.terms.code for one in ticket.coupons if off[one.terms.code]}
    return {
        "id": ticket.id,
        "customer": ticket.customer,
        "lines": [
            {
                "sku": sku,
                "name": PRODUCTS[sku].name,
                "price": PRODUCTS[sku].cents,
                "quantity": quantity,
                "freeBy": free.get(sku),
            }
            for sku, quantity in ticket.quantities.items()
        ],
        "coupons": [
            {"code": one.terms.code, "name": one.terms.name, "off": off[one.terms.code]}
            for one in ticket.coupons
        ],
        "subtotal": ticket.subtotal(),
        "total": ticket.total(),
        "pieces": sum(ticket.quantities.values()),
        "rev": ticket.rev,
    }


def _sale_shown(ticket: Ticket, report: str, words: str) -> dict[str, Any]:
    more = {"state": ticket.state, "at": ticket.completed_at, "paidBy": ticket.paid_by}
    return {**shown(ticket), **more, "report": report, "words": words}


def sale_report(ticket: Ticket) -> dict[str, Any]:
    """The body of `POST /api/v1/sales`."""
    customer = ticket.customer or {}
    reach: dict[str, Any] = {
        name: customer[name] for name in ("email", "phone") if name in customer
    }
    return {
        "id": ticket.id,
        "ticket": ticket.id,
        "completed_at": ticket.completed_at,
        "total_cents": ticket.total(),
        "discount_cents": ticket.subtotal() - ticket.total(),
        "currency": CURRENCY,
        **reach,
        "coupon_codes": ticket.codes,
        "items": [
            {
                "sku": sku,
                "name": PRODUCTS[sku].name,
                "quantity": quantity,
                "unit_price_cents": PRODUCTS[sku].cents,
            }
            for sku, quantity in ticket.quantities.items()
        ],
        "store": STORE,
        "till": TILL,
        "associate": ticket.clerk,
    }
