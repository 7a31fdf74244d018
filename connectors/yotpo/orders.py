"""Sales and refunds as the engine takes them. Money is whole cents, times are aware."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.fields import present

# No shopper's browser stands behind a sale at a till, and the reference marks both as required.
FROM_A_TILL = {"ip_address": "0.0.0.0", "user_agent": "Loyalty-Panel"}  # noqa: S104


@dataclass(frozen=True, slots=True)
class OrderItem:
    """A line of an order. A refund names it by its `id`."""

    id: str
    name: str
    quantity: int
    price_cents: int
    type: str = ""
    vendor: str = ""

    def body(self) -> dict[str, Any]:
        return present(
            id=self.id,
            name=self.name or None,
            quantity=self.quantity,
            price_cents=self.price_cents,
            type=self.type or None,
            vendor=self.vendor or None,
        )


@dataclass(frozen=True, slots=True)
class RefundItem:
    """Pieces of a line of the order; `id` is that line's."""

    id: str
    quantity: int

    def body(self) -> dict[str, Any]:
        return {"id": self.id, "quantity": self.quantity}


@dataclass(frozen=True, slots=True)
class Order:
    """https://loyaltyapi.yotpo.com/reference/create-order

    `total_cents` is after discounts; `status` must match the account's setting, and is None where
    the account has none.
    """

    order_id: str
    email: str = field(repr=False)
    total_cents: int
    currency: str
    status: str | None
    completed_at: datetime
    coupon_codes: tuple[str, ...] = field(default=(), repr=False)
    discount_cents: int | None = None
    store: str = ""
    """Its address, or what it is called."""
    city: str = ""
    state: str = ""
    associate: str = ""
    """Their id at the POS."""
    associate_name: str = ""
    ignore_ip_ua: bool = True
    """Not to be checked for fraud."""
    items: tuple[OrderItem, ...] = ()

    def body(self) -> dict[str, Any]:
        return present(
            order_id=self.order_id,
            customer_email=self.email,
            total_amount_cents=self.total_cents,
            currency_code=self.currency,
            status=self.status,
            created_at=self.completed_at.astimezone(UTC).isoformat(timespec="seconds"),
            # One field, comma-separated; there is no list.
            coupon_code=",".join(self.coupon_codes) or None,
            discount_amount_cents=self.discount_cents,
            channel_type="offline",
            store_address=self.store or None,
            store_city=self.city or None,
            store_state=self.state or None,
            clerk_employee_id=self.associate or None,
            clerk_name=self.associate_name or None,
            ignore_ip_ua=self.ignore_ip_ua,
            items=[item.body() for item in self.items] or None,
            **FROM_A_TILL,
        )


@dataclass(frozen=True, slots=True)
class Refund:
    """https://loyaltyapi.yotpo.com/reference/create-refund

    The order is named by its id alone, and the currency by another word than in an order.
    """

    id: str
    order_id: str
    total_cents: int
    currency: str
    items: tuple[RefundItem, ...] = ()

    def body(self) -> dict[str, Any]:
        return present(
            id=self.id,
            order_id=self.order_id,
            total_amount_cents=self.total_cents,
            currency=self.currency,
            items=[item.body() for item in self.items] or None,
        )
