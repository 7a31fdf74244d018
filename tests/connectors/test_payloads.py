"""What the engine has been seen to send, and what we make of it."""

import contextlib
import logging
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.answers import Unreadable
from connectors.fields import Fields, list_of
from connectors.yotpo.payloads import (
    Campaign,
    CodeRecord,
    Customer,
    HistoryItem,
    Option,
    Redemption,
    Tier,
    TierActions,
    TierRequirements,
)

CUSTOMER = {
    "email": "mara@example.com",
    "first_name": "Mara",
    "last_name": "Quill",
    "phone_number": "+14155550123",
    "points_balance": 640,
    "points_earned": 1840,
    "points_expire_at": "2027-03-01T00:00:00.000Z",
    "next_points_expire_on": "2027-03-01",
    "next_points_expire_amount": 640,
    "total_spend_cents": 48250,
    "total_purchases": 6,
    "perks_redeemed": 2,
    "thirty_party_id": "C-7781",
    "third_party_id": "C-7781",
    "pos_account_id": "POS-22",
    "has_store_account": True,
    "credit_balance": "$0",
    "opt_in": True,
    "opted_in_at": "2025-01-09T08:00:00.000Z",
    "vip_tier_name": "Silver",
    "vip_tier_entry_date": "2025-06-01T00:00:00",
    "vip_tier_expiration": "2027-06-01T00:00:00",
    "vip_tier_actions_completed": {
        "points_earned": 1840,
        "amount_spent_cents": 48250,
        "purchases_made": 6,
        "referrals_completed": 0,
        "campaigns_completed": [],
    },
    "vip_tier_upgrade_requirements": {
        "points_needed": 660,
        "amount_cents_needed": 0,
        "purchases_needed": 0,
        "referrals_needed": 0,
        "campaigns_needed": [],
    },
    "a_field_of_tomorrow": {"deep": [1]},
}
OPTION = {
    "id": 90121,
    "name": "$5.00 Off",
    "unrendered_name": "{{discount}} Off",
    "description": "Get $5.00 off for 500 points",
    "icon": "fa-dollar",
    "cost_text": "500 Points",
    "amount": 500,
    "type": "Coupon",
    "discount_type": "generic_fixed_amount",
    "discount_amount_cents": 500,
    "discount_rate_cents": None,
    "discount_value_cents": None,
    "cart_greater_than": None,
}
REDEMPTION = {
    "id": 10869305,
    "reward_text": "QUILL-8Q2F",
    "code": "QUILL-8Q2F",
    "approved": True,
    "created_at": "2026-05-02T16:30:01.900Z",
}


