"""The engine's contract as a table: what is called, which statuses may come, of which shape.

Each row names what it needs: nothing but reading, leave to change things, or the sandbox, where
the vendor's answer is undocumented and the sandbox's is our own choice. See `conftest.py` for how
to point this file at a real test account.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.contract import shapes
from tests.contract.account import Account
from tests.contract.shapes import Shape, is_list_of
from tests.support.waiting import until

READ, WRITE, SANDBOX = "read", "write", "sandbox"
SETTLED_SECONDS = 120  # a real engine works on orders and refunds later


@dataclass(frozen=True)
class Row:
    """`{email}`, `{phone}` and `{new}` in parameters are filled in for the account."""

    id: str
    call: str
    params: dict[str, Any] = field(default_factory=dict)
    statuses: tuple[int, ...] = (200,)
    shape: Shape = shapes.anything
    needs: str = READ


OURS, STRANGER = {"customer_email": "{email}"}, {"customer_email": "{new}"}
ORDER = {**OURS, "order_id": "{new}", "total_amount_cents": "1500", "currency_code": "USD"}
FIXED, CHOSEN, POOL, NO_COUPON = 90121, 90130, 90140, 90160
WITHOUT_HISTORY = {**OURS, "with_history": "false"}
BORN = {"day": 17, "month": 4}
SAVED, REFUSED = (200, 201), (400, 404, 422)


def redemption(option_id: object, **more: Any) -> dict[str, Any]:
    return {**OURS, "redemption_option_id": option_id, **more}


READING = [
    Row("customer by email", "GET /customers", OURS, shape=shapes.customer),
    Row("customer by phone", "GET /customers", {"phone_number": "{phone}"}, shape=shapes.customer),
    Row("history", "GET /customers", {**OURS, "with_history": "true"}, shape=shapes.with_history),
    Row("no history", "GET /customers", WITHOUT_HISTORY, shape=shapes.without_history),
    Row("unknown customer", "GET /customers", STRANGER, (404,)),
    Row("nobody named", "GET /customers", {}, REFUSED),
    Row("recent", "GET /customers/recent", {"per_page": 2}, shape=shapes.page_of_customers),
    Row("options", "GET /redemption_options", shape=is_list_of(shapes.option)),
    Row(
        "options in the store",
        "GET /redemption_options",
        {**OURS, "is_offline": "true"},
        shape=is_list_of(shapes.option),
    ),
    Row("tiers", "GET /vip_tiers", shape=is_list_of(shapes.tier)),
    Row("campaigns", "GET /campaigns", shape=is_list_of(shapes.campaign)),
]
WRITING = [
    Row("enrol", "POST /customers", {"email": "{new}", "first_name": "Ida"}, SAVED, needs=WRITE),
    Row("enrol without email", "POST /customers", {"first_name": "Ida"}, REFUSED, needs=WRITE),
    Row("save again", "POST /customers", {"email": "{email}", "tags": "vip"}, SAVED, needs=WRITE),
    Row("birthday", "POST /customer_birthdays", {**OURS, **BORN}, SAVED, needs=WRITE),
    Row("unknown option", "POST /redemptions", redemption(2_000_000_000), REFUSED, needs=WRITE),
    Row(
        "stranger redeems",
        "POST /redemptions",
        {**STRANGER, "redemption_option_id": FIXED},
        REFUSED,
        needs=WRITE,
    ),
    Row("order", "POST /orders", ORDER, SAVED, needs=WRITE),
    Row(
        "refund of an unknown order",
        "POST /refunds",
        {"order_id": "{new}", "total_amount_cents": 100},
        SAVED,
        needs=WRITE,
    ),
    Row(
        "points added",
        "POST /points/adjust",
        {**OURS, "point_adjustment_amount": 1, "history_title": "Contract test"},
        shape=shapes.event,
        needs=WRITE,
    ),
]
# What only the sandbox promises: see section 11 of the notes on the vendor for the choices.
CHOSEN_BY_US = [
    Row("campaigns with status", "GET /campaigns", {**OURS, "with_status": "true"}, needs=SANDBOX),
    Row("options of a stranger", "GET /redemption_options", STRANGER, (404,), needs=SANDBOX),
    Row("unknown code", "GET /redemption_codes", {"code": "{new}"}, (404,), needs=SANDBOX),
    Row("no code named", "GET /redemption_codes", {}, (422,), needs=SANDBOX),
    Row(
        "too few points",
        "POST /redemptions",
        redemption(CHOSEN, points_to_redeem=2_000_000_000),
        (422,),
        shapes.too_few,
        SANDBOX,
    ),
    Row("no points chosen", "POST /redemptions", redemption(CHOSEN), (422,), needs=SANDBOX),
    Row(
        "nothing chosen",
        "POST /redemptions",
        redemption(CHOSEN, points_to_redeem=0),
        (422,),
        needs=SANDBOX,
    ),
    Row(
        "upload",
        "POST /redemption_codes",
        {"redemption_option_id": POOL, "codes": "AA-1,AA-2"},
        shape=shapes.option,
        needs=SANDBOX,
    ),
    Row(
        "upload to a generated option",
        "POST /redemption_codes",
        {"redemption_option_id": FIXED, "codes": "AA-1"},
        (422,),
        needs=SANDBOX,
    ),
    Row(
        "cancel what was never made",
        "POST /redemptions/999/cancellation_completed",
        {"reward_text": "AA-1"},
        (404,),
        needs=SANDBOX,
    ),
    Row(
        "take more points than there are",
        "POST /points/adjust",
        {**OURS, "point_adjustment_amount": -2_000_000},
        (422,),
        needs=SANDBOX,
    ),
    Row("order without total", "POST /orders", {**OURS, "order_id": "A"}, (422,), needs=SANDBOX),
    Row("refund without order", "POST /refunds", {"total_amount_cents": 1}, (422,), needs=SANDBOX),
    Row("no such path", "GET /no_such_path", {}, (404,), needs=SANDBOX),
    Row("no such method", "DELETE /customers", {}, (404,), needs=SANDBOX),
]


@pytest.mark.parametrize("row", READING + WRITING + CHOSEN_BY_US, ids=lambda row: row.id)
def test_call_answers_as_the_contract_says(account: Account, row: Row) -> None:
    skip_unless_allowed(account, row.needs)
    params = {name: filled_in(value, account) for name, value in row.params.items()}
    method, _, path = row.call.partition(" ")

    answer = account.call(method, path, params)

    assert answer.status_code in row.statuses
    assert "Date" in answer.headers
    row.shape(answer.json())


def skip_unless_allowed(account: Account, needs: str) -> None:
    if needs == WRITE and not account.writable:
        pytest.skip("needs leave to change things")
    if needs == SANDBOX and account.sandbox is None:
        pytest.skip("is a choice of the sandbox")


def filled_in(value: Any, account: Account) -> Any:
    if value == "{phone}" and account.phone is None:
        pytest.skip("needs a phone")
    known = {"{email}": account.email, "{phone}": account.phone}
    if value == "{new}":
        return f"new-{uuid.uuid4().hex[:12]}@example.com"
    return known.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("name", ["x-guid", "x-api-key"])
def test_wrong_key_is_refused(account: Account, name: str) -> None:
    wrong = {**account.headers, name: "wrong"}

    assert account.call("GET", "/vip_tiers", None, {"headers": wrong}).status_code == 401


def test_missing_key_is_refused(account: Account) -> None:
    assert account.call("GET", "/vip_tiers", None, {"headers": {}}).status_code == 401


def test_key_may_come_in_the_query(account: Account) -> None:
    keys = {"guid": account.headers["x-guid"], "api_key": account.headers["x-api-key"]}

    assert account.call("GET", "/vip_tiers", keys, {"headers": {}}).status_code == 200


def test_code_names_its_redemption_and_cancelling_gives_the_points_back(account: Account) -> None:
    skip_unless_allowed(account, WRITE)
    option = in_store_coupon(account)
    before = account.balance()

    made = account.call("POST", "/redemptions", filled(redemption(option["id"]), account)).json()
    record = account.call("GET", "/redemption_codes", {"code": made["reward_text"]}).json()

    shapes.redemption(made)
    shapes.code(record)
    assert account.balance() == before - int(option["amount"])
    assert record["email"] == account.email
    assert record["point_redemption_id"] == made["id"]

    answer = cancel(account, made)

    assert answer.ok
    assert account.balance() == before


def in_store_coupon(account: Account) -> dict[str, Any]:
    """The cheapest fixed one."""
    params = {"customer_email": account.email, "is_offline": "true"}
    options = account.call("GET", "/redemption_options", params).json()
    fixed = [each for each in options if each["discount_type"] == "generic_fixed_amount"]
    return min(fixed, key=lambda option: int(option["amount"]))


def filled(params: dict[str, Any], account: Account) -> dict[str, Any]:
    return {name: filled_in(value, account) for name, value in params.items()}


def cancel(account: Account, made: dict[str, Any]) -> Any:
    path = f"/redemptions/{made['id']}/cancellation_completed"
    return account.call("POST", path, {"reward_text": made["reward_text"]})


def test_redemption_shows_in_history_with_its_code(account: Account) -> None:
    skip_unless_allowed(account, WRITE)
    option = in_store_coupon(account)

    made = account.call("POST", "/redemptions", filled(redemption(option["id"]), account)).json()
    customer = account.call(
        "GET", "/customers", {"customer_email": account.email, "with_history": "true"}
    ).json()
    cancel(account, made)

    ours = [item for item in customer["history_items"] if item["status"] == made["reward_text"]]
    assert [(item["points"], item["action"]) for item in ours] == [
        (-int(option["amount"]), option["name"])
    ]


def test_order_earns_and_its_refund_takes_back(account: Account) -> None:
    skip_unless_allowed(account, WRITE)
    order = filled(ORDER, account)
    before = account.balance()

    account.call("POST", "/orders", order).raise_for_status()
    until(lambda: account.balance() > before, "the order earned", SETTLED_SECONDS)
    refund = {"order_id": order["order_id"], "total_amount_cents": 1500, "currency": "USD"}
    account.call("POST", "/refunds", refund).raise_for_status()

    until(lambda: account.balance() == before, "the refund took back", SETTLED_SECONDS)


def test_every_answer_tells_what_is_left(account: Account) -> None:
    if account.sandbox is not None:
        account.sandbox.switch(rate=10)

    answer = account.call("GET", "/vip_tiers")

    assert [name for name in shapes.RATE_HEADERS if not answer.headers[name].isdigit()] == []


BAD_BODIES = {
    "list": b"[1, 2]",
    "text": b"hello",
    "number": b"12",
    "null": b"null",
    "cut short": b'{"customer_email": ',
    "half a surrogate": b'{"customer_email": "\\ud800"}',
    "nul": b'{"customer_email": "a\\u0000b"}',
    "not utf-8": b'{"customer_email": "\xff\xfe"}',
    "deep": b'{"customer_email": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "object for text": b'{"customer_email": {"a": 1}, "redemption_option_id": 90121}',
    "text for number": b'{"customer_email": "a@example.com", "redemption_option_id": "x"}',
    "fraction": b'{"customer_email": "mara@example.com", "redemption_option_id": 1.5}',
    "huge": b'{"customer_email": "mara@example.com", "redemption_option_id": 1' + b"0" * 400 + b"}",
    "true for number": b'{"customer_email": "mara@example.com", "redemption_option_id": true}',
    "empty": b"",
}
BAD_PATHS = ("/redemptions", "/customers", "/orders", "/refunds", "/points/adjust")


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
@pytest.mark.parametrize("path", BAD_PATHS)
def test_bad_body_is_refused(account: Account, path: str, body: bytes) -> None:
    skip_unless_allowed(account, SANDBOX)
    headers = {**account.headers, "Content-Type": "application/json"}

    answer = account.call("POST", path, None, {"headers": headers, "data": body})

    assert 400 <= answer.status_code < 500
    assert isinstance(answer.json(), dict)


HOW = {
    "json": lambda params: ("/redemptions", params),
    "form": lambda params: ("/redemptions", None, {"data": params}),
    "query": lambda params: (f"/redemptions?{urlencode(params)}",),
}


@pytest.mark.parametrize("how", HOW)
def test_parameters_come_as_json_form_or_query(account: Account, how: str) -> None:
    skip_unless_allowed(account, SANDBOX)
    params = filled(redemption("90121"), account)

    answer = account.call("POST", *HOW[how](params))

    assert answer.status_code == 200


def test_same_redemption_twice_is_two(account: Account) -> None:
    skip_unless_allowed(account, SANDBOX)
    params = {**filled(redemption(CHOSEN, points_to_redeem=100), account)}

    codes = [account.call("POST", "/redemptions", params).json()["code"] for _ in range(2)]

    assert len(set(codes)) == 2
    assert account.balance() == 440


def test_reward_without_coupon_has_no_code(account: Account) -> None:
    skip_unless_allowed(account, SANDBOX)

    made = account.call("POST", "/redemptions", filled(redemption(NO_COUPON), account)).json()

    assert (made["reward_text"], made["code"]) == ("Redeemed", None)
