"""The till of the sandbox: what it honours, what it tells, and what it keeps to itself."""

import json
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from sandbox.control import Sandbox
from tests.contract.till import KEYS, PanelApi, TillDesk, Told, write_keys
from tests.support.waiting import until

MARA = "mara@example.com"
RUTH = "ruth@example.com"
FIVE_OFF, FOR_DOLLARS, TOTE, TREAT, PERCENT, MUG, ONLINE = (
    90121,
    90130,
    90140,
    90141,
    90150,
    90170,
    90180,
)


@pytest.fixture
def till(till_sandbox: Sandbox, panel_api: PanelApi, keys_file: Path) -> Iterator[TillDesk]:
    """A fresh till with nothing on the sale."""
    till_sandbox.reset()
    panel_api.forget()
    write_keys(keys_file, panel_api)
    desk = TillDesk(till_sandbox)
    desk.empty()
    yield desk
    panel_api.answers.clear()
    write_keys(keys_file, panel_api)
    desk.wait_until_all_is_told()


def code_for(till: TillDesk, offer: int, email: str = RUTH, points: int | None = None) -> str:
    return str(till.sandbox.redeem_online(email, offer, points)["code"])


def types(told: Told) -> list[str]:
    return [type_ for type_, _ in told]


def sell(till: TillDesk, *skus: str) -> None:
    for sku in skus:
        till.do("add", sku=sku)


# Coupons


@pytest.mark.parametrize(
    ("offer", "points", "total"),
    [
        (FIVE_OFF, None, 4_300),
        (FOR_DOLLARS, 333, 4_467),
        (FOR_DOLLARS, 20_000, 0),
        (TOTE, None, 3_600),
        (PERCENT, None, 4_080),
    ],
    ids=["an amount", "points chosen", "more than the sale", "custom", "a share"],
)
def test_a_code_takes_off_what_its_offer_says(
    till: TillDesk, offer: int, points: int | None, total: int
) -> None:
    sell(till, "PN-PEN")
    code = code_for(till, offer, points=points)
    [[type_, cart]] = till.do("apply", code=code)
    assert (type_, cart["totalCents"], cart["coupons"]) == ("cart.changed", total, [code])
    assert till.ticket["total"] == total


def test_a_share_is_of_what_is_on_the_sale_when_it_is_paid(till: TillDesk) -> None:
    till.do("apply", code=code_for(till, PERCENT))
    sell(till, "PN-PEN", "TH-BUTTON")
    assert till.ticket["total"] == 4_590


def test_a_free_product_is_put_on_the_sale_and_goes_with_its_code(till: TillDesk) -> None:
    sell(till, "PN-PEN")
    code = code_for(till, MUG)
    till.do("apply", code=code)
    assert [line["sku"] for line in till.ticket["lines"]] == ["PN-PEN", "MUG-ENAMEL-01"]
    assert (till.ticket["subtotal"], till.ticket["total"]) == (6_400, 4_800)
    till.do("take-off", code=code)
    assert [line["sku"] for line in till.ticket["lines"]] == ["PN-PEN"]


def test_a_product_that_was_there_already_stays_without_its_code(till: TillDesk) -> None:
    sell(till, "MUG-ENAMEL-01")
    code = code_for(till, MUG)
    till.do("apply", code=code)
    assert (till.ticket["pieces"], till.ticket["total"]) == (1, 0)
    till.do("take-off", code=code)
    assert (till.ticket["pieces"], till.ticket["total"]) == (1, 1_600)


def test_a_free_product_that_is_taken_off_takes_nothing_off(till: TillDesk) -> None:
    sell(till, "PN-PEN")
    till.do("apply", code=code_for(till, MUG))
    till.do("quantity", sku="MUG-ENAMEL-01", quantity=0)
    assert till.ticket["total"] == 4_800


def test_asked_for_again_it_is_on_the_sale_once(till: TillDesk) -> None:
    sell(till, "PN-PEN")
    code = code_for(till, FIVE_OFF)
    till.do("apply", code=code, redemption="r1")
    assert till.do("apply", code=code.lower()) == []
    assert till.ticket["total"] == 4_300


def test_a_code_that_nobody_knows_is_refused(till: TillDesk) -> None:
    assert till.refused("apply", code="LP-0000-0000") == (409, "unknown")