class TestCustomer:
    def test_whole(self) -> None:
        assert Customer.parse(CUSTOMER) == Customer(
            points_balance=640,
            email="mara@example.com",
            first_name="Mara",
            last_name="Quill",
            phone="+14155550123",
            points_earned=1840,
            expiring_points=640,
            expiring_on=date(2027, 3, 1),
            tier_name="Silver",
            tier_expires=datetime(2027, 6, 1, tzinfo=UTC),
            tier_requirements=TierRequirements(660, 0, 0, 0),
            tier_actions=TierActions(1840, 48250, 6, 0),
            opted_in=True,
            total_purchases=6,
            total_spend_cents=48250,
            customer_id="C-7781",
            pos_account_id="POS-22",
            history=None,
        )

    def test_knows_what_is_missing_to_the_next_tier(self) -> None:
        assert Customer.parse(CUSTOMER).tier_points_needed == 660
        assert Customer.parse({"points_balance": 1}).tier_points_needed is None

    def test_with_a_balance_only(self) -> None:
        assert Customer.parse({"points_balance": -20}) == Customer(points_balance=-20)

    @pytest.mark.parametrize(
        "data",
        [
            None,
            [],
            "640",
            {},
            {"error": "oops"},
            {"points_balance": None},
            {"points_balance": "many"},
            {"points_balance": True},
            {"points_balance": [640]},
            {"points_balance": 1, "history_items": {}},
            {"points_balance": 1, "history_items": ["row"]},
            {"points_balance": 1, "history_items": [{"points": "many"}]},
        ],
    )
    def test_unreadable(self, data: object) -> None:
        with pytest.raises(Unreadable):
            Customer.parse(data)

    def test_blanks_are_none(self) -> None:
        blanks = dict.fromkeys(CUSTOMER, "  ") | {"points_balance": 0}
        assert Customer.parse(blanks) == Customer(points_balance=0)

    @pytest.mark.parametrize(
        ("phone", "shown"),
        [
            ("+14155550123", "+14155550123"),
            (" +1 (415) 555-0123 ", "+14155550123"),
            ("4155550123", None),
            ("+0123456789", None),
            ("+1", None),
            ("n/a", None),
            (14155550123, None),
        ],
        ids=range(7),
    )
    def test_phone_is_e164_or_none(self, phone: object, shown: str | None) -> None:
        assert Customer.parse({"points_balance": 1, "phone_number": phone}).phone == shown

    @pytest.mark.parametrize("name", ["opt_in", "opted_in", "is_opt_in"])
    @pytest.mark.parametrize(("said", "meant"), [(True, True), ("false", False), ("t", True)])
    def test_opted_in_by_any_of_its_names(self, name: str, said: object, meant: bool) -> None:
        assert Customer.parse({"points_balance": 1, name: said}).opted_in is meant

    def test_repr_shows_nobody(self) -> None:
        shown = repr(Customer.parse(CUSTOMER | {"history_items": [{"status": "QUILL-1"}]}))
        for secret in ("mara", "Mara", "Quill", "4155550123", "C-7781", "POS-22", "QUILL-1"):
            assert secret not in shown

    @pytest.mark.parametrize("name", ["email", "points_balance", "history"])
    def test_is_frozen(self, name: str) -> None:
        with pytest.raises(AttributeError):
            setattr(Customer(points_balance=1), name, None)


class TestHistory:
    def test_a_redemption(self) -> None:
        row = {
            "created_at": "2026-04-20T10:00:00.000Z",
            "date": "2026-04-20",
            "action": "$5.00 Off",
            "points": "-500",
            "status": "QUILL-Q7K2",
            "action_name": "redeem",
            "completed_at": "2026-04-20T10:00:01Z",
        }
        assert HistoryItem.parse(row) == HistoryItem(
            created_at=datetime(2026, 4, 20, 10, tzinfo=UTC),
            on=date(2026, 4, 20),
            title="$5.00 Off",
            points=-500,
            status="QUILL-Q7K2",
            action_name="redeem",
            completed_at=datetime(2026, 4, 20, 10, 0, 1, tzinfo=UTC),
        )

    @pytest.mark.parametrize("points", [{}, {"points": None}, {"points": ""}])
    def test_a_row_that_moved_no_points(self, points: dict[str, object]) -> None:
        assert HistoryItem.parse({"action": "Joined"} | points).points == 0

    def test_is_none_when_it_was_not_sent_and_empty_when_it_was(self) -> None:
        assert Customer.parse({"points_balance": 1}).history is None
        assert Customer.parse({"points_balance": 1, "history_items": []}).history == ()


