"""The control page, the control API's doors, and a process that keeps its mouth shut."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox.control import READY, Sandbox
from sandbox.control_api import ACTS
from sandbox.faults import KINDS
from sandbox.switches import RULES
from sandbox.yotpo.endpoints import ENDPOINTS

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def web(sandbox: Sandbox) -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def page_of(sandbox: Sandbox, web: requests.Session) -> str:
    answer = web.get(f"{sandbox.root_url}/", timeout=30)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def test_page_shows_who_and_what_is_there(sandbox: Sandbox, web: requests.Session) -> None:
    made = sandbox.redeem_online("mara@example.com", 90121)
    sandbox.fault("GET /vip_tiers", "late", times=3)
    web.get(f"{sandbox.base_url}/campaigns", timeout=30)

    page = page_of(sandbox, web)

    for shown in ("Mara Quill", "由紀", made["code"], "3 more", "GET /campaigns", "401"):
        assert shown in page


def test_page_offers_every_switch_fault_and_endpoint(
    sandbox: Sandbox, web: requests.Session
) -> None:
    page = page_of(sandbox, web)

    for name in RULES:
        assert f'name="{name}"' in page
    for value in (*KINDS, *ENDPOINTS):
        assert f'value="{value}"' in page


def test_page_leads_through_a_tour_of_five_steps(sandbox: Sandbox, web: requests.Session) -> None:
    tour = page_of(sandbox, web).partition("<ol>")[2].partition("</ol>")[0]

    steps = re.findall(r"<li><strong>(.+?)</strong> (.+?)</li>", tour)

    assert len(steps) == 5
    assert steps[1][0] == "In the panel, redeem &quot;$5 off&quot;."


def test_page_escapes_what_it_shows(sandbox: Sandbox, web: requests.Session) -> None:
    sandbox.add_member(email="x@example.com", first_name="<script>alert(1)</script>")
    sandbox.fault("*", "slow", match={"<img src=x>": "<svg>"})

    page = page_of(sandbox, web)

    assert "Tom &amp; &quot;Jerry&quot; &lt;b&gt;" in page
    for mark in ("<script>alert", "<img src=x", "<svg", "<b>"):
        assert mark not in page


def test_page_takes_nothing_from_outside(sandbox: Sandbox, web: requests.Session) -> None:
    page = page_of(sandbox, web)

    loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]*)"', page)

    assert sorted(loaded) == ["/_sandbox/page.css", "/_sandbox/page.js", "data:,"]
    for path in loaded[1:]:
        assert web.get(f"{sandbox.root_url}{path}", timeout=30).ok


def test_every_form_and_button_has_its_act(sandbox: Sandbox, web: requests.Session) -> None:
    sandbox.fault("*", "slow")
    page = page_of(sandbox, web)

    acts = re.findall(r'data-method="(\w+)" data-path="([^"]+)"', page)

    assert len(acts) >= 8
    assert [
        each for each in acts if f"{each[0]} /{re.sub('[0-9]+$', '*', each[1])}" not in ACTS
    ] == []


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://shop.example"}, {"Origin": "null"}, {"Host": "shop.example"}],
    ids=["another site", "a sandboxed page", "a rebound name"],
)
def test_other_sites_are_kept_out(
    sandbox: Sandbox, web: requests.Session, headers: dict[str, str]
) -> None:
    answer = web.post(f"{sandbox.root_url}/_sandbox/reset", headers=headers, timeout=30)

    assert answer.status_code == 403


@pytest.mark.parametrize(
    "path", ["/nothing", "/_sandbox/nothing", "/_sandbox/faults/999", "/api/v2"]
)
def test_unknown_path_is_not_found(sandbox: Sandbox, web: requests.Session, path: str) -> None:
    assert web.delete(sandbox.root_url + path, timeout=30).status_code == 404


def test_calls_tell_nothing_personal(sandbox: Sandbox, web: requests.Session) -> None:
    params = {"customer_email": "mara@example.com", "phone_number": "+14155550123"}
    for path in (
        "/customers",
        "/customers/mara@example.com",
        "/redemptions/1/cancellation_completed",
    ):
        web.post(sandbox.base_url + path, params, headers=sandbox.headers, timeout=30)

    told = str(sandbox.calls()) + str(sandbox.call_counts())

    assert "mara" not in told
    assert "4155550123" not in told


def test_call_is_listed_by_method_and_template(sandbox: Sandbox, web: requests.Session) -> None:
    url = f"{sandbox.base_url}/redemptions/7/cancellation_completed"
    web.post(url, json={"reward_text": "X"}, headers=sandbox.headers, timeout=30)

    [call] = sandbox.calls()

    assert (call["method"], call["path"]) == ("POST", "/redemptions/*/cancellation_completed")
    assert (call["status"], call["made"], call["fault"]) == (404, False, None)


def run_sandbox(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0", *words],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_process_says_one_line_and_ends_when_told(
    web: requests.Session, ending: signal.Signals
) -> None:
    with run_sandbox("--rate", "off") as process:
        root = process.stdout.readline().strip().removeprefix(READY)
        for path in ("/api/v2/customers?customer_email=mara@example.com", "/", "/%ff?a=%00"):
            web.get(root + path, headers={"x-guid": "é"}, timeout=30)
        process.send_signal(ending)

        assert process.wait(20) == 0
        assert (process.stdout.read(), process.stderr.read()) == ("", "")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::"])
def test_only_this_machine_is_served(host: str) -> None:
    with run_sandbox("--host", host) as process:
        assert process.wait(20) == 2
        assert "loopback" in process.stderr.read()


def test_process_ends_when_its_starter_is_gone() -> None:
    words = [sys.executable, "-m", "sandbox", "--port", "0", "--until-eof"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=PROJECT, stdin=pipe, stdout=pipe, text=True) as process:
        process.stdout.readline()
        process.stdin.close()

        assert process.wait(20) == 0
