"""The one cookie of the panel: it keeps a paired till's key in the till's browser.

In a frame of another site only a partitioned one survives, and Django writes none (its ticket
34613). `__Host-` binds it to this host and to https; Chromium takes it from http://127.0.0.1 as
well (tried with version 156). Where it doesn't come back from loopback, as with Safari and with
programs, there is a plain one beside it, without the prefix, Secure and Partitioned: for the demo.
"""

from http.cookies import Morsel
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port

from stores.loopback import is_loopback

# Browsers keep none for longer (RFC 6265bis, 5.5).
LIVES_SECONDS = 400 * 24 * 3600
# Tells, before a manager is asked, whether this browser keeps any.
PROBE = "kept"


class PartitionedMorsel(Morsel):  # type: ignore[type-arg]
    """http.cookies knows the word from Python 3.14 on."""

    def OutputString(self, attrs: Any = None) -> str:  # noqa: N802 - its parent's name
        return f"{super().OutputString(attrs)}; Partitioned"


def name_of(installation_id: str) -> str:
    return f"__Host-{plain_name_of(installation_id)}"


def plain_name_of(installation_id: str) -> str:
    return f"till-{installation_id}"


def read(request: HttpRequest, installation_id: str) -> str:
    strict = request.COOKIES.get(name_of(installation_id), "")
    if strict or not is_plain_loopback(request):
        return strict
    return request.COOKIES.get(plain_name_of(installation_id), "")


def is_kept(request: HttpRequest, installation_id: str) -> bool:
    """Whether there is a key; whether it still opens anything is not asked."""
    return read(request, installation_id) not in {"", PROBE}


def keep(
    response: HttpResponse,
    request: HttpRequest,
    installation_id: str,
    value: str,
    max_age: int = LIVES_SECONDS,
) -> None:
    name = name_of(installation_id)
    response.set_cookie(name, value, max_age=max_age, secure=True, httponly=True, samesite="None")
    mark_partitioned(response, name)
    if is_plain_loopback(request):
        plain = plain_name_of(installation_id)
        response.set_cookie(plain, value, max_age=max_age, httponly=True, samesite="Lax")


def forget(response: HttpResponse, request: HttpRequest, installation_id: str) -> None:
    """Marked as it was when it was set: else the browser deletes another one and keeps it."""
    keep(response, request, installation_id, "", max_age=0)


def is_plain_loopback(request: HttpRequest) -> bool:
    return not request.is_secure() and is_loopback(split_domain_port(request.get_host())[0])


def mark_partitioned(response: HttpResponse, name: str) -> None:
    plain = response.cookies[name]
    marked: Morsel[str] = PartitionedMorsel()
    marked.set(name, plain.value, plain.coded_value)
    marked.update(plain)
    dict.__setitem__(response.cookies, name, marked)
