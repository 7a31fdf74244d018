"""Making many things happen at the engine in one call, also in the past and under other switches.

For tests that need a shop with a history: every act runs the rules that a call would run, only by
another clock. Nothing here writes a row by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sandbox.messages import refuse_field
from sandbox.params import Params
from sandbox.switches import Switches, changed
from sandbox.yotpo import customers, endpoints, jobs, offers, redemptions, views
from sandbox.yotpo.store import Work

Plant = Callable[[Work, Params], Any]


def redeem(work: Work, params: Params) -> Any:
    """By the API, or in the web shop."""
    email, option_id = params.needed_text("email"), params.needed_whole("option_id")
    row = redemptions.redeem(
        work,
        customers.needed(work, Params({"customer_email": email})),
        offers.option_or_422(work, option_id),
        points=params.whole("points"),
        delayed=params.flag("delayed") or False,
        origin=params.text("origin") or "api",
    )
    return {"id": row["id"], "code": row["code"], "points": row["points"]}


def cancel(work: Work, params: Params) -> Any:
    """`times` asks for it that often, as a caller does whose answers were lost."""
    for _ in range(params.whole("times") or 1):
        redemptions.cancel(work, params.needed_whole("id"), params.needed_text("code"))
    return {}


PLANTS: Mapping[str, Plant] = {
    "member": views.add_member,
    "redeem": redeem,
    "cancel": cancel,
    "order": endpoints.create_order,
    "refund": endpoints.create_refund,
    "adjust": endpoints.adjust_points,
}


def plant(work: Work, acts: list[Any]) -> list[Any]:
    """What each act answered, in their order; all in one transaction.

    `do` names the act, `at` when it was in seconds since 1970 (else now), `switches` how the
    engine behaved then. `$2.code` is the field of the third act's answer: they count from 0.
    """
    answers: list[Any] = []
    for act in acts:
        answers.append(_plant(work, Params(_filled(act, answers))))
    return answers


def _plant(work: Work, params: Params) -> Any:
    do = PLANTS.get(params.text("do") or "")
    if do is None:
        raise refuse_field("do", "is none of " + ", ".join(PLANTS))
    then = _switches_of(work.switches, params)
    # A work of its own, for the moment is kept once it was asked for.
    past = Work(work.db, then, true_seconds=time.time())
    answer = do(past, params)
    jobs.run_due(past)
    return answer


def _switches_of(switches: Switches, params: Params) -> Switches:
    then = changed(switches, params.get("switches") or {})
    at = params.whole("at")
    behind = time.time() - at if at is not None else 0
    return replace(then, clock_skew_seconds=then.clock_skew_seconds - behind)


def _filled(act: Any, answers: list[Any]) -> dict[str, Any]:
    if not isinstance(act, dict):
        raise refuse_field("acts", "must be objects")
    return {name: _value(value, answers) for name, value in act.items()}


def _value(value: Any, answers: list[Any]) -> Any:
    if not (isinstance(value, str) and value.startswith("$")):
        return value
    number, _, name = value[1:].partition(".")
    return answers[int(number)][name]
