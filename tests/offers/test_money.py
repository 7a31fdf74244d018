import pytest

from offers.money import show_money

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
