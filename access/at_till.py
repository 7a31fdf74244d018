"""Level C: a POS that can only open an address. The till is known by pairing, the person by PIN."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from access import pairing, pin_sessions, pins, till_cookie
from access.launching import LaunchRefused, read_body
from access.models import LIFE, Bearer, PinSession
from access.pairing import PairedTill
from stores.models import Associate, Installation

NOT_HERE = "This panel must be opened by the point of sale."


def launch(request: HttpRequest, installation: str) -> JsonResponse:
    """A bearer where somebody is signed in at this paired till, else what the panel shall show.

    401 with `next`: `pair` (this device is no till yet), `people` (whose PIN), or `storage` is
    told by the pairing itself. 403 where tills of this installation are not paired.
    """
    if not Installation.objects.filter(id=installation, is_active=True, pairing=True).exists():
        return JsonResponse({"detail": NOT_HERE}, status=403)
    key, by_address = told_key(request, installation)
    paired = pairing.paired_of(key, installation) if key else None
    if paired is None:
        return not_paired(request, installation)
    session = session_of(paired)
    response = bearer_answer(paired, session) if session else ask_who(paired)
    if by_address:
        # Exchanged: where the browser keeps cookies, a reload needs the address no more.
        till_cookie.keep(response, request, installation, key)
    return response


def body_of(request: HttpRequest) -> dict[str, Any]:
    """The fields that were sent; none where that is no JSON object."""
    try:
        return read_body(request.body)
    except LaunchRefused:
        return {}


def text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    return value[:300] if isinstance(value, str) else ""


def told_key(request: HttpRequest, installation: str) -> tuple[str, bool]:
    """The till's key, and whether it came from the fragment of the till's address."""
    told = text(body_of(request), "till")
    return (told, True) if told else (till_cookie.read(request, installation), False)


def not_paired(request: HttpRequest, installation: str) -> JsonResponse:
    response = JsonResponse({"next": "pair"}, status=401)
    if till_cookie.is_kept(request, installation):
        till_cookie.forget(response, request, installation)
    return response


def session_of(paired: PairedTill) -> PinSession | None:
    """Who is signed in; one that is over by itself is written down as ended."""
    session = pin_sessions.running(paired).select_related("associate").first()
    if session is None:
        return None
    why = session.over_because(timezone.now())
    if why:
        pin_sessions.end(pin_sessions.running(paired), why)
    if why or not session.associate.is_active:
        return None
    session.paired = paired
    return session


def bearer_answer(paired: PairedTill, session: PinSession) -> JsonResponse:
    """It outlives neither the session nor the twelve hours: it is judged by them, too."""
    return JsonResponse(
        {
            "bearer": Bearer.issue(paired.till, session.associate, pin_session=session),
            "expires_in": int(LIFE.total_seconds()),
            "idle_seconds": settings.IDLE_LOCK_SECONDS,
        }
    )


def ask_who(paired: PairedTill, **more: Any) -> JsonResponse:
    """The names of who may sign in here. They are told to a paired till alone."""
    installation_id = paired.till.store.installation_id
    people = list(pins.people_of(installation_id))
    return JsonResponse(
        {
            "next": "people",
            "till": str(paired.till),
            "pin_digits": settings.PIN_DIGITS,
            "people": [
                {"id": str(person.pk), "name": name}
                for person, name in zip(people, short(people), strict=True)
            ],
            "last": str(paired.last_associate_id or ""),
            **more,
        },
        status=401,
    )


def short(people: list[Associate]) -> list[str]:
    """As much of each name as tells it from the others: Ana P., and whole where two are alike."""
    cut = [shortened(person.name) for person in people]
    return [
        name if cut.count(name) == 1 else person.name
        for person, name in zip(people, cut, strict=True)
    ]


def shortened(name: str) -> str:
    """Ana Pardo -> Ana P."""
    first, *others = name.split() or [name]
    return f"{first} {others[-1][0]}." if others else first
