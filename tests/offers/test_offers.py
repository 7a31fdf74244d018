"""Which of the engine's options a till can give, what they are worth, in which order they stand."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.yotpo.payloads import Option
from offers.catalogue import Kind, Offer, offer_of, offers_of, rank

FIXED = Option(
    1, "$5 off", points=500, discount_type="generic_fixed_amount", type="Coupon", value_cents=500
)
VARIABLE = Option(
    2, "Points for dollars", discount_type="generic_variable", cents_per_point=Decimal("0.5")
)
CUSTOM = Option(3, "Tote bag", points=300, discount_type="custom", type="Coupon")


def offer(option: Option) -> Offer:
    made = offer_of(option, "USD")
    assert made is not None
    return made


GIVEN = {
    "fixed": (FIXED, Kind.FIXED),
    "variable": (VARIABLE, Kind.VARIABLE),
    "custom": (CUSTOM, Kind.CUSTOM),
    "in capitals": (replace(FIXED, discount_type="Generic_Fixed_Amount"), Kind.FIXED),
    "saying nothing of its type": (replace(CUSTOM, type=None), Kind.CUSTOM),
    "a coupon by a longer name": (replace(CUSTOM, type="Custom Coupon"), Kind.CUSTOM),
    "variable at less than a cent a point": (
        replace(VARIABLE, cents_per_point=Decimal("0.001")),
        Kind.VARIABLE,
    ),
}
NOT_GIVEN = {
    "a platform's amount": replace(FIXED, discount_type="fixed_amount"),
    "a percentage": replace(FIXED, discount_type="percentage"),
    "shipping": replace(FIXED, discount_type="shipping"),
    "a free product": replace(CUSTOM, discount_type="product", type="Product"),
    "an unknown kind": replace(FIXED, discount_type="generic_tomorrow"),
    "no kind": replace(FIXED, discount_type=None),
    "a custom reward": replace(CUSTOM, type="Reward"),
    "without a price": replace(FIXED, points=None),
    "for nothing": replace(FIXED, points=0),
    "for less than nothing": replace(FIXED, points=-1),
    "variable without a rate": replace(VARIABLE, cents_per_point=None),
    "variable at a rate of 0": replace(VARIABLE, cents_per_point=Decimal(0)),
    "variable at a negative rate": replace(VARIABLE, cents_per_point=Decimal(-1)),
}


@pytest.mark.parametrize(("option", "kind"), GIVEN.values(), ids=GIVEN.keys())
def test_options_with_a_code_that_a_till_takes_are_offers(option: Option, kind: Kind) -> None:
    assert offer(option).kind is kind


@pytest.mark.parametrize("option", NOT_GIVEN.values(), ids=NOT_GIVEN.keys())
def test_other_options_are_not_shown(option: Option) -> None:
    assert offer_of(option, "USD") is None


def test_one_odd_option_does_not_hide_the_others() -> None:
    options = [NOT_GIVEN["an unknown kind"], FIXED, NOT_GIVEN["no kind"], CUSTOM]
    assert [made.id for made in offers_of(options, "USD")] == [FIXED.id, CUSTOM.id]


def test_a_fixed_offer_costs_its_price_and_is_worth_its_value() -> None:
    made = offer(FIXED)
    assert (made.points, made.value_cents, made.cents_per_point) == (500, 500, None)
    assert (made.currency, made.description) == ("USD", "")


def test_a_variable_offer_has_no_price_of_its_own() -> None:
    made = offer(replace(VARIABLE, points=700, value_cents=700))
    assert (made.points, made.value_cents, made.fewest_points) == (0, None, 1)


@pytest.mark.parametrize(
    ("option", "available", "short_by"),
    [
        (FIXED, 500, 0),
        (FIXED, 501, 0),
        (FIXED, 499, 1),
        (FIXED, 0, 500),
        (VARIABLE, 1, 0),
        (VARIABLE, 0, 1),
    ],
    ids=["exact", "more", "one less", "none", "variable: one", "variable: none"],
)
def test_how_many_points_are_missing(option: Option, available: int, short_by: int) -> None:
    assert offer(option).short_by(available) == short_by


@pytest.mark.parametrize(
    ("rate", "points", "cents"),
    [
        ("0.5", 3, 1),
        ("0.5", 4, 2),
        ("1", 640, 640),
        ("0.001", 999, 0),
        ("0.1", 3, 0),
        ("2.5", 3, 7),
    ],
)
def test_points_are_worth_whole_cents_rounded_down(rate: str, points: int, cents: int) -> None:
    made = offer(replace(VARIABLE, cents_per_point=Decimal(rate)))
    assert made.worth_cents(points) == cents


@given(st.decimals("0.0001", "1000", places=4), st.integers(0, 10**9))
def test_points_are_never_worth_more_than_their_rate(rate: Decimal, points: int) -> None:
    cents = offer(replace(VARIABLE, cents_per_point=rate)).worth_cents(points)
    assert cents is not None
    assert cents <= rate * points < cents + 1


@pytest.mark.parametrize("value_cents", [500, None])
def test_a_fixed_offer_is_worth_the_same_for_any_points(value_cents: int | None) -> None:
    assert offer(replace(FIXED, value_cents=value_cents)).worth_cents(9_999) == value_cents


def shop() -> list[Offer]:
    """Prices of 300, 500, 950 and 2,200 points, and one at choice."""
    prices = {"Tote": 300, "Five": 500, "Ten": 950, "Twenty-five": 2_200}
    fixed = [
        replace(offer(FIXED), id=place, name=name, points=points)
        for place, (name, points) in enumerate(prices.items())
    ]
    return [offer(VARIABLE), *fixed]


@pytest.mark.parametrize(
    ("available", "names"),
    [
        (640, ["Five", "Tote", "Points for dollars", "Ten", "Twenty-five"]),
        (9_999, ["Twenty-five", "Ten", "Five", "Tote", "Points for dollars"]),
        (0, ["Points for dollars", "Tote", "Five", "Ten", "Twenty-five"]),
    ],
    ids=["some in reach", "all in reach", "none in reach"],
)
def test_the_dearest_in_reach_stands_first_then_the_nearest(
    available: int, names: list[str]
) -> None:
    assert [made.name for made in rank(shop(), available)] == names


def test_of_the_same_price_the_name_decides() -> None:
    same = [replace(offer(FIXED), name=name) for name in ("Scarf", "Beanie", "Mug")]
    assert [made.name for made in rank(same, 500)] == ["Beanie", "Mug", "Scarf"]
