"""Where an answer leads: which call takes which of its fields (OpenAPI's links)."""

from typing import Any

Links = dict[str, dict[str, Any]]

ID = "$response.body#/id"


def link(operation: str, about: str, **more: Any) -> dict[str, Any]:
    return {"operationId": operation, "description": about, **more}


def of_redemption(operation: str, about: str) -> dict[str, Any]:
    return link(operation, about, parameters={"redemption_id": ID})


A_MEMBER: Links = {
    "offers": link("list_offers", "What this member can have.", parameters={"member_id": ID}),
    "redeem": link("redeem", "Redeem for this member.", requestBody={"member": {"id": ID}}),
    "sell": link(
        "report_sale",
        "A sale of theirs.",
        requestBody={"email": "$response.body#/email"},
    ),
}
OFFERS: Links = {
    "redeem": link(
        "redeem",
        "Redeem the first of them.",
        requestBody={
            "member": {"id": "$request.path.member_id"},
            "offer_id": "$response.body#/items/0/id",
        },
    )
}
A_REDEMPTION: Links = {
    "read": of_redemption("read_redemption", "How it stands."),
    "hold": of_redemption("hold", "When payment starts."),
    "reverse": of_redemption("reverse", "Give the points back."),
    "sell": link(
        "report_sale",
        "The sale that used its code.",
        requestBody={"coupon_codes": ["$response.body#/code"]},
    ),
}
A_SALE: Links = {
    "attach": link("attach_sale", "Say whose it is.", parameters={"pos_id": ID}),
    "void": link("void_sale", "Take it back.", parameters={"pos_id": ID}),
    "preview": link(
        "preview_refund",
        "What a refund of it would do.",
        requestBody={"sale_id": ID},
    ),
    "refund": link(
        "report_refund",
        "Money that was given back for it.",
        requestBody={"sale_id": ID},
    ),
}

# Operation -> the links of each of its successes.
LINKS: dict[str, Links] = {
    "lookup": A_MEMBER,
    "enrol_member": A_MEMBER,
    "list_offers": OFFERS,
    "redeem": A_REDEMPTION,
    "read_redemption": A_REDEMPTION,
    "report_sale": A_SALE,
}
