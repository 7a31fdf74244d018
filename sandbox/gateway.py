"""The way into `/api/v2`: rate limit, key, route, fault, work, answer, record, in this order."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.faults import KINDS, Fault
from sandbox.messages import Refused, Reply, Request, refuse
from sandbox.params import Params, read_params
from sandbox.switches import Switches
from sandbox.wire import Pause
from sandbox.world import World
from sandbox.yotpo.endpoints import ENDPOINTS, PATH_PARAMETERS

BASE_PATH = "/api/v2"
LONGEST_ID = 9  # digits


@dataclass(frozen=True)
class Exchange:
    """An answer, and the fault (if any) that decides how it is sent."""

    reply: Reply
    fault: Fault | None = None


@dataclass(frozen=True)
class Route:
    endpoint: str
    path_values: Mapping[str, str]


def find_route(method: str, path: str) -> Route | None:
    """`path` is without the base path; a star stands for one number."""
    asked = f"{method} {path}"
    if asked in ENDPOINTS and asked not in PATH_PARAMETERS:
        return Route(asked, {})
    for endpoint, name in PATH_PARAMETERS.items():
        if (value := _matched(asked, endpoint)) is not None:
            return Route(endpoint, {name: value})
    return None


def _matched(asked: str, endpoint: str) -> str | None:
    """What stands where the endpoint has its star."""
    start, _, end = endpoint.partition("*")
    value = asked.removeprefix(start).removesuffix(end)
    return value if _is_id(value) and asked == f"{start}{value}{end}" else None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_ID


class Gateway:
    """Answers the engine's API for one `World`. `pause` waits without holding anything."""

    def __init__(self, world: World, pause: Pause) -> None:
        self._world = world
        self._pause = pause

    def answer(self, request: Request) -> Exchange:
        switches = self._world.switches
        allowance = self._world.rate_gate.take(switches.rate)
        self._pause(switches.latency_seconds)
        exchange = self._admitted(request, allowance.allowed)
        return Exchange(_dressed(exchange.reply, switches, allowance.headers), exchange.fault)

    def _admitted(self, request: Request, allowed: bool) -> Exchange:
        route = find_route(request.method, request.path.removeprefix(BASE_PATH).rstrip("/"))
        endpoint = route.endpoint if route else f"{request.method} (unknown)"
        try:
            params = self._params(request, route, allowed)
        except Refused as refused:
            self._note(endpoint, refused.status, made=False, fault=None)
            return Exchange(refused.reply())
        return self._perform(endpoint, params)

    def _params(self, request: Request, route: Route | None, allowed: bool) -> Params:
        if not allowed:
            raise Refused(429, {"message": "API rate limit exceeded"})
        if not self._has_key(request):
            raise refuse(401, "Unauthorized")
        if route is None:
            raise refuse(404, "Not Found")
        return read_params(request, route.path_values)

    def _has_key(self, request: Request) -> bool:
        """Headers, or the query string, as the vendor allows."""
        guid = request.headers.get("x-guid") or request.query.get("guid", "")
        key = request.headers.get("x-api-key") or request.query.get("api_key", "")
        given, held = f"{guid}\n{key}", f"{self._world.guid}\n{self._world.api_key}"
        return hmac.compare_digest(given.encode(), held.encode())

    def _perform(self, endpoint: str, params: Params) -> Exchange:
        fault = self._world.faults.take(endpoint, params)
        if fault is None:
            reply, made = self._work(endpoint, params)
            self._note(endpoint, reply.status, made, fault=None)
            return Exchange(reply)
        return self._perform_with(fault, endpoint, params)

    def _perform_with(self, fault: Fault, endpoint: str, params: Params) -> Exchange:
        kind = KINDS[fault.kind]
        resets = self._world.resets
        if kind.waits == "before":
            self._world.faults.hold_up(fault)
        reply, made = Reply(), False
        # A call from before a reset must not change the fresh start after it.
        if fault.does_the_work and resets == self._world.resets:
            reply, made = self._work(endpoint, params)
        reply = kind.answer(fault, reply)
        # Noted before it waits: a test that awaits the change must not await the answer too.
        self._note(endpoint, None if kind.send == "drop" else reply.status, made, fault.kind)
        if kind.waits == "after":
            self._world.faults.hold_up(fault)
        return Exchange(reply, fault)

    def _work(self, endpoint: str, params: Params) -> tuple[Reply, bool]:
        """The endpoint's answer, and whether it changed anything."""
        try:
            data, made = self._world.run(lambda work: ENDPOINTS[endpoint](work, params))
        except Refused as refused:
            return refused.reply(), False
        posted = endpoint.startswith("POST")
        return Reply(self._world.switches.success_status if posted else 200, data), made

    def _note(self, endpoint: str, status: int | None, made: bool, fault: str | None) -> None:
        self._world.calls.note(self._world.now(), endpoint, status, made, fault)


def _dressed(reply: Reply, switches: Switches, headers: Mapping[str, str]) -> Reply:
    """As the switches want answers to look, with the rate headers."""
    return Reply(
        status=reply.status,
        data=with_text_numbers(reply.data) if switches.numbers_as_strings else reply.data,
        raw=reply.raw,
        content_type=reply.content_type or switches.content_type,
        headers={**reply.headers, **headers},
    )


def with_text_numbers(data: Any) -> Any:
    """The same answer with its whole numbers written as strings."""
    if isinstance(data, dict):
        return {name: with_text_numbers(value) for name, value in data.items()}
    if isinstance(data, list):
        return [with_text_numbers(value) for value in data]
    if isinstance(data, int) and not isinstance(data, bool):
        return str(data)
    return data
