"""Every call of the client against the engine's stand-in, in each way the engine may answer."""

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.errors import (
    Misconfigured,
    NotFound,
    OutsideError,
    Refused,
    ReplyLost,
    Throttled,
    Unavailable,
)
from connectors.yotpo.client import Credentials, Yotpo
from sandbox.control import Sandbox

MARA = "mara@example.com"
FIVE_OFF, PER_POINT, TOTE = 90121, 90130, 90140

WAYS: dict[str, dict[str, Any]] = {
    "as-documented": {},
    "code-in-reward_text": {"code_field": "reward_text"},
    "code-in-code": {"code_field": "code"},
    "201": {"success_status": 201},
    "numbers-as-text": {"numbers_as_strings": True},
    "text-plain": {"content_type": "text/plain"},
}


@pytest.fixture
def yotpo(sandbox: Sandbox) -> Iterator[Yotpo]:
    client = Yotpo(
        Credentials(sandbox.base_url, sandbox.guid, sandbox.api_key),
        read_seconds=1.0,
        write_seconds=1.0,
    )
    yield client
    client.close()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
class TestEachWay:
    @pytest.fixture(autouse=True)
    def switched(self, sandbox: Sandbox, way: dict[str, Any]) -> None:
        sandbox.switch(**way)

    def test_read(self, yotpo: Yotpo) -> None:
        found = [
            yotpo.customer(email=MARA),
            yotpo.customer(phone="+14155550123"),
            yotpo.customer(customer_id="C-7781"),
            yotpo.customer(pos_account_id="POS-22"),
        ]
        assert {(who.email, who.first_name, who.points_balance) for who in found} == {
            (MARA, "Mara", 640)
        }
        assert (found[0].tier_name, found[0].history) == ("Silver", None)
        assert found[0].engine_time is not None

        options = {option.id: option for option in yotpo.options(email=MARA)}
        assert (options[FIVE_OFF].points, options[FIVE_OFF].value_cents) == (500, 500)
        assert options[PER_POINT].cents_per_point == 1
        assert "Silver" in [tier.name for tier in yotpo.vip_tiers()]
        assert yotpo.campaigns(email=MARA)

    def test_redeem_and_give_back(self, sandbox: Sandbox, yotpo: Yotpo) -> None:
        redemption = yotpo.create_redemption(email=MARA, option_id=FIVE_OFF)
        assert redemption.code
        assert sandbox.balance(MARA) == 140

        record = yotpo.redemption_code(redemption.code)
        assert (record.redemption_id, record.email) == (redemption.id, MARA)

        history = yotpo.customer(email=MARA, with_history=True).history
        assert history is not None
        taken = [(row.points, row.title) for row in history if row.status == redemption.code]
        assert taken == [(-500, "$5 off")]

        assert redemption.id is not None
        yotpo.approve_cancellation(redemption.id, redemption.code)
        assert yotpo.customer(email=MARA).points_balance == 640

    def test_redeem_in_each_kind(self, sandbox: Sandbox, yotpo: Yotpo) -> None:
        assert yotpo.create_redemption(email=MARA, option_id=FIVE_OFF, delayed=True).code
        assert sandbox.balance(MARA) == 640
        assert yotpo.create_redemption(email=MARA, option_id=PER_POINT, points=40).code
        assert sandbox.balance(MARA) == 600
        assert yotpo.create_redemption(email=MARA, option_id=TOTE).code
        assert sandbox.balance(MARA) == 300

    def test_enrol(self, sandbox: Sandbox, yotpo: Yotpo) -> None:
        sandbox.switch(new_customer_delay_seconds=0)
        yotpo.save_customer(
            email="ada@example.com",
            first_name="Ada",
            last_name="New",
            phone="+14155550199",
            opted_in=True,
        )
        ada = yotpo.customer(phone="+14155550199")
        assert (ada.email, ada.opted_in) == ("ada@example.com", True)


