"""Which addresses can only mean this machine. Imports nothing: settings read it too."""

import ipaddress


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address can only mean this machine."""
    host = (host or "").strip("[]").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
