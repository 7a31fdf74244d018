"""What each call sends, and what it makes of the reply."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from responses import matchers

from connectors.errors import NotFound, ReplyLost, Throttled, Unavailable
from connectors.yotpo.client import Credentials, Yotpo

BASE = "https://loyalty.example.com/api/v2"
EMAIL = "mara@example.com"


@pytest.fixture
def engine() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as engine:
        yield engine


@pytest.fixture
def yotpo() -> Iterator[Yotpo]:
    client = Yotpo(Credentials(f"{BASE}/", "a-guid", "a-key"))
    yield client
    client.close()


def asked(engine: responses.RequestsMock, path: str, reply: Any, **params: str) -> None:
    """The engine expects this GET with just these parameters."""
    engine.get(
        BASE + path,
        json=reply,
        match=[
            matchers.query_param_matcher(params),
            matchers.header_matcher({"x-guid": "a-guid", "x-api-key": "a-key"}),
        ],
    )


def told(engine: responses.RequestsMock, path: str, reply: Any, **body: Any) -> None:
    """The engine expects this POST with just this body."""
    engine.post(BASE + path, json=reply, match=[matchers.json_params_matcher(body)])


class TestCustomer:
    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ("email", "customer_email"),
            ("phone", "phone_number"),
            ("pos_account_id", "pos_account_id"),
            ("customer_id", "customer_id"),
        ],
    )
    def test_is_asked_for_by_one_identifier(
        self, engine: responses.RequestsMock, yotpo: Yotpo, ours: str, theirs: str
    ) -> None:
        asked(engine, "/customers", {"points_balance": 7}, with_history="false", **{theirs: "x+1"})
        assert yotpo.customer(**{ours: "x+1"}).points_balance == 7

    def test_with_history(self, engine: responses.RequestsMock, yotpo: Yotpo) -> None:
        reply = {"points_balance": 7, "history_items": [{"points": -500, "status": "CODE-1"}]}
        asked(engine, "/customers", reply, with_history="true", customer_email=EMAIL)
        history = yotpo.customer(email=EMAIL, with_history=True).history
        assert history is not None
        assert [(row.points, row.status) for row in history] == [(-500, "CODE-1")]

    @pytest.mark.parametrize("who", [{}, {"email": EMAIL, "phone": "+14155550123"}], ids=[0, 2])
    def test_needs_exactly_one(self, yotpo: Yotpo, who: dict[str, str]) -> None:
        with pytest.raises(ValueError, match="exactly one identifier"):
            yotpo.customer(**who)

    def test_brings_both_clocks(self, engine: responses.RequestsMock, yotpo: Yotpo) -> None:
        engine.get(
            f"{BASE}/customers",
            json={"points_balance": 7},
            headers={"Date": "Sat, 02 May 2026 16:30:00 GMT"},
        )
        customer = yotpo.customer(email=EMAIL)
        assert customer.engine_time == datetime(2026, 5, 2, 16, 30, tzinfo=UTC)
        assert customer.received_at is not None

    def test_nobody(self, engine: responses.RequestsMock, yotpo: Yotpo) -> None:
        engine.get(f"{BASE}/customers", status=404, json={"error": "Could not find customer"})
        with pytest.raises(NotFound) as caught:
            yotpo.customer(email=EMAIL)
        assert caught.value.words == "Could not find customer"


class TestOptions:
    def test_in_store_for_a_customer(self, engine: responses.RequestsMock, yotpo: Yotpo) -> None:
        asked(
            engine,
            "/redemption_options",
            [{"id": 1, "name": "$5 off", "amount": "500"}],
            customer_email=EMAIL,
            is_offline="true",
        )
        assert [option.points for option in yotpo.options(email=EMAIL)] == [500]

    def test_for_everyone_and_everywhere(
        self, engine: responses.RequestsMock, yotpo: Yotpo
    ) -> None:
        asked(engine, "/redemption_options", [])
        assert yotpo.options(in_store=False) == []

    @pytest.mark.parametrize("reply", [{}, None, {"error": "oops"}])
    def test_no_list(self, engine: responses.RequestsMock, yotpo: Yotpo, reply: Any) -> None:
        engine.get(f"{BASE}/redemption_options", json=reply)
        with pytest.raises(Unavailable) as caught:
            yotpo.options(email=EMAIL)
        assert caught.value.reason == "unreadable"


class TestRedeem:
    REPLY = {"id": 10869305, "reward_text": "CODE-1", "approved": True}

    def test_a_fixed_option(self, engine: responses.RequestsMock, yotpo: Yotpo) -> None:
        told(engine, "/redemptions", self.REPLY, customer_email=EMAIL, redemption_option_id=90121)
        redemption = yotpo.create_redemption(email=EMAIL, option_id=90121)
        assert (redemption.id, redemption.code) == (10869305, "CODE-1")

    def test_so_many_points_later_in_a_currency(
        self, engine: responses.RequestsMock, yotpo: Yotpo
    ) -> None:
        told(
            engine,
            "/redemptions",
            self.REPLY,
            customer_email=EMAIL,
            redemption_option_id=90121,
            points_to_redeem=300,
            delay_points_deduction=True,
            currency="EUR",
        )
        yotpo.create_redemption(
            email=EMAIL, option_id=90121, points=300, delayed=True, currency="EUR"
        )

    def test_a_429_was_not_done(self, engine: responses.RequestsMock, yotpo: Yotpo) -> None:
        engine.post(f"{BASE}/redemptions", status=429, headers={"ratelimit-reset": "2"})
        with pytest.raises(Throttled) as caught:
            yotpo.create_redemption(email=EMAIL, option_id=90121)
        assert caught.value.wait == 2.0


class TestGiveBack:
    def test_names_the_redemption_and_its_code(
        self, engine: responses.RequestsMock, yotpo: Yotpo
    ) -> None:
        told(engine, "/redemptions/10869305/cancellation_completed", {}, reward_text="CODE-1")
        yotpo.approve_cancellation(10869305, "CODE-1")

    def test_an_error_shows_the_template(
        self, engine: responses.RequestsMock, yotpo: Yotpo
    ) -> None:
        engine.post(f"{BASE}/redemptions/10869305/cancellation_completed", status=500)
        with pytest.raises(ReplyLost) as caught:
            yotpo.approve_cancellation(10869305, "CODE-1")
        assert caught.value.path == "/redemptions/{id}/cancellation_completed"


class TestCode:
    def test_is_looked_up(self, engine: responses.RequestsMock, yotpo: Yotpo) -> None:
        reply = {"id": 1, "code": "CODE-1", "email": EMAIL, "point_redemption_id": 10869305}
        asked(engine, "/redemption_codes", reply, code="CODE-1")
        assert yotpo.redemption_code("CODE-1").redemption_id == 10869305

    @pytest.mark.parametrize(
        ("status", "body"), [(404, ""), (404, '{"error": "x"}'), (200, "null")]
    )
    def test_unknown(
        self, engine: responses.RequestsMock, yotpo: Yotpo, status: int, body: str
    ) -> None:
        engine.get(f"{BASE}/redemption_codes", status=status, body=body)
        with pytest.raises(NotFound):
            yotpo.redemption_code("CODE-1")


class TestEnrol:
    def test_sends_what_is_known(self, engine: responses.RequestsMock, yotpo: Yotpo) -> None:
        told(
            engine,
            "/customers",
            {},
            email=EMAIL,
            first_name="Mara",
            phone_number="+14155550123",
            opted_in=False,
        )
        yotpo.save_customer(email=EMAIL, first_name="Mara", phone="+14155550123", opted_in=False)

    def test_a_merchants_own_ids(self, engine: responses.RequestsMock, yotpo: Yotpo) -> None:
        told(engine, "/customers", None, email=EMAIL, id="C-1", pos_account_id="P-1")
        yotpo.save_customer(email=EMAIL, customer_id="C-1", pos_account_id="P-1")


def test_tiers(engine: responses.RequestsMock, yotpo: Yotpo) -> None:
    asked(engine, "/vip_tiers", [{"id": 1, "name": "Silver"}])
    assert [tier.name for tier in yotpo.vip_tiers()] == ["Silver"]


def test_campaigns_for_a_customer(engine: responses.RequestsMock, yotpo: Yotpo) -> None:
    asked(engine, "/campaigns", [{"id": 1, "title": "Shop"}], customer_email=EMAIL)
    assert [campaign.title for campaign in yotpo.campaigns(email=EMAIL)] == ["Shop"]


def test_no_credential_goes_into_the_address(engine: responses.RequestsMock, yotpo: Yotpo) -> None:
    engine.get(f"{BASE}/vip_tiers", json=[])
    yotpo.vip_tiers()
    assert "a-key" not in str(engine.calls[0].request.url)


def test_a_body_is_json(engine: responses.RequestsMock, yotpo: Yotpo) -> None:
    engine.post(f"{BASE}/customers", json={})
    yotpo.save_customer(email=EMAIL)
    request = engine.calls[0].request
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body or b"") == {"email": EMAIL}


def test_credentials_hide_themselves() -> None:
    assert repr(Credentials(BASE, "a-guid", "a-key")) == f"Credentials(base_url='{BASE}')"