class TestNo:
    def test_nobody_by_that_email(self, yotpo: Yotpo) -> None:
        with pytest.raises(NotFound):
            yotpo.customer(email="nobody@example.com")

    def test_no_such_code(self, yotpo: Yotpo) -> None:
        with pytest.raises(NotFound):
            yotpo.redemption_code("NEVER-MADE")

    def test_too_few_points(self, sandbox: Sandbox, yotpo: Yotpo) -> None:
        with pytest.raises(Refused) as caught:
            yotpo.create_redemption(email="pia@example.com", option_id=FIVE_OFF)
        assert caught.value.words
        assert sandbox.balance("pia@example.com") == 12

    def test_wrong_key(self, sandbox: Sandbox) -> None:
        yotpo = Yotpo(Credentials(sandbox.base_url, sandbox.guid, "wrong"))
        with pytest.raises(Misconfigured):
            yotpo.vip_tiers()
        yotpo.close()

    def test_too_many_calls(self, sandbox: Sandbox, yotpo: Yotpo) -> None:
        sandbox.fault("POST /redemptions", "throttle")
        with pytest.raises(Throttled):
            yotpo.create_redemption(email=MARA, option_id=FIVE_OFF)
        assert sandbox.redemptions() == []

    def test_what_is_left_is_noted(self, sandbox: Sandbox, yotpo: Yotpo) -> None:
        sandbox.switch(rate=10)
        yotpo.vip_tiers()
        assert yotpo.limits.remaining is not None
        assert yotpo.limits.remaining < 10


# Each of these leaves the points taken; test_over_sockets.py has all the ways to lose a reply.
LOST: dict[str, dict[str, Any]] = {
    "drop_after": {"rst": True},
    "late": {"seconds": 5},
    "html_after": {},
    "cut": {},
}


@pytest.mark.parametrize("kind", LOST)
class TestLost:
    @pytest.fixture
    def yotpo(self, sandbox: Sandbox) -> Iterator[Yotpo]:
        client = Yotpo(
            Credentials(sandbox.base_url, sandbox.guid, sandbox.api_key),
            read_seconds=0.5,
            write_seconds=0.5,
        )
        yield client
        client.close()

    def test_a_redemption_is_asked_for_once(
        self, sandbox: Sandbox, yotpo: Yotpo, kind: str
    ) -> None:
        sandbox.fault("POST /redemptions", kind, **LOST[kind])
        with pytest.raises(ReplyLost):
            yotpo.create_redemption(email=MARA, option_id=FIVE_OFF)
        assert sandbox.call_counts()["POST /redemptions"] == 1
        assert sandbox.balance(MARA) == 140

    def test_a_look_up_brings_nothing(self, sandbox: Sandbox, yotpo: Yotpo, kind: str) -> None:
        sandbox.fault("GET /customers", kind, times=None, **LOST[kind])
        with pytest.raises(Unavailable):
            yotpo.customer(email=MARA)


@pytest.mark.parametrize("kind", ["not_approved", "code_missing"])
def test_a_redemption_without_a_code_names_its_id(
    sandbox: Sandbox, yotpo: Yotpo, kind: str
) -> None:
    sandbox.fault("POST /redemptions", kind)
    with pytest.raises(ReplyLost) as caught:
        yotpo.create_redemption(email=MARA, option_id=FIVE_OFF)
    assert [caught.value.engine_id] == [made["id"] for made in sandbox.redemptions()]


def test_a_look_up_survives_two_drops(sandbox: Sandbox, yotpo: Yotpo) -> None:
    sandbox.fault("GET /customers", "drop_before", times=2)
    assert yotpo.customer(email=MARA).points_balance == 640


def test_after_each_trouble_the_client_works_on(sandbox: Sandbox, yotpo: Yotpo) -> None:
    for kind in ("cut", "html", "drop_after", "throttle", "null"):
        sandbox.fault("POST /redemptions", kind)
        with pytest.raises(OutsideError):
            yotpo.create_redemption(email=MARA, option_id=PER_POINT, points=10)
    assert yotpo.create_redemption(email=MARA, option_id=PER_POINT, points=10).code
