"""Money is whole cents with an ISO 4217 currency; this is how people read it."""

SYMBOLS = {"USD": "$", "CAD": "CA$", "AUD": "A$", "GBP": "£", "EUR": "€", "JPY": "¥"}
# Currencies without a smaller unit: their "cents" are whole units (ISO 4217).
NO_MINOR_UNIT = {"JPY", "KRW", "VND", "CLP", "ISK"}


def show_money(cents: int, currency: str) -> str:
    """1250, USD -> $12.50; an unknown currency stands behind the number."""
    whole = currency in NO_MINOR_UNIT
    amount = f"{cents:,}" if whole else f"{cents // 100:,}.{cents % 100:02d}"
    symbol = SYMBOLS.get(currency)
    return f"{symbol}{amount}" if symbol else f"{amount} {currency}"
