"""Why a member has these points: the engine's history beside our records, in plain words."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models.functions import Now
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import dateformat
from django.views.decorators.http import require_GET

from access.look_ups import meter
from access.middleware import PanelRequest
from associates.answers import screen
from associates.records import records_of
from connectors.errors import NotFound, Unavailable
from connectors.yotpo.payloads import Customer, HistoryItem
from members.engine import engine
from members.lookup import expiring_of
from members.models import Member
from redemptions.evidence import Sight, plain, skew_of
from sales.why import Change, changes
from stores.models import Installation

# More rows than these nobody reads at a till; of these the first are shown at once.
MOST = 200
AT_ONCE = 20

AWAY = (
    "The loyalty system can't be reached. These are our own records: what was done online is "
    "missing, and so are the points of sales."
)
UNREADABLE = (
    "The loyalty system's list can't be read. These are our own records: what was done online is "
    "missing, and so are the points of sales."
)
NOT_SENT = (
    "The loyalty system sent no list. These are our own records: what was done online is missing, "
    "and so are the points of sales."
)
FORGOTTEN = "The loyalty system does not know this person any more. These are our own records."


@dataclass(frozen=True, slots=True)
class Reading:
    """A member's points explained. `trouble` says what of the engine's side is missing, and why."""

    changes: Sequence[Change]
    customer: Customer | None
    trouble: str
    cut_off: bool
    """There are older ones."""


def read(member: Member, most: int | None = MOST) -> Reading:
    """One call of the engine. Raises Throttled and Misconfigured of connectors.errors."""
    customer, trouble = read_customer(member)
    if customer is None:
        return Reading(changes(records_of(member, None), None)[:most], None, trouble, False)
    rows = newest(customer.history or (), most)
    sight = Sight(replace(customer, history=rows), skew_of(customer, database_time(member)))
    cut_off = len(rows) < len(customer.history or ())
    since = rows[-1].created_at if cut_off else None
    since = since - sight.skew if since else None
    found = changes(records_of(member, since), sight)
    return Reading(found, customer, trouble, cut_off)


def read_customer(member: Member) -> tuple[Customer | None, str]:
    """With the history, or what is wrong."""
    try:
        customer = engine().customer(email=member.email, with_history=True)
    except NotFound:
        return None, FORGOTTEN
    except Unavailable as error:
        return None, UNREADABLE if error.reason == "unreadable" else AWAY
    return (customer, NOT_SENT) if customer.history is None else (customer, "")


def newest(history: Sequence[HistoryItem], most: int | None) -> tuple[HistoryItem, ...]:
    """The engine promises no order."""
    return tuple(sorted(history, key=day_and_time, reverse=True)[:most])


def day_and_time(row: HistoryItem) -> tuple[str, str]:
    day = row.created_at.date() if row.created_at else row.on
    at = row.created_at.isoformat() if row.created_at else ""
    return (day.isoformat() if day else "", at)


def database_time(member: Member) -> datetime:
    """Our records are dated by the database's clock."""
    now: datetime = Member.objects.filter(pk=member.pk).values_list(Now(), flat=True).get()
    return now


@screen
@require_GET
def points_history(request: PanelRequest, member_id: uuid.UUID) -> HttpResponse:
    """The dialog. It is counted as a look-up is."""
    member = Member.objects.get(id=member_id)
    meter.count(request.till, request.associate)
    reading = read(member)
    shown = lines(reading.changes, request.installation)
    context = {
        "member_id": member_id,
        "trouble": reading.trouble,
        "balance": None if reading.customer is None else reading.customer.points_balance,
        "expiring": reading.customer and expiring_of(reading.customer),
        "first": shown[:AT_ONCE],
        "older": shown[AT_ONCE:],
        "cut_off": reading.cut_off,
        "zone": request.installation.time_zone,
    }
    return render(request, "associates/history.html", context)


def lines(found: Iterable[Change], installation: Installation) -> list[dict[str, Any]]:
    """As plain texts, in the time zone of the installation's stores."""
    zone = ZoneInfo(installation.time_zone)
    return [line(change, installation, zone) for change in found]


def line(change: Change, installation: Installation, zone: ZoneInfo) -> dict[str, Any]:
    sale = change.sale
    is_here = sale is not None and sale.installation_id == installation.pk
    return {
        "what": change.what,
        "rule": "" if plain(change.rule) in plain(change.what) else change.rule,
        "known": change.known,
        "points": signed(change.points),
        "when": when(change, zone),
        "sale": sale.pos_id if sale is not None and is_here else "",
    }


def signed(points: int | None) -> str:
    if points is None:
        return ""
    return f"{points:+,}".replace("-", "\N{MINUS SIGN}") if points else "0"


def when(change: Change, zone: ZoneInfo) -> str:
    if change.at is not None:
        return dateformat.format(change.at.astimezone(zone), "j M Y, H:i")
    return dateformat.format(change.on, "j M Y") if change.on else ""
