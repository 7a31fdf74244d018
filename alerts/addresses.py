"""Where a webhook may lead: the open internet over https, and nowhere inside."""

import ipaddress
import secrets
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError

from connectors.wire import look_up

ADDRESS = ipaddress.IPv4Address | ipaddress.IPv6Address
MOST_TRIED = 3
NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Of a network's own translator; not every Python's `is_global` knows it.
LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")


class NotAllowed(Exception):
    """The address leads where no webhook may go. The text says why, without the address."""


def new_secret() -> str:
    """256 bits, for HMAC-SHA256."""
    return secrets.token_urlsafe(32)


def check_url(url: str) -> None:
    """For a form: what can be seen without asking anybody. Raises ValidationError."""
    try:
        parts_of(url)
    except NotAllowed as error:
        raise ValidationError({"url": str(error)}) from None


def parts_of(url: str) -> SplitResult:
    """Raises NotAllowed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotAllowed("That is no web address.") from None
    if not parts.hostname or port == 0 or not url.isascii() or any(c <= " " for c in url):
        raise NotAllowed("That is no web address: copy it as the receiver's page gives it.")
    if parts.username is not None or parts.password is not None:
        raise NotAllowed("Leave the user name and password out of the address.")
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.ALERT_LOOPBACK):
        raise NotAllowed("The address must begin with https://")
    check_literal(parts.hostname)
    return parts


def check_literal(host: str) -> None:
    """A host that is an IP address already."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    check_address(address)


def addresses_of(host: str, port: int, seconds: float) -> list[str]:
    """What the name stands for now. All of it must be allowed; connect to one of these only.

    Three at most are given: to try them takes time.

    Asked at each sending, and connected to as it was checked: a name that changes in between
    (DNS rebinding) changes nothing. Raises NotAllowed, or OSError where the name is unknown or
    nobody answers within `seconds`.
    """
    found = look_up(host, port, seconds)
    addresses = list(dict.fromkeys(str(place[4][0]) for place in found))
    if not addresses:
        raise OSError("no address")
    for address in addresses:
        check_address(ipaddress.ip_address(address.partition("%")[0]))
    return addresses[:MOST_TRIED]


def check_address(address: ADDRESS) -> None:
    """Raises NotAllowed for one of a private network, this machine, or no single host."""
    real = inner(address)
    if real.is_loopback and settings.ALERT_LOOPBACK:
        return
    own = isinstance(real, ipaddress.IPv6Address) and (real.is_site_local or real in LOCAL_NAT64)
    if not real.is_global or real.is_multicast or real.is_reserved or own:
        raise NotAllowed("The address leads into a private network or to this machine.")


def inner(address: ADDRESS) -> ADDRESS:
    """The IPv4 address that an IPv6 one carries, where it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        teredo = address.teredo
        return (
            address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address
        )
    return address
