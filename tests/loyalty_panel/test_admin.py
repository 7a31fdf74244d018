"""The admin opens for every model. A new model is found here without being told."""

from collections.abc import Callable, Iterator
from copy import copy
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import models, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.models import (
    ApiKey,
    Approval,
    Badge,
    Bearer,
    LaunchCode,
    LaunchSecret,
    LookUps,
    PairedTill,
    PairingRequest,
    Person,
    Pin,
    PinSession,
    Tries,
    UsedToken,
    WebhookSecret,
)
from alerts.models import Alert, Mute, Recipient
from api.models import KeyedCall
from audit.models import Entry
from audit.record import Where, Who, record
from database import encryption
from members.models import Consent, Enrolment, LastKnown, Member
from offers.models import Batch, Code, Part, Pool, Use
from outbox.models import Attempt, Delivery, OutsideSystem, PeriodicJob
from reconciliation.models import Cursor, Difference, Reading, Run
from redemptions.models import PendingRedemption, Question, ToldCode
from redemptions.states import State
from sales.models import Claim, Conflict, Refund, Remainder, Sale
from stores.models import Associate, Installation, Store, Till
from tests.ground.checkout import rooms
from webhooks.models import Webhook

pytestmark = pytest.mark.django_db

Row = models.Model
Rows = dict[type[Row], Row]

EMAIL = "ada@example.com"
FIGURES = f'{{"email": "{EMAIL}"}}'
REGISTERED = sorted(admin.site._registry, key=lambda model: model.__name__)
every_model = pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
# Written by the app alone: whoever opens the admin can only look.
LEDGERS = [PendingRedemption, Consent, LastKnown, Member, Delivery, Attempt, PeriodicJob]
LEDGERS += [Entry, Sale, KeyedCall, OutsideSystem, Enrolment]
LEDGERS += [PairingRequest, PinSession, Approval, Tries, Pin, Badge]
LEDGERS += [LookUps, UsedToken, LaunchCode, Alert]
LEDGERS += [Webhook, ToldCode, Question]
LEDGERS += [Cursor, Difference, Reading, Run]
LEDGERS += [Batch, Part, Code, Use]
LEDGERS += [Refund, Conflict, Remainder, Claim]
# Issued and revoked, and never changed.
ISSUED = [ApiKey, WebhookSecret, LaunchSecret]
every_ledger = pytest.mark.parametrize("model", LEDGERS, ids=lambda model: model.__name__)


@pytest.fixture(scope="module")
def made(django_db_setup: None, django_db_blocker: Any) -> Iterator[Rows]:
    """Once for all tests: what each of them writes is rolled back to this."""
    outer = transaction.atomic()
    # Django's own tests are marked so: a durable block may stand in it.
    outer._from_testcase = True
    with django_db_blocker.unblock(), outer:
        yield one_of_each()
        transaction.set_rollback(True)


@pytest.fixture
def rows(made: Rows, db: None) -> Rows:
    """One row of every model."""
    return {model: copy(row) for model, row in made.items()}


@pytest.fixture
def client(made: Rows, db: None, monkeypatch: pytest.MonkeyPatch) -> Client:
    # The same beside every page, and half of the time that one takes. The index has it, too.
    monkeypatch.setattr(admin.site, "enable_nav_sidebar", False)
    client = Client(raise_request_exception=False)
    client.force_login(made[User])
    return client


