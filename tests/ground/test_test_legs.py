import pytest

import run_tests
from needs import CHROMIUM, POSTGRES
from run_tests import Leg, Outcome

BROWSER = Leg("browser", (), (CHROMIUM,))
SQLITE = Leg("sqlite", ())


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


@pytest.mark.parametrize("code", [1, 2, 5])
def test_a_leg_fails_with_failed_or_with_no_tests(monkeypatch, code):
    monkeypatch.setattr(run_tests, "tee", lambda *_: code)

    assert run_tests.run(SQLITE, {}).word == "FAILED"


def test_only_the_postgres_leg_is_given_that_database(monkeypatch):
    seen = {}
    monkeypatch.setattr(run_tests, "tee", lambda _command, env, log: seen.update({log.stem: env}))
    env = {"POSTGRES_URL": "postgres://a"}

    run_tests.run(SQLITE, env)
    run_tests.run(Leg("postgres", (), (POSTGRES,), on_postgres=True), env)

    assert "DATABASE_URL" not in seen["sqlite"]
    assert seen["postgres"]["DATABASE_URL"] == "postgres://a"


def test_the_callers_database_and_engine_are_not_the_tests(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://production")
    monkeypatch.setenv("YOTPO_BASE_URL", "https://loyalty.example.com")

    env = run_tests.environment(None)

    assert not {"DATABASE_URL", "YOTPO_BASE_URL"} & env.keys()
    assert env["LOYALTY_MODE"] == "test"
