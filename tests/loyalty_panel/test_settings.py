"""Settings fail loudly, with the variable's name and what to do, before anything is served."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from loyalty_panel.modes import Mode, mail_options, throwaway_fernet_key, throwaway_secret
from tests.loyalty_panel.processes import SettingsReader, ask, fernet_key, production, run

HOW = "Make one: python3 -c '"
OUTSIDE = "https://loyalty.yotpo.com/api/v2"


@pytest.fixture(scope="module")
def reader() -> Iterator[SettingsReader]:
    reader = SettingsReader()
    yield reader
    reader.close()


@pytest.fixture
def failure(reader: SettingsReader) -> Callable[[dict[str, str]], str]:
    """What is said of an environment with which nothing can start."""

    def read(env: dict[str, str]) -> str:
        kind, _, words = reader.failure(env).partition(": ")
        assert kind == "ImproperlyConfigured", "it started, or failed in another way"
        return words

    return read


def test_production_starts_with_everything_in_its_place(tmp_path: Path) -> None:
    done = run(production(tmp_path), "-c", "import loyalty_panel.settings")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_process_with_a_bad_setting_ends_with_the_reason_as_its_last_word(tmp_path: Path) -> None:
    done = run(production(tmp_path, SECRET_KEY=None), "manage.py", "check")
    assert done.returncode != 0
    assert "SECRET_KEY is not set. Make one: " in done.stderr.splitlines()[-1]


# variable, its value, the beginning of what is said.
SECRETS: dict[str, tuple[str, str | None, str]] = {
    "SECRET_KEY missing": ("SECRET_KEY", None, "SECRET_KEY is not set"),
    "SECRET_KEY empty": ("SECRET_KEY", "", "SECRET_KEY is not set"),
    "SECRET_KEY short": ("SECRET_KEY", "Zk3u-8dQ0_sLr7", "SECRET_KEY is shorter than 32"),
    "SECRET_KEY placeholder": ("SECRET_KEY", "change-me" * 6, "SECRET_KEY is a default"),
    "SECRET_KEY Django's": (
        "SECRET_KEY",
        "django-insecure-" + "x7" * 20,
        "SECRET_KEY is a default",
    ),
    "SECRET_KEY simple": ("SECRET_KEY", "ab" * 30, "SECRET_KEY is a default"),
    "SECRET_KEY the demo's": (
        "SECRET_KEY",
        throwaway_secret("SECRET_KEY"),
        "SECRET_KEY is a default",
    ),
    "SECRET_KEY_FALLBACKS second one short": (
        "SECRET_KEY_FALLBACKS",
        f"{fernet_key()},short",
        "SECRET_KEY_FALLBACKS is shorter than 32",
    ),
    "SECRET_KEY_FALLBACKS the demo's": (
        "SECRET_KEY_FALLBACKS",
        throwaway_secret("SECRET_KEY"),
        "SECRET_KEY_FALLBACKS is a default",
    ),
    "BLIND_INDEX_KEY missing": ("BLIND_INDEX_KEY", None, "BLIND_INDEX_KEY is not set"),
    "BLIND_INDEX_KEY short": ("BLIND_INDEX_KEY", "Zk3u8dQ", "BLIND_INDEX_KEY is shorter than 32"),
    "BLIND_INDEX_KEY the demo's": (
        "BLIND_INDEX_KEY",
        throwaway_secret("BLIND_INDEX_KEY"),
        "BLIND_INDEX_KEY is a default",
    ),
    "PIN_PEPPER missing": ("PIN_PEPPER", None, "PIN_PEPPER is not set"),
    "PIN_PEPPER the demo's": (
        "PIN_PEPPER",
        throwaway_secret("PIN_PEPPER"),
        "PIN_PEPPER is a default",
    ),
    "ENCRYPTION_KEYS missing": ("ENCRYPTION_KEYS", None, "ENCRYPTION_KEYS is not set"),
    "ENCRYPTION_KEYS empty": ("ENCRYPTION_KEYS", "", "ENCRYPTION_KEYS is not set"),
    "ENCRYPTION_KEYS short": ("ENCRYPTION_KEYS", "Zk3u8d", "ENCRYPTION_KEYS is shorter than 32"),
    "ENCRYPTION_KEYS the demo's": (
        "ENCRYPTION_KEYS",
        throwaway_fernet_key("ENCRYPTION_KEYS"),
        "ENCRYPTION_KEYS is a default",
    ),
    "ENCRYPTION_KEYS no key": (
        "ENCRYPTION_KEYS",
        fernet_key()[:40],
        "ENCRYPTION_KEYS is not a Fernet key",
    ),
    "ENCRYPTION_KEYS second one short": (
        "ENCRYPTION_KEYS",
        f"{fernet_key()},short",
        "ENCRYPTION_KEYS is shorter than 32",
    ),
}


@pytest.mark.parametrize(("name", "value", "said"), SECRETS.values(), ids=SECRETS.keys())
def test_production_refuses_a_missing_or_default_secret_and_says_how_to_make_one(
    tmp_path: Path, name: str, value: str | None, said: str, failure
) -> None:
    words = failure(production(tmp_path, **{name: value}))
    assert words.startswith(said)
    assert HOW in words
    assert not value or value not in words


@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "ALLOWED_HOSTS", "PUBLIC_URL", "YOTPO_GUID", "YOTPO_API_KEY"]
)
def test_production_names_what_else_is_missing(tmp_path: Path, name: str, failure) -> None:
    assert name in failure(production(tmp_path, **{name: None}))


ADDRESSES: dict[str, tuple[str, str, str]] = {
    "plain http": ("PUBLIC_URL", "http://panel.example.com", "PUBLIC_URL must start with https://"),
    "no scheme": ("PUBLIC_URL", "panel.example.com", "PUBLIC_URL must be a whole http(s) address"),
    "no host": ("PUBLIC_URL", "https://", "PUBLIC_URL must be a whole http(s) address"),
    "another scheme": ("PUBLIC_URL", "ftp://panel", "PUBLIC_URL must be a whole http(s) address"),
    "a bracket too many": ("PUBLIC_URL", "https://[panel", "PUBLIC_URL must be a whole http(s)"),
    "looks like loopback": (
        "PUBLIC_URL",
        "http://127.0.0.1.evil.example",
        "PUBLIC_URL must start with https://",
    ),
    "the engine by plain http": (
        "YOTPO_BASE_URL",
        "http://loyalty.yotpo.com/api/v2",
        "YOTPO_BASE_URL must start with https://",
    ),
}


@pytest.mark.parametrize(("name", "value", "said"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_production_wants_https(tmp_path: Path, name: str, value: str, said: str, failure) -> None:
    assert failure(production(tmp_path, **{name: value})).startswith(said)


@pytest.mark.parametrize("name", ["PUBLIC_URL", "YOTPO_BASE_URL"])
def test_on_this_machine_production_takes_plain_http(tmp_path: Path, name: str, reader) -> None:
    env = production(tmp_path, **{name: "http://127.0.0.1:8000"})
    assert reader.failure(env) == ""


LOG_IN = "logs people in without a password"
OUTSIDE_THE_DEMO: dict[str, tuple[str, str]] = {
    "the engine": ("YOTPO_BASE_URL", OUTSIDE),
    "the engine by plain http": ("YOTPO_BASE_URL", "http://192.0.2.7:8701/api/v2"),
    "a host": ("ALLOWED_HOSTS", "127.0.0.1,panel.example.com"),
    "every host": ("ALLOWED_HOSTS", "*"),
    "all addresses": ("ALLOWED_HOSTS", "0.0.0.0"),
    "the public address": ("PUBLIC_URL", "https://panel.example.com"),
}


@pytest.mark.parametrize(("name", "value"), OUTSIDE_THE_DEMO.values(), ids=OUTSIDE_THE_DEMO.keys())
def test_the_demo_stays_on_this_machine(name: str, value: str, failure) -> None:
    words = failure({"LOYALTY_MODE": "demo", name: value})
    assert name in words
    assert "loopback" in words


def test_the_demo_says_how_to_run_for_real(failure) -> None:
    words = failure({"LOYALTY_MODE": "demo", "YOTPO_BASE_URL": OUTSIDE})
    assert LOG_IN in words
    assert "Unset LOYALTY_MODE" in words


@pytest.mark.parametrize("mode", ["demo", "test"])
def test_the_mode_alone_is_enough(mode: str, reader) -> None:
    assert reader.failure({"LOYALTY_MODE": mode}) == ""


def test_tests_never_speak_to_the_real_engine(failure) -> None:
    assert "YOTPO_BASE_URL" in failure({"LOYALTY_MODE": "test", "YOTPO_BASE_URL": OUTSIDE})


def test_without_a_mode_it_is_production(failure) -> None:
    assert failure({}).startswith("SECRET_KEY is not set")


@pytest.mark.parametrize("word", ["prod", "Demo", "DEMO", "development", "", "demo "])
def test_an_unknown_mode_is_refused_and_the_known_ones_are_named(word: str, failure) -> None:
    words = failure({"LOYALTY_MODE": word})
    assert words == f"LOYALTY_MODE is {word!r}; it must be one of production, demo, test."


def test_a_server_without_threads_is_refused(failure) -> None:
    words = failure({"LOYALTY_MODE": "test", "WEB_THREADS": "0"})
    assert words == "WEB_THREADS must be 1 or more: gunicorn's --threads."


def test_an_authority_that_cannot_be_read_is_refused(tmp_path: Path, failure) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in ("empty.pem", "missing.pem"):
        words = failure({"LOYALTY_MODE": "test", "YOTPO_CA_FILE": str(tmp_path / name)})
        assert words.startswith("YOTPO_CA_FILE must name a file of certificates")


def test_djangos_deployment_checks_are_clean_in_production(tmp_path: Path) -> None:
    words = ("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    done = run(production(tmp_path), *words)
    assert "no issues" in done.stdout, done.stderr
    assert done.returncode == 0


HERE = {"Host": "panel.example.com"}
BY_ADDRESS = {"Host": "192.0.2.7:8000"}
PANEL = "/panel/shop/launch"  # got instead of posted: 405 without a look at the database


def test_production_is_served_over_tls(tmp_path: Path) -> None:
    plain, proxied, health, ready, secure, elsewhere = ask(
        production(tmp_path),
        {"path": PANEL, "headers": HERE},
        {"path": PANEL, "headers": {**HERE, "X-Forwarded-Proto": "https"}},
        {"path": "/healthz", "headers": HERE},
        {"path": "/readyz", "headers": HERE},
        {"path": PANEL, "secure": True, "headers": HERE},
        {"path": PANEL, "secure": True, "headers": {"Host": "evil.example"}},
    )
    assert (plain[0], plain[1]["Location"]) == (301, f"https://panel.example.com{PANEL}")
    assert proxied[0] == 301  # anyone can send that header
    assert health[0] == 200
    assert ready[0] == 503  # nothing is migrated, and it says so without TLS
    assert secure[0] == 405
    assert secure[1]["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert elsewhere[0] == 400


@pytest.mark.parametrize("proxy", ["0", "1"], ids=["no proxy", "behind a proxy"])
def test_a_load_balancer_probes_by_address_and_without_tls(tmp_path: Path, proxy: str) -> None:
    health, ready, panel = ask(
        production(tmp_path, TRUST_PROXY_TLS=proxy),
        {"path": "/healthz", "headers": BY_ADDRESS},
        {"path": "/readyz", "headers": BY_ADDRESS},
        {"path": PANEL, "secure": True, "headers": BY_ADDRESS},
    )
    assert (health[0], ready[0]) == (200, 503)
    assert "migrations" in ready[2]  # an answer of its own, no refusal
    assert panel[0] == 400


def test_a_proxys_word_about_tls_is_believed_where_the_settings_say_so(tmp_path: Path) -> None:
    [proxied] = ask(
        production(tmp_path, TRUST_PROXY_TLS="1"),
        {"path": PANEL, "headers": {**HERE, "X-Forwarded-Proto": "https"}},
    )
    assert proxied[0] == 405


MAIL_SERVERS = [
    ("smtp://localhost", ("localhost", 25, "", "", False, False)),
    ("smtp+tls://us%40er:p%3Aw@example.com", ("example.com", 587, "us@er", "p:w", True, False)),
    ("smtp+ssl://mail.example.com:4650", ("mail.example.com", 4650, "", "", False, True)),
]


@pytest.mark.parametrize(("url", "options"), MAIL_SERVERS)
def test_where_mails_of_alerts_go(url, options):
    made = mail_options(url, 3.0, Mode.PRODUCTION)
    names = ("host", "port", "username", "password", "use_tls", "use_ssl")
    assert tuple(made[name] for name in names) == options


def test_a_mail_server_that_cannot_be_read_is_refused():
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        mail_options("mail.example.com", 3.0, Mode.PRODUCTION)
