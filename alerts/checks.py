"""Start-up refuses watches that lead nowhere."""

from typing import Any

from django.conf import settings
from django.core.checks import Error, register
from django.utils.module_loading import import_string


@register()
def check_watches(**_options: Any) -> list[Error]:
    return [
        Error(f"The watch {path} of ALERT_WATCHES can't be loaded.", id="alerts.E001")
        for path in settings.ALERT_WATCHES
        if not is_callable(path)
    ]


def is_callable(path: str) -> bool:
    try:
        return callable(import_string(path))
    except ImportError:
        return False
