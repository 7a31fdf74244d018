"""One key, one act: what stands in the row, and who may run."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.http import HttpResponse

from api import members
from api.idempotency import KEPT, TAKE_OVER, prune
from api.models import KeyedCall
from members.models import Member
from redemptions.models import PendingRedemption
from redemptions.states import State
from sandbox.control import Sandbox
from stores.models import Installation
from tests.api.pos import Pos, kind

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

IDA = {"email": "ida@example.com", "first_name": "Ida"}
MARA = "mara@example.com"
AT_ONCE = 8


def passed(span: timedelta) -> None:
    """As if the first had begun so long ago."""
    KeyedCall.objects.update(started_at=Now() - span, first_asked_at=Now() - span)


# What may be sent


@pytest.mark.parametrize(
    "key", ["", "k" * 256, "k\u00e9", "k\tk"], ids=["none", "long", "é", "tab"]
)
def test_a_key_is_printable_ascii(pos: Pos, key: str) -> None:
    answer = pos.post("members/lookup", {"email": MARA}, key=key)
    assert (answer.status_code, kind(answer)) == (400, "bad-idempotency-key")


@pytest.mark.parametrize("key", ["k", "k" * 255, "a key: ~!"])
def test_any_such_key_is_taken(pos: Pos, key: str) -> None:
    assert pos.post("members/lookup", {"email": MARA}, key=key).status_code == 200
    assert KeyedCall.objects.get().key == key


def test_without_a_key_nothing_is_kept(pos: Pos) -> None:
    pos.post("members", IDA)
    assert not KeyedCall.objects.exists()


def test_what_was_refused_for_its_form_is_not_kept(pos: Pos) -> None:
    """The key is free for the corrected body."""
    assert pos.post("members", IDA | {"x": 1}, key="k").status_code == 422
    assert pos.post("members", IDA, key="k").status_code == 201


# Whose it is


def test_a_key_belongs_to_an_installation_and_a_route(pos: Pos, sandbox: Sandbox) -> None:
    other = Pos(Installation.objects.create(id="other", name="Other"))
    answers = [
        pos.redeem("k", member={"email": "ruth@example.com"}),
        other.redeem("k", member={"email": "ruth@example.com"}),
        pos.post("members", IDA, key="k"),
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len(sandbox.redemptions()) == 2


def test_two_keys_of_one_installation_are_one_caller(pos: Pos) -> None:
    """An API key is changed while a POS repeats."""
    first = pos.redeem("k")
    second = Pos(pos.installation).redeem("k")
    assert (second.status_code, second.json()["id"]) == (200, first.json()["id"])


# What is kept


def test_nothing_of_a_person_can_be_read_from_a_row(pos: Pos) -> None:
    wanted = {"email": "new@example.com", "phone": "(415) 555-0123"}
    assert pos.post("members", wanted, key="k").status_code == 409
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM api_keyedcall")
        [row] = cursor.fetchall()
    for secret in ("example.com", "0123", "M\u2022", "duplicates"):
        assert secret not in repr(row)


def test_a_refusal_stays_what_it_was(pos: Pos, sandbox: Sandbox) -> None:
    wanted = {"email": "new@example.com", "phone": "(415) 555-0123"}
    first = pos.post("members", wanted, key="k")
    calls = len(sandbox.calls())
    second = pos.post("members", wanted, key="k")
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert len(sandbox.calls()) == calls


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"kind": "status", "status": 503, "times": 20}, 202),
        ({"kind": "status", "status": 401}, 503),
    ],
    ids=["down", "wrong keys"],
)
def test_a_failure_is_not_frozen(
    pos: Pos, sandbox: Sandbox, fault: dict[str, Any], status: int
) -> None:
    sandbox.fault("*", **fault)
    assert pos.post("members", IDA, key="k").status_code == status
    sandbox.clear_faults()
    assert pos.post("members", IDA, key="k").status_code == 201


def test_a_bug_is_not_frozen(pos: Pos, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_args: object, **_fields: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(members, "enrol", bug)
        answer = pos.post("members", IDA, key="k")
    assert (answer.status_code, kind(answer)) == (500, "internal")
    assert pos.post("members", IDA, key="k").status_code == 201


def test_a_look_up_is_answered_anew(pos: Pos, sandbox: Sandbox) -> None:
    assert pos.post("members/lookup", {"email": MARA}, key="k").json()["points_balance"] == 640
    sandbox.adjust(MARA, 10)
    assert pos.post("members/lookup", {"email": MARA}, key="k").json()["points_balance"] == 650
    assert kind(pos.post("members/lookup", {"email": "ruth@example.com"}, key="k")) == (
        "idempotency-key-reused"
    )


# Who runs


def test_the_row_is_there_before_the_act(pos: Pos, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    enrol = members.enrol

    def watched(*args: Any, **fields: Any) -> Member:
        seen.extend(KeyedCall.objects.values_list("key", "status"))
        assert not connection.in_atomic_block
        return enrol(*args, **fields)

    monkeypatch.setattr(members, "enrol", watched)
    pos.post("members", IDA, key="k")
    assert seen == [("k", None)]


def left_running(pos: Pos) -> None:
    """A process died after it had redeemed and before it could say so."""
    assert pos.redeem("k").status_code == 201
    KeyedCall.objects.update(runner=uuid.uuid4(), status=None, made="")


def test_while_the_first_runs_the_second_waits(pos: Pos, sandbox: Sandbox) -> None:
    left_running(pos)
    answer = pos.redeem("k")
    assert (answer.status_code, kind(answer)) == (409, "still-running")
    assert int(answer["Retry-After"]) >= 1


def test_what_a_dead_process_committed_is_answered(pos: Pos, sandbox: Sandbox) -> None:
    left_running(pos)
    passed(TAKE_OVER - timedelta(seconds=5))
    assert pos.redeem("k").status_code == 409
    passed(TAKE_OVER)
    answer = pos.redeem("k")
    assert (answer.status_code, answer.json()["state"]) == (200, "issued")
    assert sandbox.balance(MARA) == 140


def test_what_a_dead_process_did_not_commit_is_done(pos: Pos, sandbox: Sandbox) -> None:
    left_running(pos)
    PendingRedemption.objects.all().delete()
    sandbox.reset()
    passed(TAKE_OVER)
    assert pos.redeem("k").status_code == 201
    assert len(sandbox.redemptions()) == 1


def test_a_first_that_lives_after_all_changes_nothing(
    pos: Pos, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody took over meanwhile: the row is theirs."""
    heir = uuid.uuid4()
    enrol = members.enrol

    def overtaken(*args: Any, **fields: Any) -> Member:
        KeyedCall.objects.update(runner=heir)
        return enrol(*args, **fields)

    monkeypatch.setattr(members, "enrol", overtaken)
    assert pos.post("members", IDA, key="k").status_code == 201
    row = KeyedCall.objects.get()
    assert (row.runner, row.status) == (heir, None)


