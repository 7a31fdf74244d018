"""Launch tokens: what a POS signs opens its own panel, once and for a minute; nothing else does."""

import base64
import json
import re
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import Client

from access.models import Bearer, LaunchCode, LaunchSecret, UsedToken
from audit.models import Entry
from stores.models import Associate, Installation, Store, Till
from tests.support.waiting import until

pytestmark = [pytest.mark.django_db, pytest.mark.database]

OWN, POS = "http://testserver", "https://till.example.com"
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def secret(installation: Installation) -> LaunchSecret:
    installation.origins = [POS]
    installation.save()
    return LaunchSecret.issue(installation)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    told = {
        "iss": "shop",
        "aud": OWN,
        "sub": "ana",
        "name": "Ana Pardo",
        "role": "associate",
        "store": "boston",
        "till": "1",
        "sale": "T-100",
        "jti": uuid.uuid4().hex,
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        **changes,
    }
    return {name: value for name, value in told.items() if value is not None}


def signed(secret: LaunchSecret, kid: str = "", key: str = "", **changes: Any) -> str:
    headers = {"kid": kid or secret.kid}
    return jwt.encode(claims(**changes), key or secret.secret, "HS256", headers=headers)


def launch(token: object, path: str = "/panel/shop/launch", **extra: Any) -> HttpResponse:
    client = Client(enforce_csrf_checks=True)
    return client.post(path, json.dumps({"token": token}), "application/json", **extra)


def refused(answer: HttpResponse, status: int = 401) -> str:
    assert answer.status_code == status
    assert not Bearer.objects.exists()
    return str(answer.json()["detail"])


def test_a_signed_token_opens_the_till_that_it_names(secret: LaunchSecret) -> None:
    answer = launch(signed(secret))
    assert answer.json() | {"bearer": ""} == {"bearer": "", "expires_in": 300, "sale": "T-100"}
    bearer = Bearer.objects.get()
    assert (bearer.till.code, bearer.till.store.code) == ("1", "boston")
    assert (bearer.associate.name, bearer.associate.role) == ("Ana Pardo", "associate")


def test_who_and_where_are_made_once_and_called_what_the_pos_calls_them(
    secret: LaunchSecret,
) -> None:
    launch(signed(secret, name="Ana P."))
    launch(signed(secret, name="Ana Pardo", role="manager"))
    ana = Associate.objects.get()
    assert (ana.name, ana.role) == ("Ana Pardo", "manager")
    assert Till.objects.count() == Store.objects.count() == 1
    told = Entry.objects.filter(act="associate.told_by_pos").first()
    assert told.after["role"] == "manager"
    assert told.who == f"launch secret {secret.kid}"


def test_a_token_is_good_once(secret: LaunchSecret) -> None:
    token = signed(secret)
    assert launch(token).status_code == 200
    again = launch(token)
    assert again.status_code == 401
    assert again.json()["detail"].startswith("This launch was used already.")
    assert Bearer.objects.count() == 1


def in_the_trail() -> list[tuple[str, str, str]]:
    rows = Entry.objects.filter(outcome=Entry.Outcome.REFUSED).order_by("id")
    return [(row.act, row.who, row.after["why"]) for row in rows]


def test_a_refused_launch_is_in_the_trail_where_its_signature_is_right(
    secret: LaunchSecret, till: Till
) -> None:
    token = signed(secret)
    launch(token)
    launch(token)
    launch(signed(secret, exp=int(time.time()) - 60))
    launch(signed(secret, aud="https://elsewhere.example"))
    Till.objects.filter(pk=till.pk).update(is_active=False)
    launch(signed(secret, store=till.store.code, till=till.code))
    who = f"launch secret {secret.kid}"
    assert in_the_trail() == [
        ("launch.refused", who, why) for why in ("replayed", "too_long", "audience", "disabled")
    ]
    rows = Entry.objects.filter(act="launch.refused").order_by("id")
    assert {row.installation for row in rows} == {"shop"}
    assert rows[0].after == {"why": "replayed", "store": "boston", "till": "1", "associate": "ana"}


def test_nobody_without_a_secret_writes_into_the_trail(secret: LaunchSecret) -> None:
    launch("nonsense")
    launch(signed(secret, key="k" * 43))
    assert in_the_trail() == []


