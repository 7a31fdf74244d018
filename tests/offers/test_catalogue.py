"""What is read from the engine, and how often."""

from types import SimpleNamespace

import pytest

from connectors.errors import Unavailable
from connectors.yotpo.client import Yotpo
from offers import catalogue as catalogue_room
from offers.catalogue import Kind, catalogue
from sandbox.control import Sandbox
from stores.models import Installation

pytestmark = pytest.mark.django_db

MARA, BERT = {"email": "mara@example.com"}, {"email": "bert@example.com"}
READ = "GET /redemption_options"
BIRTHDAY = "Birthday treat"


@pytest.fixture
def shared(installation: Installation) -> Installation:
    installation.offer_policy = Installation.OfferPolicy.SHARED
    return installation


def names(engine: Yotpo, installation: Installation, who: dict[str, str]) -> set[str]:
    return {offer.name for offer in catalogue.read(engine, installation, who)}


def test_the_offers_of_the_till_are_shown_and_no_others(
    engine: Yotpo, installation: Installation
) -> None:
    kinds = {offer.name: offer.kind for offer in catalogue.read(engine, installation, MARA)}
    assert kinds == {
        "$5 off": Kind.FIXED,
        "$10 off": Kind.FIXED,
        "$25 off": Kind.FIXED,
        "Points for dollars": Kind.VARIABLE,
        "Tote bag voucher": Kind.CUSTOM,
    }


@pytest.mark.parametrize("policy", Installation.OfferPolicy.values)
def test_a_percentage_and_an_online_only_offer_are_never_shown(
    engine: Yotpo, installation: Installation, policy: str
) -> None:
    installation.offer_policy = policy
    hidden = {"15% off", "$20 off online", "Free gift wrapping", "Free enamel mug"}
    assert names(engine, installation, MARA).isdisjoint(hidden)
    assert len(names(engine, installation, MARA)) >= 5


def test_a_restricted_offer_is_shown_to_those_it_is_for(
    engine: Yotpo, installation: Installation
) -> None:
    assert BIRTHDAY in names(engine, installation, BERT)
    assert BIRTHDAY not in names(engine, installation, MARA)


def test_a_phone_reads_the_offers_of_its_owner(engine: Yotpo, installation: Installation) -> None:
    assert BIRTHDAY in names(engine, installation, {"phone": "+12165550126"})
    assert BIRTHDAY not in names(engine, installation, {"phone": "+14155550123"})


def test_money_is_in_the_installations_currency(engine: Yotpo, installation: Installation) -> None:
    installation.currency = "EUR"
    assert {offer.currency for offer in catalogue.read(engine, installation, MARA)} == {"EUR"}


def test_each_member_is_asked_for_each_time(
    engine: Yotpo, sandbox: Sandbox, installation: Installation
) -> None:
    for who in (MARA, MARA, BERT):
        names(engine, installation, who)
    assert sandbox.call_counts() == {READ: 3}


def test_a_shared_list_is_read_once_for_everyone(
    engine: Yotpo, sandbox: Sandbox, shared: Installation
) -> None:
    for who in (MARA, MARA, BERT):
        names(engine, shared, who)
    assert sandbox.call_counts() == {READ: 1}


def test_a_shared_list_is_one_installations(
    engine: Yotpo, sandbox: Sandbox, shared: Installation
) -> None:
    names(engine, shared, MARA)
    other = Installation(id="other", name="Other", currency="GBP", offer_policy="shared")
    assert {offer.currency for offer in catalogue.read(engine, other, MARA)} == {"GBP"}
    assert {offer.currency for offer in catalogue.read(engine, shared, MARA)} == {"USD"}
    assert sandbox.call_counts() == {READ: 2}


@pytest.mark.parametrize(("seconds", "calls"), [(59, 1), (61, 2)])
def test_a_shared_list_is_kept_for_a_minute(
    engine: Yotpo,
    sandbox: Sandbox,
    shared: Installation,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    calls: int,
) -> None:
    now = 1_000.0
    monkeypatch.setattr(catalogue_room, "time", SimpleNamespace(monotonic=lambda: now))
    names(engine, shared, MARA)
    now += seconds
    names(engine, shared, MARA)
    assert sandbox.call_counts() == {READ: calls}


def test_a_shared_list_that_could_not_be_read_is_not_kept(
    engine: Yotpo, sandbox: Sandbox, shared: Installation
) -> None:
    sandbox.fault(READ, "html")
    with pytest.raises(Unavailable):
        names(engine, shared, MARA)
    assert "$5 off" in names(engine, shared, MARA)


def test_reading_offers_asks_no_database(
    engine: Yotpo, installation: Installation, django_assert_num_queries
) -> None:
    with django_assert_num_queries(0):
        names(engine, installation, MARA)


# Answers that are no list of options.
SENSELESS = ["html", "empty", "null", "error_inside", "cut"]


@pytest.mark.parametrize("kind", SENSELESS)
def test_an_answer_that_is_no_list_is_an_engine_that_is_away(
    engine: Yotpo, sandbox: Sandbox, installation: Installation, kind: str
) -> None:
    sandbox.fault(READ, kind, times=None)
    with pytest.raises(Unavailable):
        names(engine, installation, MARA)


def test_an_empty_list_is_a_shop_without_offers(
    engine: Yotpo, sandbox: Sandbox, installation: Installation
) -> None:
    sandbox.fault(READ, "list")
    assert names(engine, installation, MARA) == set()
