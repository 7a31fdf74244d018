from pathlib import Path

import pytest

import run_tests
from needs import CHROMIUM, NEXT_PYTHON, POSTGRES
from run_tests import Leg, Outcome

BROWSER = Leg("browser", (), (CHROMIUM,))
SQLITE = Leg("sqlite", ("-m", "not browser"))
NEXT = Leg("next", ("-m", "not slow"), (NEXT_PYTHON,), on_next=True)
FOUND = {NEXT_PYTHON: Path("/usr/bin/python3.13")}


@pytest.fixture(autouse=True)
def _output_apart(monkeypatch, tmp_path):
    monkeypatch.setattr(run_tests, "OUTPUT", tmp_path)


@pytest.fixture
def ran(monkeypatch):
    """The commands that legs ran; `ran.codes` are what they end with, 0 where none is left."""

    class Ran(list):
        codes: list[int] = []

        def tee(self, command, _env, _log):
            self.append(command)
            return self.codes.pop(0) if self.codes else 0

    commands = Ran()
    monkeypatch.setattr(run_tests, "tee", commands.tee)
    return commands


def test_a_leg_without_its_program_is_skipped(monkeypatch):
    monkeypatch.delenv("REQUIRE_ALL", raising=False)

    assert run_tests.without(BROWSER).is_skipped


def test_where_all_is_required_it_fails(monkeypatch):
    monkeypatch.setenv("REQUIRE_ALL", "1")

    assert run_tests.sum_up([run_tests.without(BROWSER)]) == 1


def test_skipped_legs_are_counted_and_named_with_the_way_out(capsys):
    outcomes = [Outcome(SQLITE, "passed", 3.2), Outcome(BROWSER, "SKIPPED")]

    assert run_tests.sum_up(outcomes, [CHROMIUM]) == 0
    summary = capsys.readouterr().out
    assert "1 test legs skipped: browser" in summary
    assert f"Chromium is missing. Type: {CHROMIUM.how_to_install}" in summary


def test_nothing_is_said_of_skipping_when_all_ran(capsys):
    assert run_tests.sum_up([Outcome(SQLITE, "passed", 3.2)]) == 0
    assert "skipped" not in capsys.readouterr().out


def test_one_failed_leg_fails_the_run():
    assert run_tests.sum_up([Outcome(SQLITE, "FAILED"), Outcome(BROWSER, "passed")]) == 1


def test_a_next_python_that_is_missing_fails_nothing_and_is_said_loudly(monkeypatch, capsys):
    monkeypatch.setenv("REQUIRE_ALL", "1")

    assert run_tests.sum_up([run_tests.without(NEXT)], [NEXT_PYTHON]) == 0
    summary = capsys.readouterr().out
    assert "!!! 1 test legs skipped: next" in summary
    assert "!!! Python 3.13 or newer is missing. Install one" in summary
    assert "make next PYTHON_NEXT=" in summary


def test_the_next_leg_sets_its_venv_up_with_that_python_and_tests_with_it(ran):
    assert run_tests.run(NEXT, {}, FOUND).word == "passed"

    set_up, tests = ran
    venv = [".venv-next", "requirements-next.txt"]
    assert set_up == ["/usr/bin/python3.13", "scripts/setup_venv.py", *venv]
    assert tests[0] == str(run_tests.ROOT / ".venv-next" / "bin" / "python")
    assert tests[1:5] == ["-m", "pytest", "-m", "not slow"]


def test_a_set_up_that_fails_where_that_python_exists_is_a_failure(ran):
    ran.codes = [1]

    assert run_tests.run(NEXT, {}, FOUND).word == "FAILED"
    assert len(ran) == 1


@pytest.mark.parametrize("code", [1, 2, 5])
def test_a_leg_fails_with_failed_or_with_no_tests(ran, code):
    ran.codes = [code]

    assert run_tests.run(SQLITE, {}, {}).word == "FAILED"


def test_only_the_postgres_leg_is_given_that_database(monkeypatch):
    seen = {}
    monkeypatch.setattr(run_tests, "tee", lambda _command, env, log: seen.update({log.stem: env}))
    env = {"POSTGRES_URL": "postgres://a"}

    run_tests.run(SQLITE, env, {})
    run_tests.run(Leg("postgres", (), (POSTGRES,), on_postgres=True), env, {})

    assert "DATABASE_URL" not in seen["sqlite"]
    assert seen["postgres"]["DATABASE_URL"] == "postgres://a"


def test_the_callers_database_and_engine_are_not_the_tests(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://production")
    monkeypatch.setenv("YOTPO_BASE_URL", "https://loyalty.example.com")

    env = run_tests.environment(None)

    assert not {"DATABASE_URL", "YOTPO_BASE_URL"} & env.keys()
    assert env["LOYALTY_MODE"] == "test"
