"""The till's own server: its page, what the page asks for, and the panel's API behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox.messages import Reply, Request, refuse
from sandbox.params import Params, read_params
from sandbox.till import page, panel_api
from sandbox.till.book import Book
from sandbox.till.desk import Desk, Told
from sandbox.till.keys import Keys, NoKeys, read_keys
from sandbox.till.launch import launch_token
from sandbox.till.refusal import refuse_act
from sandbox.world import World

PREFIX = "/till"
ACTS = f"{PREFIX}/api/"
# A locked till does these only.
WHILE_LOCKED = {"clerk", "withdraw", "state"}
Act = Callable[[Desk, Params], list[Told]]


def customer_of(params: Params) -> dict[str, str]:
    told = {name: params.text(name) for name in ("name", "email", "phone")}
    customer = {name: value for name, value in told.items() if value}
    if not customer:
        raise refuse_act("unknown", "Nobody is named.", 422)
    return customer


CHANGES: Mapping[str, Act] = {
    "add": lambda desk, params: desk.add(params.needed_text("sku"), 1),
    "quantity": lambda desk, params: desk.set_quantity(
        params.needed_text("sku"), params.needed_whole("quantity")
    ),
    "attach": lambda desk, params: desk.attach_known(params.needed_whole("id")),
    "adopt": lambda desk, params: desk.attach(customer_of(params)),
    "detach": lambda desk, params: desk.detach(),
    "apply": lambda desk, params: desk.apply(
        params.needed_text("code"), params.text("redemption") or ""
    ),
    "take-off": lambda desk, params: desk.take_off(params.needed_text("code")),
    "withdraw": lambda desk, params: desk.withdraw(params.needed_text("code")),
    "pay": lambda desk, params: desk.pay(params.needed_text("by")),
    "void": lambda desk, params: desk.void(),
    "park": lambda desk, params: desk.park(),
    "resume": lambda desk, params: desk.resume(params.needed_text("id")),
    "return": lambda desk, params: desk.give_back(params.needed_text("id")),
    "clerk": lambda desk, params: desk.switch_clerk(params.needed_text("id")),
    "lock": lambda desk, params: desk.lock(),
}


class Till:
    """One till. Its keys are in `keys_file`, as soon as it is there; its book is at `path`."""

    def __init__(self, world: World, keys_file: Path | None, path: str) -> None:
        self._keys_file = keys_file
        self.book = Book(path)
        self.desk = Desk(self.book, world)
        self.reporter = panel_api.Reporter(self.book, keys_file)
        # Codes and members that it knows are the engine's of before.
        if world.was_sown:
            self.book.clear()
        world.on_reset.append(self.book.clear)

    def start(self) -> None:
        self.reporter.start()

    def stop(self) -> None:
        self.reporter.stop()
        self.book.close()

    def answer(self, request: Request) -> Reply:
        if request.path.startswith(ACTS):
            return self._act(request)
        if request.method == "GET" and (reply := page.answer(request, self._keys)):
            return reply
        raise refuse(404, "Not Found")

    def _keys(self) -> Keys:
        return read_keys(self._keys_file)

    def _act(self, request: Request) -> Reply:
        name = request.path.removeprefix(ACTS)
        if request.method != "POST" or "json" not in request.headers.get("content-type", ""):
            raise refuse(405, "Acts are POSTed, as JSON")
        params = read_params(request, {})
        if self.desk.is_locked() and name not in WHILE_LOCKED:
            raise refuse_act("locked", "The till is locked.", 423)
        if name in self.QUESTIONS:
            return Reply(200, self.QUESTIONS[name](self, params))
        return Reply(200, self._change(name, params))

    def _change(self, name: str, params: Params) -> dict[str, Any]:
        if name not in CHANGES:
            raise refuse(404, "Not Found")
        if name == "pay":
            self._check_coupons(params)
        with self.book.act():
            told = CHANGES[name](self.desk, params)
            answer = {"state": self.desk.state(), "tell": told}
        self.reporter.wake()
        return answer

    # What changes nothing

    def _state(self, params: Params) -> dict[str, Any]:
        with self.book.act():
            present = [] if self.desk.is_locked() else self.desk.present()
            return {"state": self.desk.state(), "tell": present}

    def _search(self, params: Params) -> dict[str, Any]:
        return {"customers": self.desk.search(params.text("sought") or "")}

    def _launch(self, params: Params) -> dict[str, Any]:
        try:
            keys = self._keys()
        except NoKeys as none:
            raise refuse_act("no_keys", str(none), 503) from None
        return {"token": launch_token(keys, self.desk.clerk(), self.desk.ticket().id)}

    def _check_coupons(self, params: Params) -> dict[str, Any]:
        """Payment starts. Raises Refused where a code has ended; it is off the sale then."""
        ticket = self.desk.ticket()
        ended = [
            coupon.terms.code
            for coupon in ticket.coupons
            if not self.desk.still_counts(coupon) or not self._is_held(coupon.redemption, ticket.id)
        ]
        for code in ended:
            with self.book.act():
                self.desk.take_off(code)
        if ended:
            raise refuse_act("ended", f"{', '.join(ended)} no longer counts: it is off the sale.")
        return {}

    def _is_held(self, redemption: str, ticket_id: str) -> bool:
        try:
            return not redemption or panel_api.hold(self._keys(), redemption, ticket_id)
        except NoKeys:
            return True

    QUESTIONS: Mapping[str, Callable[[Till, Params], dict[str, Any]]] = {
        "state": _state,
        "search": _search,
        "launch": _launch,
        "check": _check_coupons,
    }