def test_a_token_sent_over_and_over_fills_no_trail(secret: LaunchSecret) -> None:
    token = signed(secret)
    for _ in range(30):
        launch(token)
    assert len(in_the_trail()) == 20


def test_an_hour_later_it_is_noted_again(secret: LaunchSecret, monkeypatch) -> None:
    monkeypatch.setattr("access.launching.MOST_REFUSALS_NOTED", 1)
    token = signed(secret)
    for _ in range(3):
        launch(token)
    assert len(in_the_trail()) == 1
    monkeypatch.setattr("access.launching.NOTED_WITHIN", timedelta(0))
    launch(token)
    assert len(in_the_trail()) == 2


def test_a_refusal_is_told_also_where_it_cannot_be_noted(secret: LaunchSecret, monkeypatch) -> None:
    def away(**_: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("access.launching.record", away)
    answer = launch(signed(secret, iat=int(time.time()) + 40, exp=int(time.time()) + 100))
    assert " s ahead. Set it right" in refused(answer)


def test_what_ended_long_ago_is_forgotten(secret: LaunchSecret) -> None:
    launch(signed(secret))
    UsedToken.objects.update(expires_at="2026-01-01T00:00:00Z")
    launch(signed(secret))
    assert UsedToken.objects.count() == 1


def alg_none(secret: LaunchSecret) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none', 'kid': secret.kid})}.{part(claims())}."


def other_algorithm(secret: LaunchSecret) -> str:
    return jwt.encode(claims(), secret.secret * 2, "HS512", headers={"kid": secret.kid})


def no_kid(secret: LaunchSecret) -> str:
    return jwt.encode(claims(), secret.secret, "HS256")


def of_another_installation(secret: LaunchSecret) -> str:
    other = Installation.objects.create(id="other", name="Other")
    return signed(LaunchSecret.issue(other))


def own_kid_with_anothers_key(secret: LaunchSecret) -> str:
    other = Installation.objects.create(id="other", name="Other")
    return signed(secret, key=LaunchSecret.issue(other).secret)


def rotated_out(secret: LaunchSecret) -> str:
    token = signed(secret)
    secret.revoke()
    return token


def changed_after_signing(secret: LaunchSecret) -> str:
    head, _, tail = signed(secret).split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims(role="manager")).encode()).decode()
    return f"{head}.{body.rstrip('=')}.{tail}"


FORGED: dict[str, tuple[Callable[[LaunchSecret], str], str]] = {
    "alg: none": (alg_none, "no launch token signed with HS256"),
    "another algorithm": (other_algorithm, "no launch token signed with HS256"),
    "no key id": (no_kid, "no launch token signed with HS256"),
    "another installation's secret": (of_another_installation, "not signed with a live secret"),
    "our key id, another's key": (own_kid_with_anothers_key, "not signed with a live secret"),
    "a secret that was rotated out": (rotated_out, "not signed with a live secret"),
    "changed after it was signed": (changed_after_signing, "not signed with a live secret"),
    "no token at all": (lambda _: "nonsense", "no launch token signed with HS256"),
    "a very long one": (lambda secret: signed(secret) + "A" * 5000, "no launch token"),
}


@pytest.mark.parametrize(("forge", "words"), FORGED.values(), ids=FORGED.keys())
def test_what_is_not_signed_by_this_pos_opens_nothing(
    secret: LaunchSecret, forge: Callable[[LaunchSecret], str], words: str
) -> None:
    assert words in refused(launch(forge(secret)))
    assert not UsedToken.objects.exists() and not Associate.objects.exists()


def now() -> int:
    return int(time.time())


