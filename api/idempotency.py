"""One key, one act: what makes it safe for a POS to send a POST again.

The row is committed before the act. Whoever finds it running is told to wait; a runner that died is
succeeded after TAKE_OVER seconds, and what it committed is found by the act's own key or state.
"""

import json
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now
from ninja.responses import Status

from api.auth import ApiRequest
from api.body import check_whole
from api.models import KeyedCall
from api.problems import Problem, problem_of
from database.encryption import blind_index

log = structlog.get_logger(__name__)

TAKE_OVER = timedelta(seconds=30)
KEPT = timedelta(days=7)
PRUNED_AT_ONCE = 1000
PRINTABLE = re.compile(r"[\x20-\x7e]{1,255}")
# Not frozen: nothing came of it yet, or it asks to be tried again.
MAY_CHANGE = {202, 429}
# Of those 409s that only say "not now" nothing is kept.
NOT_NOW = {"another-under-way", "still-running", "sale-under-way"}

Again = Callable[..., "Answer"]


class Answer(Status[Any]):
    """A success: status, body, and what the act made (`made`), by which it is found again."""

    __slots__ = ("made",)

    def __init__(self, status_code: int, value: Any, made: str = "") -> None:
        super().__init__(status_code, value)
        self.made = made


def once(*, again: Again | None = None) -> Callable[[Callable[..., Answer]], Callable[..., Any]]:
    """A POST that honours an Idempotency-Key, where there is one.

    `again(request, made, **given)` answers for what an earlier request made, as it stands now.
    Without it the call changes nothing, and is simply run again.
    """

    def decorate(call: Callable[..., Answer]) -> Callable[..., Answer]:
        @wraps(call)
        def wrapped(request: ApiRequest, **given: Any) -> Answer:
            check_whole(request)
            key = read_key(request)
            if key is None:
                return call(request, **given)
            row, mine = claim(request, key)
            if not mine:
                return answered_before(request, row, again, given)
            return run(row, lambda: call(request, **given), keeps=again is not None)

        return wrapped

    return decorate


def read_key(request: ApiRequest) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None or PRINTABLE.fullmatch(key):
        return key
    raise Problem("bad-idempotency-key", "Use 1 to 255 printable ASCII characters.")


def required_key(request: ApiRequest) -> str:
    key = read_key(request)
    if key is None:
        raise Problem(
            "idempotency-key-required",
            "Send an Idempotency-Key: a new one for each act, the same one when you repeat it.",
        )
    return key


def claim(request: ApiRequest, key: str) -> tuple[KeyedCall, bool]:
    """The key's row, and whether this request is to run the act.

    Raises the problem `still-running` while another one runs it, and `idempotency-key-reused` where
    the key stands for something else.
    """
    call = KeyedCall(
        installation=request.auth.installation,
        route=route_of(request),
        key=key,
        asked_index=index_of(request),
    )
    try:
        with transaction.atomic():
            call.save(force_insert=True)
    except IntegrityError:
        return claim_known(call)
    return call, True


def claim_known(call: KeyedCall) -> tuple[KeyedCall, bool]:
    same_key = KeyedCall.objects.filter(
        installation=call.installation, route=call.route, key=call.key
    )
    known = same_key.first()
    if known is None:
        raise still_running()  # pruned this very moment
    if known.asked_index != call.asked_index:
        raise Problem(
            "idempotency-key-reused", "Send the same body as before, or use a new Idempotency-Key."
        )
    if known.status is not None:
        return known, False
    free = Q(runner=None) | Q(runner=known.runner, started_at__lte=Now() - TAKE_OVER)
    runner = uuid.uuid4()
    if not same_key.filter(free, status=None).update(runner=runner, started_at=Now()):
        raise still_running()
    if known.runner is not None:
        log.warning("api.taken_over", route=known.route)
    known.runner = runner
    return known, True


def still_running() -> Problem:
    return Problem(
        "still-running", "Wait a moment, then send the same again.", headers={"Retry-After": "1"}
    )


def run(row: KeyedCall, act: Callable[[], Answer], *, keeps: bool) -> Answer:
    """Run the act and write down what came of it, unless somebody took over meanwhile."""
    answer, problem = None, None
    try:
        answer = act()
    except Exception as error:
        problem = problem_of(error)
        raise
    finally:
        write_down(row, answer, problem, keeps=keeps)
    return answer


def write_down(
    row: KeyedCall, answer: Answer | None, problem: Problem | None, *, keeps: bool
) -> None:
    kept: dict[str, Any] = {}
    if keeps and answer and answer.status_code not in MAY_CHANGE:
        kept = {"status": answer.status_code, "made": answer.made}
    if keeps and problem and is_frozen(problem):
        kept = {"status": problem.status, "refusal": pack(problem)}
    KeyedCall.objects.filter(pk=row.pk, runner=row.runner).update(runner=None, **kept)


def is_frozen(problem: Problem) -> bool:
    passes = problem.status in MAY_CHANGE or problem.status >= 500 or problem.kind in NOT_NOW
    return not passes


def answered_before(
    request: ApiRequest, row: KeyedCall, again: Again | None, given: dict[str, Any]
) -> Answer:
    if row.refusal:
        raise unpack(row.refusal)
    if again is None:
        raise ValueError(f"{row.route} keeps answers and can't find again what it made")
    return again(request, row.made, **given)


def pack(problem: Problem) -> str:
    more = {"errors": problem.errors, "more": problem.more, "headers": problem.headers}
    return json.dumps({"kind": problem.kind, "detail": problem.detail, **more})


def unpack(text: str) -> Problem:
    kept = json.loads(text)
    return Problem(
        kept["kind"],
        kept["detail"],
        errors=kept["errors"],
        headers=kept["headers"],
        **kept["more"],
    )


def route_of(request: ApiRequest) -> str:
    assert request.resolver_match is not None  # noqa: S101 - a view runs only where one matched
    return request.resolver_match.route


def index_of(request: ApiRequest) -> str:
    """Two requests with the same one ask for the same, however their JSON is laid out."""
    match = request.resolver_match
    named = {name: str(value) for name, value in match.kwargs.items()} if match else {}
    body = json.loads(request.body) if request.body else None
    return blind_index(json.dumps([named, body], sort_keys=True))


def prune() -> int:
    """Delete what is older than seven days, in small bites. Returns how many rows went.

    For a periodic job. A redemption's key stays known to the ledger for ever.
    """
    gone = 0
    while True:
        old = KeyedCall.objects.filter(first_asked_at__lt=Now() - KEPT)
        some = list(old.values_list("pk", flat=True)[:PRUNED_AT_ONCE])
        if not some:
            return gone
        gone += KeyedCall.objects.filter(pk__in=some).delete()[0]
