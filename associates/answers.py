"""How a panel view answers: a part of the page, or a clear word in the alert region."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.defaults import server_error
from django_htmx.http import retarget, trigger_client_event

from access.middleware import bearer_required
from associates.tokens import PageTooOld
from connectors.errors import Misconfigured, OutsideError, Refused, ReplyLost, Throttled
from members.identity import CardNumber, Unreadable
from members.models import Member
from redemptions.errors import (
    ActKeyTaken,
    AnotherUnderWay,
    CannotRedeem,
    CannotUndo,
    OpenCodeExists,
)
from redemptions.models import PendingRedemption

View = Callable[..., HttpResponse]

MISSING = (Member.DoesNotExist, PendingRedemption.DoesNotExist)
MALFORMED = (BadRequest, MultiPartParserError, SuspiciousOperation)
UNREADABLE_FORM = "The panel's message could not be read. Nothing was changed."
EXPECTED = (OutsideError, CannotRedeem, CannotUndo, Unreadable, PageTooOld, *MISSING, *MALFORMED)

# What is wrong -> status, and the words where the error has none of its own for an associate.
# The first that fits counts, so a class stands before its parents.
ANSWERS: tuple[tuple[type[Exception], int, str], ...] = (
    (Throttled, 429, "The loyalty system is busy. Wait a few seconds, then try again."),
    (
        Misconfigured,
        503,
        "The loyalty system does not accept this shop's keys. Tell your manager; "
        "trying again does not help.",
    ),
    (ReplyLost, 503, "The loyalty system's answer was lost. Look the member up before going on."),
    (Refused, 422, "The loyalty system said no."),
    (OutsideError, 503, "The loyalty system can't be reached. Nothing was changed. Try again."),
    (AnotherUnderWay, 409, ""),
    (ActKeyTaken, 409, ""),
    (OpenCodeExists, 409, ""),
    (PageTooOld, 409, ""),
    (CannotUndo, 409, ""),
    (CannotRedeem, 422, ""),
    (Unreadable, 422, ""),
    (Member.DoesNotExist, 404, "This member is not known here. Look them up again."),
    (PendingRedemption.DoesNotExist, 404, "There is no such redemption of this member."),
    (RequestDataTooBig, 413, "That is far too long. Nothing was changed."),
    (BadRequest, 400, UNREADABLE_FORM),
    (MultiPartParserError, 400, UNREADABLE_FORM),
    (SuspiciousOperation, 400, UNREADABLE_FORM),
)


def screen(view: View) -> View:
    """A panel view: behind a bearer, kept by no cache, and every expected error in words."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except EXPECTED as error:
            return explain(request, error)

    return bearer_required(never_cache(wrapped))


def explain(request: HttpRequest, error: Exception) -> HttpResponse:
    status, text = next((s, t) for kind, s, t in ANSWERS if isinstance(error, kind))
    if isinstance(error, Refused) and error.words:
        text = f"The loyalty system said no: {error.words}"
    response = alert(request, text or str(error), status)
    if isinstance(error, CardNumber):
        trigger_client_event(response, "panel:forget")
    return response


def alert(request: HttpRequest, text: str, status: int) -> HttpResponse:
    """Words in the alert region; whatever else is on the screen stays as it is."""
    response = render(request, "associates/alert.html", {"text": text}, status=status)
    response["HX-Reswap"] = "innerHTML show:top"
    return retarget(response, "#alert")


def unexpected(request: HttpRequest) -> HttpResponse:
    """Django's handler500: in words where the panel asked, else a page. The log has the cause."""
    if request.headers.get("HX-Request") != "true":
        return server_error(request)
    return alert(request, "Something went wrong here. Look the member up before going on.", 500)
