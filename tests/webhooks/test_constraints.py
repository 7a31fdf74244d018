"""The database refuses rows that can't be."""

import pytest
from django.db import IntegrityError, transaction

from redemptions.models import Question, ToldCode
from webhooks.models import Webhook

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def refuses(name: str, make) -> None:
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        make()
    assert name in str(refused.value) or "UNIQUE" in str(refused.value)


@pytest.fixture
def webhook(installation):
    facts = {"installation": installation, "source": "yotpo", "event": "all", "digest": "1"}
    return lambda **more: Webhook.objects.create(**{**facts, "state": "waiting", **more})


def test_an_event_is_kept_once(webhook):
    webhook(event_id="e-1")
    webhook(event_id="e-2")
    refuses("an_event_is_kept_once", lambda: webhook(event_id="e-1", state="handled"))


def test_a_body_waits_once(webhook):
    webhook(state="handled")
    webhook()
    webhook(event="redemption_created")
    refuses("a_body_waits_once", webhook)


def test_a_webhook_has_a_known_state(webhook):
    refuses("a_webhook_has_a_known_state", lambda: webhook(state="odd"))


def test_a_told_code_is_kept_once():
    for engine_id in (None, 1, 2):
        ToldCode.objects.create(code="A", engine_id=engine_id)
    for engine_id in (None, 1):
        refuses("is_kept_once", lambda: ToldCode.objects.create(code="A", engine_id=engine_id))  # noqa: B023
    refuses("a_told_code_has_a_code", lambda: ToldCode.objects.create(code=""))


def test_a_code_is_asked_about_once_at_a_time(installation):
    facts = {"installation": installation, "code": "A", "by": "shopper"}
    Question.objects.create(**facts, why="used")
    Question.objects.create(**facts | {"by": "engine"}, why="used")
    refuses("once_at_a_time", lambda: Question.objects.create(**facts, why="unknown"))
    refuses("known_reason", lambda: Question.objects.create(**facts | {"code": "B"}, why="odd"))
