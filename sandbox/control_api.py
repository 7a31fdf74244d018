"""The switchboard at `/_sandbox/`: what tests and the demo page see and set. JSON, no key.

It is bound to loopback; a page of another site is kept out by its `Origin` and by `Host`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from sandbox import page
from sandbox.messages import Reply, Request, refuse
from sandbox.messenger import Addresses
from sandbox.params import Params, read_params
from sandbox.planting import plant
from sandbox.world import World
from sandbox.yotpo import telling, views
from sandbox.yotpo.redemptions import by_id, end_unasked, make_online

LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
PREFIX = "/_sandbox"
Act = Callable[[World, Params], Any]


def state(world: World, params: Params) -> Any:
    counts, _ = world.run(views.counts)
    return {
        "switches": asdict(world.switches),
        "faults": world.faults.listed(),
        "counts": {**counts, "calls": sum(world.calls.counts().values())},
    }


def change_switches(world: World, params: Params) -> Any:
    return asdict(world.switch(params))


def add_fault(world: World, params: Params) -> Any:
    return {"id": world.faults.add(params).id}


def clear_faults(world: World, params: Params) -> Any:
    world.faults.clear()
    return {}


def remove_fault(world: World, params: Params) -> Any:
    world.faults.remove(params.needed_whole("id"))
    return {}


def reset(world: World, params: Params) -> Any:
    world.reset()
    return {}


def ledger(world: World, params: Params) -> Any:
    """All movements of one customer (or of all), and the balance."""
    return world.run(lambda work: views.ledger(work, params.text("email")))[0]


def members(world: World, params: Params) -> Any:
    return world.run(views.members)[0]


def redemptions(world: World, params: Params) -> Any:
    return world.run(views.redemptions)[0]


def calls(world: World, params: Params) -> Any:
    return {"calls": world.calls.latest(), "counts": world.calls.counts()}


def redeem_online(world: World, params: Params) -> Any:
    email, option_id = params.needed_text("email"), params.needed_whole("option_id")
    points = params.whole("points")
    row, _ = world.run(lambda work: make_online(work, email, option_id, points))
    return {"id": row["id"], "code": row["code"], "points": row["points"]}


def add_member(world: World, params: Params) -> Any:
    return world.run(lambda work: views.add_member(work, params))[0]


def adjust(world: World, params: Params) -> Any:
    return world.run(lambda work: views.adjust(work, params))[0]


def addresses(world: World, params: Params) -> Any:
    """Where the merchant is told; what is left out is told nothing."""
    names = ("webhook", "create_coupon", "cancel_coupon", "secret")
    world.messenger.configure(Addresses(**{name: params.text(name) or "" for name in names}))
    return {}


def told(world: World, params: Params) -> Any:
    return world.messenger.log()


def ask_to_cancel(world: World, params: Params) -> Any:
    """The shopper asks for the points of a redemption back."""
    redemption_id = params.needed_whole("id")
    world.run(lambda work: telling.cancellation_request(work, by_id(work, redemption_id)))
    return {}


def cancel_coupon(world: World, params: Params) -> Any:
    """The engine ends a coupon, and calls the merchant."""
    redemption_id = params.needed_whole("id")
    world.run(lambda work: end_unasked(work, by_id(work, redemption_id)))
    return {}


def plant_acts(world: World, params: Params) -> Any:
    return {"answers": world.run(lambda work: plant(work, params.get("acts") or []))[0]}


ACTS: Mapping[str, Act] = {
    "GET /state": state,
    "PATCH /switches": change_switches,
    "POST /faults": add_fault,
    "DELETE /faults": clear_faults,
    "DELETE /faults/*": remove_fault,
    "POST /reset": reset,
    "GET /ledger": ledger,
    "POST /ledger": ledger,
    "GET /customers": members,
    "GET /redemptions": redemptions,
    "GET /calls": calls,
    "POST /online-redemption": redeem_online,
    "POST /members": add_member,
    "POST /adjust": adjust,
    "PUT /addresses": addresses,
    "GET /told": told,
    "POST /ask-to-cancel/*": ask_to_cancel,
    "POST /cancel-coupon/*": cancel_coupon,
    "POST /plant": plant_acts,
}


class ControlApi:
    """Answers `/_sandbox/` and the page."""

    def __init__(self, world: World, scheme: str) -> None:
        self._world = world
        self._scheme = scheme

    def answer(self, request: Request) -> Reply:
        check_comes_from_here(request, self._scheme)
        if request.method == "GET" and (reply := page.answer(self._world, request.path)):
            return reply
        act, given = _act_for(request)
        return Reply(200, act(self._world, read_params(request, given)))


def check_comes_from_here(request: Request, scheme: str) -> None:
    host = request.headers.get("host", "")
    origin = request.headers.get("origin")
    if _hostname(host) not in LOOPBACK_NAMES:
        raise refuse(403, "Only for this machine")
    if origin is not None and origin != f"{scheme}://{host}":
        raise refuse(403, "Only for the sandbox's own page")


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _act_for(request: Request) -> tuple[Act, dict[str, str]]:
    path = request.path.removeprefix(PREFIX)
    if request.path.startswith(f"{PREFIX}/"):
        kept, _, last = path.rpartition("/")
        if act := ACTS.get(f"{request.method} {path}"):
            return act, {}
        if act := ACTS.get(f"{request.method} {kept}/*"):
            return act, {"id": last}
    raise refuse(404, "Not Found")
