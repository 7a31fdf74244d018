"""Where other systems tell us things: `POST /webhooks/<source>/<installation>/<secret>/<event>`.

Whoever does not have the secret learns nothing: an unknown installation, source or secret is
answered alike. Nothing of the path or the body is logged.
"""

import hmac
import json
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from access.buckets import Buckets
from access.keys import WebhookSecret, digest
from connectors.answers import Unreadable
from connectors.strict_json import Malformed
from connectors.yotpo.webhook import (
    CANCELLATION_REQUEST,
    MOST_NAMED,
    REDEMPTION_CREATED,
    Callback,
    Event,
    read_body,
    read_callback,
)
from redemptions.callbacks import coupon_cancelled, coupon_created, index_of
from redemptions.told import ToldCode
from stores.models import Installation
from webhooks.handling import handlers
from webhooks.keeping import Came, keep
from webhooks.models import State

log = structlog.get_logger(__name__)

SOURCES = ("yotpo",)
CREATE, CANCEL = "create_coupon", "cancel_coupon"
INSTALLATION = re.compile(r"[A-Za-z0-9_-]{1,64}")
EVENT = re.compile(r"[A-Za-z0-9._-]{1,64}")
EVENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
KEPT_HEADERS = ("content-type", "user-agent", "eventid", "content-length")
LONGEST_HEADER = 200
NO_SECRET = "0" * 64
UNTOLD = b"[secret]"

buckets = Buckets()


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever showed a live secret. `sha256` are those of all that are live there."""

    installation: Installation
    secret: str = field(repr=False)
    sha256: tuple[str, ...] = field(repr=False)


@csrf_exempt  # no cookie counts: the address holds the secret
@never_cache
@require_POST
def receive(
    request: HttpRequest, source: str, installation: str, secret: str, event: str
) -> HttpResponse:
    """Keep what was told and say so at once; a worker handles it. Answers 200, or

    400 unreadable (kept nevertheless), 404 nobody's, 413 over 256 KiB, 429 too many.
    """
    caller = caller_of(source, installation, secret)
    if caller is None:
        return said(404, "There is nothing here.")
    wait = take(caller.installation)
    if wait > 0:
        refused = said(429, "Too many at once: wait as long as Retry-After says.")
        refused["Retry-After"] = str(math.ceil(wait))
        return refused
    try:
        body = request.body
    except RequestDataTooBig:
        return said(413, "The body is over 256 KiB.")
    except UnreadablePostError:
        return said(400, "The body broke off.")
    event = event if EVENT.fullmatch(event) else ""
    heard = Heard(request, source, caller, event, body)
    return CALLS.get(event, tell)(heard)


def caller_of(source: str, installation_id: str, secret: str) -> Caller | None:
    """Compared in constant time, with as many as may be live, whether or not there are any."""
    may_be_one = source in SOURCES and INSTALLATION.fullmatch(installation_id)
    live = list(WebhookSecret.live_at(installation_id)) if may_be_one else []
    given = digest(secret)
    hashes = [row.sha256 for row in live] + [NO_SECRET] * (2 - len(live))
    fits = [hmac.compare_digest(given, one) for one in hashes]
    if not any(fits) or not live:
        return None
    row = live[fits.index(True)]
    row.note_used()
    return Caller(row.installation, secret, tuple(one.sha256 for one in live))


def take(installation: Installation) -> float:
    """Seconds to wait, or 0. Each web process gives out its share."""
    share = settings.WEB_CONCURRENCY
    rate = settings.WEBHOOK_RATE_PER_SECOND / share
    burst = max(settings.WEBHOOK_BURST // share, 1)
    return buckets.take(installation.pk, time.monotonic(), rate=rate, burst=burst).wait


@dataclass(frozen=True, slots=True)
class Heard:
    """A request of somebody who showed the secret."""

    request: HttpRequest
    source: str
    caller: Caller
    event: str
    body: bytes = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        given = ((name, self.request.headers.get(name, "")) for name in KEPT_HEADERS)
        return {name: clean(text) for name, text in given if text}

    def came(self, state: State, **facts: Any) -> Came:
        return Came(
            installation=self.caller.installation,
            source=self.source,
            event=self.event,
            body=without_secrets(self.body, facts.pop("secrets", ()), self.caller),
            state=state,
            headers=self.headers,
            **facts,
        )

    def read(self) -> Any:
        """Raises Malformed or Unreadable."""
        return read_body(self.body, self.request.headers.get("content-type", ""))


def clean(text: str) -> str:
    return "".join(letter for letter in text[:LONGEST_HEADER] if letter.isprintable())


def without_secrets(body: bytes, secrets: tuple[str, ...], caller: Caller) -> bytes:
    """What a manager may read later must not open this door."""
    for secret in (caller.secret, *(s for s in secrets if is_live(s, caller))):
        body = body.replace(secret.encode(), UNTOLD)
    return body


def is_live(secret: str, caller: Caller) -> bool:
    given = digest(secret)
    # All of them, so that the time does not tell which.
    return sum(hmac.compare_digest(given, one) for one in caller.sha256) > 0


# Events: kept, and handled by a worker


def tell(heard: Heard) -> HttpResponse:
    try:
        told = heard.read()
        event = Event.parse(told, heard.event)
    except (Malformed, Unreadable):
        row = keep(heard.came(State.UNREADABLE))
        return said(400, "The body must be one JSON object in UTF-8.", id=str(row.pk))
    known = event.topic in handlers(heard.source)
    row = keep(
        heard.came(
            State.WAITING if known else State.UNKNOWN_TOPIC,
            topic=event.topic,
            event_id=event_id_of(heard, told),
            order_by=order_of(event),
        )
    )
    return said(200, "", id=str(row.pk))


def event_id_of(heard: Heard, told: Mapping[str, Any]) -> str:
    """The engine's own, by which a repeat is known."""
    given = heard.request.headers.get("eventid") or told.get("eventid") or told.get("event_id")
    text = str(given or "")
    return text if EVENT_ID.fullmatch(text) else ""


