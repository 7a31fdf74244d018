"""What the engine does where the documentation is silent, and the switches that change it."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from sandbox.control import Sandbox, SandboxError
from sandbox.rate import RateGate
from tests.contract.account import Seen
from tests.contract.conftest import Speak
from tests.contract.shapes import RATE_HEADERS
from tests.support.waiting import until

MARA, RUTH, OTTO = "mara@example.com", "ruth@example.com", "otto@example.com"
FIVE_OFF, TOTE, TREAT, ONLINE_ONLY = 90121, 90140, 90141, 90180
FOREVER = 3600


def redeem(speak: Speak, email: str = MARA, option_id: int = FIVE_OFF, **more: Any) -> Any:
    params = {"customer_email": email, "redemption_option_id": option_id, **more}
    return speak("POST", "/redemptions", params)


def cancel(speak: Speak, made: Any) -> Any:
    path = f"/redemptions/{made['id']}/cancellation_completed"
    return speak("POST", path, {"reward_text": made["reward_text"]})


def order(speak: Speak, cents: int = 4299, **more: Any) -> Any:
    known = {"customer_email": MARA, "order_id": "A1", "currency_code": "USD"}
    return speak("POST", "/orders", {**known, "total_amount_cents": cents, **more})


def refund(speak: Speak, cents: int, **more: Any) -> Any:
    return speak("POST", "/refunds", {"order_id": "A1", "total_amount_cents": cents, **more})


def customer(speak: Speak, email: str = MARA) -> Any:
    return speak("GET", "/customers", {"customer_email": email, "with_history": "true"}).json


# Customers


def test_new_customer_can_be_read_only_later(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.switch(new_customer_delay_seconds=FOREVER)
    assert speak("POST", "/customers", {"email": "new@example.com"}).json == {}

    assert speak("GET", "/customers", {"customer_email": "new@example.com"}).status == 404
    assert redeem(speak, "new@example.com").status == 404


def test_enrolled_without_a_word_is_opted_in(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.switch(new_customer_delay_seconds=0)
    speak("POST", "/customers", {"email": "New@example.com", "opted_in": None, "id": "C-1"})

    seen = customer(speak, "new@example.com")

    assert (seen["opt_in"], seen["third_party_id"], seen["points_balance"]) == (True, "C-1", 0)


def test_opting_out_and_in_again(speak: Speak) -> None:
    speak("POST", "/customers", {"email": MARA, "opted_in": False})
    assert customer(speak)["opt_in"] is False
    assert redeem(speak).status == 422

    speak("POST", "/customers", {"email": MARA, "opted_in": "true"})
    assert redeem(speak).status == 200


def test_same_id_with_a_new_email_changes_the_email(speak: Speak) -> None:
    speak("POST", "/customers", {"id": "C-7781", "email": "mara.quill@example.com"})

    assert speak("GET", "/customers", {"customer_email": MARA}).status == 404
    seen = speak("GET", "/customers", {"customer_id": "C-7781"}).json
    assert (seen["email"], seen["points_balance"]) == ("mara.quill@example.com", 640)


def test_email_of_another_is_refused(speak: Speak) -> None:
    seen = speak("POST", "/customers", {"id": "C-7781", "email": RUTH})

    assert (seen.status, list(seen.json)) == (422, ["email"])


def test_saving_leaves_what_it_does_not_name(speak: Speak) -> None:
    speak("POST", "/customers", {"email": MARA, "first_name": "Maria"})

    seen = customer(speak)

    assert (seen["first_name"], seen["last_name"]) == ("Maria", "Quill")
    assert seen["phone_number"] == "+14155550123"


FINDERS = {
    "email in capitals": {"customer_email": "MARA@example.com"},
    "shop's id": {"customer_id": "C-7781"},
    "pos account": {"pos_account_id": "POS-22"},
    "phone": {"phone_number": "+14155550123"},
    "national phone": {"phone_number": "(415) 555-0123", "country_iso_code": "us"},
    "phone with an idle country": {"phone_number": "+14155550123", "country_iso_code": "DE"},
}


@pytest.mark.parametrize("params", FINDERS.values(), ids=FINDERS)
def test_customer_is_found_by(speak: Speak, params: dict[str, str]) -> None:
    assert speak("GET", "/customers", params).json["email"] == MARA


@pytest.mark.parametrize(
    "phone", ["4155550123", "+1 415 555 0123", "14155550123"], ids=["bare", "spaced", "no plus"]
)
def test_phone_must_match_exactly(speak: Speak, phone: str) -> None:
    assert speak("GET", "/customers", {"phone_number": phone}).status == 404


def test_family_phone_returns_one_and_the_same(speak: Speak) -> None:
    seen = [speak("GET", "/customers", {"phone_number": "+19195550111"}).json for _ in range(3)]

    assert [each["first_name"] for each in seen] == ["June"] * 3


def test_person_without_email_is_found_by_phone(speak: Speak) -> None:
    seen = speak("GET", "/customers", {"phone_number": "+14045550112"}).json

    assert (seen["email"], seen["points_balance"]) == (None, 1150)


def test_tier_and_what_is_missing_follow_the_points_earned(sandbox: Sandbox, speak: Speak) -> None:
    seen = customer(speak)
    assert (seen["vip_tier_name"], points_needed(seen)) == ("Silver", 660)

    order(speak, 66_000)

    seen = customer(speak)
    assert (seen["vip_tier_name"], points_needed(seen)) == ("Gold", 7_500)


def points_needed(seen: Any) -> int:
    return int(seen["vip_tier_upgrade_requirements"]["points_needed"])


def test_opted_out_has_no_tier_fields(speak: Speak) -> None:
    assert "vip_tier_name" not in customer(speak, OTTO)


def test_expiring_points_shrink_with_the_balance(sandbox: Sandbox, speak: Speak) -> None:
    assert customer(speak)["next_points_expire_amount"] == 200

    sandbox.adjust(MARA, -500)
    assert customer(speak)["next_points_expire_amount"] == 140

    sandbox.adjust(MARA, -140)
    assert customer(speak)["next_points_expire_on"] is None


def test_recent_customers_come_in_pages(sandbox: Sandbox, speak: Speak) -> None:
    emails, cursor = [], ""
    while cursor is not None:
        page = speak("GET", "/customers/recent", {"per_page": 10, "page_info": cursor}).json
        emails += [each["yotpo_customer_id"] for each in page["customers"]]
        cursor = page["metadata"]["next_page_info"]

    assert len(emails) == len(set(emails)) == len(sandbox.customers())


def test_birthday_is_kept(speak: Speak) -> None:
    speak("POST", "/customer_birthdays", {"customer_email": RUTH, "day": 3, "month": 12})

    seen = customer(speak, RUTH)

    assert (seen["birth_day"], seen["birthday_month"]) == (3, 12)
    assert "birthday_year" not in seen


# Options and codes


def names(speak: Speak, **params: str) -> set[int]:
    return {option["id"] for option in speak("GET", "/redemption_options", params).json}


def test_online_option_is_not_offered_in_the_store(speak: Speak) -> None:
    assert ONLINE_ONLY in names(speak)
    assert ONLINE_ONLY not in names(speak, is_offline="true")


def test_restricted_option_is_for_its_members(speak: Speak) -> None:
    assert TREAT not in names(speak, customer_email=MARA)
    assert TREAT in names(speak, customer_email="bert@example.com")
    assert redeem(speak, RUTH, TREAT).status == 422
    assert redeem(speak, "bert@example.com", TREAT).status == 200


def test_what_cannot_be_afforded_is_offered_all_the_same(speak: Speak) -> None:
    assert names(speak, customer_email="pia@example.com") == names(speak, customer_email=RUTH)


def test_options_are_filtered_by_kind(speak: Speak) -> None:
    assert names(speak, discount_type="generic_variable") == {90130}


def test_uploaded_codes_fill_the_pool_once(sandbox: Sandbox, speak: Speak) -> None:
    for _ in range(5):
        assert redeem(speak, RUTH, TOTE).status == 200
    assert redeem(speak, RUTH, TOTE).status == 422

    codes = {"redemption_option_id": TOTE, "codes": "T-1, T-1,T-1"}
    assert speak("POST", "/redemption_codes", codes).json["id"] == TOTE

    assert redeem(speak, RUTH, TOTE).json["reward_text"] == "T-1"
    speak("POST", "/redemption_codes", codes)
    assert redeem(speak, RUTH, TOTE).status == 422


def test_an_upload_is_refused_as_a_whole_where_so_switched(sandbox: Sandbox, speak: Speak) -> None:
    speak("POST", "/redemption_codes", {"redemption_option_id": TOTE, "codes": "T-1"})
    sandbox.switch(uploaded_again="refuse")

    seen = speak("POST", "/redemption_codes", {"redemption_option_id": TOTE, "codes": "T-2,T-1"})

    assert (seen.status, list(seen.json)) == (422, ["codes"])
    assert speak("GET", "/redemption_codes", {"code": "T-2"}).status == 404


@pytest.mark.parametrize(("shown", "status"), [(True, 200), (False, 404)])
def test_unused_codes_are_shown_where_so_switched(
    sandbox: Sandbox, speak: Speak, shown: bool, status: int
) -> None:
    sandbox.switch(unused_codes_shown=shown)
    speak("POST", "/redemption_codes", {"redemption_option_id": TOTE, "codes": "T-1"})

    assert speak("GET", "/redemption_codes", {"code": "T-1"}).status == status


def test_too_many_codes_are_refused(speak: Speak) -> None:
    codes = ",".join(f"T-{number}" for number in range(10_001))

    seen = speak("POST", "/redemption_codes", {"redemption_option_id": TOTE, "codes": codes})

    assert (seen.status, list(seen.json)) == (422, ["codes"])


def test_code_is_found_by_its_other_id(speak: Speak) -> None:
    made = redeem(speak).json

    seen = speak("GET", "/redemption_codes", {"third_party_id": made["third_party_id"]}).json

    assert seen["code"] == made["code"]


# Redemptions


@pytest.mark.parametrize(
    ("field", "expected"),
    [("reward_text", (True, False)), ("code", (False, True)), ("both", (True, True))],
    ids=["reward_text", "code", "both"],
)
def test_code_comes_in_the_switched_field(
    sandbox: Sandbox, speak: Speak, field: str, expected: tuple[bool, bool]
) -> None:
    sandbox.switch(code_field=field)

    made = redeem(speak).json

    assert (made["reward_text"] is not None, made["code"] is not None) == expected


def test_delayed_redemption_takes_its_points_with_the_order(sandbox: Sandbox, speak: Speak) -> None:
    made = redeem(speak, delay_points_deduction=True).json
    before = customer(speak)
    assert before["points_balance"] == 640
    assert made["code"] not in {item["status"] for item in before["history_items"]}

    order(speak, 1000, coupon_code=f"OTHER, {made['code']}")

    assert sandbox.balance(MARA) == 640 - 500 + 10
    assert made["code"] in {item["status"] for item in customer(speak)["history_items"]}


def test_cancelled_delayed_redemption_gives_nothing_back(sandbox: Sandbox, speak: Speak) -> None:
    made = redeem(speak, delay_points_deduction="true").json

    cancel(speak, made)
    order(speak, 1000, coupon_code=made["code"])

    assert sandbox.balance(MARA) == 650


def test_wrong_code_cancels_nothing(sandbox: Sandbox, speak: Speak) -> None:
    made = redeem(speak).json

    assert cancel(speak, {**made, "reward_text": "LP-0000-0000"}).status == 422
    assert sandbox.balance(MARA) == 140


@pytest.mark.parametrize(("answer", "status"), [("ok", 200), ("refuse", 422)])
def test_second_cancellation(sandbox: Sandbox, speak: Speak, answer: str, status: int) -> None:
    sandbox.switch(second_cancellation=answer)
    made = redeem(speak).json
    cancel(speak, made)

    assert cancel(speak, made).status == status
    assert sandbox.balance(MARA) == 640


def test_a_cancellation_that_does_nothing_and_one_that_is_done_again(
    sandbox: Sandbox, speak: Speak
) -> None:
    sandbox.switch(first_cancellation="ignore", second_cancellation="again")
    made = redeem(speak).json
    assert cancel(speak, made).status == 200
    assert sandbox.balance(MARA) == 140
    sandbox.switch(first_cancellation="ok")
    cancel(speak, made)
    cancel(speak, made)
    assert sandbox.balance(MARA) == 1140


def test_what_is_planted_follows_the_rules_at_its_own_time(sandbox: Sandbox, speak: Speak) -> None:
    order = {"do": "order", "at": 1_777_000_000, "customer_email": MARA, "order_id": "PLANTED"}
    paid = {"total_amount_cents": 1000, "currency_code": "USD", "status": "paid"}
    redeemed = {"do": "redeem", "email": MARA, "option_id": 90121}
    undone = {"do": "cancel", "id": "$1.id", "code": "$1.code"}
    sandbox.plant([order | paid, redeemed, undone])
    assert sandbox.balance(MARA) == 650
    assert "2026-04-24T03:06:40.000Z" in [row["at"] for row in sandbox.ledger(MARA)]


@pytest.mark.parametrize(("answer", "balance"), [("ok", 650), ("refuse", 150)])
def test_cancelling_a_used_code(sandbox: Sandbox, speak: Speak, answer: str, balance: int) -> None:
    sandbox.switch(cancel_used_code=answer)
    made = redeem(speak).json
    order(speak, 1000, coupon_code=made["code"])

    assert cancel(speak, made).status == (200 if answer == "ok" else 422)
    assert sandbox.balance(MARA) == balance


@pytest.mark.parametrize(
    ("shown", "rows"),
    [
        ("status", {(-500, "Reversed")}),
        ("row", {(-500, "code"), (500, "Approved")}),
        ("none", {(-500, "code")}),
    ],
    ids=["status", "row", "none"],
)
def test_cancellation_shows_in_history(
    sandbox: Sandbox, speak: Speak, shown: str, rows: set[tuple[int, str]]
) -> None:
    sandbox.switch(cancellation_history=shown)
    known = len(customer(speak)["history_items"])
    made = redeem(speak).json
    cancel(speak, made)

    history = customer(speak)["history_items"]

    new = history[: len(history) - known]
    told = {(item["points"], item["status"].replace(made["code"], "code")) for item in new}
    assert told == rows
    assert sandbox.balance(MARA) == 640


def test_history_may_call_a_redemption_pending(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.switch(redemption_history="Pending")
    redeem(speak)

    newest = customer(speak)["history_items"][0]

    assert (newest["points"], newest["status"]) == (-500, "Pending")


def test_cancelled_code_is_dead(sandbox: Sandbox, speak: Speak) -> None:
    made = redeem(speak).json
    cancel(speak, made)

    order(speak, 1000, coupon_code=made["code"])

    assert sandbox.redemptions()[0]["state"] == "cancelled"
    assert sandbox.redemptions()[0]["order_id"] is None


# Orders and refunds


@pytest.mark.parametrize(("keyed", "earned"), [(True, 42), (False, 84)])
def test_same_order_again(sandbox: Sandbox, speak: Speak, keyed: bool, earned: int) -> None:
    sandbox.switch(orders_idempotent=keyed)

    order(speak)
    order(speak)

    assert sandbox.balance(MARA) == 640 + earned


def test_order_counts_as_a_purchase(speak: Speak) -> None:
    before = customer(speak)

    order(speak)

    after = customer(speak)
    assert after["total_purchases"] - before["total_purchases"] == 1
    assert after["total_spend_cents"] - before["total_spend_cents"] == 4299


def test_order_waits_for_its_status(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.switch(order_statuses=["paid"])

    order(speak, status="new")
    assert sandbox.balance(MARA) == 640

    order(speak, status="paid")
    order(speak, status="paid")
    assert sandbox.balance(MARA) == 682


def test_put_off_order_earns_later(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.switch(order_delay_seconds=FOREVER)

    assert order(speak).status == 200

    assert sandbox.balance(MARA) == 640


def test_put_off_order_earns_once_it_is_due(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.switch(order_delay_seconds=0.2)
    order(speak)
    redeem(speak)

    until(lambda: sandbox.balance(MARA) == 140 + 42, "the order has earned")

    assert sandbox.calls()[-1]["endpoint"] == "POST /redemptions"


def test_order_of_a_stranger_enrols(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.switch(new_customer_delay_seconds=0)

    order(speak, customer_email="stranger@example.com")

    seen = customer(speak, "stranger@example.com")
    assert (seen["opt_in"], seen["points_balance"]) == (True, 42)


def test_opted_out_earns_nothing(sandbox: Sandbox, speak: Speak) -> None:
    order(speak, customer_email=OTTO)

    assert sandbox.balance(OTTO) == 700


@pytest.mark.parametrize(("keyed", "left"), [(True, 21), (False, 0)])
def test_same_refund_again(sandbox: Sandbox, speak: Speak, keyed: bool, left: int) -> None:
    sandbox.switch(refunds_idempotent=keyed)
    order(speak, 4200)

    refund(speak, 2100, id="R1")
    refund(speak, 2100, id="R1")

    assert sandbox.balance(MARA) == 640 + left


def test_refunds_round_down_each_time(sandbox: Sandbox, speak: Speak) -> None:
    order(speak, 1000)

    for _ in range(3):
        refund(speak, 333)
    refund(speak, 1)

    assert sandbox.balance(MARA) == 640 + 10 - 3 * 3


def test_refund_of_more_than_was_paid_takes_no_more(sandbox: Sandbox, speak: Speak) -> None:
    order(speak, 1000)

    refund(speak, 900_000)
    refund(speak, 900_000)

    assert sandbox.balance(MARA) == 640


def test_refund_may_leave_a_debt(sandbox: Sandbox, speak: Speak) -> None:
    order(speak, 10_000)
    sandbox.adjust(MARA, -740)

    refund(speak, 10_000)

    assert customer(speak)["points_balance"] == -100


@pytest.mark.parametrize(
    ("returned", "after_half", "after_all"),
    [("full", 145, 640), ("proportional", 395, 640), ("never", 145, 140)],
    ids=["full", "proportional", "never"],
)
def test_refund_gives_back_what_the_discount_cost(
    sandbox: Sandbox, speak: Speak, returned: str, after_half: int, after_all: int
) -> None:
    sandbox.switch(spent_points_returned=returned)
    order(speak, 1000, coupon_code=redeem(speak).json["code"])

    refund(speak, 500)
    assert sandbox.balance(MARA) == after_half

    refund(speak, 500)
    assert sandbox.balance(MARA) == after_all


def test_refund_of_a_free_sale_gives_back_what_it_cost(sandbox: Sandbox, speak: Speak) -> None:
    order(speak, 0, coupon_code=redeem(speak).json["code"])

    refund(speak, 0)

    assert sandbox.balance(MARA) == 640


def test_refund_in_another_currency(sandbox: Sandbox, speak: Speak) -> None:
    order(speak)
    assert refund(speak, 100, currency="EUR").status == 200

    sandbox.switch(multi_currency=True)
    assert refund(speak, 100, currency="EUR").status == 422
    assert refund(speak, 100).status == 422
    assert refund(speak, 100, currency="usd").status == 200


def test_adjustment_is_told_by_its_title(speak: Speak) -> None:
    told = {"customer_email": MARA, "history_title": "Correction LP-77"}

    speak("POST", "/points/adjust", {**told, "point_adjustment_amount": -40})
    hidden = {"point_adjustment_amount": 5, "visible_to_customer": False}
    speak("POST", "/points/adjust", {"customer_email": MARA, **hidden})

    seen = customer(speak)
    assert seen["points_balance"] == 605
    newest = seen["history_items"][0]
    assert (newest["action"], newest["points"]) == ("Correction LP-77", -40)


def test_adjustment_counts_as_earned_where_it_says_so(speak: Speak) -> None:
    told = {"customer_email": MARA, "apply_adjustment_to_points_earned": True}

    speak("POST", "/points/adjust", {**told, "point_adjustment_amount": 660})

    assert customer(speak)["vip_tier_name"] == "Gold"


# The gateway


def test_rate_limit_counts_each_second() -> None:
    now = [100.0]
    gate = RateGate(lambda: now[0])

    allowed = [gate.take(5).allowed for _ in range(7)]
    now[0] = 100.99
    still = gate.take(5)
    now[0] = 101.0
    again = gate.take(5)

    assert allowed == [True] * 5 + [False] * 2
    assert (still.allowed, again.allowed) == (False, True)
    assert [again.headers[name] for name in RATE_HEADERS] == ["5", "4", "1", "300", "291"]


def test_over_the_limit_is_told_so(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.switch(rate=5)

    over = until(lambda: refused(speak("GET", "/vip_tiers")), "the limit is reached")

    assert over.json == {"message": "API rate limit exceeded"}
    assert over.headers["ratelimit-remaining"] == "0"
    assert "retry-after" not in over.headers
    assert "date" in over.headers


def refused(seen: Seen) -> Seen | None:
    return seen if seen.status == 429 else None


def test_without_a_limit_there_are_no_rate_headers(speak: Speak) -> None:
    seen = speak("GET", "/vip_tiers")

    assert [name for name in RATE_HEADERS if name in seen.headers] == []


def test_answers_look_as_switched(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.switch(success_status=201, numbers_as_strings=True, content_type="text/plain")

    made = redeem(speak)

    assert (made.status, made.headers["content-type"]) == (201, "text/plain")
    assert made.json["id"] == str(sandbox.redemptions()[0]["id"])
    assert made.json["approved"] is True


def test_clock_may_be_wrong(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.switch(clock_skew_seconds=-86_400)

    seen = customer(speak)
    made = redeem(speak)

    now = datetime.now(UTC)
    assert now - parsedate_to_datetime(made.headers["date"]) >= timedelta(days=1)
    assert now - datetime.fromisoformat(made.json["created_at"]) >= timedelta(days=1)
    assert seen["points_balance"] == 640


WRONG = {"rate": 7, "latency_seconds": -1, "orders_idempotent": 1, "code_field": "x", "colour": 1}


@pytest.mark.parametrize(("name", "value"), WRONG.items(), ids=WRONG)
def test_impossible_switch_is_refused(sandbox: Sandbox, name: str, value: object) -> None:
    with pytest.raises(SandboxError, match=f"422.*{name}"):
        sandbox.switch(**{name: value})
