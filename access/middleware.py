"""Lets a panel request through only with a bearer that is good at this installation."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from access.models import Bearer
from access.pin_sessions import active
from stores.models import Associate, Installation, Till

View = Callable[..., HttpResponse]
# The page sends it with what somebody did there, and not with what it asks of its own accord: a
# poll keeps nobody signed in.
BY_PERSON = "X-By-Person"


class PanelRequest(HttpRequest):
    """What a view behind `bearer_required` is given."""

    id: str
    htmx: Any
    bearer: Bearer
    installation: Installation
    till: Till
    associate: Associate


def bearer_required(view: View) -> View:
    """Mark a panel view: the middleware answers 401 to whoever has none.

    A bearer is sent by our script alone, never by the browser on its own: no CSRF.
    """

    @csrf_exempt
    @wraps(view)
    def wrapped(request: HttpRequest, installation: str, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(request, *args, **kwargs)

    wrapped.bearer_required = True  # type: ignore[attr-defined]
    return wrapped


class BearerMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: Any, view: View, _args: Any, kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if not getattr(view, "bearer_required", False):
            return None
        bearer = find_bearer(request, kwargs["installation"])
        if bearer is None:
            return render(request, "access/session_over.html", status=401)
        if bearer.pin_session_id and request.headers.get(BY_PERSON) == "1":
            active.put(bearer.pin_session_id, None)
        request.bearer = bearer
        request.installation = bearer.till.store.installation
        request.till = bearer.till
        request.associate = bearer.associate
        return None


def find_bearer(request: HttpRequest, installation_id: str) -> Bearer | None:
    token = token_of(request)
    return Bearer.of_token(token, installation_id, timezone.now()) if token else None


def token_of(request: HttpRequest) -> str:
    """The bearer's token as the request sends it; empty where it sends none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
