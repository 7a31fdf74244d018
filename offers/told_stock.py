"""The engine's word of how many codes a pool has left: its low-stock webhook."""

from connectors.yotpo.webhook import Event
from offers import pools
from offers.models import LONGEST_ID
from stores.models import Installation

LONGEST_NAME = 255
# More than any column holds.
TOO_MANY = 2**31


def told_low(event: Event, _installation: Installation) -> str:
    """swell/redemption_code/below_threshold. What was done, as a word."""
    option, unused = event.option_id, event.unused_codes
    if option is None or unused is None:
        return "names_no_stock"
    if not (1 <= option <= LONGEST_ID and 0 <= unused < TOO_MANY):
        return "names_no_stock"
    name = (event.option_name or "")[:LONGEST_NAME]
    return "stock_noted" if pools.told_low(option, unused, event.at, name) else "old_news"