def one_of_each() -> Rows:
    User.objects.create(username="boss", is_staff=True, is_superuser=True)
    place = Installation.objects.create(id="shop", name="Quill & Thread")
    store = Store.objects.create(installation=place, code="boston", name="Boston")
    till = Till.objects.create(store=store, code="1", name="Till 1")
    ana = Associate.objects.create(installation=place, code="ana", name="Ana Pardo")
    member = Member.objects.seen(EMAIL)
    Bearer.issue(till, ana)
    for kind in ISSUED:
        kind.issue(ana.installation, "Back office")
    consent = Consent.objects.create(
        member=member,
        purpose=Consent.Purpose.MARKETING_EMAIL,
        granted=True,
        wording_version="1",
        store=till.store,
        associate=ana,
    )
    redemption = PendingRedemption.objects.create(
        installation=ana.installation,
        store=till.store,
        till=till,
        associate=ana,
        member=member,
        act_key="key",
        offer_id=1,
        offer_name="$5 off",
        offer_kind="fixed",
        points=500,
        currency="USD",
        state=State.ISSUED,
        lease_until=timezone.now(),
        code="LP-1234",
    )
    known = LastKnown.objects.create(member=member, figures=FIGURES, as_of=timezone.now())
    entry = record(
        act="till.changed", who=Who.associate(ana), where=Where.at(till=till), subject=till
    )
    delivery = Delivery.objects.create(kind="order", key="sale-1", payload={"total_cents": 1250})
    made = [entry, member, known, consent, redemption, Bearer.objects.get(), User.objects.get()]
    made += [delivery, Attempt.objects.create(delivery=delivery, number=1)]
    made += [PeriodicJob.objects.create(name="settle")]
    installation = till.store.installation
    made += [KeyedCall.objects.create(installation=installation, route="sales", key="k")]
    sold = {"completed_at": timezone.now(), "total_cents": 1250, "currency": "USD"}
    sale = Sale.objects.create(installation=installation, pos_id="S-1", email=EMAIL, **sold)
    made += [sale, *rows_of_refunds(sale)]
    made += [kind.objects.get() for kind in ISSUED]
    waits = {"details": FIGURES, "email_index": "1"}
    made += [Enrolment.objects.create(installation=installation, **waits)]
    made += [OutsideSystem.objects.create(system="yotpo")]
    made += rows_of_a_paired_till(till, ana)
    made += [Difference.objects.create(member=member, kind="late_commit"), Run.objects.create()]
    made += [Reading.objects.create(member=member, covers=timezone.now())]
    made += [Cursor.objects.create(name="members")]
    made += rows_of_alerts()
    made += rows_of_what_was_told(installation, redemption)
    made += rows_of_a_pool()
    made += [ana.installation, till.store, till, ana, Group.objects.create(name="Managers")]
    return {type(row): row for row in made}


def rows_of_refunds(sale: Sale) -> list[Row]:
    told = {"installation": sale.installation, "total_cents": 100, "currency": "USD"}
    return [
        Refund.objects.create(pos_id="R-1", refund_id="R-1", state="waiting", email=EMAIL, **told),
        Conflict.objects.create(pos_id="S-1", subject="sale", **told),
        Remainder.objects.create(sale=sale, state="asks", cause="Rounding."),
        Claim.objects.create(
            sale=sale,
            member=Member.objects.get(),
            installation=sale.installation,
            how="till",
            by="Ana Pardo",
        ),
    ]


def rows_of_a_pool() -> list[Row]:
    pool = Pool.objects.create(option_id=1, name="Tote")
    batch = Batch.objects.create(pool=pool, name="codes.csv", size=1)
    part = Part.objects.create(batch=batch, number=1, size=1, codes=EMAIL, sample=EMAIL)
    today = timezone.now().date()
    return [
        *(pool, batch, part),
        Code.objects.create(index="1", part=part),
        Use.objects.create(pool=pool, day=today, count=1),
    ]


def rows_of_alerts() -> list[Row]:
    soon = timezone.now() + timedelta(hours=1)
    return [
        Alert.objects.create(watch="a.b", kind="breaker.open", subject="yotpo", words="Away."),
        Mute.objects.create(kind="breaker.open", until=soon, reason="Known"),
        Recipient.objects.create(label="Desk", email=EMAIL),
    ]


def rows_of_what_was_told(place: Installation, redemption: PendingRedemption) -> list[Row]:
    body = {"raw": FIGURES, "digest": "1", "topic": "loyalty/opt_in", "state": "waiting"}
    return [
        Webhook.objects.create(installation=place, source="yotpo", event="all", **body),
        ToldCode.objects.create(code="LP-1234"),
        Question.objects.create(
            installation=place, redemption=redemption, code="LP-1234", by="shopper", why="used"
        ),
    ]


