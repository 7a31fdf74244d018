"""The dialog that asks before points are spent, and asks again where what it said is not so."""

from dataclasses import replace
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render

from access.middleware import PanelRequest
from associates.answers import explain
from associates.tokens import ActToken, PageTooOld, Shown, mint_act, read_shown, sign_shown
from offers.catalogue import Kind, Offer
from offers.money import show_money
from redemptions.delayed import is_delayed, is_elsewhere, open_code, why_it_stays
from redemptions.errors import (
    EndsOpenCode,
    OpenCodeElsewhere,
    OpenCodeExists,
    PriceChanged,
    WrongPoints,
)
from redemptions.life import is_withdrawn
from redemptions.models import PendingRedemption
from redemptions.states import State
from redemptions.withdrawal import OpenSale, Withdrawal

# As long as the field lets them be.
LONGEST_POINTS = 12


def render_dialog(
    request: PanelRequest,
    shown: Shown,
    offer: Offer,
    *,
    act: str = "",
    wrong: str = "",
    changed: str = "",
    status: int = 200,
) -> HttpResponse:
    """`act` where the same act goes on, else a new one; `wrong` is about the points typed."""
    cents = offer.worth_cents(offer.points)
    open_code, older = open_codes(request, shown.member_id, offer)
    delayed = is_delayed(request.installation, offer)
    available = shown.available + (shown.freed if delayed else 0)
    context = {
        "shown": sign_shown(replace(shown, offers=(offer,))),
        "act": act or mint_act(request.associate.id, shown.member_id, offer.id, offer.points),
        "offer": offer,
        "available": available,
        "left": available - offer.points,
        "variable": offer.kind is Kind.VARIABLE,
        "cents": cents,
        "worth": show_money(cents, offer.currency) if cents else "",
        "open_code": open_code,
        "older": older,
        "older_on_sale": older is not None and not is_withdrawn(older),
        "older_elsewhere": older is not None and is_elsewhere(older, request.installation),
        "stays": why_not_ended(request, older) if older else "",
        "delayed": delayed,
        "typed": request.POST.get("points", "")[:LONGEST_POINTS] if wrong else "",
        "wrong": wrong,
        "changed": changed,
    }
    return render(request, "associates/ask.html", context, status=status)


def open_codes(
    request: PanelRequest, member_id: UUID, offer: Offer
) -> tuple[PendingRedemption | None, PendingRedemption | None]:
    """The one for this offer and sale, and the delayed one that this offer's would end. One read.

    Where both are one it is the second only: it can't be had beside another.
    """
    same = Q(offer_id=offer.id, ticket=request.POST.get("sale", ""))
    ends = Q(delayed=True) if is_delayed(request.installation, offer) else Q(pk=None)
    issued = PendingRedemption.objects.filter(member_id=member_id, state=State.ISSUED)
    rows = list(issued.filter(same | ends).order_by("-requested_at"))
    older = open_code(rows) if is_delayed(request.installation, offer) else None
    others = (row for row in rows if row is not older)
    return next((row for row in others if row.offer_id == offer.id), None), older


def why_not_ended(request: PanelRequest, older: PendingRedemption) -> str:
    """Why this till can't end that code for another one; empty where it can."""
    if is_elsewhere(older, request.installation):
        return str(OpenCodeElsewhere())
    here = Withdrawal(sale=OpenSale(request.till, request.POST.get("sale", "")))
    may_end = is_withdrawn(older) or here.reaches(older)
    return "" if may_end and older.claimed_used_at is None else why_it_stays(older, here)


def ask_again(
    request: PanelRequest,
    act: ActToken,
    error: EndsOpenCode | OpenCodeExists | PriceChanged | WrongPoints,
) -> HttpResponse:
    """In the dialog's place where we know what it showed; else the error in words."""
    if isinstance(error, PriceChanged):
        shown = Shown(act.member_id, error.available, (error.offer,))
        return render_dialog(request, shown, error.offer, changed=str(error), status=409)
    try:
        shown, offer = read_dialog(request, act)
    except PageTooOld:
        return explain(request, error)
    if isinstance(error, EndsOpenCode | OpenCodeExists):
        # Made since the dialog opened, in another tab or at another till.
        return render_dialog(request, shown, offer, status=409)
    if offer.kind is not Kind.VARIABLE or error.available == 0:
        # Typing another number would not help.
        return explain(request, error)
    if error.available is not None:
        shown = replace(shown, available=error.available, freed=0)
    same = request.POST["act"]
    return render_dialog(request, shown, offer, act=same, wrong=str(error), status=422)


def read_dialog(request: PanelRequest, act: ActToken) -> tuple[Shown, Offer]:
    """What the act's dialog showed. Raises PageTooOld."""
    shown = read_shown(request.POST.get("shown", ""))
    if shown.member_id != act.member_id:
        raise PageTooOld
    return shown, shown.offer(str(act.offer_id))