def test_a_code_of_the_pool_that_nobody_redeemed_is_refused(till: TillDesk) -> None:
    till.sandbox._http.post(
        f"{till.sandbox.base_url}/redemption_codes",
        json={"redemption_option_id": TOTE, "codes": "TOTE-FREE-FREE"},
        headers=till.sandbox.headers,
        timeout=30,
    )
    assert till.refused("apply", code="TOTE-FREE-FREE") == (409, "unknown")


def test_a_code_for_the_web_shop_is_refused(till: TillDesk) -> None:
    assert till.refused("apply", code=code_for(till, ONLINE)) == (409, "web_only")


def test_a_code_counts_once(till: TillDesk) -> None:
    code = code_for(till, FIVE_OFF)
    sell(till, "PN-PEN")
    till.do("apply", code=code)
    till.do("park")
    sell(till, "PN-INK")
    assert till.refused("apply", code=code) == (409, "elsewhere")
    till.do("void")
    parked = till.state["parked"][0]["id"]
    till.do("resume", id=parked)
    till.do("pay", by="card")
    sell(till, "PN-INK")
    assert till.refused("apply", code=code) == (409, "used")


def test_one_that_the_engine_saw_used_is_refused(till: TillDesk) -> None:
    code = code_for(till, FIVE_OFF)
    till.sandbox._http.post(
        f"{till.sandbox.base_url}/orders",
        json={
            "order_id": "WEB-9",
            "customer_email": RUTH,
            "total_amount_cents": 100,
            "currency_code": "USD",
            "coupon_code": code,
        },
        headers=till.sandbox.headers,
        timeout=30,
    )
    assert till.refused("apply", code=code) == (409, "used")


def reverse(till: TillDesk, code: str) -> None:
    [made] = [row for row in till.sandbox.redemptions() if row["code"] == code]
    answer = till.sandbox._http.post(
        f"{till.sandbox.base_url}/redemptions/{made['id']}/cancellation_completed",
        json={"reward_text": code},
        headers=till.sandbox.headers,
        timeout=30,
    )
    assert answer.ok, answer.text


def test_one_whose_points_were_given_back_is_refused(till: TillDesk) -> None:
    code = code_for(till, FIVE_OFF)
    reverse(till, code)
    assert till.refused("apply", code=code) == (409, "reversed")


def test_one_that_was_withdrawn_is_refused(till: TillDesk) -> None:
    code = code_for(till, FIVE_OFF)
    sell(till, "PN-PEN")
    till.do("apply", code=code)
    assert types(till.do("withdraw", code=code)) == ["cart.changed"]
    assert till.ticket["total"] == 4_800
    assert till.refused("apply", code=code) == (409, "withdrawn")
    assert till.do("withdraw", code=code) == []


def test_one_that_was_never_here_is_withdrawn_all_the_same(till: TillDesk) -> None:
    code = code_for(till, FIVE_OFF)
    assert till.do("withdraw", code=code) == []
    assert till.refused("apply", code=code) == (409, "withdrawn")
    assert till.do("withdraw", code="LP-0000-0000") == []


def test_one_on_a_parked_sale_is_withdrawn_from_there(till: TillDesk) -> None:
    code = code_for(till, FIVE_OFF)
    sell(till, "PN-PEN")
    till.do("apply", code=code)
    till.do("park")
    assert till.do("withdraw", code=code) == []
    assert till.state["parked"][0]["total"] == 4_800


def test_one_that_was_used_is_not_withdrawn(till: TillDesk) -> None:
    """Acknowledged, its points would be given back beside the discount."""
    code = code_for(till, FIVE_OFF)
    sell(till, "PN-PEN")
    till.do("apply", code=code)
    till.do("pay", by="cash")
    assert till.refused("withdraw", code=code) == (409, "used")


def test_a_code_that_is_taken_off_may_come_again(till: TillDesk) -> None:
    code = code_for(till, FIVE_OFF)
    sell(till, "PN-PEN")
    till.do("apply", code=code)
    told = till.do("take-off", code=code)
    assert told[0] == ["discount.removed", {"code": code}]
    assert types(told) == ["discount.removed", "cart.changed"]
    till.do("apply", code=code)
    assert till.ticket["total"] == 4_300


def test_payment_does_not_start_with_a_code_that_ended_meanwhile(till: TillDesk) -> None:
    code = code_for(till, FIVE_OFF)
    sell(till, "PN-PEN")
    till.do("apply", code=code)
    reverse(till, code)
    assert till.refused("check") == (409, "ended")
    assert (till.ticket["coupons"], till.ticket["total"]) == ([], 4_800)
    till.do("pay", by="card")