def rows_of_a_paired_till(till: Till, ana: Associate) -> list[Row]:
    here, soon = {"associate": ana}, timezone.now() + timedelta(hours=1)
    place = till.store.installation
    paired = PairedTill.objects.create(till=till, key_sha256="1", paired_by="boss")
    asked = {"code_hash": "1", "poll_sha256": "1", "slot": 1, "address": "192.0.2.1"}
    act = {"kind": "undo", "subject_type": "x", "subject_id": "1", "requester": ana}
    mel = Associate.objects.create(installation=place, code="mel", name="Mel")
    approval = Approval.objects.create(**act, manager=mel, expires_at=soon)
    mel.delete()  # what she approved stays
    return [
        paired,
        approval,
        PairingRequest.objects.create(installation=place, expires_at=soon, **asked),
        PinSession.objects.create(paired=paired, expires_at=soon, **here),
        Tries.objects.create(subject="associate:1", shown="Ana", wrong=5, wait_until=soon),
        Pin.objects.create(encoded="x", **here),
        Badge.objects.create(installation=place, sha256="1", **here),
        LookUps.objects.create(till=till, hour=soon, count=601, refused_at=soon),
        UsedToken.objects.create(installation=place, jti_sha256="1", expires_at=soon),
        LaunchCode.objects.create(till=till, code_sha256="1", expires_at=soon, **here),
        Person.objects.get(pk=ana.pk),
    ]


def address(model: type[Row], page: str, *ids: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=ids)


def listed(client: Client, model: type[Row], query: str = "") -> HttpResponse:
    return client.get(address(model, "changelist") + query)


def count_of(answer: HttpResponse) -> int:
    return int(answer.context["cl"].result_count)


def test_every_model_of_ours_is_registered_and_has_a_row_here(rows: Rows) -> None:
    ours = {model for model in apps.get_models() if model.__module__.split(".")[0] in rooms()}
    assert len(ours) >= 12
    assert ours <= set(REGISTERED) == set(rows)


@pytest.mark.database
@every_model
def test_its_list_shows_the_row(client: Client, rows: Rows, model: type[Row]) -> None:
    answer = listed(client, model)
    assert answer.status_code == 200
    assert count_of(answer) == 1


TERMS = {
    "a word": "a",
    "a huge number": "9" * 40,
    "a uuid": "0b5f7b6e-6f0b-4a53-9f0f-0d7f5a1b2c3d",
    "an email": EMAIL,
    "emoji": "😀",
    "SQL": "' OR 1=1; --",
    "HTML": "<script>alert(1)</script>",
    "a percent sign": "%",
    "a NUL": "\0",
    "1,000 characters": "a" * 1_000,
}


@pytest.mark.database
@every_model
def test_it_can_be_searched_for_anything(client: Client, rows: Rows, model: type[Row]) -> None:
    answers = {
        name: client.get(address(model, "changelist"), {"q": term}).status_code
        for name, term in TERMS.items()
    }
    assert answers == dict.fromkeys(TERMS, 200)


@pytest.mark.parametrize("model", [*LEDGERS, *ISSUED, Bearer, Installation, Store, Till, Associate])
def test_every_model_of_ours_has_a_search(model: type[Row]) -> None:
    assert admin.site.get_model_admin(model).search_fields


# What finds the one row.
FINDS: dict[type[Row], Callable[[Row], str]] = {
    PendingRedemption: lambda row: row.code,
    Member: lambda row: str(row.id),
    LastKnown: lambda row: str(row.member_id),
    Consent: lambda row: str(row.member_id),
    Entry: lambda row: row.subject_id,
    Bearer: lambda row: row.associate.name,
    ApiKey: lambda row: row.prefix,
    WebhookSecret: lambda row: row.prefix,
    LaunchSecret: lambda row: row.kid,
    Installation: lambda row: row.id,
    Store: lambda row: row.code,
    Till: lambda row: row.store.name,
    Associate: lambda row: row.name,
}


@pytest.mark.database
@pytest.mark.parametrize("model", FINDS, ids=lambda model: model.__name__)
def test_its_search_finds_the_row_and_no_other(
    client: Client, rows: Rows, model: type[Row]
) -> None:
    term = FINDS[model](rows[model])
    assert count_of(client.get(address(model, "changelist"), {"q": term})) == 1
    assert count_of(client.get(address(model, "changelist"), {"q": f"{term}zzz"})) == 0


def choices(answer: HttpResponse) -> list[str]:
    """Everything that the filters beside the list offer."""
    cl = answer.context["cl"]
    return [choice["query_string"] for spec in cl.filter_specs for choice in spec.choices(cl)]


