"""How a panel view answers: a part of the page, or a clear word in the alert region."""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.views.defaults import server_error
from django_htmx.http import retarget, trigger_client_event

from access.look_ups import TooManyLookUps
from access.middleware import PanelRequest, bearer_required
from associates.tokens import PageTooOld
from audit.record import By, Where, Who
from connectors.errors import Misconfigured, OutsideError, Refused, ReplyLost, Throttled
from members.identity import CardNumber, Unreadable
from members.models import Member
from redemptions.errors import (
    ActKeyTaken,
    AnotherUnderWay,
    CannotExtend,
    CannotRedeem,
    CannotUndo,
    EndsOpenCode,
    NoLongerCounts,
    OpenCodeElsewhere,
    OpenCodeExists,
    PriceChanged,
    StillOnSale,
)
from redemptions.models import PendingRedemption
from sales.models import Sale

View = Callable[..., HttpResponse]

MISSING = (Member.DoesNotExist, PendingRedemption.DoesNotExist, Sale.DoesNotExist)
MALFORMED = (BadRequest, MultiPartParserError, SuspiciousOperation)
UNREADABLE_FORM = "The panel's message could not be read. Nothing was changed."
EXPECTED = (
    OutsideError,
    CannotRedeem,
    CannotUndo,
    CannotExtend,
    NoLongerCounts,
    TooManyLookUps,
    Unreadable,
    PageTooOld,
    *MISSING,
    *MALFORMED,
)

# The button beside the words: press the same again, or see how things stand now.
AGAIN, LOOK_UP, NO_WAY = "again", "look_up", ""

# What is wrong -> status, the words where the error has none of its own for an associate, and the
# way out. The first that fits counts, so a class stands before its parents.
ANSWERS: tuple[tuple[type[Exception], int, str, str], ...] = (
    (Throttled, 429, "The loyalty system is busy. {wait}, then try again.", AGAIN),
    (
        Misconfigured,
        503,
        "The loyalty system does not accept this shop's keys. Tell your manager; "
        "trying again does not help.",
        NO_WAY,
    ),
    (
        ReplyLost,
        503,
        "The loyalty system's answer was lost. Look the member up before going on.",
        LOOK_UP,
    ),
    (Refused, 422, "The loyalty system said no.", NO_WAY),
    (
        OutsideError,
        503,
        "The loyalty system can't be reached. Nothing was changed. Try again.",
        AGAIN,
    ),
    (AnotherUnderWay, 409, "", LOOK_UP),
    (ActKeyTaken, 409, "", LOOK_UP),
    (OpenCodeExists, 409, "", LOOK_UP),
    (EndsOpenCode, 409, "", LOOK_UP),
    (OpenCodeElsewhere, 409, "", LOOK_UP),
    (StillOnSale, 409, "", LOOK_UP),
    (PriceChanged, 409, "", LOOK_UP),
    (PageTooOld, 409, "", LOOK_UP),
    (CannotUndo, 409, "", LOOK_UP),
    (CannotExtend, 409, "", LOOK_UP),
    (NoLongerCounts, 409, "", LOOK_UP),
    (CannotRedeem, 422, "", LOOK_UP),
    (
        TooManyLookUps,
        429,
        "More customers were looked up here within this hour than this shop allows. Ask a manager, "
        "who sees it in the admin under Look-ups.",
        NO_WAY,
    ),
    (Unreadable, 422, "", NO_WAY),
    (Member.DoesNotExist, 404, "This member is not known here. Look them up again.", LOOK_UP),
    (
        PendingRedemption.DoesNotExist,
        404,
        "There is no such redemption of this member.",
        LOOK_UP,
    ),
    (Sale.DoesNotExist, 404, "There is no such sale here. Find it by its number.", NO_WAY),
    (RequestDataTooBig, 413, "That is far too long. Nothing was changed.", NO_WAY),
    (BadRequest, 400, UNREADABLE_FORM, NO_WAY),
    (MultiPartParserError, 400, UNREADABLE_FORM, NO_WAY),
    (SuspiciousOperation, 400, UNREADABLE_FORM, NO_WAY),
)


def screen(view: View) -> View:
    """A panel view: behind a bearer, kept by no cache, and every expected error in words."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except EXPECTED as error:
            response = explain(request, error)
        response["Cache-Control"] = "no-store"
        return response

    return bearer_required(wrapped)


def by(request: PanelRequest) -> By:
    """The person at this till, for the trail."""
    return By(Who.associate(request.associate), Where.at(till=request.till))


def explain(request: HttpRequest, error: Exception) -> HttpResponse:
    status, text, way = next((s, t, w) for kind, s, t, w in ANSWERS if isinstance(error, kind))
    wait = 0
    if isinstance(error, Throttled):
        wait = math.ceil(error.wait)
        text = text.format(wait=wait_words(wait))
    if isinstance(error, Refused) and error.words:
        text = f"The loyalty system said no: {error.words}"
    response = alert(request, text or str(error), status, way=way, wait=wait)
    if isinstance(error, CardNumber):
        trigger_client_event(response, "panel:forget")
    return response


def wait_words(seconds: int) -> str:
    """How long the engine asked us to leave it alone; a second is not worth counting."""
    return f"Wait {seconds} seconds" if seconds > 1 else "Wait a moment"


def alert(
    request: HttpRequest, text: str, status: int, *, way: str = NO_WAY, wait: int = 0
) -> HttpResponse:
    """Words and a way out in the alert region; what else is on the screen stays as it is."""
    context = {"text": text, "way": way, "wait": wait}
    response = render(request, "associates/alert.html", context, status=status)
    response["HX-Reswap"] = "innerHTML show:top"
    return retarget(response, "#alert")


def unexpected(request: HttpRequest) -> HttpResponse:
    """In words where the panel asked, else a page. The log has the cause."""
    if request.headers.get("HX-Request") != "true":
        return server_error(request)
    words = "Something went wrong here. Look the member up before going on."
    return alert(request, words, 500, way=LOOK_UP)
