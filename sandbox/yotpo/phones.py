"""Phone numbers as the engine takes them: E.164, or a national number with its country."""

from __future__ import annotations

import re

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# ISO 3166 country -> dialling code, trunk prefix that is left out. Enough for a stand-in.
COUNTRIES = {
    "US": ("1", "1"),
    "CA": ("1", "1"),
    "GB": ("44", "0"),
    "IE": ("353", "0"),
    "DE": ("49", "0"),
    "FR": ("33", "0"),
    "AU": ("61", "0"),
    "JP": ("81", "0"),
}


def as_e164(text: str, country_iso_code: str | None) -> str | None:
    """E.164, or None if it can't be made. The country is ignored for a full E.164 number."""
    if E164.fullmatch(text):
        return text
    if country_iso_code is None or country_iso_code.upper() not in COUNTRIES:
        return None
    code, trunk = COUNTRIES[country_iso_code.upper()]
    number = f"+{code}{re.sub(r'[^0-9]', '', text).removeprefix(trunk)}"
    return number if E164.fullmatch(number) else None