@pytest.mark.database
@every_model
def test_each_of_its_filters_opens(client: Client, rows: Rows, model: type[Row]) -> None:
    offered = choices(listed(client, model))
    answers = {query: listed(client, model, query).status_code for query in offered}
    assert answers == dict.fromkeys(offered, 200)
    assert bool(offered) is bool(admin.site.get_model_admin(model).list_filter)


@every_model
def test_it_can_be_sorted_by_each_column(client: Client, rows: Rows, model: type[Row]) -> None:
    columns = range(1, 1 + len(admin.site.get_model_admin(model).list_display))
    answers = {column: listed(client, model, f"?o={column}").status_code for column in columns}
    assert answers == dict.fromkeys(columns, 200)


ODD = ["?nonsense=1", "?id__nonsense=1", "?pk__exact=x", "?p=9999", "?p=x", "?o=x", "?all=", "?e=1"]


@every_model
def test_its_list_takes_no_harm_from_an_odd_address(
    client: Client, rows: Rows, model: type[Row]
) -> None:
    answers = {query: listed(client, model, query).status_code for query in ODD}
    assert set(answers.values()) <= {200, 302, 400}, answers


@pytest.mark.parametrize("query", ["?requested_at__year=2026", "?requested_at__year=x"])
def test_redemptions_are_found_by_their_day(client: Client, rows: Rows, query: str) -> None:
    assert listed(client, PendingRedemption, query).status_code in {200, 302}


@pytest.mark.database
@every_model
def test_its_row_opens_with_its_history(client: Client, rows: Rows, model: type[Row]) -> None:
    for page in ("change", "history"):
        assert client.get(address(model, page, rows[model].pk)).status_code == 200


@every_model
def test_a_row_that_is_not_there_is_told(client: Client, model: type[Row]) -> None:
    answers = {
        (page, row_id[:9]): client.get(address(model, page, row_id)).status_code
        for page in ("change", "delete", "history")
        for row_id in ("0", "x", "a" * 300, "9" * 40)
    }
    assert set(answers.values()) <= {302, 403}, answers


@every_model
def test_its_form_for_a_new_row_opens_or_is_forbidden(
    client: Client, rows: Rows, model: type[Row]
) -> None:
    allowed = model not in {*LEDGERS, Bearer, Person}
    page = address(model, "add")
    answers = [client.get(page).status_code, client.post(page).status_code]
    assert answers == [200 if allowed else 403] * 2


@every_model
def test_its_form_for_deleting_opens_or_is_forbidden(
    client: Client, rows: Rows, model: type[Row]
) -> None:
    assert client.get(address(model, "delete", rows[model].pk)).status_code in {200, 403}


def form_of(answer: HttpResponse) -> dict[str, Any]:
    initial = answer.context["adminform"].form.initial
    return {name: value for name, value in initial.items() if value not in (None, False)}


@pytest.mark.parametrize("model", [Installation, Store, Till, Associate])
def test_a_place_or_a_person_can_be_renamed(client: Client, rows: Rows, model: type[Row]) -> None:
    page = address(model, "change", rows[model].pk)
    answer = client.post(page, {**form_of(client.get(page)), "name": "Renamed"})
    assert answer.status_code == 302
    assert model.objects.get().name == "Renamed"


def test_the_id_in_a_pos_address_cannot_be_changed(client: Client, rows: Rows) -> None:
    page = address(Installation, "change", "shop")
    client.post(page, {**form_of(client.get(page)), "id": "renamed", "name": "Renamed"})
    assert list(Installation.objects.values_list("id", "name")) == [("shop", "Renamed")]


def test_a_bad_field_is_told_and_not_saved(client: Client, rows: Rows) -> None:
    page = address(Installation, "change", "shop")
    answer = client.post(page, {**form_of(client.get(page)), "region": "usa", "name": "X" * 300})
    assert answer.status_code == 200
    assert set(answer.context["adminform"].form.errors) == {"region", "name"}


# Ledgers


def state_of(model: type[Row]) -> list[dict[str, Any]]:
    return list(model.objects.values())


