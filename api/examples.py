"""What the OpenAPI shows of each call: answers, problems, and an example of each body."""

from typing import Any

from api import schemas
from api.problems import KINDS, TYPE

MEMBER_ID = "0197b1de-5a3c-7c1e-9f37-2f0c9a6d41b0"
REDEMPTION_ID = "0197b1df-0d3e-7a52-8a55-6f1f0f7c2f11"
Shown = dict[str, Any]

A_REDEMPTION: Shown = {
    "id": REDEMPTION_ID,
    "state": "issued",
    "reason": None,
    "member": {"id": MEMBER_ID},
    "offer": {"id": 90121, "name": "$5 off"},
    "points": 500,
    "value_cents": 500,
    "currency": "USD",
    "code": "LP-7Q4M2X",
    "delayed": False,
    "lease_expires_at": "2026-11-21T09:45:00.000Z",
    "lease_seconds_left": 900,
    "created_at": "2026-11-21T09:30:00.000Z",
}
UNCERTAIN = A_REDEMPTION | {
    "state": "uncertain",
    "reason": "reply_lost",
    "code": None,
    "lease_expires_at": None,
    "lease_seconds_left": None,
}
ENDED = A_REDEMPTION | {
    "state": "reversed",
    "reason": "undone",
    "lease_expires_at": None,
    "lease_seconds_left": None,
}
A_SALE: Shown = {
    "id": "109001",
    "delivery": "pending",
    "not_delivered": None,
    "codes": [{"code": "LP-7Q4M2X", "outcome": "used"}],
    "warnings": [],
}
A_REFUND: Shown = {
    "id": "R-4471",
    "sale_id": "109001",
    "state": "promised",
    "reason": None,
    "delivery": "pending",
    "not_delivered": None,
    "warnings": [],
}
A_PREVIEW: Shown = {
    "points_taken_back": 11,
    "points_given_back": 0,
    "balance_after": 629,
    "tier_after": "Silver",
    "estimate": True,
    "basis": "What the sale earned stands in the member's history.",
    "warnings": [],
}
A_MEMBER: Shown = {
    "id": MEMBER_ID,
    "email": "mara@example.com",
    "phone": "+14155550123",
    "first_name": "Mara",
    "last_name": "Quill",
    "points_balance": 640,
    "points_available": 640,
    "tier": {"name": "Silver", "points_to_next": 160, "next_name": "Gold"},
    "expiring": {"points": 200, "on": "2027-02-04"},
    "opted_in": True,
    "redeemable": {"ok": True, "reason": None},
    "as_of": "2026-11-21T09:30:00.000Z",
    "live": True,
    "waiting": False,
    "pending": [],
}
NEW_MEMBER = A_MEMBER | {
    "email": "ida@example.com",
    "phone": "+14155550166",
    "first_name": "Ida",
    "last_name": "Nightfall",
    "points_balance": 0,
    "points_available": 0,
    "tier": None,
    "expiring": None,
}
A_KEPT_MEMBER = NEW_MEMBER | {
    "id": None,
    "opted_in": None,
    "redeemable": {"ok": False, "reason": "being_enrolled"},
    "live": False,
    "waiting": True,
}
AN_OFFER: Shown = {
    "id": 90121,
    "name": "$5 off",
    "description": "$5 off any purchase",
    "points": 500,
    "value_cents": 500,
    "currency": "USD",
    "kind": "fixed",
    "cents_per_point": None,
    "affordable": True,
    "short_by": 0,
}


def call(
    summary: str,
    answers: dict[int, tuple[type[schemas.Told], Shown]],
    kinds: str,
    asked: Shown | None = None,
) -> dict[str, Any]:
    """A router's keyword arguments: `answers` are successes, `kinds` the problems there may be."""
    problems = {KINDS[kind][0]: schemas.ProblemBody for kind in kinds.split()}
    extra: Shown = {"responses": {}, "x-problem-types": [f"{TYPE}{kind}" for kind in kinds.split()]}
    for status, (_, shown) in answers.items():
        extra["responses"][status] = {"content": {"application/json": {"example": shown}}}
    if asked is not None:
        extra["requestBody"] = {"content": {"application/json": {"example": asked}}}
    return {
        "summary": summary,
        "response": {status: model for status, (model, _) in answers.items()} | problems,
        "openapi_extra": extra,
    }


READING = "engine-said-no engine-busy engine-unavailable engine-misconfigured"
SENDING = "malformed-json bad-idempotency-key still-running idempotency-key-reused invalid-fields"

