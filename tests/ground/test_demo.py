"""How the demo starts, watches and stops its programs; what they do is tested elsewhere."""

import os
import sys
import time

import pytest

import demo
from demo import Children, DemoError, Stopped
from ports import is_free

SLEEPING = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEPING
SERVER = (
    "import signal, socket, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "server = socket.create_server(('127.0.0.1', 0));"
    "print(server.getsockname()[1], flush=True); time.sleep(60)"
)
# Ends at once and leaves a server behind, in its group.
LEAVING = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SERVER!r}])"


@pytest.fixture
def children(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "DATA", tmp_path)
    started = Children()
    yield started
    started.stop()


def start(children, script):
    return children.start("program", (sys.executable, "-c", script), os.environ)


def wait_for(is_so):
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def wait_for_output(child):
    wait_for(child.log.read_text)


def test_a_program_that_dies_is_reported_with_its_last_words(children):
    child = start(children, "print('first', flush=True); raise SystemExit('no database')")
    child.process.wait()

    with pytest.raises(DemoError, match=r"program ended with code 1(.|\n)*no database"):
        children.check()


def test_a_step_that_fails_ends_the_demo(children):
    with pytest.raises(DemoError, match="seed ended with code 3"):
        children.finish("seed", (sys.executable, "-c", "raise SystemExit(3)"), os.environ)


def test_a_step_that_is_done_is_not_watched_any_more(children):
    children.finish("seed", (sys.executable, "-c", ""), os.environ)

    assert children.running == []


def test_programs_are_stopped(children):
    child = start(children, SLEEPING)
    wait_for_output(child)

    children.stop()

    assert child.has_ended


def test_one_that_will_not_stop_is_killed(children, monkeypatch):
    monkeypatch.setattr(demo, "STOPPED_WITHIN_SECONDS", 0.1)
    child = start(children, STUBBORN)
    wait_for_output(child)

    children.stop()

    assert child.process.returncode == -9


def test_what_a_program_left_behind_is_stopped_too(children):
    child = start(children, LEAVING)
    child.process.wait()
    wait_for_output(child)
    port = int(child.log.read_text())
    assert not is_free(port)

    children.stop()

    wait_for(lambda: is_free(port))


def test_asking_to_stop_ends_every_wait(children):
    children.ask_to_stop(15, None)

    with pytest.raises(Stopped):
        children.wait_until(lambda: False, "Nothing")


def test_a_busy_port_is_passed_over_and_that_is_said(capsys, monkeypatch):
    monkeypatch.setenv("PORT", "8000")
    monkeypatch.setattr(demo, "next_free", lambda *_: 8001)

    assert demo.choose_port("The panel", demo.WEB_PORT) == 8001
    assert capsys.readouterr().out == "Port 8000 is busy. The panel takes 8001.\n"


def test_a_port_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setenv("PORT", "web")

    with pytest.raises(DemoError, match="PORT must be a port number, not 'web'"):
        demo.wish(demo.WEB_PORT)


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("http://127.0.0.1:9000/api/v2", True),
        ("http://localhost:9000/api/v2", True),
        ("https://loyalty.example.com/api/v2", False),
        ("http://127.0.0.1.example.com/api/v2", False),
        ("", False),
    ],
)
def test_only_an_engine_on_this_machine_is_used(monkeypatch, url, used):
    monkeypatch.setenv("YOTPO_BASE_URL", url)

    assert demo.uses_own_engine() is used
