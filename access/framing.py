"""Who may show an answer in a frame: the pages of the installation whose panel it is, or nobody."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from csp.constants import HEADER
from csp.utils import build_policy
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from stores.models import Installation

PREFIX = "/panel/"
COEP = "Cross-Origin-Embedder-Policy"
CORP = "Cross-Origin-Resource-Policy"


class PanelFraming:
    """Innermost, so that every answer of a panel passes it: its errors, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path_info.startswith(PREFIX):
            installation = installation_of(request)
            if installation is not None and installation.origins:
                allow(installation, response)
        return response


def installation_of(request: Any) -> Installation | None:
    """Known already where the panel was let in; asked for where it was not."""
    known: Installation | None = getattr(request, "installation", None)
    if known is not None:
        return known
    name = request.path_info.removeprefix(PREFIX).partition("/")[0]
    try:
        return Installation.objects.filter(id=name, is_active=True).first()
    except DatabaseError:
        # The answer stands, an error as a rule; nobody may frame it then.
        return None


def allow(installation: Installation, response: HttpResponse) -> None:
    response.headers[HEADER] = policy(tuple(installation.origins))
    # It knows one origin at most; browsers that know the policy above ignore it.
    response.xframe_options_exempt = True
    if installation.sends_coep:
        response.headers[COEP] = "require-corp"
        response.headers[CORP] = "cross-origin"


@lru_cache(maxsize=64)
def policy(origins: tuple[str, ...]) -> str:
    """The house's policy with these ancestors."""
    return build_policy(update={}, replace={"frame-ancestors": list(origins)})
