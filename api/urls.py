"""Every address of the JSON API, and an answer for what is none."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import URLPattern, include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from api.problems import Problem, problem_of, respond
from api.root import api
from database.errors import AWAY

View = Callable[..., HttpResponse]
LATER = "Send the same again; if it is a POST, with the same Idempotency-Key."
INTERNAL = "It was logged. If it was a POST, send the same again with the same Idempotency-Key."


def answering(view: View) -> View:
    """Whatever goes wrong around a call is a problem, too; no answer is kept by a cache."""

    @csrf_exempt  # no cookie is read here
    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            check_length(request)
            response = view(request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - every answer is a problem that can be read
            response = respond(problem_of(error) or unexpected(request, error))
        if isinstance(response, HttpResponseNotAllowed):
            response = respond(not_allowed(response["Allow"]))
        response["Cache-Control"] = "no-store"
        if allowance := getattr(request, "allowance", None):
            for name, value in allowance.headers.items():
                response[name] = value
        return response

    return wrapped


def check_length(request: HttpRequest) -> None:
    """WSGI hands over no body without a length: it would be taken for an empty one."""
    if request.headers.get("Transfer-Encoding"):
        raise Problem("length-required", "Send the body whole, with a Content-Length.")


def unexpected(request: HttpRequest, error: Exception) -> Problem:
    """Sent while the exception is handled, so that the log has its traceback."""
    got_request_exception.send(sender=None, request=request)
    if isinstance(error, AWAY):
        return Problem("database-unavailable", LATER, headers={"Retry-After": "1"})
    return Problem("internal", INTERNAL)


def not_allowed(methods: str) -> Problem:
    return Problem("method-not-allowed", f"Use {methods}.", headers={"Allow": methods})


def no_such_call(_request: HttpRequest) -> HttpResponse:
    raise Http404


def answered(pattern: URLPattern) -> URLPattern:
    """What describes the calls is only read; a call knows its methods itself."""
    describes = pattern.name in {"openapi-json", "openapi-view"}
    view = answering(require_safe(pattern.callback) if describes else pattern.callback)
    return URLPattern(pattern.pattern, view, pattern.default_args, pattern.name)


calls, ninja_name, namespace = api.urls
urlpatterns = [
    path(
        "",
        include(
            ([answered(call) for call in calls if isinstance(call, URLPattern)], ninja_name),
            namespace=namespace,
        ),
    ),
    re_path("", answering(no_such_call)),
]
