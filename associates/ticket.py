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
from redemptions import life, tickets
from redemptions.states import State
from redemptions.tickets import Event, Ticket

LONGEST_CODE = 255
TOO_LATE = "{why} The till put it on the sale nevertheless: take it off there."


@screen
@require_POST
def tell(request: PanelRequest) -> HttpResponse:
    """An event of the bridge: which of this store's redemptions it changed.

    Fields: `event` (its word), `sale`, and `coupons` as often as there are codes.
    """
    try:
        event = Event(request.POST.get("event", ""))
    except ValueError:
        raise BadRequest from None
    codes = [code[:LONGEST_CODE] for code in request.POST.getlist("coupons")]
    ticket = Ticket(request.till.store, read_ticket(request), codes)
    changed = tickets.hear(event, ticket, by(request))
    return JsonResponse({"changed": [str(redemption.id) for redemption in changed]})


@screen
@require_POST
def applied(request: PanelRequest, redemption_id: uuid.UUID) -> HttpResponse:
    """The till put the code on the sale."""
    redemption = find(request, redemption_id, request.POST.get("member", ""))
    if tickets.applied(redemption, read_ticket(request), by(request)):
        return show_coupon(request, redemption)
    why = life.WHY_NOT.get(State(redemption.state), "It was never made.")
    return show_coupon(request, redemption, undo_refused=TOO_LATE.format(why=why))


@screen
@require_POST
def keep(request: PanelRequest, redemption_id: uuid.UUID) -> HttpResponse:
    """It was taken off the sale by mistake."""
    redemption = find(request, redemption_id, request.POST.get("member", ""))
    life.keep(redemption)
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
