"""One log line a request, with an id that the answer carries too; log-ins for managers alone;
probes by any name."""

import re
import time
import uuid
from collections.abc import Callable
from functools import cached_property

import structlog
from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.utils.deprecation import MiddlewareMixin

log = structlog.get_logger("loyalty_panel.request")

# What a proxy may hand us as the request's id; anything else is replaced by our own.
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
QUIET = {"healthz", "readyz"}
PROBES = {f"/{route}" for route in QUIET}
# What is asked of here carries a bearer or a key. No cookie counts, and none is looked at.
WITHOUT_COOKIES = ("/panel/", "/api/", "/webhooks/")


class RequestLogMiddleware:
    """Outermost: names the request, times it, and logs the route, never the path."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request.id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex  # type: ignore[attr-defined]
        started = time.monotonic()
        with structlog.contextvars.bound_contextvars(request_id=request.id):  # type: ignore[attr-defined]
            response = self.get_response(request)
            self.write(request, response, started)
        response["X-Request-Id"] = request.id  # type: ignore[attr-defined]
        return response

    def write(self, request: HttpRequest, response: HttpResponse, started: float) -> None:
        route = route_of(request)
        if route in QUIET and response.status_code < 400:
            return
        log.info(
            "request",
            method=request.method,
            route=route,
            status=response.status_code,
            ms=round((time.monotonic() - started) * 1000, 1),
        )


@receiver(got_request_exception)
def write_failure(request: HttpRequest | None = None, **_kwargs: object) -> None:
    """The traceback belongs in our log: Django's own line would show the path."""
    route = route_of(request) if request else ""
    # Django sends the signal while it handles the exception, so there is one to show.
    log.error("request.failed", route=route, exc_info=True)  # noqa: LOG014


def route_of(request: HttpRequest) -> str:
    """The URL pattern: a path can hold a secret, a query string a person."""
    match = getattr(request, "resolver_match", None)
    return match.route if match else "(no route)"


class ContentSecurityPolicy(CSPMiddleware):
    """django-csp, which writes the same policy anew for every answer: ours is written once."""

    @cached_property
    def usual(self) -> str:
        return build_policy()

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        # For every answer, so without a step of Python for every name.
        names = " ".join(("", *vars(response), *vars(request)))
        if " _csp_" in names:
            return super().process_response(request, response)
        response.headers.setdefault(HEADER, self.usual)
        return response


class NamedHosts(CommonMiddleware):
    """Answers to the names in ALLOWED_HOSTS, and a probe by any.

    A load balancer asks by IP address, which changes with the machine; what a probe is told is
    nobody's secret, and nothing in it comes from the Host header.
    """

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        return None if request.path_info in PROBES else super().process_request(request)


class ForLogins(MiddlewareMixin):
    """Before a middleware that serves who logs in by cookie: a till's request passes it by."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(WITHOUT_COOKIES):
            return self.get_response(request)  # type: ignore[return-value]
        return super().__call__(request)  # type: ignore[return-value]


class ManagerSession(ForLogins, SessionMiddleware):
    pass


class ManagerLogin(ForLogins, AuthenticationMiddleware):
    pass


class ManagerMessages(ForLogins, MessageMiddleware):
    pass