def order_of(event: Event) -> str:
    """What is told of one member's codes is handled in the order in which it came."""
    matters = event.topic in (REDEMPTION_CREATED, CANCELLATION_REQUEST) and event.email
    return f"webhook:{index_of(event.email)[:32]}" if matters else ""


# Calls that expect an answer


def create_coupon(heard: Heard) -> HttpResponse:
    """Within the request; our own POST of the redemption is open meanwhile, and nothing waits."""
    return answer(heard, lambda asked: created(coupon_created(asked)))


def cancel_coupon(heard: Heard) -> HttpResponse:
    installation = heard.caller.installation
    return answer(heard, lambda asked: cancelled(coupon_cancelled(asked, installation)))


def answer(heard: Heard, act: Callable[[Callback], dict[str, Any]]) -> HttpResponse:
    try:
        asked = read_callback(heard.read())
    except (Malformed, Unreadable):
        keep(heard.came(State.UNREADABLE))
        return said(400, "The body must be a JSON object or a form.")
    header = heard.request.headers.get("x-api-secret", "")
    shown = [is_live(secret, heard.caller) for secret in (header, *asked.secrets[:10])]
    if not any(shown):
        log.warning("webhook.no_api_secret", installation=heard.caller.installation.pk)
        return said(404, "There is nothing here.")
    if not asked.codes and not asked.ids:
        keep(heard.came(State.UNREADABLE, secrets=asked.secrets))
        return said(422, "Name the coupon: coupon_code, code, codes, id or ids.")
    if max(len(asked.codes), len(asked.ids)) > MOST_NAMED:
        keep(heard.came(State.UNREADABLE, secrets=asked.secrets))
        return said(422, f"Name at most {MOST_NAMED} coupons in one call.")
    told = act(asked)
    keep(heard.came(State.ANSWERED, secrets=asked.secrets, done=heard.event))
    return JsonResponse(told)


CALLS: dict[str, Callable[[Heard], HttpResponse]] = {CREATE: create_coupon, CANCEL: cancel_coupon}


def created(rows: list[ToldCode]) -> dict[str, Any]:
    """The id is what the engine may keep as third_party_id; no name for it is documented."""
    coupons = [{"id": row.pk, "coupon_id": row.pk, "code": row.code} for row in rows]
    first = rows[0] if rows else None
    return {
        "success": True,
        "id": first.pk if first else None,
        "coupon_id": first.pk if first else None,
        "third_party_id": str(first.pk) if first else None,
        "code": first.code if first else None,
        "coupons": coupons,
    }


def cancelled(rows: list[ToldCode]) -> dict[str, Any]:
    done = {str(row.pk): {"success": True, "code": row.code} for row in rows}
    return {"success": True, "message": "Success", "data": done}


def said(status: int, detail: str, **more: Any) -> HttpResponse:
    body = {"status": status, **({"detail": detail} if detail else {}), **more}
    return HttpResponse(json.dumps(body), status=status, content_type="application/json")
