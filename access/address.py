"""Where a request comes from, as far as that can be believed."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest

# What one line is given as a rule (RFC 6177): whoever has it has all of its addresses.
IPV6_NETWORK = 64


def address_of(request: HttpRequest) -> str:
    """The client's IP address: the peer's, or what the proxies in front of us say it was.

    Each proxy puts whom it saw at the end of X-Forwarded-For, so of TRUSTED_PROXIES of them the
    entry that many from the end is true; whatever stands before it, anybody can write.
    """
    peer = str(request.META.get("REMOTE_ADDR") or "")
    if not settings.TRUSTED_PROXIES:
        return peer
    told = [one.strip() for one in request.headers.get("X-Forwarded-For", "").split(",")]
    if len(told) < settings.TRUSTED_PROXIES:
        return peer
    return told[-settings.TRUSTED_PROXIES][:64] or peer


def network_of(request: HttpRequest) -> str:
    """What tries are counted by: the address, of IPv6 its network of 64 bits."""
    address = address_of(request)
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 4:
        return address
    if known.ipv4_mapped:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known.packed, IPV6_NETWORK), strict=False))
