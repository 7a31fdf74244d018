"""What a refund would do to a member's points, before anything happens. Nothing is written."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from access.look_ups import meter
from access.middleware import PanelRequest
from associates.answers import screen
from associates.finding import find_here
from associates.sale import items_of
from associates.templatetags.panel import points
from connectors.errors import NotFound, Throttled, Unavailable
from members.engine import engine
from offers.money import read_money, show_money
from sales.errors import MoreThanLeft, SaleWasVoided
from sales.models import Sale
from sales.preview import preview

NO_AMOUNT = "Type how much is refunded, such as 12.50, or pick what is brought back."
AWAY = "The loyalty system can't be reached, so nobody can say now. Nothing was changed."
BUSY = "The loyalty system is busy, so nobody can say now. Wait a moment, and press it again."
FORGOTTEN = "The loyalty system does not know this member any more: no points would move."


class NoAmount(Exception):
    """`str()` tells the associate what to type."""


@dataclass(frozen=True, slots=True)
class Asked:
    cents: int
    items: tuple[dict[str, Any], ...]


@screen
@require_POST
def show(request: PanelRequest, sale_id: int) -> HttpResponse:
    """A part of the sale's dialog."""
    sale = find_here(request, sale_id)
    meter.count(request.till, request.associate)
    try:
        asked = read_asked(request, sale)
        told = preview(engine(), sale, asked.cents, asked.items)
    except NoAmount as error:
        return refuse(request, str(error), 422)
    except MoreThanLeft:
        left = show_money(sale.left_cents, sale.currency)
        return refuse(request, f"Of this sale {left} is left to refund: no more than that.", 422)
    except SaleWasVoided:
        return refuse(request, "This sale was voided: nothing of it is left to refund.", 409)
    except NotFound:
        return refuse(request, FORGOTTEN, 404)
    except Throttled:
        return refuse(request, BUSY, 429)
    except Unavailable:
        return refuse(request, AWAY, 503)
    context = {
        "told": told,
        "amount": show_money(asked.cents, sale.currency),
        "balance": balance_words(told.balance_after),
    }
    return render(request, "associates/refund_preview.html", context)


def balance_words(balance: int | None) -> str:
    """Nothing where nobody can say."""
    if balance is None:
        return ""
    return f"{points(-balance)} below zero" if balance < 0 else points(balance)


def refuse(request: PanelRequest, text: str, status: int) -> HttpResponse:
    context = {"wrong": text}
    return render(request, "associates/refund_preview.html", context, status=status)


def read_asked(request: PanelRequest, sale: Sale) -> Asked:
    """The amount that was typed; else what was picked comes to, at most what is left."""
    picked = tuple(picked_items(request, sale))
    typed = request.POST.get("amount", "").strip()
    if typed:
        try:
            cents = read_money(typed, sale.currency)
        except ValueError:
            raise NoAmount(NO_AMOUNT) from None
    else:
        cents = min(
            sum(item["quantity"] * item["unit_price_cents"] for item in picked), sale.left_cents
        )
    if not cents:
        raise NoAmount(NO_AMOUNT)
    return Asked(cents, picked)


def picked_items(request: PanelRequest, sale: Sale) -> list[dict[str, Any]]:
    picked = []
    for item in items_of(sale):
        typed = request.POST.get(f"item-{item['place']}", "")
        pieces = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 3 else 0
        if 0 < pieces < len(item["choices"]):
            picked.append(sale.items[item["place"]] | {"quantity": pieces})
    return picked
