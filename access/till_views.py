"""What a till of level C asks before anybody has a bearer: to be paired, to sign in, to lock."""

from collections.abc import Callable
from functools import wraps

import structlog
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from access import at_till, pairing, pin_sessions, pins, till_cookie
from access.address import network_of
from access.at_till import ask_who, bearer_answer, body_of, told_key
from access.middleware import PanelRequest, bearer_required
from access.models import PinSession
from access.pairing import PairedTill
from access.views import is_own_page
from stores.models import Installation

log = structlog.get_logger(__name__)
View = Callable[[HttpRequest, str], HttpResponse]
ENDS = {"shift_end": PinSession.End.SHIFT_END, "idle": PinSession.End.IDLE}
POLL_SECONDS = 3


def of_own_page(view: View) -> View:
    """Posted by the panel's own page. A cookie is sent by the browser on its own: so no other."""

    @csrf_exempt  # the two headers say it, and a page in a frame has no CSRF cookie
    @never_cache
    @require_POST
    @wraps(view)
    def wrapped(request: HttpRequest, installation: str) -> HttpResponse:
        if not is_own_page(request):
            return refusal(403, "Only the panel's own page may ask for this.")
        return view(request, installation)

    return wrapped


def refusal(status: int, detail: str) -> JsonResponse:
    return JsonResponse({"detail": detail}, status=status)


@of_own_page
def pair(request: HttpRequest, installation: str) -> HttpResponse:
    """A code to show: `{"code", "poll", "expires_in", "poll_seconds"}`; 429 at three that wait."""
    place = Installation.objects.filter(id=installation, is_active=True, pairing=True).first()
    if place is None:
        return refusal(403, at_till.NOT_HERE)
    browser = request.headers.get("User-Agent", "")
    try:
        code, poll = pairing.ask(place, network_of(request), browser)
    except pairing.TooManyRequests as error:
        return refusal(429, str(error))
    log.info("till.pairing_asked", installation=installation)
    lives = int(pairing.CODE_LIVES.total_seconds())
    response = JsonResponse(
        {"code": code, "poll": poll, "expires_in": lives, "poll_seconds": POLL_SECONDS}
    )
    till_cookie.keep(response, request, installation, till_cookie.PROBE, max_age=lives)
    return response


@of_own_page
def pair_poll(request: HttpRequest, installation: str) -> HttpResponse:
    """`{"state": ...}`: `waiting`; `paired`, with the cookie; `storage`, where none is kept;
    `over` whatever else it is."""
    poll = at_till.text(body_of(request), "poll")
    asked = pairing.of_poll(poll, installation)
    if asked is None:
        return JsonResponse({"state": "over"})
    if not till_cookie.read(request, installation):
        pairing.give_up(poll)
        return JsonResponse({"state": "storage"})
    if asked.till is None:
        return JsonResponse({"state": "waiting"})
    response = JsonResponse({"state": "paired"})
    till_cookie.keep(response, request, installation, pairing.key_of(asked, asked.till, poll))
    return response


@of_own_page
def pair_leave(request: HttpRequest, installation: str) -> HttpResponse:
    """The page goes away: another may ask in its place."""
    pairing.give_up(at_till.text(body_of(request), "poll"))
    return HttpResponse(status=204)


@of_own_page
def sign_in(request: HttpRequest, installation: str) -> HttpResponse:
    """`{"associate" or "badge", "pin", "new_pin"?}` -> a bearer, as a launch's.

    After a start PIN 401 with `{"next": "new_pin"}`: sent again with a `new_pin`, it is set.
    401, 422 or 429 with `detail`, and `wait` in seconds where that is needed.
    """
    body = body_of(request)
    paired = paired_here(request, installation)
    if paired is None:
        return at_till.not_paired(request, installation)
    claim = pins.claim_of(
        installation,
        associate=at_till.text(body, "associate"),
        badge=at_till.text(body, "badge"),
    )
    try:
        session = sign_in_as(
            paired, claim, at_till.text(body, "pin"), at_till.text(body, "new_pin")
        )
    except pins.NewPinNeeded:
        return JsonResponse({"next": "new_pin"}, status=401)
    except pins.WeakPin as error:
        return refusal(422, str(error))
    except pins.PinRefused as error:
        said = {"detail": str(error), "wait": error.wait}
        return JsonResponse(said, status=429 if error.wait else 401)
    except pin_sessions.NotPaired:
        return at_till.not_paired(request, installation)
    return bearer_answer(paired, session)


def sign_in_as(paired: PairedTill, claim: pins.Claim, pin: str, new_pin: str) -> PinSession:
    associate = pins.check(paired.till, claim, pin)
    pins.settle_start(paired.till, associate, new_pin)
    with transaction.atomic():
        pins.hold(associate)
        return pin_sessions.start(paired, associate)


@of_own_page
def lock(request: HttpRequest, installation: str) -> HttpResponse:
    """Whoever is signed in here is so no more; the names come back, as from a launch.

    `{"why": "shift_end" | "idle"}`, else it is the lock button. By the till's key, for a bearer may
    be over.
    """
    paired = paired_here(request, installation)
    if paired is None:
        return at_till.not_paired(request, installation)
    why = at_till.text(body_of(request), "why")
    pin_sessions.end(pin_sessions.running(paired), ENDS.get(why, PinSession.End.LOCKED))
    if why == "shift_end":
        paired.forget_last()
    return ask_who(paired)


def paired_here(request: HttpRequest, installation: str) -> PairedTill | None:
    key, _ = told_key(request, installation)
    return pairing.paired_of(key, installation) if key else None


@never_cache
@require_POST
@bearer_required
def active(request: PanelRequest) -> HttpResponse:
    """Somebody is at the screen, though nothing else is asked of us: the middleware notes it."""
    return HttpResponse(status=204)
