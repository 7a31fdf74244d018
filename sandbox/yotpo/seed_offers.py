"""The offers of the demo shop, one of each kind that the vendor knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FEW_CODES = 5
PLENTY = 40


@dataclass(frozen=True)
class SeedOffer:
    """`cost` in points, None where the associate chooses; money in cents."""

    id: int
    name: str
    discount_type: str
    cost: int | None
    description: str
    type: str = "Coupon"
    is_offline: bool = True
    supply: str = "made"
    pool: int = 0
    needs_tag: str | None = None
    money: dict[str, Any] = field(default_factory=dict)


OFFERS = (
    SeedOffer(
        90121,
        "$5 off",
        "generic_fixed_amount",
        500,
        "Get $5 off for 500 points",
        money={"discount_amount_cents": 500, "discount_with_currency": "$5.00"},
    ),
    SeedOffer(
        90122,
        "$10 off",
        "generic_fixed_amount",
        950,
        "Get $10 off for 950 points",
        money={"discount_amount_cents": 1_000, "discount_with_currency": "$10.00"},
    ),
    SeedOffer(
        90123,
        "$25 off",
        "generic_fixed_amount",
        2_200,
        "Get $25 off for 2,200 points",
        money={"discount_amount_cents": 2_500, "discount_with_currency": "$25.00"},
    ),
    SeedOffer(
        90130,
        "Points for dollars",
        "generic_variable",
        None,
        "1 cent off for each point",
        money={"discount_rate_cents": 1},
    ),
    SeedOffer(
        90140,
        "Tote bag voucher",
        "custom",
        300,
        "A voucher for a canvas tote bag",
        supply="pool",
        pool=FEW_CODES,
        money={"discount_value_cents": 1_200, "discount_with_currency": "$12.00"},
    ),
    SeedOffer(
        90141,
        "Birthday treat",
        "custom",
        100,
        "$8 off in the month of your birthday",
        supply="pool",
        pool=PLENTY,
        needs_tag="birthday-club",
        money={"discount_value_cents": 800, "discount_with_currency": "$8.00"},
    ),
    SeedOffer(
        90150,
        "15% off",
        "percentage",
        750,
        "15% off the whole sale",
        money={"discount_percentage": 15},
    ),
    SeedOffer(
        90160,
        "Free gift wrapping",
        "custom",
        50,
        "We wrap it for you: ask at the counter",
        type="Reward",
        supply="none",
    ),
    SeedOffer(
        90170,
        "Free enamel mug",
        "product",
        400,
        "One enamel mug",
        type="Product",
        money={"variant_id": "MUG-ENAMEL-01", "quantity": 1},
    ),
    SeedOffer(
        90180,
        "$20 off online",
        "fixed_amount",
        1_800,
        "Get $20 off in the web shop",
        is_offline=False,
        money={"discount_amount_cents": 2_000, "discount_with_currency": "$20.00"},
    ),
)
NO_MONEY = dict.fromkeys(
    (
        "discount_amount_cents",
        "discount_rate_cents",
        "discount_percentage",
        "discount_value_cents",
        "discount_with_currency",
        "cart_greater_than",
        "variant_id",
        "quantity",
    )
)


def public(offer: SeedOffer) -> dict[str, Any]:
    """The option with the fields of "Fetch active redemption options"."""
    return {
        "id": offer.id,
        "name": offer.name,
        "unrendered_name": offer.name,
        "description": offer.description,
        "unrendered_description": offer.description,
        "icon": "fa-gift" if offer.type != "Coupon" else "fa-dollar",
        "cost_text": "Choose your points" if offer.cost is None else f"{offer.cost:,} Points",
        "amount": offer.cost,
        "type": offer.type,
        "applies_to_product_type": "ALL",
        "duration": "single_use",
        "discount_type": offer.discount_type,
        **NO_MONEY,
        **offer.money,
    }