def test_the_panel_is_asked_to_hold_what_it_gave(till: TillDesk, panel_api: PanelApi) -> None:
    code = code_for(till, FIVE_OFF)
    sell(till, "PN-PEN")
    till.do("apply", code=code, redemption="0f5a")
    panel_api.answers = [(200, {}), (409, {"type": "urn:loyalty-panel:problem:no-longer-counts"})]
    assert till.ask("check").ok
    assert till.refused("check") == (409, "ended")
    path, _, body = panel_api.asked[0]
    assert (path, body["ticket"]) == ("/api/v1/redemptions/0f5a/hold", till.ticket["id"])


def test_a_panel_that_is_away_stops_no_sale(
    till: TillDesk, panel_api: PanelApi, keys_file: Path
) -> None:
    sell(till, "PN-PEN")
    till.do("apply", code=code_for(till, FIVE_OFF), redemption="0f5a")
    write_keys(keys_file, panel_api, panel_url="http://127.0.0.1:9/panel/shop/")
    till.do("pay", by="card")
    assert till.state["sales"][0]["report"] == "due"


# What the panel is told


def test_a_sale_is_reported_once_it_is_paid(till: TillDesk, panel_api: PanelApi) -> None:
    till.attach(MARA)
    sell(till, "PN-PEN", "PN-PEN")
    code = code_for(till, FIVE_OFF)
    till.do("apply", code=code)
    sale = till.ticket["id"]
    till.do("clerk", id="ben")
    told = till.do("pay", by="card")

    assert types(told) == ["sale.completed", "customer.detached", "cart.changed"]
    completed = {"saleId": sale, "totalCents": 9_100, "currency": "USD", "coupons": [code]}
    assert told[0][1] == completed
    assert told[2][1]["saleId"] != sale
    till.wait_for_report("told")
    [(path, headers, body)] = panel_api.asked
    assert path == "/api/v1/sales"
    assert headers["Authorization"] == f"Bearer {KEYS['api_key']}"
    assert headers["Idempotency-Key"] == f"sale-{sale}"
    assert body.pop("completed_at").endswith("+00:00")
    pen = {"sku": "PN-PEN", "name": "Brass fountain pen", "quantity": 2, "unit_price_cents": 4_800}
    assert body == {
        "id": sale,
        "ticket": sale,
        "total_cents": 9_100,
        "discount_cents": 500,
        "currency": "USD",
        "email": MARA,
        "phone": "+14155550123",
        "coupon_codes": [code],
        "items": [pen],
        "store": "boston",
        "till": "1",
        "associate": "ben",
    }


def test_it_is_told_again_until_it_is_heard(till: TillDesk, panel_api: PanelApi) -> None:
    sell(till, "PN-PEN")
    panel_api.answers = [(503, {}), (429, {})]
    till.do("pay", by="card")
    till.wait_for_report("told")
    bodies = [(headers["Idempotency-Key"], body) for _, headers, body in panel_api.asked]
    assert len(bodies) == 3
    assert bodies[0] == bodies[1] == bodies[2]


def test_a_refusal_is_shown_and_not_repeated(till: TillDesk, panel_api: PanelApi) -> None:
    sell(till, "PN-PEN")
    panel_api.answers = [(422, {"detail": "total_cents is wrong."})]
    till.do("pay", by="card")
    assert till.wait_for_report("refused")["words"] == "total_cents is wrong."
    assert len(panel_api.asked) == 1


def test_keys_that_come_later_are_used(
    till: TillDesk, panel_api: PanelApi, keys_file: Path
) -> None:
    keys_file.unlink()
    sell(till, "PN-PEN")
    till.do("pay", by="card")
    write_keys(keys_file, panel_api)
    till.wait_for_report("told")


def test_a_return_is_told_after_its_sale(till: TillDesk, panel_api: PanelApi) -> None:
    sell(till, "PN-PEN")
    panel_api.answers = [(503, {})]
    till.do("pay", by="card")
    sale = till.state["sales"][0]["id"]
    till.do("return", id=sale)
    until(lambda: len(panel_api.asked) == 3, "sale, sale again, return")
    assert [path for path, _, _ in panel_api.asked] == [
        "/api/v1/sales",
        "/api/v1/sales",
        f"/api/v1/sales/{sale}/void",
    ]
    assert till.wait_for_report("told")["state"] == "returned"
    assert till.refused("return", id=sale) == (404, "not_there")


