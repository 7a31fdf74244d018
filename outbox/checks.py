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
    return [
        Error(f"The route of {kind!r} is no outbox.routes.Route.", id="outbox.E002")
        for kind, route in known.items()
        if not isinstance(route, Route)
    ]


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
