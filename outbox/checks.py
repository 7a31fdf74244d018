"""Start-up refuses routes and periodic jobs that lead nowhere."""

from typing import Any

from django.conf import settings
from django.core.checks import Error, register
from django.utils.module_loading import import_string

from outbox.routes import Route, routes


@register()
def check_routes(**_options: Any) -> list[Error]:
    try:
        known = routes()
    except ImportError as error:
        return [Error(f"DELIVERY_ROUTES can't be loaded: {error}", id="outbox.E001")]
    return [wrong for kind, route in known.items() if (wrong := error_in(kind, route))]


def error_in(kind: str, route: object) -> Error | None:
    if not isinstance(route, Route):
        return Error(f"The route of {kind!r} is no outbox.routes.Route.", id="outbox.E002")
    if route.system not in settings.OUTSIDE_RATES:
        return Error(
            f"The route of {kind!r} leads to {route.system!r}, of which OUTSIDE_RATES does not say "
            "how often it may be called.",
            id="outbox.E004",
        )
    return None


@register()
def check_periodic_jobs(**_options: Any) -> list[Error]:
    return [
        Error(
            f"The periodic job {name} can't be loaded, or is not every 1 s or more rarely.",
            id="outbox.E003",
        )
        for name, seconds in settings.PERIODIC_JOBS.items()
        if seconds < 1 or not is_callable(name)
    ]


def is_callable(path: str) -> bool:
    try:
        return callable(import_string(path))
    except ImportError:
        return False