def test_parking_and_resuming_bring_customer_and_cart_back(till: TillDesk) -> None:
    till.attach(MARA)
    sell(till, "PN-PEN")
    sale = till.ticket["id"]
    assert types(till.do("park")) == ["sale.parked", "customer.detached", "cart.changed"]
    assert till.state["ticket"]["customer"] is None
    told = till.do("resume", id=sale)
    assert types(told) == ["sale.resumed", "customer.attached", "cart.changed"]
    assert told[1][1]["email"] == MARA
    assert till.ticket["id"] == sale


def test_a_sale_is_not_resumed_over_another(till: TillDesk) -> None:
    sell(till, "PN-PEN")
    sale = till.ticket["id"]
    till.do("park")
    sell(till, "PN-INK")
    assert till.refused("resume", id=sale) == (409, "busy")


def test_a_voided_sale_lets_its_codes_go(till: TillDesk) -> None:
    sell(till, "PN-PEN")
    code = code_for(till, FIVE_OFF)
    till.do("apply", code=code)
    sale = till.ticket["id"]
    assert till.do("void")[0] == ["sale.voided", {"saleId": sale}]
    sell(till, "PN-PEN")
    till.do("apply", code=code)


@pytest.mark.parametrize("act", ["void", "park"])
def test_nothing_can_be_done_with_an_empty_sale(till: TillDesk, act: str) -> None:
    assert till.refused(act) == (409, "empty")
    assert till.refused("pay", by="card") == (409, "empty")


def test_the_cart_is_counted_upwards(till: TillDesk) -> None:
    revs = [
        told[-1][1]["rev"]
        for told in (
            till.do("add", sku="PN-PEN"),
            till.do("quantity", sku="PN-PEN", quantity=3),
            till.do("park"),
            till.do("add", sku="PN-INK"),
        )
    ]
    assert revs == sorted(set(revs))


# Customers


@pytest.mark.parametrize("sought", ["mara", "MARA QU", "mara@example.com", "(415) 555-0123"])
def test_a_customer_is_found_as_people_ask(till: TillDesk, sought: str) -> None:
    customers = till.ask("search", sought=sought).json()["customers"]
    assert [one["name"] for one in customers] == ["Mara Quill"]


def test_who_is_attached_is_told_and_kept(till: TillDesk) -> None:
    [[type_, told]] = till.attach(MARA)
    assert type_ == "customer.attached"
    phone, number = "+14155550123", told["posCustomerId"]
    told_of_mara = {"email": MARA, "phone": phone, "name": "Mara Quill"}
    assert told == {**told_of_mara, "posCustomerId": number}
    assert till.ticket["customer"]["email"] == MARA
    assert till.do("detach") == [["customer.detached", {}]]


def test_the_panel_may_name_the_customer(till: TillDesk) -> None:
    told = till.do("adopt", email="new@example.com", name="Nova")
    assert told == [["customer.attached", {"email": "new@example.com", "name": "Nova"}]]
    assert till.do("adopt", email="new@example.com") == []
    assert till.refused("adopt") == (422, "unknown")


# People at the till


def test_a_launch_token_says_who_acts_where(till: TillDesk, panel_api: PanelApi) -> None:
    till.do("clerk", id="mel")
    token = till.ask("launch").json()["token"]
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "kid": "kid-1", "typ": "JWT"}
    claims = jwt.decode(
        token, KEYS["launch_secret"], ["HS256"], audience=panel_api.origin, issuer="shop"
    )
    who = {"sub": "mel", "name": "Mel Sato", "role": "manager", "store": "boston", "till": "1"}
    assert who.items() <= claims.items()
    assert claims["sale"] == till.ticket["id"]
    assert claims["exp"] - claims["iat"] == 60
    assert claims["nbf"] == claims["iat"]
    again = jwt.decode(till.ask("launch").json()["token"], options={"verify_signature": False})
    assert again["jti"] != claims["jti"]


def test_another_clerk_is_told(till: TillDesk) -> None:
    till.attach(MARA)
    told = till.do("clerk", id="ben")
    assert types(told) == ["clerk.changed", "customer.attached", "cart.changed"]
    assert till.state["clerk"] == {"id": "ben", "name": "Ben Okafor"}
    assert till.refused("clerk", id="nobody") == (404, "unknown")


