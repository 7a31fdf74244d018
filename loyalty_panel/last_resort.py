"""What is answered where no view was reached or none could: in the form that the asker reads."""

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from api.problems import Problem, problem_of, respond
from api.urls import INTERNAL
from associates.answers import unexpected

API = "/api/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: such as for a host name that is not ours."""
    problem = problem_of(exception) if request.path_info.startswith(API) else None
    return respond(problem) if problem else defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500. The log has the cause."""
    if request.path_info.startswith(API):
        return respond(Problem("internal", INTERNAL))
    return unexpected(request)
