"""One sale, by the number on its receipt: where its order stands, and why it brought its points."""

from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import dateformat
from django.views.decorators.http import require_GET, require_POST

from access.look_ups import meter
from access.middleware import PanelRequest
from associates.answers import screen
from associates.attaching import offered, words_for
from associates.finding import read_member, sale_of
from associates.history import Reading, lines, read
from associates.records import records_of_nobodys
from members.masking import mask_email
from members.models import Member
from offers.money import show_money
from sales.claims import WITHOUT_MEMBER
from sales.models import Sale
from sales.record import codes_by_now
from sales.why import changes
from sales.why_words import of_code, of_order
from stores.models import POS_ID

NO_NUMBER = "Type the number of the sale, as it stands on the receipt."
NOT_THERE = (
    "No sale of this number was reported here. Compare it with the receipt. A sale that was made "
    "just now may take a minute."
)


@screen
@require_GET
def find(request: PanelRequest) -> HttpResponse:
    """The dialog that asks for the number; `member`: the one whom the sale is to be added to."""
    return ask_number(request, read_member(request.GET.get("member", "")))


def ask_number(
    request: PanelRequest,
    member: Member | None,
    *,
    number: str = "",
    wrong: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "member": member,
        "offered": offered(request, member) if member else [],
        "number": number,
        "wrong": wrong,
    }
    return render(request, "associates/find_sale.html", context, status=status)


@screen
@require_POST
def show(request: PanelRequest) -> HttpResponse:
    """The sale's dialog. It is counted as a look-up is: it tells of a member's points."""
    number = request.POST.get("number", "").strip()
    member = read_member(request.POST.get("member", ""))
    try:
        POS_ID(number)
    except ValidationError:
        return ask_number(request, member, number=number, wrong=NO_NUMBER, status=422)
    meter.count(request.till, request.associate)
    sale = sale_of(request.installation, number)
    if sale is None:
        return ask_number(request, member, number=number, wrong=NOT_THERE, status=404)
    return render(request, "associates/sale.html", context_of(request, sale, member))


def context_of(request: PanelRequest, sale: Sale, member: Member | None) -> dict[str, Any]:
    reading = reading_of(sale)
    return {
        "sale": sale,
        "total": show_money(sale.total_cents, sale.currency),
        "left": show_money(sale.left_cents, sale.currency) if may_refund(sale) else "",
        "items": items_of(sale) if may_refund(sale) else [],
        "where": where_and_when(sale),
        "whose": mask_email(sale.member.email) if sale.member else "",
        "nobodys": sale.not_delivered in WITHOUT_MEMBER,
        "order": of_order(sale),
        "codes": [of_code(told) for told in codes_by_now(sale)],
        "member": member,
        "trouble": reading.trouble,
        "rows": lines(reading.changes, request.installation),
        "zone": request.installation.time_zone,
        **words_for(sale, member),
    }


def reading_of(sale: Sale) -> Reading:
    if sale.member is None:
        return Reading(changes(records_of_nobodys(sale), None), None, "", cut_off=False)
    whole = read(sale.member, most=None)
    mine = [change for change in whole.changes if change.sale and change.sale.pk == sale.pk]
    return Reading(mine, whole.customer, whole.trouble, cut_off=False)


def where_and_when(sale: Sale) -> str:
    at = sale.completed_at.astimezone(ZoneInfo(sale.installation.time_zone))
    place = sale.till or sale.store
    parts = [dateformat.format(at, "j M Y, H:i"), place, sale.associate]
    return " · ".join(str(part) for part in parts if part)


def may_refund(sale: Sale) -> bool:
    return sale.voided_at is None and sale.left_cents > 0


def items_of(sale: Sale) -> list[dict[str, Any]]:
    """What can be brought back, whole pieces of it. `place` is where it stands in the sale."""
    return [
        {
            "place": place,
            "name": item.get("name") or item["sku"],
            "price": show_money(item["unit_price_cents"], sale.currency),
            "choices": range(int(item["quantity"]) + 1),
        }
        for place, item in enumerate(sale.items[:MOST_ITEMS])
        if 1 <= item["quantity"] <= MOST_PIECES and item["unit_price_cents"] >= 0
    ]


# Beyond these the amount is quicker typed than picked.
MOST_ITEMS, MOST_PIECES = 20, 20
