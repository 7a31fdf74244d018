"""The associate's screen: look up, redeem, undo. Each view answers one part of the page."""

import json
import re
import uuid

import structlog
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from access import heartland, till_cookie
from access.launching import LaunchRefused
from access.look_ups import meter
from access.middleware import PanelRequest
from access.views import open_by_post
from associates.answers import alert, by, screen
from associates.asking import ask_again, render_dialog
from associates.coupons import coupon_context, mark_of, refusal
from associates.member_screen import look_up, refresh, show_member
from associates.tokens import PageTooOld, read_act, read_shown
from connectors.errors import NotFound, Throttled, Unavailable
from members.engine import engine
from members.identity import Phone, read_identity
from members.models import Member
from redemptions import actions, life
from redemptions.delayed import Agreed
from redemptions.errors import EndsOpenCode, OpenCodeExists, PriceChanged, WrongPoints
from redemptions.models import PendingRedemption
from redemptions.settling import see_to
from redemptions.states import State
from redemptions.withdrawal import OpenSale, Withdrawal
from stores.models import POS_ID, Installation

log = structlog.get_logger(__name__)

# No balance has more digits, and a database column has no room for more.
MOST_POINTS = 1_000_000_000
# Thousands may stand apart: 1,500. But 1,5 is one and a half in half of the world.
WHOLE_NUMBER = re.compile(r"[0-9]{1,15}|[0-9]{1,3}([,\s][0-9]{3}){1,4}")


@csrf_exempt  # a POS posts a signed token: no cookie is read
@never_cache
@require_http_methods(["GET", "POST"])
def shell(request: PanelRequest, installation: str) -> HttpResponse:
    """The page itself: anonymous and empty until it has launched.

    A POS that can only post a form into the frame sends `token`; the page then holds a code, good
    once and for 30 seconds.
    """
    found = get_object_or_404(Installation, id=installation, is_active=True)
    request.installation = found
    context = {
        "installation": installation,
        "origins": json.dumps(found.origins),
        "paired": till_cookie.is_kept(request, installation),
        "is_heartland": found.pos == Installation.Pos.HEARTLAND,
    }
    try:
        context["sale"] = heartland.ticket_of(request.GET, found)
        if request.method == "POST":
            context["code"] = open_by_post(request, found)
    except LaunchRefused as refused:
        log.warning("launch.refused", why=refused.why, installation=installation)
        context["refused"] = str(refused)
        return render(request, "associates/panel.html", context, status=refused.status)
    return render(request, "associates/panel.html", context)


@screen
@require_GET
def session(request: PanelRequest) -> HttpResponse:
    """Which store, till and person this panel serves."""
    return render(request, "associates/session.html")


@screen
@require_POST
def lookup(request: PanelRequest) -> HttpResponse:
    identity = read_identity(request.POST.get("query", ""), request.till.store.phone_region)
    meter.count(request.till, request.associate)
    try:
        found = look_up(request, identity)
    except NotFound:
        context = {"by_phone": isinstance(identity, Phone), "query": request.POST["query"]}
        return render(request, "associates/not_found.html", context, status=404)
    return show_member(request, found)


@screen
@require_GET
def member(request: PanelRequest, member_id: uuid.UUID) -> HttpResponse:
    """The member's figures as they are now, each part put where it stands on the page."""
    row = Member.objects.get(id=member_id)
    try:
        found = refresh(request, row)
    except (Unavailable, Throttled):
        return stale(request, row)
    if not found.member.live:
        return stale(request, row)
    return show_member(request, found, in_place=True)


def stale(request: PanelRequest, row: Member) -> HttpResponse:
    """What the screen shows is newer than what we know, but it follows a redemption or an undo.

    It asks again by itself.
    """
    context = {"member_id": row.id}
    return render(request, "associates/member.html#stale", context, status=503)


@screen
@require_POST
def ask(request: PanelRequest, member_id: uuid.UUID) -> HttpResponse:
    """The dialog that asks before points are spent. The act's key is minted with it."""
    shown = read_shown(request.POST.get("shown", ""))
    if shown.member_id != member_id:
        raise PageTooOld
    offer = shown.offer(request.POST.get("offer", ""))
    return render_dialog(request, shown, offer)


