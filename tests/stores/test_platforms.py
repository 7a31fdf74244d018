"""What an order says of its status, by the platform of the merchant's account."""

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client

from stores.models import Installation
from stores.platforms import PLATFORMS, Platform, WrongPattern, WrongStatus, matches
from tests.stores.test_policies import FORM

PAGE = "/admin/stores/installation/"

# platform, status, the account's expression, what is sent
GOOD: list[tuple[str, str, str, str | None]] = [
    (Platform.SHOPIFY, "", "", None),
    (Platform.SHOPIFY_PLUS, "", "", None),
    (Platform.BIGCOMMERCE, "", "", "completed"),
    (Platform.BIGCOMMERCE, "awaitingfulfillment", "", "awaitingfulfillment"),
    (Platform.BIGCOMMERCE, "awaitingshipment", "", "awaitingshipment"),
    (Platform.BIGCOMMERCE, "awaitingpickup", "", "awaitingpickup"),
    (Platform.BIGCOMMERCE, "partiallyshipped", "", "partiallyshipped"),
    (Platform.BIGCOMMERCE, "shipped", "", "shipped"),
    (Platform.ADOBE_COMMERCE, "", "", "complete"),
    (Platform.ADOBE_COMMERCE, "processing", "^(processing|complete)$", "processing"),
    (Platform.SALESFORCE, "", "", "0"),
    (Platform.SALESFORCE, "3", "", "3"),
    (Platform.SALESFORCE, "4", "", "4"),
    (Platform.SALESFORCE, "5", "", "5"),
    (Platform.CUSTOM, "", "", "paid"),
    (Platform.CUSTOM, "", "paid|shipped", "paid"),
    (Platform.CUSTOM, "SHIPPED", "(?i)shipped", "SHIPPED"),
]
# platform, status, expression, what is wrong, a word of what is said
BAD: list[tuple[str, str, str, type[ValueError], str]] = [
    (Platform.SHOPIFY, "paid", "", WrongStatus, "leave it empty"),
    (Platform.SHOPIFY_PLUS, "", "paid", WrongPattern, "leave it empty"),
    (Platform.BIGCOMMERCE, "paid", "", WrongStatus, "awaitingpickup"),
    (Platform.BIGCOMMERCE, "shipped", "shipped", WrongPattern, "leave it empty"),
    (Platform.SALESFORCE, "COMPLETED", "", WrongStatus, "5 .COMPLETED"),
    (Platform.ADOBE_COMMERCE, "paid", "^complete$", WrongStatus, "does not match"),
    (Platform.CUSTOM, "", "^complete$", WrongStatus, "'paid' does not match"),
    (Platform.CUSTOM, "paid", "(paid", WrongPattern, "not complete"),
    (Platform.CUSTOM, "paid", "(?=paid)", WrongPattern, "look-around"),
    (Platform.CUSTOM, "paid", r"(p)\1", WrongPattern, "back references"),
    (Platform.CUSTOM, "paid", r"(\w{100}){1000}", WrongPattern, "too large"),
    (Platform.CUSTOM, "paid", "p" * 501, WrongPattern, "at most 500"),
]


@pytest.mark.parametrize(("platform", "status", "pattern", "sent"), GOOD)
def test_a_status_that_the_account_counts(
    platform: str, status: str, pattern: str, sent: str | None
) -> None:
    PLATFORMS[platform].check(status, pattern)
    assert PLATFORMS[platform].sent(status) == sent


@pytest.mark.parametrize(("platform", "status", "pattern", "error", "said"), BAD)
def test_a_status_that_no_order_would_count_with(
    platform: str, status: str, pattern: str, error: type[ValueError], said: str
) -> None:
    with pytest.raises(error, match=said):
        PLATFORMS[platform].check(status, pattern)


def test_every_platform_has_its_words_for_the_form() -> None:
    assert set(PLATFORMS) == set(Platform.values)
    assert all(statuses.help for statuses in PLATFORMS.values())


def test_no_expression_keeps_us_busy() -> None:
    """Python's own engine would take years for each of these."""
    began = time.process_time()
    for pattern in ("(a+)+$", "(a|a)*$", "(a?){60}a{60}$", "(.*)*x"):
        matches(pattern, "a" * 63 + "b")
    assert time.process_time() - began < 5


# An installation


@pytest.mark.django_db
@pytest.mark.database
def test_one_of_before_says_paid(installation: Installation) -> None:
    kept = Installation.objects.get()
    assert (kept.platform, kept.status_sent, kept.ignore_ip_ua) == ("custom", "paid", True)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("facts", "wrong"),
    [
        ({"platform": "shopify", "order_status": "paid"}, "order_status"),
        ({"order_status_pattern": "("}, "order_status_pattern"),
        ({"platform": "none of these"}, "platform"),
        ({"order_status": "p\xe4id"}, "order_status"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(facts: dict[str, str], wrong: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Installation(id="shop", name="A shop", **facts).full_clean()
    assert set(caught.value.message_dict) == {wrong}


@pytest.fixture
def client(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    return client


# what is typed in, what is warned of or nothing
DOUBTS: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"delayed_deduction": "on"}, "nobody has checked"),
    ({"delayed_deduction": "on", "order_status_pattern": "^paid$"}, ""),
    ({"delayed_deduction": "on", "platform": "bigcommerce"}, ""),
]


@pytest.mark.parametrize(("typed", "warned"), DOUBTS)
def test_a_status_that_nobody_checked_is_warned_of_where_discounts_hang_on_it(
    client: Client, typed: dict[str, Any], warned: str
) -> None:
    answer = client.post(f"{PAGE}add/", {**FORM, "ignore_ip_ua": "on", **typed}, follow=True)
    said = [str(message) for message in answer.context["messages"]]
    assert Installation.objects.exists()
    assert any("nobody has checked" in one for one in said) is bool(warned)


def test_a_status_that_does_not_match_is_not_saved(client: Client) -> None:
    typed = {"order_status": "paid", "order_status_pattern": "^complete$"}
    answer = client.post(f"{PAGE}add/", {**FORM, **typed})
    assert "does not match" in answer.content.decode()
    assert not Installation.objects.exists()


def test_the_form_says_what_to_give_for_each_platform(client: Client) -> None:
    page = client.get(f"{PAGE}add/").content.decode()
    assert all(str(Platform(name).label) in page for name in PLATFORMS)
    assert "5 for COMPLETED" in page