# Many at once


def at_once(act: Callable[[int], HttpResponse]) -> list[HttpResponse]:
    start = threading.Barrier(AT_ONCE)

    def together(number: int) -> HttpResponse:
        start.wait()
        try:
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(together, range(AT_ONCE)))


def test_one_key_sent_at_once_redeems_once(pos: Pos, sandbox: Sandbox) -> None:
    who = {"email": "ruth@example.com"}
    answers = at_once(lambda _number: pos.redeem("k", member=who))
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[201] == 1
    assert set(statuses) <= {200, 201, 409}
    waited = [answer for answer in answers if answer.status_code == 409]
    assert {kind(answer) for answer in waited} <= {"still-running"}
    assert sandbox.balance("ruth@example.com") == 24_500
    last = pos.redeem("k", member=who)
    assert (last.status_code, len(sandbox.redemptions())) == (200, 1)


def test_many_keys_at_once_redeem_what_there_is(pos: Pos, sandbox: Sandbox) -> None:
    answers = at_once(lambda number: pos.redeem(f"k{number}"))
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[201] == 1
    assert set(statuses) <= {201, 409, 422}
    assert sandbox.balance(MARA) == 140
    assert PendingRedemption.objects.filter(state=State.ISSUED).count() == 1


def test_one_heir_takes_over(pos: Pos, sandbox: Sandbox) -> None:
    left_running(pos)
    passed(TAKE_OVER)
    answers = at_once(lambda _number: pos.redeem("k"))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert 200 in {answer.status_code for answer in answers}
    assert len(sandbox.redemptions()) == 1


def test_one_key_with_many_bodies_is_one_act(pos: Pos, sandbox: Sandbox) -> None:
    who = {"email": "ruth@example.com"}
    answers = at_once(lambda number: pos.redeem("k", member=who, ticket=f"T-{number}"))
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses == {201: 1, 422: AT_ONCE - 1}
    assert len(sandbox.redemptions()) == 1


def test_one_code_is_reversed_once(pos: Pos, sandbox: Sandbox) -> None:
    path = f"redemptions/{pos.redeem('k').json()['id']}/reverse"
    answers = at_once(lambda number: pos.post(path, {"withdrawn": True}, key=f"r{number % 2}"))
    assert {answer.status_code for answer in answers} <= {200, 202, 409}
    assert sandbox.balance(MARA) == 640


# How long


def test_a_key_is_known_for_seven_days(pos: Pos) -> None:
    pos.redeem("old")
    passed(KEPT + timedelta(minutes=1))
    pos.post("members", IDA, key="new")
    assert prune() == 1
    assert KeyedCall.objects.get().key == "new"
    assert prune() == 0


def test_the_ledger_knows_a_redemptions_key_for_ever(pos: Pos, sandbox: Sandbox) -> None:
    pos.redeem("old")
    KeyedCall.objects.all().delete()
    assert pos.redeem("old").status_code == 200
    KeyedCall.objects.all().delete()
    answer = pos.redeem("old", member={"email": "ruth@example.com"})
    assert (answer.status_code, kind(answer)) == (422, "idempotency-key-reused")
    assert len(sandbox.redemptions()) == 1


# The rows


@pytest.fixture
def facts(installation: Installation) -> dict[str, Any]:
    return {"installation": installation, "route": "r", "key": "k", "asked_index": "0" * 64}


def test_a_key_is_one_call_of_a_route(facts: dict[str, Any]) -> None:
    KeyedCall.objects.create(**facts)
    KeyedCall.objects.create(**facts | {"route": "other"})
    with pytest.raises(IntegrityError), transaction.atomic():
        KeyedCall.objects.create(**facts)


def test_a_call_that_runs_has_no_answer_yet(facts: dict[str, Any]) -> None:
    KeyedCall.objects.create(**facts, runner=None, status=200)
    with pytest.raises(IntegrityError), transaction.atomic():
        KeyedCall.objects.create(**facts | {"key": "l"}, status=200)
