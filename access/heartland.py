"""Heartland Retail opens its extension by an address, and signs nothing of what stands in it.

`ticket_id customer_id account_uuid subdomain pos_url` (seen in a vendor's demo, never documented)
are hints. The ticket's id says beside which sale the panel stands; the others name the account, and
are compared with what the installation knows. No address is built from any of them.
"""

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.http import QueryDict

from access.launching import LaunchRefused
from stores.models import POS_ID, Installation
from stores.origins import normal_origin

OF_ANOTHER = (
    "This address names another Heartland account than the one that the panel is set up for. A "
    "manager finds its pages under Installations, Origins."
)


def ticket_of(told: QueryDict, installation: Installation) -> str:
    """The id of the sale beside the panel; empty where none is told, or none that could be one.

    Raises LaunchRefused where the address names another account than this installation's.
    """
    if installation.pos != Installation.Pos.HEARTLAND:
        return ""
    if not is_of_account(told, installation):
        raise LaunchRefused("account", OF_ANOTHER, 403)
    ticket = told.get("ticket_id", "")
    try:
        POS_ID(ticket)
    except ValidationError:
        return ""
    return ticket


def is_of_account(told: QueryDict, installation: Installation) -> bool:
    """What isn't told is no contradiction: a frame may be opened by its bare address."""
    pos_url, subdomain = told.get("pos_url", ""), told.get("subdomain", "")
    accounts = {
        (urlsplit(origin).hostname or "").partition(".")[0] for origin in installation.origins
    }
    is_page = not pos_url or origin_of(pos_url) in installation.origins
    return is_page and (not subdomain or subdomain.strip().lower() in accounts)


def origin_of(address: str) -> str:
    """Empty for what has none."""
    try:
        parts = urlsplit(address)
        return normal_origin(f"{parts.scheme}://{parts.netloc}")
    except (ValueError, ValidationError):
        return ""
