"""What the engine sends, by the contract: one example of each event and of each shape of a call."""

from typing import Any

EMAIL = "mara@example.com"
OFFERS = (90121,)
CUSTOMER = {
    "email": EMAIL,
    "first_name": "Mara",
    "is_opt_in": True,
    "loyalty_opt_in_date": "2025-01-09T08:00:00.000Z",
    "is_member": True,
    "accepts_marketing": False,
    "referred_by": None,
    "referral_link": "https://shop.example/?ref=1",
    "referral_discount_code": None,
    "is_affiliate": False,
    "vip_tier_ends_at": None,
    "points_balance": 640,
}
OPTION = {
    "id": 90121,
    "name": "$5.00 Off",
    "description": "Get $5.00 off for 500 points",
    "icon": "fa-dollar",
    "cost_text": "500 Points",
    "amount": 500,
}


def event(topic: str, **more: Any) -> dict[str, Any]:
    return {"topic": topic, "name": topic, "email": EMAIL, "customer": CUSTOMER, **more}


REDEMPTION = {
    "id": 10869305,
    "reward_text": "YLTY-8Q2F",
    "approved": True,
    "approved_at": "2026-05-02T16:30:02.113Z",
    "is_admin": False,
    "is_pos": False,
    "at_checkout": False,
    "created_at": "2026-05-02T16:30:01.900Z",
    "updated_at": "2026-05-02T16:30:02.120Z",
}
CREATED = event("swell/redemption/created", redemption=REDEMPTION, redemption_option=OPTION)
ASKED = event(
    "swell/point_redemption/cancellation_request",
    point_redemption_id="10869305",
    reward_text="YLTY-8Q2F",
)
LOW = {
    "topic": "swell/redemption_code/below_threshold",
    "redemption_option": OPTION,
    "redemption_option_id": 90121,
    "redemption_option_name": "$5.00 Off",
    "number_of_unused_codes": 25,
}
PERK = {
    "id": 1,
    "campaign_id": 2,
    "merchant_id": 3,
    "customer_id": 4,
    "reward_points": 50,
    "completed_at": "2026-05-02T16:30:01.900Z",
    "pending": False,
    "history_title": "Placed an order",
    "created_at": "2026-05-02T16:30:01.900Z",
}
VIP = {"pointsEarned": 1840, "amountSpentCents": 48250, "purchasesMade": 6}
EVENTS = {
    "redemption created": CREATED,
    "cancellation request": ASKED,
    "below threshold": LOW,
    "points earned": event("swell/points/earned", perk=PERK),
    "redemption reminder": event("swell/redemption/reminder"),
    "points reminder": event("swell/points/reminder"),
    "expiry reminder": event("loyalty/expiration/reminder"),
    "opt in": event("loyalty/opt_in"),
    "tier earned": event("swell/tier/earned", vip_stats=VIP),
    "tier lost": event("swell/tier/lost", vip_stats=VIP),
    "tier changed": event("swell/tier/status/changed", vip_stats=VIP),
}
NOT_OURS = {
    "custom reward": event("loyalty/custom/reward/created", redemption={"reward_text": "Redeemed"}),
    "referral completed": event("swell/referral/completed"),
    "referral share": event("swell/referral/share"),
    "birthday": event("swell/customer/birthday"),
    "account created": event("swell/account/created"),
    "no topic": {"email": EMAIL},
    "odd topic": {"topic": "what is this?"},
}
# Without the secret, which each test puts where it wants it.
CREATE_CALLS: dict[str, dict[str, Any]] = {
    "the article's": {
        "coupon_code": "YLTY-8Q2F",
        "discount_amount": 10,
        "discount_amount_cents": 1000,
        "currency": "USD",
        "customer_email": EMAIL,
    },
    "Magento's": {
        "code": "YLTY-8Q2F",
        "name": "$10 off",
        "discount_type": "fixed_amount",
        "value": "10.00",
        "usage_limit": 1,
        "third_party_id": None,
        "customer": {"id": 7, "email": EMAIL},
    },
    "nested": {"coupon": {"code": "YLTY-8Q2F", "amount": 10, "currency": {"code": "USD"}}},
    "a list": {"coupons": [{"code": "YLTY-8Q2F", "discount_amount": "10"}]},
    "text": {"couponCode": " YLTY-8Q2F ", "discountAmountCents": "1000"},
}
CANCEL_CALLS: dict[str, dict[str, Any]] = {
    "by code": {"coupon_code": "YLTY-8Q2F"},
    "codes": {"codes": ["YLTY-8Q2F"]},
    "a comma list": {"code": "YLTY-8Q2F,OTHER"},
    "by the redemption": {"reward_text": "YLTY-8Q2F", "point_redemption_id": "10869305"},
}
