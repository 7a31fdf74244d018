"""Where a request comes from, as far as that can be believed."""

from django.conf import settings
from django.http import HttpRequest


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