class TestOption:
    def test_whole(self) -> None:
        assert Option.parse(OPTION) == Option(
            id=90121,
            name="$5.00 Off",
            description="Get $5.00 off for 500 points",
            points=500,
            discount_type="generic_fixed_amount",
            type="Coupon",
            value_cents=500,
            icon="fa-dollar",
        )

    @pytest.mark.parametrize(
        ("change", "name", "value"),
        [
            ({"amount": "500"}, "points", 500),
            ({"amount": "500.0"}, "points", 500),
            ({"amount": None}, "points", None),
            ({"id": "90121"}, "id", 90121),
            ({"discount_amount_cents": None, "discount_value_cents": 700}, "value_cents", 700),
            ({"discount_amount_cents": 0, "discount_value_cents": 700}, "value_cents", 0),
            ({"discount_rate_cents": "1.5"}, "cents_per_point", Decimal("1.5")),
            ({"discount_rate_cents": 1}, "cents_per_point", Decimal(1)),
            ({"cart_greater_than": 25}, "cart_greater_than", "25"),
            ({"currency": "EUR"}, "currency", None),
        ],
    )
    def test_variants(self, change: dict[str, Any], name: str, value: object) -> None:
        assert getattr(Option.parse(OPTION | change), name) == value

    @pytest.mark.parametrize("missing", ["id", "name"])
    def test_needs_an_id_and_a_name(self, missing: str) -> None:
        with pytest.raises(Unreadable):
            Option.parse(OPTION | {missing: None})

    def test_an_odd_one_hides_no_others(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        options = list_of(Option.parse)([{"name": "secret"}, OPTION, None])
        assert [option.id for option in options] == [90121]
        assert "Left out 2 of 3" in caplog.text
        assert "secret" not in caplog.text

    @pytest.mark.parametrize("data", [None, {}, {"error": "oops"}, "[]"])
    def test_a_list_is_needed(self, data: object) -> None:
        with pytest.raises(Unreadable):
            list_of(Option.parse)(data)


class TestRedemption:
    @pytest.mark.parametrize(
        ("change", "code", "approved"),
        [
            ({}, "QUILL-8Q2F", True),
            ({"reward_text": " QUILL-8Q2F\n", "code": None}, "QUILL-8Q2F", True),
            ({"reward_text": None}, "QUILL-8Q2F", True),
            ({"reward_text": ""}, "QUILL-8Q2F", True),
            ({"reward_text": "OTHER", "code": "QUILL-8Q2F"}, "OTHER", True),
            ({"reward_text": 12345}, "12345", True),
            ({"reward_text": "Redeemed", "code": None}, "", True),
            ({"reward_text": None, "code": None}, "", True),
            ({"approved": None}, "QUILL-8Q2F", True),
            ({"approved": "true"}, "QUILL-8Q2F", True),
            ({"approved": False}, "QUILL-8Q2F", False),
            ({"approved": "false"}, "QUILL-8Q2F", False),
            ({"approved": "perhaps"}, "QUILL-8Q2F", False),
        ],
    )
    def test_code_and_approval(self, change: dict[str, Any], code: str, approved: bool) -> None:
        redemption = Redemption.parse(REDEMPTION | change)
        assert (redemption.code, redemption.approved) == (code, approved)

    def test_without_a_word_on_approval_it_is_approved(self) -> None:
        assert Redemption.parse({"id": 1, "code": "C"}).approved

    def test_id_and_time(self) -> None:
        redemption = Redemption.parse(REDEMPTION | {"id": "10869305"})
        assert redemption.id == 10869305
        assert redemption.created_at == datetime(2026, 5, 2, 16, 30, 1, 900_000, tzinfo=UTC)

    def test_repr_shows_no_code(self) -> None:
        assert "QUILL" not in repr(Redemption.parse(REDEMPTION))


def test_a_code_record() -> None:
    record = CodeRecord.parse(
        {
            "id": 771203,
            "code": "QUILL-8Q2F",
            "third_party_id": 551209,
            "email": "mara@example.com",
            "point_redemption_id": "10869305",
        }
    )
    assert record == CodeRecord(771203, "QUILL-8Q2F", "mara@example.com", 10869305, "551209")
    assert "QUILL" not in repr(record)
    assert "mara" not in repr(record)


def test_a_code_record_needs_its_code() -> None:
    with pytest.raises(Unreadable):
        CodeRecord.parse({"error": "oops"})


@pytest.mark.parametrize("multiplier", ["1.25", 1.25])
def test_a_tier(multiplier: object) -> None:
    data = {
        "id": 3,
        "name": "Silver",
        "points_multiplier": multiplier,
        "entry_threshold": {"points_earned": "1000", "amount_spent_cents": None},
    }
    assert Tier.parse(data) == Tier(3, "Silver", TierActions(points_earned=1000), Decimal("1.25"))


def test_a_campaign() -> None:
    data = {"id": 5, "title": "Shop", "type": "SpendBasedCampaign", "reward_text": "1 point a $"}
    assert Campaign.parse(data) == Campaign(
        5, "Shop", "SpendBasedCampaign", None, "1 point a $", None
    )


class TestFields:
    @pytest.mark.parametrize(
        ("value", "whole"),
        [
            (500, 500),
            ("500", 500),
            (" 500 ", 500),
            ("500.0", 500),
            (500.9, 500),
            ("-0.5", -1),
            (-500, -500),
            ("5e2", 500),
            ("1e99", None),
            ("1e999999999", None),
            ("-1e-999999999", None),
            ("0e999999999", None),
            ("0.00", 0),
            ("nan", None),
            (float("inf"), None),
            ("1,840", None),
            ("", None),
            (None, None),
            (True, None),
            ({}, None),
        ],
    )
    def test_whole(self, value: object, whole: int | None) -> None:
        assert Fields({"n": value}).whole("n") == whole

    @pytest.mark.parametrize(
        ("value", "moment"),
        [
            ("2026-05-02T16:30:01.900Z", datetime(2026, 5, 2, 16, 30, 1, 900_000, UTC)),
            ("2026-05-02T16:30:01", datetime(2026, 5, 2, 16, 30, 1, 0, UTC)),
            ("2026-05-02T18:30:01+02:00", datetime(2026, 5, 2, 16, 30, 1, 0, UTC)),
            ("2026-05-02 16:30:01", datetime(2026, 5, 2, 16, 30, 1, 0, UTC)),
            ("2026-05-02 16:30:01 UTC", datetime(2026, 5, 2, 16, 30, 1, 0, UTC)),
            ("2026-05-02 12:30:01 -0400", datetime(2026, 5, 2, 16, 30, 1, 0, UTC)),
            ("2026-05-02", datetime(2026, 5, 2, tzinfo=UTC)),
            ("0001-01-01T00:00:00+14:00", None),
            ("soon", None),
            ("", None),
            (None, None),
            (1777739401, None),
        ],
    )
    def test_moment(self, value: object, moment: datetime | None) -> None:
        read = Fields({"at": value}).moment("at")
        assert read == moment
        assert read is None or read.tzinfo is UTC

    @pytest.mark.parametrize(
        ("value", "day"),
        [
            ("2027-03-01", date(2027, 3, 1)),
            ("2027-03-01T23:30:00-05:00", date(2027, 3, 1)),
            ("2027-02-30", None),
            ("soon", None),
            (None, None),
        ],
    )
    def test_day(self, value: object, day: date | None) -> None:
        assert Fields({"on": value}).day("on") == day

    @pytest.mark.parametrize(
        ("value", "flag"),
        [
            (True, True),
            (False, False),
            ("True", True),
            ("0", False),
            (1, True),
            (0, False),
            (" no ", False),
            ("perhaps", None),
            (2, None),
            (None, None),
            ([], None),
        ],
    )
    def test_flag(self, value: object, flag: bool | None) -> None:
        assert Fields({"is": value}).flag("is") is flag

    @settings(deadline=None)
    @given(st.datetimes(timezones=st.just(timezone(timedelta(hours=-5)))))
    def test_every_iso_time_is_read(self, moment: datetime) -> None:
        try:
            expected = moment.astimezone(UTC)
        except OverflowError:
            expected = None
        assert Fields({"at": moment.isoformat()}).moment("at") == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*CUSTOMER, *OPTION, *REDEMPTION]), inner, max_size=8)
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=50)
@given(JSON)
def test_whatever_comes_is_read_or_unreadable(data: object) -> None:
    for parse in (Customer.parse, list_of(Option.parse), Redemption.parse, CodeRecord.parse):
        with contextlib.suppress(Unreadable):
            parse(data)