WRONG: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "for another panel": (lambda: {"aud": "https://panel.example.com"}, "its aud must be http://"),
    "by another installation": (lambda: {"iss": "other"}, "iss must be shop"),
    "the POS clock ahead": (
        lambda: {"iat": now() + 40, "nbf": now() + 40, "exp": now() + 100},
        r"The POS clock that signed this is (40|3\d) s ahead\.",
    ),
    "not to be used yet": (lambda: {"nbf": now() + 30}, r"is (30|2\d) s ahead\."),
    "the POS clock behind": (
        lambda: {"iat": now() - 90, "nbf": now() - 90, "exp": now() - 30},
        r"about 9\d s behind",
    ),
    "too long-lived": (lambda: {"exp": now() + 3600}, "lives for 3600 s. The most is 120 s"),
    "ended before it began": (lambda: {"exp": now() - 5}, "lives for -5 s."),
    "a role that there is none": (lambda: {"role": "owner"}, "role cannot be read"),
    "a number for a name": (lambda: {"name": 7}, "name cannot be read"),
    "no name": (lambda: {"name": "  "}, "name cannot be read"),
    "a till with spaces": (lambda: {"till": "till one"}, "till cannot be read"),
    "a till with a line break": (lambda: {"till": "1\n"}, "till cannot be read"),
    "a name that no database takes": (lambda: {"name": "Ana\x00"}, "name cannot be read"),
    "a time beyond all calendars": (
        lambda: {"iat": 10**400, "nbf": 10**400, "exp": 10**400 + 60},
        "exp, iat, nbf cannot be read",
    ),
    "a time that is none": (lambda: {"nbf": float("nan")}, "nbf cannot be read"),
    "no number for a time": (lambda: {"iat": "now"}, "cannot be read"),
    **{
        f"no {name}": (lambda name=name: {name: None}, f"has no {name}")
        for name in ("sub", "name", "role", "store", "till", "iat", "nbf", "exp", "jti")
    },
    "no aud": (lambda: {"aud": None}, "has no aud"),
    "no iss": (lambda: {"iss": None}, "has no iss"),
}


