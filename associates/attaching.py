"""A sale that named no member is added to the one who stands here, within what the shop allows."""

from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import dateformat
from django.views.decorators.http import require_POST

from access.look_ups import meter
from access.middleware import PanelRequest
from associates.answers import by, screen
from associates.finding import find_here, read_member
from members.models import Member
from offers.money import show_money
from sales.claims import WITHOUT_MEMBER, attach, sales_of, why_not_to_be_claimed
from sales.errors import CannotClaim
from sales.models import Sale
from stores.places import Place

# Whoever has more finds them by their numbers.
MOST_OFFERED = 5


def place_of(request: PanelRequest) -> Place:
    return Place(request.till.store, request.till, request.associate)


def offered(request: PanelRequest, member: Member) -> list[dict[str, str]]:
    """Sales that named the member's email before they were one."""
    found = sales_of(member, place_of(request), request.installation)
    zone = ZoneInfo(request.installation.time_zone)
    return [
        {
            "number": sale.pos_id,
            "total": show_money(sale.total_cents, sale.currency),
            "when": dateformat.format(sale.completed_at.astimezone(zone), "j M Y, H:i"),
        }
        for sale in found[:MOST_OFFERED]
    ]


def words_for(sale: Sale, member: Member | None) -> dict[str, Any]:
    """What the sale's dialog says of adding it: that it may be, or why not."""
    if member is None:
        return {"may_add": False, "why_not_add": ""}
    if sale.member_id == member.pk:
        return {"may_add": False, "why_not_add": "This sale is this member's already."}
    may_add = sale.not_delivered in WITHOUT_MEMBER and sale.voided_at is None
    return {"may_add": may_add, "why_not_add": "" if may_add else why_not_to_be_claimed(sale)}


@screen
@require_POST
def add(request: PanelRequest, sale_id: int) -> HttpResponse:
    """It becomes this member's, once, and the engine is told. It is counted as a look-up is."""
    meter.count(request.till, request.associate)
    sale = find_here(request, sale_id)
    member = read_member(request.POST.get("member", ""))
    if member is None:
        raise Member.DoesNotExist
    try:
        attach(sale, member, place_of(request), by(request))
    except CannotClaim as error:
        context = {"sale": sale, "refused": str(error)}
        return render(request, "associates/added.html", context, status=409)
    return render(request, "associates/added.html", {"sale": sale})