@screen
@require_POST
def redeem(request: PanelRequest) -> HttpResponse:
    """Spend the points. The same act gives the same coupon, however often it is sent."""
    token = read_act(request.POST.get("act", ""), max_age=None)
    if token.associate_id != request.associate.id:
        raise PageTooOld
    act = actions.Act(
        key=token.key,
        installation=request.installation,
        till=request.till,
        associate=request.associate,
        ticket=read_ticket(request),
        ends=read_agreed(request),
    )
    if act.earlier() is None:
        # A repeat may come late; a new act may not.
        read_act(request.POST["act"])
    try:
        redemption = actions.redeem(
            engine=engine(),
            act=act,
            member=Member.objects.get(id=token.member_id),
            offer_id=token.offer_id,
            points=read_points(request.POST.get("points")),
            price=token.price or None,
            another=request.POST.get("another") == "1",
            by=by(request),
        )
    except (EndsOpenCode, OpenCodeExists, PriceChanged, WrongPoints) as error:
        return ask_again(request, token, error)
    return show_coupon(request, redemption, fresh=True)


def read_ticket(request: PanelRequest) -> str:
    """The POS's id of the sale beside the panel, or nothing. Raises BadRequest for what is none."""
    ticket = request.POST.get("sale", "")
    try:
        if ticket:
            POS_ID(ticket)
    except ValidationError:
        raise BadRequest from None
    return ticket


def read_agreed(request: PanelRequest) -> Agreed | None:
    """Which open code the dialog said that this ends. Raises BadRequest for what is no id."""
    given = request.POST.get("ends", "")
    if not given:
        return None
    try:
        return Agreed(uuid.UUID(given), read_withdrawal(request))
    except ValueError:
        raise BadRequest from None


def read_withdrawal(request: PanelRequest) -> Withdrawal:
    """Whether the till answered over the bridge that it took the code off the sale beside it.

    Where people sign in by PIN there is no such till to answer. Raises BadRequest for a ticket that
    is none.
    """
    took_it_off = request.POST.get("withdrawn") == "1" and request.bearer.pin_session_id is None
    return Withdrawal(took_it_off, OpenSale(request.till, read_ticket(request)))


def read_points(text: str | None) -> int | None:
    """Whole points as people write them. Raises WrongPoints."""
    if text is None:
        return None
    if not WHOLE_NUMBER.fullmatch(text.strip()):
        raise WrongPoints("Type how many points to spend: a whole number, 1 or more.")
    return min(int("".join(text.split()).replace(",", "")), MOST_POINTS)


@screen
@require_GET
def coupon(request: PanelRequest, redemption_id: uuid.UUID) -> HttpResponse:
    return show_coupon(request, find(request, redemption_id, request.GET.get("member", "")))


@screen
@require_GET
def news(request: PanelRequest, redemption_id: uuid.UUID) -> HttpResponse:
    """The card asks every few seconds: nothing (204) while it stands as the page shows it (`mark`).

    Else the card anew, such as for a code that the engine or the shopper ended meanwhile.
    """
    redemption = find(request, redemption_id, request.GET.get("member", ""))
    if mark_of(redemption) == request.GET.get("mark"):
        return HttpResponse(status=204)
    return show_coupon(request, redemption)


@screen
@require_POST
def check(request: PanelRequest, redemption_id: uuid.UUID) -> HttpResponse:
    """The waiting screen asks what came of it, and so helps to settle it."""
    redemption = find(request, redemption_id, request.POST.get("member", ""))
    return show_coupon(request, see_to(engine(), redemption), fresh=True)


@screen
@require_POST
def extend(request: PanelRequest, redemption_id: uuid.UUID) -> HttpResponse:
    """Keep the code longer, once."""
    redemption = find(request, redemption_id, request.POST.get("member", ""))
    life.extend(redemption, by=by(request))
    return show_coupon(request, redemption)


def find(request: PanelRequest, redemption_id: uuid.UUID, member_id: str) -> PendingRedemption:
    """Only with the member whom the screen shows: an id alone opens nobody's code."""
    try:
        return actions.find(request.installation, redemption_id, uuid.UUID(member_id))
    except ValueError:
        raise PendingRedemption.DoesNotExist from None


def show_coupon(
    request: PanelRequest,
    redemption: PendingRedemption,
    *,
    undo_refused: str = "",
    ask_manager: bool = False,
    fresh: bool = False,
) -> HttpResponse:
    """`ask_manager`: what was refused can be done with a manager's PIN. `fresh`: it was asked for
    just now, so its code goes on the sale without another tap.
    """
    if redemption.state == State.REFUSED:
        text, status = refusal(redemption)
        response = alert(request, text, status)
    else:
        context = coupon_context(redemption)
        context |= {"undo_refused": undo_refused, "ask_manager": ask_manager, "fresh": fresh}
        status = 409 if undo_refused else 200
        response = render(request, "associates/coupon.html", context, status=status)
    # The dialog has done its work, whatever came of it.
    return trigger_client_event(response, "panel:answered")
