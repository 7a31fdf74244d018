"""What the POS's page tells over the bridge of the sale beside the panel, and of a code on it."""

import uuid

from django.core.exceptions import BadRequest
from django.http import HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from access import pin_sessions
from access.middleware import PanelRequest
from access.models import Bearer, PinSession
from associates.answers import by, screen
from associates.views import find, read_ticket, show_coupon
from audit.record import By, Where, Who
from redemptions import life, tickets
from redemptions.tickets import Event, Ticket

LONGEST_CODE = 255
TOO_LATE = "{why} The till put it on the sale nevertheless: take it off there."


@screen
@require_POST
def tell(request: PanelRequest) -> HttpResponse:
    """An event of the bridge: which of this store's redemptions it changed.

    Fields: `event` (its word), `sale`, and `coupons` as often as there are codes, or `untold=1`
    where the till did not say which.
    """
    try:
        event = Event(request.POST.get("event", ""))
    except ValueError:
        raise BadRequest from None
    ticket = Ticket(request.till.store, read_ticket(request), read_codes(request))
    changed = [] if has_no_pos(request) else tickets.hear(event, ticket, told_by(request))
    return JsonResponse({"changed": [str(redemption.id) for redemption in changed]})


def told_by(request: PanelRequest) -> By:
    """Who did it; nobody in person where the page says `late=1`: somebody else was here then."""
    if request.POST.get("late") == "1":
        return By(Who.machine("The till, heard late"), Where.at(till=request.till))
    return by(request)


def read_codes(request: PanelRequest) -> list[str] | None:
    """Without NUL, which no code has and no column of PostgreSQL takes."""
    if request.POST.get("untold") == "1":
        return None
    told = request.POST.getlist("coupons")
    return [code[:LONGEST_CODE] for code in told if "\0" not in code]


def has_no_pos(request: PanelRequest) -> bool:
    """Where people sign in by PIN no page of a POS vouches for what its bridge would tell."""
    return request.bearer.pin_session_id is not None


@screen
@require_POST
def applied(request: PanelRequest, redemption_id: uuid.UUID) -> HttpResponse:
    """The till put the code on the sale."""
    redemption = find(request, redemption_id, request.POST.get("member", ""))
    if tickets.applied(redemption, read_ticket(request), told_by(request)):
        return show_coupon(request, redemption)
    why = life.why_not(redemption)
    return show_coupon(request, redemption, undo_refused=TOO_LATE.format(why=why))


@screen
@require_POST
def keep(request: PanelRequest, redemption_id: uuid.UUID) -> HttpResponse:
    """It was taken off the sale by mistake."""
    redemption = find(request, redemption_id, request.POST.get("member", ""))
    tickets.keep(redemption, by(request))
    return show_coupon(request, redemption)


@screen
@require_POST
def lock(request: PanelRequest) -> HttpResponse:
    """Nobody acts at this till any more before it is launched again."""
    Bearer.revoke_at(request.till)
    if request.bearer.pin_session_id:
        mine = PinSession.objects.filter(pk=request.bearer.pin_session_id)
        pin_sessions.end(mine, PinSession.End.LOCKED)
    return HttpResponse(status=204)
