"""What went wrong, as a problem that a program can tell apart (RFC 9457).

One table leads from our exceptions to problems. A `type` is a stable name and no address: branch on
it, and show `detail` to a person.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import DisallowedHost, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpResponse, UnreadablePostError
from ninja.errors import AuthenticationError, HttpError, ValidationError

from connectors.errors import (
    Misconfigured,
    NotFound,
    OutsideError,
    Refused,
    ReplyLost,
    Throttled,
)
from members.identity import CardNumber, Unreadable
from members.models import Member
from redemptions.errors import (
    ActKeyTaken,
    AnotherUnderWay,
    CannotRedeem,
    MemberCannotRedeem,
    NoLongerCounts,
    NoSuchOffer,
    OpenCodeElsewhere,
    StillOnSale,
    WrongPoints,
)
from redemptions.models import PendingRedemption
from sales.errors import (
    CannotAttach,
    MoreThanLeft,
    NoSuchSale,
    NotNow,
    NotToBeClaimed,
    OtherContent,
    OtherCurrency,
    SaleWasVoided,
)
from stores.places import Disabled

CONTENT_TYPE = "application/problem+json"
TYPE = "urn:loyalty-panel:problem:"
FieldError = dict[str, str]

# Kind -> status and title. Documented in docs/api.md and in the OpenAPI; tests reach each of them.
KINDS: dict[str, tuple[int, str]] = {
    "malformed-json": (400, "The body is not JSON"),
    "bad-idempotency-key": (400, "The Idempotency-Key is not 1 to 255 printable ASCII characters"),
    "idempotency-key-required": (400, "This call needs an Idempotency-Key"),
    "bad-request": (400, "The request can't be read"),
    "unauthorized": (401, "No valid API key"),
    "no-such-call": (404, "There is no such call"),
    "member-not-found": (404, "There is no such member"),
    "redemption-not-found": (404, "There is no such redemption"),
    "method-not-allowed": (405, "This address has no such method"),
    "still-running": (409, "The first request with this Idempotency-Key still runs"),
    "another-under-way": (409, "Another redemption of this member has not ended"),
    "ends-open-code": (409, "Another code of this member would be ended"),
    "open-code-elsewhere": (409, "A code of another installation is open"),
    "likely-duplicates": (409, "This may be somebody who is a member already"),
    "sale-not-found": (404, "There is no such sale and no such ticket"),
    "other-content": (409, "A sale or refund of this id has other content"),
    "not-to-be-claimed": (409, "This sale is not to be claimed"),
    "sale-under-way": (409, "The loyalty engine is being told of this sale"),
    "no-longer-counts": (409, "The code no longer counts"),
    "already-used": (409, "The code was used in a sale"),
    "not-withdrawn": (409, "The code was not withdrawn at the point of sale"),
    "nothing-to-reverse": (409, "No points were taken"),
    "disputed": (409, "A manager must look at this redemption"),
    "length-required": (411, "The body has no Content-Length"),
    "too-large": (413, "The body is too large"),
    "invalid-fields": (422, "Some fields are not as they must be"),
    "card-number": (422, "That looks like a payment card"),
    "idempotency-key-reused": (422, "The Idempotency-Key belongs to another request"),
    "place-disabled": (422, "The store, till or associate is disabled"),
    "no-such-offer": (422, "This offer can't be had"),
    "wrong-points": (422, "The points don't fit the offer or the balance"),
    "member-cannot-redeem": (422, "This member can't redeem"),
    "engine-said-no": (422, "The loyalty engine said no"),
    "cannot-attach": (422, "A till may not attach this sale"),
    "more-than-left": (422, "More than is left of the sale"),
    "other-currency": (422, "The sale is in another currency"),
    "sale-voided": (422, "The sale was voided"),
    "rate-limited": (429, "Too many requests with this API key"),
    "engine-busy": (429, "The loyalty engine is busy"),
    "internal": (500, "Something went wrong here"),
    "database-unavailable": (503, "The panel's database is busy or can't be reached"),
    "engine-unavailable": (503, "The loyalty engine can't be reached"),
    "engine-misconfigured": (503, "The loyalty engine does not accept our credentials"),
    "reply-lost": (503, "The loyalty engine's answer was lost"),
}


class Problem(Exception):
    """An answer that is no success. `more` are further members of the problem's object."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.status, self.title = KINDS[kind]
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.more = more

    def as_object(self) -> dict[str, Any]:
        told = {
            "type": f"{TYPE}{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        return told | ({"errors": self.errors} if self.errors else {}) | self.more


# Our exception -> kind, and the words where it has none of its own. The first that fits counts, so
# a class stands before its parents.
TABLE: tuple[tuple[type[Exception], str, str], ...] = (
    (Throttled, "engine-busy", "The loyalty engine wants to be left alone. Wait, then try again."),
    (
        Misconfigured,
        "engine-misconfigured",
        "The shop's keys for the loyalty engine are wrong. Trying again does not help.",
    ),
    (
        ReplyLost,
        "reply-lost",
        "It may or may not have been done. Send the same again with the same Idempotency-Key.",
    ),
    (NotFound, "member-not-found", "The loyalty engine knows nobody by this."),
    (Refused, "engine-said-no", "The loyalty engine said no."),
    (OutsideError, "engine-unavailable", "Nothing was changed. Try again."),
    (AnotherUnderWay, "another-under-way", ""),
    (ActKeyTaken, "idempotency-key-reused", "This key made another redemption. Use a new one."),
    (
        OpenCodeElsewhere,
        "open-code-elsewhere",
        "The member has one delayed code at a time, and one of another installation is open. It "
        "must end there; then send this with a new Idempotency-Key.",
    ),
    (StillOnSale, "not-withdrawn", ""),
    (NoSuchOffer, "no-such-offer", "This member can't have this offer in the store."),
    (WrongPoints, "wrong-points", ""),
    (MemberCannotRedeem, "member-cannot-redeem", ""),
    (CannotRedeem, "member-cannot-redeem", ""),
    (NoLongerCounts, "no-longer-counts", ""),
    (CardNumber, "card-number", ""),
    (Unreadable, "invalid-fields", ""),
    (Disabled, "place-disabled", ""),
    (Member.DoesNotExist, "member-not-found", "No member has this id."),
    (PendingRedemption.DoesNotExist, "redemption-not-found", "No redemption here has this id."),
    (OtherContent, "other-content", ""),
    (NotToBeClaimed, "not-to-be-claimed", ""),
    (NotNow, "sale-under-way", ""),
    (CannotAttach, "cannot-attach", ""),
    (MoreThanLeft, "more-than-left", ""),
    (OtherCurrency, "other-currency", ""),
    (SaleWasVoided, "sale-voided", ""),
    (NoSuchSale, "sale-not-found", "No sale and no open ticket here has this id."),
    (AuthenticationError, "unauthorized", "Send Authorization: Bearer <API key> with a live key."),
    (RequestDataTooBig, "too-large", "A body has at most 256 KiB."),
    (UnreadablePostError, "bad-request", "The body broke off."),
    (HttpError, "bad-request", "The request can't be read."),
    (DisallowedHost, "bad-request", "We don't answer to this host name (ALLOWED_HOSTS)."),
    (SuspiciousOperation, "bad-request", "The request can't be read."),
    (Http404, "no-such-call", "See /api/v1/docs for the calls that there are."),
)


def problem_of(error: Exception) -> Problem | None:
    """The problem that an expected exception is; None for one that nobody expected."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return invalid(error)
    if isinstance(error, HttpError) and isinstance(error.__cause__, Problem):
        return error.__cause__  # what our parser says of the body
    for kind_of_error, kind, words in TABLE:
        if isinstance(error, kind_of_error):
            return Problem(kind, words_of(error) or words or str(error), headers=headers_of(error))
    return None


def words_of(error: Exception) -> str:
    """The engine's own words, where it refused with some."""
    if isinstance(error, Refused) and not isinstance(error, NotFound) and error.words:
        return f"The loyalty engine said no: {error.words}"
    return ""


def headers_of(error: Exception) -> dict[str, str]:
    if isinstance(error, Throttled):
        return {"Retry-After": str(max(math.ceil(error.wait), 1))}
    if isinstance(error, AnotherUnderWay | NotNow):
        return {"Retry-After": "1"}
    if isinstance(error, AuthenticationError):
        return {"WWW-Authenticate": 'Bearer realm="loyalty-panel"'}
    return {}


def invalid(error: ValidationError) -> Problem:
    """Which fields, and what is wrong with each; never what was sent in them."""
    errors = [{"field": field_of(one["loc"]), "detail": said_of(one)} for one in error.errors]
    return Problem("invalid-fields", "Correct the fields named in errors.", errors=errors)


def field_of(place: Sequence[str | int]) -> str:
    """("body", "body", "consents", 0, "purpose") -> consents.0.purpose"""
    source, *names = place
    inner = names[1:] if source == "body" else names
    return ".".join(map(str, inner)) or str(source)


def said_of(wrong: Mapping[str, Any]) -> str:
    if wrong["type"] in {"model_type", "model_attributes_type"}:
        return "This must be a JSON object."
    return str(wrong["msg"]).removeprefix("Value error, ")


def wrong_field(field: str, error: Unreadable) -> Problem:
    """A field that has the right shape and can't be read."""
    kind = "card-number" if isinstance(error, CardNumber) else "invalid-fields"
    return Problem(kind, str(error), errors=[{"field": field, "detail": str(error)}])


def respond(problem: Problem) -> HttpResponse:
    content = json.dumps(problem.as_object())
    return HttpResponse(
        content, status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers
    )
