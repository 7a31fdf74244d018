"""Launch: how the panel's page comes by its bearer."""

from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from access import at_till
from access.launching import Launched, LaunchRefused, by_code, by_token, make_code, read_body
from access.middleware import token_of
from access.models import LIFE, Bearer
from stores.loopback import is_loopback
from stores.models import Associate, Installation, Till
from stores.origins import normal_origin

log = structlog.get_logger(__name__)


@csrf_exempt  # no cookie is read: the launch proves itself, or is the demo's on loopback
@never_cache
@require_POST
def launch(request: HttpRequest, installation: str) -> JsonResponse:
    """Trade a launch for a bearer: `{"bearer": ..., "expires_in": seconds, "sale": ...}`.

    A launch is `{"token": ...}` signed by the POS, `{"code": ...}` of a shell that the POS opened
    by posting one, or in the demo nothing. The bearer that the page had, if any, ends with it.
    """
    try:
        if not is_own_page(request):
            raise LaunchRefused("origin", "Only the panel's own page may ask for a bearer.", 403)
        told = read_body(request.body)
        if is_level_c(request, told, installation):
            return renewed(request, at_till.launch(request, installation))
        place = place_of_launch(told, request, installation)
    except LaunchRefused as refused:
        log.warning("launch.refused", why=refused.why, installation=installation)
        return JsonResponse({"detail": str(refused)}, status=refused.status)
    return renewed(
        request,
        JsonResponse(
            {
                "bearer": Bearer.issue(place.till, place.associate),
                "expires_in": int(LIFE.total_seconds()),
                "sale": place.sale,
            }
        ),
    )


def renewed(request: HttpRequest, answer: JsonResponse) -> JsonResponse:
    """The bearer that the page had, if any, ends where it is given another."""
    held = token_of(request)
    if held and answer.status_code == 200:
        Bearer.revoke(held)
    return answer


def is_level_c(request: HttpRequest, told: dict[str, Any], installation: str) -> bool:
    """The POS proves nothing, and it is not the demo: a till that is paired, or wants to be."""
    return not told.keys() & {"token", "code"} and not is_demo(request, installation)


def place_of_launch(told: dict[str, Any], request: HttpRequest, installation: str) -> Launched:
    """Raises LaunchRefused."""
    token, code = told.get("token"), told.get("code")
    if isinstance(token, str):
        return by_token(token, installation, own_origins(request))
    if isinstance(code, str):
        return by_code(code, installation)
    if is_demo(request, installation):
        return demo_place(installation)
    raise LaunchRefused("none", "This panel must be opened by the point of sale.", 403)


def is_demo(request: HttpRequest, installation: str) -> bool:
    """The demo's automatic log-in: its own installation, asked for on this machine."""
    is_here = is_loopback(request.META.get("REMOTE_ADDR"))
    return settings.DEMO and installation == settings.DEMO_INSTALLATION and is_here


def is_own_page(request: HttpRequest) -> bool:
    """A launch is the panel's own fetch: each header, where the browser sends it, says so."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    return site == "same-origin" and (origin is None or origin in own_origins(request))


def open_by_post(request: HttpRequest, installation: Installation) -> str:
    """The code of a shell that a POS opened by posting a token. Raises LaunchRefused.

    Each header, where the browser sends it, says that a page of the POS shows us in a frame.
    """
    if request.headers.get("Origin") not in installation.origins:
        raise LaunchRefused(
            "origin",
            "This page may not open the panel. A manager lists the pages that may under "
            "Installations, Origins.",
            403,
        )
    if request.headers.get("Sec-Fetch-Dest", "iframe") != "iframe":
        raise LaunchRefused("not_framed", "Open the panel in a frame of the point of sale.", 403)
    token = request.POST.get("token", "")
    return make_code(by_token(token, installation.id, own_origins(request)))


def own_origins(request: HttpRequest) -> list[str]:
    """What browsers call us; behind a proxy that speaks TLS for us, PUBLIC_URL knows better."""
    return [normal_origin(settings.PUBLIC_URL), f"{request.scheme}://{request.get_host()}"]


def demo_place(installation_id: str) -> Launched:
    """The first till and the first associate, for the demo's automatic log-in."""
    till = (
        Till.objects.filter(
            store__installation_id=installation_id,
            store__installation__is_active=True,
            store__is_active=True,
            is_active=True,
        )
        .select_related("store__installation")
        .order_by("id")
        .first()
    )
    associate = (
        Associate.objects.filter(installation_id=installation_id, is_active=True)
        .order_by("id")
        .first()
    )
    if till is None or associate is None:
        raise LaunchRefused(
            "nobody", "There is no such panel. Run: python manage.py seed_demo", 404
        )
    return Launched(till, associate)
