"""The one cookie of the panel: it keeps a paired till's key in the till's browser.

In a frame of another site only a partitioned one survives, and Django writes none (its ticket
34613). `__Host-` binds it to this host, over https alone.
"""

from http.cookies import Morsel
from typing import Any

from django.http import HttpRequest, HttpResponse

# Browsers keep none for longer (RFC 6265bis, 5.5).
LIVES_SECONDS = 400 * 24 * 3600
# Tells, before a manager is asked, whether this browser keeps any.
PROBE = "kept"


class PartitionedMorsel(Morsel):  # type: ignore[type-arg]
    """http.cookies knows the word from Python 3.14 on."""

    def OutputString(self, attrs: Any = None) -> str:  # noqa: N802 - its parent's name
        return f"{super().OutputString(attrs)}; Partitioned"


def name_of(request: HttpRequest, installation_id: str) -> str:
    """Over plain http, which is loopback alone, a browser takes neither the prefix nor Secure."""
    return f"{'__Host-' if request.is_secure() else ''}till-{installation_id}"


def read(request: HttpRequest, installation_id: str) -> str:
    return request.COOKIES.get(name_of(request, installation_id), "")


def keep(
    response: HttpResponse,
    request: HttpRequest,
    installation_id: str,
    value: str,
    max_age: int = LIVES_SECONDS,
) -> None:
    secure = request.is_secure()
    name = name_of(request, installation_id)
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        secure=secure,
        httponly=True,
        samesite="None" if secure else "Lax",
    )
    if secure:
        mark_partitioned(response, name)


def forget(response: HttpResponse, request: HttpRequest, installation_id: str) -> None:
    """Marked as it was when it was set: else the browser deletes another one and keeps it."""
    keep(response, request, installation_id, "", max_age=0)


def mark_partitioned(response: HttpResponse, name: str) -> None:
    plain = response.cookies[name]
    marked: Morsel[str] = PartitionedMorsel()
    marked.set(name, plain.value, plain.coded_value)
    marked.update(plain)
    dict.__setitem__(response.cookies, name, marked)