@pytest.mark.parametrize(("changes", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_token_that_says_something_wrong_is_refused_in_words(
    secret: LaunchSecret, changes: Callable[[], dict[str, Any]], words: str
) -> None:
    assert re.search(words, refused(launch(signed(secret, **changes()))))
    assert not Associate.objects.exists()


def header(raw: str) -> str:
    return f"{base64.urlsafe_b64encode(raw.encode()).decode().rstrip('=')}.e30.c2ln"


UNREADABLE = {
    "a kid that no database takes": {"token": header('{"alg": "HS256", "kid": "\\u0000"}')},
    "a kid of half a letter": {"token": header('{"alg": "HS256", "kid": "\\ud800"}')},
    "half a letter": {"token": "\ud800"},
    "half a letter for a code": {"code": "\ud800"},
    "half a letter for a till": {"till": "\ud800"},
}


@pytest.mark.database
@pytest.mark.parametrize("told", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_refused_and_no_error_of_ours(
    secret: LaunchSecret, told: dict[str, str]
) -> None:
    answer = Client().post("/panel/shop/launch", json.dumps(told), "application/json")
    assert answer.status_code in {400, 401}
    assert not Bearer.objects.exists()


def test_clocks_may_differ_by_ten_seconds(secret: LaunchSecret) -> None:
    ahead = {"iat": now() + 8, "nbf": now() + 8, "exp": now() + 68}
    behind = {"iat": now() - 68, "nbf": now() - 68, "exp": now() - 8}
    assert launch(signed(secret, **ahead)).status_code == 200
    assert launch(signed(secret, **behind)).status_code == 200


def test_both_live_secrets_are_good(secret: LaunchSecret) -> None:
    second = LaunchSecret.issue(secret.installation)
    assert launch(signed(secret)).status_code == launch(signed(second)).status_code == 200


@pytest.mark.parametrize("row", [Store, Till, Associate])
def test_what_is_disabled_stays_out(secret: LaunchSecret, row: type) -> None:
    launch(signed(secret))
    Bearer.objects.all().delete()
    row.objects.update(is_active=False)
    assert "is disabled" in refused(launch(signed(secret)), 403)


def test_a_token_is_never_taken_from_a_foreign_page(secret: LaunchSecret) -> None:
    assert refused(launch(signed(secret), headers={"Origin": POS}), 403)
    assert refused(launch(signed(secret), headers={"Sec-Fetch-Site": "cross-site"}), 403)


def test_the_bearer_that_the_page_had_ends_with_a_new_launch(secret: LaunchSecret) -> None:
    first = launch(signed(secret)).json()["bearer"]
    second = launch(
        signed(secret, sub="ben", name="Ben Okafor"), headers={"Authorization": f"Bearer {first}"}
    ).json()["bearer"]
    assert session(first).status_code == 401
    assert "Ben Okafor" in session(second).content.decode()


def session(bearer: str) -> HttpResponse:
    return Client().get("/panel/shop/session", headers={"Authorization": f"Bearer {bearer}"})


def test_nothing_of_a_refused_token_is_logged(secret: LaunchSecret, caplog) -> None:
    token = signed(secret, name="Ana Pardo", exp=now() + 3600)
    launch(token)
    assert "too_long" in caplog.text
    assert not any(word in caplog.text for word in ("Ana", token[-20:], secret.secret))


class TestPosted:
    """Level B: the POS posts a token into the frame; the page trades a code of half a minute."""

    HEADERS = {"Origin": POS, "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"}

    def post(self, token: str, **headers: str | None) -> HttpResponse:
        sent = {name: value for name, value in (self.HEADERS | headers).items() if value}
        client = Client(enforce_csrf_checks=True)
        return client.post("/panel/shop/", {"token": token}, headers=sent)

    def code(self, secret: LaunchSecret) -> str:
        return str(self.post(signed(secret)).context["code"])

    def trade(self, code: str) -> HttpResponse:
        return Client().post("/panel/shop/launch", {"code": code}, "application/json")

    def test_its_code_opens_the_panel_once(self, secret: LaunchSecret) -> None:
        code = self.code(secret)
        answer = self.trade(code)
        assert answer.json()["sale"] == "T-100"
        assert "Ana Pardo" in session(answer.json()["bearer"]).content.decode()
        assert self.trade(code).status_code == 401

    def test_only_its_hash_is_kept(self, secret: LaunchSecret) -> None:
        code = self.code(secret)
        row = LaunchCode.objects.values().get()
        assert code not in str(row)

    def test_it_ends_after_half_a_minute(self, secret: LaunchSecret) -> None:
        code = self.code(secret)
        LaunchCode.objects.update(expires_at="2026-01-01T00:00:00Z")
        assert "too long ago" in refused(self.trade(code))

    def test_it_opens_no_other_installation(self, secret: LaunchSecret) -> None:
        Installation.objects.create(id="other", name="Other")
        code = self.code(secret)
        answer = Client().post("/panel/other/launch", {"code": code}, "application/json")
        assert "too long ago" in refused(answer)

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "http://till.example.com"},
            {"Origin": "https://till.example.com:8443"},
            {"Origin": "null"},
            {"Origin": None},
            {"Sec-Fetch-Dest": "document"},
            {"Sec-Fetch-Dest": "embed"},
        ],
        ids=str,
    )
    def test_only_a_page_of_the_pos_may_post(
        self, secret: LaunchSecret, headers: dict[str, str | None]
    ) -> None:
        answer = self.post(signed(secret), **headers)
        assert answer.status_code == 403
        assert not LaunchCode.objects.exists() and not UsedToken.objects.exists()

    def test_an_older_browser_says_less(self, secret: LaunchSecret) -> None:
        assert self.post(signed(secret), **{"Sec-Fetch-Dest": None}).status_code == 200

    def test_the_page_says_why_not(self, secret: LaunchSecret) -> None:
        answer = self.post(signed(secret, exp=now() + 3600))
        assert answer.status_code == 401
        assert "lives for 3600 s" in answer.content.decode()
        assert "frame-ancestors https://till.example.com" in answer["Content-Security-Policy"]


@pytest.mark.django_db(transaction=True)
def test_of_many_who_use_one_token_or_code_at_once_one_gets_in(secret: LaunchSecret) -> None:
    token = signed(secret)
    posted = TestPosted()
    code = posted.code(secret)

    def at_once(use: Callable[[], HttpResponse]) -> list[int]:
        def in_thread() -> int:
            try:
                return use().status_code
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            done = [pool.submit(in_thread) for _ in range(8)]
            return sorted(one.result() for one in done)

    assert at_once(lambda: launch(token)) == [200] + [401] * 7
    assert at_once(lambda: posted.trade(code)) == [200] + [401] * 7
    until(lambda: Bearer.objects.count() == 2, "each of both let in one")
