"""The shop changes its offers: from now on the engine lists these, and no others."""

from typing import Any

from sandbox.control import Sandbox

ANY_POINTS = {
    "id": 90130,
    "name": "Points for dollars",
    "type": "Coupon",
    "discount_type": "generic_variable",
    "discount_rate_cents": 1,
}


def five_off(points: int) -> dict[str, Any]:
    """$5 off at another price."""
    return {
        "id": 90121,
        "name": "$5 off",
        "type": "Coupon",
        "discount_type": "generic_fixed_amount",
        "discount_amount_cents": 500,
        "amount": points,
    }


def list_offers(sandbox: Sandbox, *offers: dict[str, Any]) -> None:
    body = list(offers)
    sandbox.fault("GET /redemption_options", "status", status=200, body=body, times=None)
