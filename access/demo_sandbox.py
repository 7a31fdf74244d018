"""Lets the demo's sandbox tell the panel things, as the engine would: its webhooks' address."""

import json
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from django.conf import settings

from access.demo_till import make_room
from access.keys import WebhookSecret
from stores.loopback import is_loopback
from stores.models import Installation

LABEL = "demo sandbox"
ANSWER_SECONDS = 10


def listen_to(sandbox: str, installation: Installation) -> None:
    """A new secret at each start, told to the sandbox at that loopback URL and kept by nobody else.

    Raises ValueError for a sandbox elsewhere, OSError where it does not answer.
    """
    if not is_loopback(urlsplit(sandbox).hostname):
        raise ValueError("A sandbox stands on this machine: its URL must be a loopback address.")
    make_room(WebhookSecret, installation, LABEL)
    secret = WebhookSecret.issue(installation, LABEL)
    base = f"{settings.PUBLIC_URL}/webhooks/yotpo/{installation.id}/{secret}"
    told = {
        "webhook": f"{base}/all",
        "create_coupon": f"{base}/create_coupon",
        "cancel_coupon": f"{base}/cancel_coupon",
        "secret": secret,
    }
    request = Request(  # noqa: S310 - loopback, as checked
        f"{sandbox.rstrip('/')}/_sandbox/addresses",
        json.dumps(told).encode(),
        {"Content-Type": "application/json"},
        method="PUT",
    )
    build_opener(ProxyHandler({})).open(request, timeout=ANSWER_SECONDS).close()
