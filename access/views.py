"""Launch: how the panel's page comes by its bearer."""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from access import at_till
from access.models import LIFE, Bearer
from stores.loopback import is_loopback
from stores.models import Associate, Till


@csrf_exempt  # no cookie is read: the launch proves itself, or is the demo's on loopback
@never_cache
@require_POST
def launch(request: HttpRequest, installation: str) -> JsonResponse:
    """Trade a launch for a bearer: `{"bearer": ..., "expires_in": seconds}`.

    Outside demo mode a signed launch token is needed, and none is accepted yet.
    """
    if not is_own_page(request):
        return refusal(403, "Only the panel's own page may ask for a bearer.")
    if not (settings.DEMO and is_loopback(request.META.get("REMOTE_ADDR"))):
        return at_till.launch(request, installation)
    place = demo_place(installation)
    if place is None:
        return refusal(404, "There is no such panel. Run: python manage.py seed_demo")
    return JsonResponse({"bearer": Bearer.issue(*place), "expires_in": int(LIFE.total_seconds())})


def refusal(status: int, detail: str) -> JsonResponse:
    return JsonResponse({"detail": detail}, status=status)


def is_own_page(request: HttpRequest) -> bool:
    """A launch is the panel's own fetch: each header, where the browser sends it, says so."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    own = f"{request.scheme}://{request.get_host()}"
    return site == "same-origin" and origin in {None, own}


def demo_place(installation_id: str) -> tuple[Till, Associate] | None:
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
    return (till, associate) if till and associate else None