LOOKUP = call(
    "Look a member up",
    {200: (schemas.Member, A_MEMBER)},
    f"member-not-found card-number {SENDING} {READING}",
    {"email": "mara@example.com"},
)
ENROL = call(
    "Enrol a member",
    {
        201: (schemas.Member, NEW_MEMBER),
        200: (schemas.Member, A_MEMBER),
        202: (schemas.Member, A_KEPT_MEMBER),
    },
    f"likely-duplicates card-number place-disabled {SENDING} {READING} reply-lost",
    {
        "email": "ida@example.com",
        "phone": "(415) 555-0166",
        "first_name": "Ida",
        "last_name": "Nightfall",
        "birthday": {"day": 17, "month": 4},
        "consents": [
            {"purpose": "marketing_email", "granted": True, "wording_version": "till-2026-11"}
        ],
        "store": "boston",
        "associate": "ana",
    },
)
OFFERS = call(
    "List what a member can have",
    {200: (schemas.Offers, {"items": [AN_OFFER]})},
    f"member-not-found {READING}",
)
REDEEM = call(
    "Redeem an offer",
    {
        201: (schemas.Redemption, A_REDEMPTION),
        200: (schemas.Redemption, A_REDEMPTION),
        202: (schemas.Redemption, UNCERTAIN),
    },
    "idempotency-key-required member-not-found another-under-way ends-open-code "
    "open-code-elsewhere not-withdrawn card-number no-such-offer "
    f"wrong-points member-cannot-redeem place-disabled {SENDING} {READING}",
    {
        "member": {"id": MEMBER_ID},
        "offer_id": 90121,
        "ticket": "T-1001",
        "store": "boston",
        "till": "1",
        "associate": "ana",
    },
)
REDEMPTION = call(
    "Read a redemption", {200: (schemas.Redemption, A_REDEMPTION)}, "redemption-not-found"
)
REDEMPTIONS = call(
    "List redemptions",
    {200: (schemas.Page, {"items": [A_REDEMPTION], "next_cursor": None})},
    "invalid-fields",
)
HOLD = call(
    "Keep a code while it is paid",
    {200: (schemas.Redemption, A_REDEMPTION)},
    f"redemption-not-found no-longer-counts {SENDING}",
    {"ticket": "T-1001"},
)
REVERSE = call(
    "Give the points back",
    {
        200: (schemas.Redemption, ENDED),
        202: (schemas.Redemption, ENDED | {"state": "reversing"}),
    },
    "redemption-not-found already-used not-withdrawn nothing-to-reverse disputed place-disabled "
    f"{SENDING}",
    {"withdrawn": True, "reason": "The customer changed their mind", "associate": "ana"},
)
SALE = call(
    "Report a sale",
    {
        201: (schemas.Sale, A_SALE),
        200: (schemas.Sale, A_SALE | {"delivery": "done"}),
    },
    f"other-content card-number place-disabled {SENDING}",
    {
        "id": "109001",
        "ticket": "T-1001",
        "completed_at": "2026-11-21T09:41:00-05:00",
        "total_cents": 4200,
        "discount_cents": 500,
        "currency": "USD",
        "email": "mara@example.com",
        "coupon_codes": ["LP-7Q4M2X"],
        "store": "boston",
        "till": "1",
        "associate": "ana",
    },
)
ATTACH = call(
    "Attach a sale to a member",
    {
        200: (
            schemas.AttachedSale,
            {
                "id": "109002",
                "member": {"id": MEMBER_ID},
                "delivery": "pending",
                "attached_at": "2026-11-21T14:47:00.000Z",
            },
        )
    },
    f"sale-not-found member-not-found not-to-be-claimed sale-under-way cannot-attach card-number "
    f"place-disabled member-cannot-redeem {SENDING} {READING}",
    {"member": {"id": MEMBER_ID}, "store": "boston", "till": "1", "associate": "ana"},
)
VOID = call(
    "Void a sale",
    {200: (schemas.VoidedSale, {"id": "109001", "refund": False, "codes": [ENDED]})},
    f"sale-not-found {SENDING}",
    {"reason": "wrong size"},
)
REFUND = call(
    "Report a refund",
    {
        201: (schemas.Refund, A_REFUND),
        200: (schemas.Refund, A_REFUND | {"delivery": "done"}),
        202: (schemas.Refund, A_REFUND | {"state": "waiting", "delivery": "none"}),
    },
    f"other-content more-than-left other-currency sale-voided card-number place-disabled {SENDING}",
    {
        "id": "R-4471",
        "sale_id": "109001",
        "total_cents": 1100,
        "currency": "USD",
        "items": [{"sku": "mug", "quantity": 1}],
        "store": "boston",
        "till": "1",
        "associate": "ana",
    },
)
REFUND_PREVIEW = call(
    "See what a refund would do",
    {200: (schemas.RefundPreview, A_PREVIEW)},
    f"sale-not-found more-than-left sale-voided member-not-found {SENDING} {READING}",
    {"sale_id": "109001", "total_cents": 1100},
)
