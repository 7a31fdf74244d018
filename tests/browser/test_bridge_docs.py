"""The page that docs/bridge.md tells a POS engineer to copy works as it stands there."""

import json
import re
from typing import Any

import jwt
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.bridge import PANEL, POS, Stage
from tests.ground.checkout import ROOT

pytestmark = pytest.mark.browser

TEXT = (ROOT / "docs" / "bridge.md").read_text()
KID, SECRET = "kid-1", "a-secret-of-more-than-thirty-two-bytes"
ANA = {"id": "ana", "name": "Ana Pardo", "role": "associate", "store": "boston", "till": "1"}
DISCOUNT = {
    "code": "LP-1",
    "redemptionId": "r1",
    "valueCents": 500,
    "currency": "USD",
    "label": "$5 off",
}


def block(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def server() -> dict[str, Any]:
    """The Python of the page, as a POS's server runs it."""
    names: dict[str, Any] = {}
    exec(compile(block("python"), "docs/bridge.md", "exec"), names)
    return names


@pytest.fixture
def stage(page: Page, server: dict[str, Any]) -> Stage:
    stage = Stage(
        page,
        {
            f"{POS}/till.html": ("text/html", block("html")),
            f"{POS}/till.js": ("text/javascript", block("js")),
        },
    )

    def sign(route: Route) -> None:
        asked = json.loads(route.request.post_data or "")
        token = server["launch_token"](ANA, asked["sale"], KID, SECRET)
        route.fulfill(json={"token": token})

    page.route(f"{POS}/loyalty/launch", sign)
    page.goto(f"{POS}/till.html")
    stage.frame_id = "#loyalty"
    stage.shake_hands()
    return stage


def test_the_panel_learns_who_acts_and_what_is_on_the_sale(stage: Stage) -> None:
    assert stage.heard("customer.attached") == [{"email": "mara@example.com"}]
    [cart] = stage.heard("cart.changed")
    assert (cart["saleId"], cart["totalCents"], cart["coupons"]) == ("T-1001", 4200, [])
    token = stage.ask("launch.request")["payload"]["token"]
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "kid": KID, "typ": "JWT"}
    claims = jwt.decode(token, SECRET, ["HS256"], audience=PANEL, issuer="shop")
    told = {"sub": "ana", **{name: ANA[name] for name in ("name", "role", "store", "till")}}
    assert told.items() <= claims.items()
    assert claims["sale"] == "T-1001"
    assert claims["exp"] - claims["iat"] == 60
    assert len(claims["jti"]) == 32


def test_a_coupon_is_put_on_the_sale_and_taken_off(stage: Stage) -> None:
    ok = {"ok": True, "payload": {}}
    assert stage.ask("discount.apply", DISCOUNT) == ok
    expect(stage.page.get_by_role("heading")).to_have_text("Sale T-1001: 37.00")
    assert stage.heard("cart.changed", times=2)[-1]["coupons"] == ["LP-1"]
    assert stage.ask("discount.remove", {"code": "LP-1", "redemptionId": "r1"}) == ok
    expect(stage.page.get_by_role("heading")).to_have_text("Sale T-1001: 42.00")
    assert stage.heard("cart.changed", times=3)[-1]["coupons"] == []


def test_what_the_panel_says_is_shown(stage: Stage) -> None:
    stage.tell({"v": 1, "type": "toast", "payload": {"text": "<b>Copied</b>"}})
    expect(stage.page.get_by_role("status")).to_have_text("<b>Copied</b>")


def test_a_refusal_of_the_pos_is_told_in_its_words(stage: Stage) -> None:
    stage.page.evaluate("() => { sale.locked = true; }")
    answer = stage.ask("discount.apply", DISCOUNT)
    assert answer["error"] == {"code": "locked", "message": "This sale is being paid."}
    stage.page.unroute(f"{POS}/loyalty/launch")
    stage.page.route(
        f"{POS}/loyalty/launch", lambda route: route.fulfill(status=200, json={"token": ""})
    )
    assert stage.ask("launch.request")["ok"] is False
