import pytest

from offers.money import read_money, show_money

AMOUNTS = {
    "whole": (1_200, "USD", "$12.00"),
    "with cents": (1_250, "USD", "$12.50"),
    "one digit of cents": (1_205, "USD", "$12.05"),
    "less than one": (5, "USD", "$0.05"),
    "nothing": (0, "USD", "$0.00"),
    "thousands": (123_456_789, "USD", "$1,234,567.89"),
    "pounds": (999, "GBP", "£9.99"),
    "euro": (999, "EUR", "€9.99"),
    "Canada's dollars": (999, "CAD", "CA$9.99"),
    "no smaller unit": (1_500, "JPY", "¥1,500"),
    "no smaller unit and no sign": (1_500, "KRW", "1,500 KRW"),
    "no sign": (999, "SEK", "9.99 SEK"),
}


@pytest.mark.parametrize(("cents", "currency", "shown"), AMOUNTS.values(), ids=AMOUNTS.keys())
def test_money_is_shown_as_people_read_it(cents: int, currency: str, shown: str) -> None:
    assert show_money(cents, currency) == shown


TYPED = {
    "whole": ("12", "USD", 1_200),
    "with cents": ("12.50", "USD", 1_250),
    "one digit of cents": ("12.5", "USD", 1_250),
    "a comma": ("12,50", "EUR", 1_250),
    "a symbol and spaces": (" $ 12.50 ", "USD", 1_250),
    "its own symbol": ("€9.99", "EUR", 999),
    "thousands": ("1,234,567.89", "USD", 123_456_789),
    "thousands apart": ("1 500", "USD", 150_000),
    "no smaller unit": ("1,500", "JPY", 1_500),
}


@pytest.mark.parametrize(("text", "currency", "cents"), TYPED.values(), ids=TYPED.keys())
def test_money_is_read_as_people_type_it(text: str, currency: str, cents: int) -> None:
    assert read_money(text, currency) == cents


NO_MONEY = ["", "-5", "1.234", "12.5.0", "twelve", "1,23,4", "1e3", "٣", "9" * 13]


@pytest.mark.parametrize("text", NO_MONEY)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no amount"):
        read_money(text, "USD")


def test_a_currency_without_a_smaller_unit_has_none() -> None:
    with pytest.raises(ValueError, match="JPY has no smaller unit"):
        read_money("15.5", "JPY")
