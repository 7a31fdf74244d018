"""Money is whole cents with an ISO 4217 currency; this is how people read it, and type it."""

import re

SYMBOLS = {"USD": "$", "CAD": "CA$", "AUD": "A$", "GBP": "£", "EUR": "€", "JPY": "¥"}
# Currencies without a smaller unit: their "cents" are whole units (ISO 4217).
NO_MINOR_UNIT = {"JPY", "KRW", "VND", "CLP", "ISK"}


def show_money(cents: int, currency: str) -> str:
    """1250, USD -> $12.50; an unknown currency stands behind the number."""
    whole = currency in NO_MINOR_UNIT
    amount = f"{cents:,}" if whole else f"{cents // 100:,}.{cents % 100:02d}"
    symbol = SYMBOLS.get(currency)
    return f"{symbol}{amount}" if symbol else f"{amount} {currency}"


# Thousands may stand apart, by commas or spaces; one or two digits after a comma or dot are cents.
AMOUNT = re.compile(r"(\d{1,3}(?:[, ]\d{3})+|\d{1,12})(?:[.,](\d{1,2}))?", re.ASCII)


def read_money(text: str, currency: str) -> int:
    """12.50 or 12,50 -> 1250, in USD; a symbol before it may stand. Raises ValueError."""
    typed = AMOUNT.fullmatch(text.strip().removeprefix(SYMBOLS.get(currency, "$")).strip())
    if typed is None:
        raise ValueError("That is no amount of money.")
    units = int(re.sub(r"\D", "", typed[1]))
    if currency not in NO_MINOR_UNIT:
        return units * 100 + int((typed[2] or "").ljust(2, "0"))
    if typed[2]:
        raise ValueError(f"{currency} has no smaller unit.")
    return units
