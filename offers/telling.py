"""The engine tells how many codes of a pool are left."""

from connectors.yotpo.webhook import Event
from offers.models import LONGEST_ID
from offers.pools import told_low
from stores.models import Installation

LONGEST_NAME = 255
MOST_CODES = 2**31 - 1


def stock_told(event: Event, _installation: Installation) -> str:
    """swell/redemption_code/below_threshold. What was done, as a word."""
    codes, option_id = event.unused_codes, event.option_id
    if option_id is None or codes is None:
        return "names_no_stock"
    if not (1 <= option_id <= LONGEST_ID and 0 <= codes <= MOST_CODES):
        return "names_no_stock"
    name = (event.option_name or "")[:LONGEST_NAME]
    return "stock_noted" if told_low(option_id, codes, event.at, name) else "told_late"