ATTEMPTS: dict[str, Callable[[Client, Row], HttpResponse]] = {
    "add": lambda client, row: client.post(
        address(type(row), "add"), {"email": EMAIL, "points": 1, "granted": "on"}
    ),
    "change": lambda client, row: client.post(
        address(type(row), "change", row.pk),
        {
            "email": "x@example.com",
            "points": 1,
            "granted": "",
            "state": "reversed",
            "_save": "Save",
        },
    ),
    "delete": lambda client, row: client.post(
        address(type(row), "delete", row.pk), {"post": "yes"}
    ),
    "change through the list": lambda client, row: client.post(
        address(type(row), "changelist"),
        {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": row.pk, "_save": "Save"},
    ),
    "delete through the list": lambda client, row: client.post(
        address(type(row), "changelist"),
        {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"},
    ),
}


@every_ledger
def test_a_ledger_is_only_for_looking(client: Client, rows: Rows, model: type[Row]) -> None:
    before = state_of(model)
    answers = {name: attempt(client, rows[model]) for name, attempt in ATTEMPTS.items()}
    assert state_of(model) == before
    told = {name: answer.status_code for name, answer in answers.items()}
    assert {told.pop(name) for name in ("add", "change", "delete")} == {403}
    assert set(told.values()) <= {200, 302, 403}


def test_a_members_page_changes_no_consent(client: Client, rows: Rows) -> None:
    inline = {"consents-TOTAL_FORMS": 1, "consents-INITIAL_FORMS": 1, "consents-0-DELETE": "on"}
    inline |= {"consents-0-id": rows[Consent].pk, "consents-0-granted": ""}
    answer = client.post(address(Member, "change", rows[Member].pk), inline)
    assert answer.status_code == 403
    assert Consent.objects.get().granted is True


@pytest.mark.parametrize("attempt", ["add", "delete", "delete through the list"])
def test_bearers_are_neither_made_nor_deleted_here(
    client: Client, rows: Rows, attempt: str
) -> None:
    before = state_of(Bearer)
    assert ATTEMPTS[attempt](client, rows[Bearer]).status_code in {200, 302, 403}
    assert state_of(Bearer) == before


def test_a_bearer_is_revoked_here(client: Client, rows: Rows) -> None:
    page = address(Bearer, "changelist")
    asked = {"action": "revoke", "_selected_action": rows[Bearer].pk}
    answer = client.post(page, asked, follow=True)
    assert "1 revoked." in answer.content.decode()
    revoked_at = Bearer.objects.get().revoked_at
    assert revoked_at is not None
    client.post(page, asked)
    assert Bearer.objects.get().revoked_at == revoked_at


# Nobody's email where it is not needed


@every_model
def test_no_list_has_an_email_or_decrypts_one(
    client: Client, rows: Rows, model: type[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_token: str) -> str:
        raise AssertionError("decrypted")

    monkeypatch.setattr(encryption, "decrypt", refuse)
    for query in ("", "?q=a"):
        answer = listed(client, model, query)
        assert answer.status_code == 200
        assert EMAIL not in answer.content.decode()


def test_a_members_own_page_shows_the_email(client: Client, rows: Rows) -> None:
    assert EMAIL in client.get(address(Member, "change", rows[Member].pk)).content.decode()


@pytest.mark.parametrize("model", [PendingRedemption, Consent, LastKnown, Bearer])
def test_no_other_page_shows_the_email(client: Client, rows: Rows, model: type[Row]) -> None:
    assert EMAIL not in client.get(address(model, "change", rows[model].pk)).content.decode()


def test_a_member_is_not_searched_for_by_email(client: Client, rows: Rows) -> None:
    """The term would stand in the address, and so in histories."""
    assert count_of(client.get(address(Member, "changelist"), {"q": EMAIL})) == 0


# Who may come in


@every_model
def test_without_a_log_in_there_is_only_the_log_in(model: type[Row], db: None) -> None:
    answer = Client().get(address(model, "changelist"))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")


@every_model
def test_staff_without_permissions_see_nothing(model: type[Row], db: None) -> None:
    client = Client()
    client.force_login(User.objects.create(username="clerk", is_staff=True))
    assert client.get(address(model, "changelist")).status_code == 403


def test_redemptions_are_called_so(client: Client, rows: Rows) -> None:
    for page in ("/admin/", address(PendingRedemption, "changelist")):
        text = client.get(page).content.decode()
        assert ">Redemptions</a>" in text
        assert "ending redemption" not in text


def test_the_index_lists_every_model(client: Client) -> None:
    page = client.get("/admin/").content.decode()
    assert all(f'href="{address(model, "changelist")}"' in page for model in REGISTERED)