def test_a_locked_till_does_nothing_and_signs_nothing(till: TillDesk) -> None:
    till.attach(MARA)
    assert till.do("lock") == [["till.locked", {}]]
    for act in ("launch", "search", "pay", "add", "check"):
        assert till.refused(act) == (423, "locked")
    assert till.do("state") == []
    told = till.do("clerk", id="ana")
    assert types(told) == ["clerk.changed", "customer.attached", "cart.changed"]


# Its page and its keys


def test_a_fresh_till_has_something_on_its_first_sale(
    till_sandbox: Sandbox, panel_api: PanelApi, keys_file: Path
) -> None:
    write_keys(keys_file, panel_api)
    till_sandbox.reset()
    fresh = TillDesk(till_sandbox)
    assert fresh.ticket["total"] == 4_300
    series = fresh.ticket["id"]
    till_sandbox.reset()
    assert fresh.ticket["id"] != series


def test_the_page_takes_the_frame_and_one_script_of_the_panel(
    till: TillDesk, panel_api: PanelApi
) -> None:
    answer = till.http.get(till.url, timeout=30)
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";")
    )
    bridge = f"{panel_api.origin}/static/bridge/loyalty-panel.js"
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "script-src": f"'self' {bridge}",
        "frame-src": panel_api.origin,
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert f'<script src="{bridge}" defer>' in answer.text


def test_its_keys_are_in_no_answer(till: TillDesk) -> None:
    page = till.http.get(till.url, timeout=30).text
    answers = [page, *(till.ask(act).text for act in ("state", "launch", "search", "lock"))]
    for name in ("launch_secret", "api_key", "launch_kid"):
        assert not any(KEYS[name] in answer for answer in answers)


def test_under_another_name_it_leads_to_its_own(till: TillDesk) -> None:
    """Under the panel's own the two would be one site, and prove nothing."""
    port = till.url.split(":")[2].split("/")[0]
    answer = till.http.get(f"http://127.0.0.1:{port}/till/", allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"//localhost:{port}/till/")


@pytest.mark.parametrize(
    ("mode", "text", "words"),
    [
        (0o644, json.dumps({"panel_url": "http://127.0.0.1:9/", **KEYS}), "chmod 600"),
        (0o600, "{}", "must be JSON with panel_url"),
        (0o600, "[1]", "must be JSON with panel_url"),
        (0o600, json.dumps({"panel_url": "javascript:1", **KEYS}), "must be JSON with panel_url"),
        (0o600, None, "is not there yet"),
    ],
    ids=["open to others", "empty", "no object", "no web address", "missing"],
)
def test_without_good_keys_it_says_how_to_get_them(
    till: TillDesk, keys_file: Path, mode: int, text: str | None, words: str
) -> None:
    keys_file.unlink()
    if text is not None:
        keys_file.write_text(text)
        keys_file.chmod(mode)
    answer = till.http.get(till.url, timeout=30)
    assert (answer.status_code, words in answer.text) == (503, True)
    assert "make demo" in answer.text
    assert KEYS["launch_secret"] not in answer.text
    assert till.refused("launch") == (503, "no_keys")
    keys_file.unlink(missing_ok=True)


def test_other_sites_are_kept_out(till: TillDesk) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        answer = till.http.post(f"{till.url}api/launch", json={}, headers=headers, timeout=30)
        assert answer.status_code == 403
    form = till.http.post(f"{till.url}api/launch", data={"a": "b"}, timeout=30)
    assert form.status_code == 405


def test_what_is_not_there_is_not_found(till: TillDesk) -> None:
    assert till.ask("no-such-act").status_code == 404
    assert till.http.get(f"{till.url}nothing", timeout=30).status_code == 404
    assert till.refused("add", sku="NONE") == (404, "unknown")
    assert till.refused("attach", id=1) == (404, "unknown")


def test_a_till_that_was_killed_goes_on_where_it_was(
    panel_api: PanelApi, keys_file: Path, tmp_path: Path
) -> None:
    write_keys(keys_file, panel_api)
    with Sandbox.start(till=keys_file, db=tmp_path / "db.sqlite3") as before:
        desk = TillDesk(before)
        desk.attach(MARA)
        desk.do("add", sku="PN-PEN")
        ticket = desk.ticket
        before.kill()
    with Sandbox.start(till=keys_file, db=tmp_path / "db.sqlite3") as after:
        assert TillDesk(after).ticket == ticket
