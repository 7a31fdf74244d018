"""Every fault does what it says, seen from the caller's end of a real socket."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from sandbox.control import Sandbox, SandboxError
from sandbox.faults import KINDS
from tests.contract.account import ask
from tests.contract.conftest import Speak
from tests.support.waiting import until

MARA, START, LEFT = "mara@example.com", 640, 140
REDEEM = "POST /redemptions"
REDEMPTION = {"customer_email": MARA, "redemption_option_id": 90121}
IMPATIENT, LONG = 0.4, 60  # seconds: a caller's patience, and a wait that nobody sits out

NOTHING_DONE = {
    "hang",
    "drop_before",
    "status",
    "throttle",
    "html",
    "empty",
    "null",
    "list",
    "error_inside",
}
NO_ANSWER = {
    "hang": TimeoutError,
    "late": TimeoutError,
    "drop_before": http.client.RemoteDisconnected,
    "drop_after": http.client.RemoteDisconnected,
    "cut": http.client.IncompleteRead,
    "trickle": TimeoutError,
    "trickle_headers": TimeoutError,
}
# kind -> status, start of the content type, body
ANSWERS = {
    "status": (503, "application/json", b'{"error": "Switched fault"}'),
    "throttle": (429, "application/json", b'{"message": "API rate limit exceeded"}'),
    "empty": (200, "application/json", b""),
    "null": (200, "application/json", b"null"),
    "list": (200, "application/json", b"[]"),
    "error_inside": (200, "application/json", b'{"error": "Something went wrong"}'),
}


@pytest.mark.parametrize("kind", KINDS)
def test_work_is_done_or_not(sandbox: Sandbox, speak: Speak, kind: str) -> None:
    sandbox.fault(REDEEM, kind, seconds=0.001)

    try:
        speak("POST", "/redemptions", REDEMPTION)
    except (OSError, http.client.HTTPException):
        assert kind in NO_ANSWER

    assert sandbox.balance(MARA) == (START if kind in NOTHING_DONE else LEFT)
    assert len(sandbox.redemptions()) == (0 if kind in NOTHING_DONE else 1)
    assert sandbox.calls()[-1]["fault"] == kind
    assert sandbox.calls()[-1]["made"] is (kind not in NOTHING_DONE)


@pytest.mark.parametrize(("kind", "error"), NO_ANSWER.items(), ids=NO_ANSWER)
def test_answer_does_not_arrive(
    sandbox: Sandbox, speak: Speak, kind: str, error: type[Exception]
) -> None:
    sandbox.fault(REDEEM, kind, seconds=LONG)

    timeout = IMPATIENT if error is TimeoutError else LONG

    with pytest.raises(error):
        speak("POST", "/redemptions", REDEMPTION, timeout=timeout)


@pytest.mark.parametrize(("kind", "expected"), ANSWERS.items(), ids=ANSWERS)
def test_answer_is_another(
    sandbox: Sandbox, speak: Speak, kind: str, expected: tuple[int, str, bytes]
) -> None:
    sandbox.fault(REDEEM, kind)

    seen = speak("POST", "/redemptions", REDEMPTION)

    assert (seen.status, seen.headers["content-type"], seen.body) == expected


def test_throttle_may_say_how_long_to_wait(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.fault(REDEEM, "throttle", retry_after=7)

    seen = speak("POST", "/redemptions", REDEMPTION)

    assert (seen.status, seen.headers["retry-after"]) == (429, "7")


@pytest.mark.parametrize("kind", ["html", "html_after"])
def test_proxy_answers_a_page(sandbox: Sandbox, speak: Speak, kind: str) -> None:
    sandbox.fault(REDEEM, kind)

    seen = speak("POST", "/redemptions", REDEMPTION)

    assert (seen.status, seen.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"<h1>" in seen.body


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_drop_may_be_a_reset(sandbox: Sandbox, speak: Speak, kind: str) -> None:
    sandbox.fault(REDEEM, kind, rst=True)

    with pytest.raises(ConnectionResetError) as caught:
        speak("POST", "/redemptions", REDEMPTION)

    # RemoteDisconnected is one too: that would have been an orderly end.
    assert caught.type is ConnectionResetError


def test_hung_call_ends_without_an_answer(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.fault(REDEEM, "hang", seconds=0.2)
    began = time.monotonic()

    with pytest.raises(http.client.RemoteDisconnected):
        speak("POST", "/redemptions", REDEMPTION)

    assert time.monotonic() - began >= 0.2


def test_late_answer_comes_after_the_change(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.fault(REDEEM, "late", seconds=LONG)

    with pytest.raises(TimeoutError):
        speak("POST", "/redemptions", REDEMPTION, timeout=IMPATIENT)

    until(lambda: sandbox.balance(MARA) == LEFT, "the points are gone")


def test_slow_call_does_nothing_at_first(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.fault(REDEEM, "slow", seconds=LONG)

    with pytest.raises(TimeoutError):
        speak("POST", "/redemptions", REDEMPTION, timeout=IMPATIENT)

    assert sandbox.balance(MARA) == START


@pytest.mark.parametrize("kind", ["slow", "late", "hang"])
def test_clearing_lets_go_of_a_call_that_waits(sandbox: Sandbox, speak: Speak, kind: str) -> None:
    sandbox.fault(REDEEM, kind, seconds=600)
    with ThreadPoolExecutor(1) as callers:
        waiting = callers.submit(speak, "POST", "/redemptions", REDEMPTION)
        until(lambda: not sandbox.state()["faults"], "the call is there")

        sandbox.clear_faults()

        if kind == "hang":
            with pytest.raises(ConnectionError):
                waiting.result()
        else:
            assert waiting.result().json["approved"] is True


@pytest.mark.parametrize("kind", ["slow", "late"])
def test_waiting_answer_is_whole_and_not_early(sandbox: Sandbox, speak: Speak, kind: str) -> None:
    sandbox.fault(REDEEM, kind, seconds=0.2)
    began = time.monotonic()

    seen = speak("POST", "/redemptions", REDEMPTION)

    assert time.monotonic() - began >= 0.2
    assert seen.json["approved"] is True


@pytest.mark.parametrize("kind", ["trickle", "trickle_headers"])
def test_trickled_answer_is_whole(sandbox: Sandbox, speak: Speak, kind: str) -> None:
    sandbox.fault(REDEEM, kind, seconds=0.0005)

    seen = speak("POST", "/redemptions", REDEMPTION)

    assert seen.json["reward_text"] == sandbox.redemptions()[0]["code"]


def test_not_approved_keeps_the_id_and_the_code(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.fault(REDEEM, "not_approved")

    seen = speak("POST", "/redemptions", REDEMPTION).json

    assert (seen["approved"], seen["approved_at"]) == (False, None)
    assert seen["id"] == sandbox.redemptions()[0]["id"]
    assert seen["code"] == sandbox.redemptions()[0]["code"]


def test_missing_code_keeps_the_id(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.fault(REDEEM, "code_missing")

    seen = speak("POST", "/redemptions", REDEMPTION).json

    assert (seen["reward_text"], seen["code"]) == (None, None)
    assert seen["id"] == sandbox.redemptions()[0]["id"]


def test_plain_text_carries_the_answer(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.fault(REDEEM, "text_plain")

    seen = speak("POST", "/redemptions", REDEMPTION)

    assert seen.headers["content-type"].startswith("text/plain")
    assert seen.json["approved"] is True


def test_fault_leaves_a_refusal_as_it_is(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.fault(REDEEM, "not_approved")

    seen = speak("POST", "/redemptions", {**REDEMPTION, "redemption_option_id": 90123})

    assert (seen.status, list(seen.json)) == (422, ["amount"])


def test_status_takes_any_body_and_content_type(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.fault(REDEEM, "status", status=418, body="<p>tea</p>", content_type="text/html")

    seen = speak("POST", "/redemptions", REDEMPTION)

    assert (seen.status, seen.headers["content-type"], seen.body) == (
        418,
        "text/html",
        b"<p>tea</p>",
    )


def test_status_may_come_after_the_change(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.fault(REDEEM, "status", status=502, made=True)

    assert speak("POST", "/redemptions", REDEMPTION).status == 502
    assert sandbox.balance(MARA) == LEFT


def test_fault_counts_down(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.fault("GET /vip_tiers", "status", times=2)

    assert [speak("GET", "/vip_tiers").status for _ in range(3)] == [503, 503, 200]
    assert sandbox.state()["faults"] == []


def test_fault_may_stay_until_it_is_cleared(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.fault("GET /vip_tiers", "status", times=None)

    assert [speak("GET", "/vip_tiers").status for _ in range(4)] == [503] * 4
    sandbox.clear_faults()
    assert speak("GET", "/vip_tiers").status == 200


def test_one_fault_is_cleared_by_its_id(sandbox: Sandbox, speak: Speak) -> None:
    gone = sandbox.fault("GET /vip_tiers", "status", times=None)
    sandbox.fault("GET /campaigns", "status", times=None)

    sandbox.clear_fault(gone)

    assert speak("GET", "/vip_tiers").status == 200
    assert speak("GET", "/campaigns").status == 503


def test_faults_come_in_the_order_in_which_they_were_set(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.fault("GET /vip_tiers", "status", status=500)
    sandbox.fault("*", "status", status=502)

    statuses = [speak("GET", path).status for path in ("/campaigns", "/vip_tiers", "/vip_tiers")]

    assert statuses == [502, 500, 200]


@pytest.mark.parametrize(
    ("endpoint", "match"),
    [
        (REDEEM, {"customer_email": MARA}),
        (REDEEM, {"redemption_option_id": 90121}),
        (REDEEM, {"redemption_option_id": "90121", "customer_email": MARA}),
    ],
    ids=["one", "number", "both"],
)
def test_fault_aims_at_parameters(
    sandbox: Sandbox, speak: Speak, endpoint: str, match: dict[str, Any]
) -> None:
    sandbox.fault(endpoint, "status", match=match)
    other = {"customer_email": "ruth@example.com", "redemption_option_id": 90122}

    assert speak("POST", "/redemptions", other).status == 200
    assert speak("POST", "/redemptions", REDEMPTION).status == 503


def test_fault_aims_at_a_path_with_a_number(sandbox: Sandbox, speak: Speak) -> None:
    made = speak("POST", "/redemptions", REDEMPTION).json
    endpoint = "POST /redemptions/*/cancellation_completed"
    sandbox.fault(endpoint, "drop_after", match={"point_redemption_id": made["id"]})

    with pytest.raises(http.client.RemoteDisconnected):
        speak(
            "POST",
            f"/redemptions/{made['id']}/cancellation_completed",
            {"reward_text": made["code"]},
        )

    assert sandbox.balance(MARA) == START


def test_refused_key_uses_up_no_fault(sandbox: Sandbox, speak: Speak) -> None:
    sandbox.fault("*", "status")
    host = urlsplit(sandbox.root_url).netloc
    connection = http.client.HTTPConnection(host)

    assert ask(connection, {"x-guid": "wrong"}, "GET", "/vip_tiers").status == 401
    connection.close()
    assert speak("GET", "/vip_tiers").status == 503


def test_a_slow_call_from_before_a_reset_changes_nothing_after_it(sandbox: Sandbox) -> None:
    sandbox.fault("POST /redemptions", "slow", seconds=0.5)
    connection = http.client.HTTPConnection(urlsplit(sandbox.root_url).netloc)
    connection.request("POST", "/api/v2/redemptions", json.dumps(REDEMPTION), sandbox.headers)
    until(lambda: sandbox.state()["faults"] == [], "the call has met its fault")

    sandbox.reset()
    connection.getresponse().read()

    assert sandbox.redemptions() == []
    connection.close()


WRONG = {
    "endpoint": {"endpoint": "POST /nothing", "kind": "slow"},
    "kind": {"endpoint": "*", "kind": "nothing"},
    "seconds": {"endpoint": "*", "kind": "slow", "seconds": -1},
    "status": {"endpoint": "*", "kind": "status", "status": 99},
    "times": {"endpoint": "*", "kind": "slow", "times": 0},
    "match": {"endpoint": "*", "kind": "slow", "match": []},
    "rst": {"endpoint": "*", "kind": "drop_after", "rst": "yes"},
    "retry_after": {"endpoint": "*", "kind": "throttle", "retry_after": "soon"},
    "colour": {"endpoint": "*", "kind": "slow", "colour": "red"},
}


@pytest.mark.parametrize(("name", "wanted"), WRONG.items(), ids=WRONG)
def test_impossible_fault_is_refused(sandbox: Sandbox, name: str, wanted: dict[str, Any]) -> None:
    with pytest.raises(SandboxError, match=f"422.*{name}"):
        sandbox.fault(**wanted)


def test_connection_is_kept_for_the_next_call(sandbox: Sandbox) -> None:
    connection = http.client.HTTPConnection(urlsplit(sandbox.root_url).netloc)
    ask(connection, sandbox.headers, "GET", "/vip_tiers")
    first = connection.sock

    seen = ask(connection, sandbox.headers, "POST", "/redemptions", REDEMPTION)

    assert seen.status == 200
    assert connection.sock is first
    connection.close()
