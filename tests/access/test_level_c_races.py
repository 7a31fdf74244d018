"""Many at once, on both databases: of each thing there is one, however they meet."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from access import approvals, pairing, pin_sessions
from access.models import Approval, Bearer, PairedTill, PairingRequest, PinSession
from audit.models import Entry
from audit.record import Who
from stores.models import Associate
from tests.access.at_till import PIN, give_pin, pair

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("quick_pins"),
]
MANY = 8


def at_once(act: Callable[[int], Any], number: int = MANY) -> list[Any]:
    """What came of each; an error for its answer."""
    begin = Barrier(number)

    def one(which: int) -> Any:
        begin.wait(30)
        try:
            return act(which)
        except Exception as error:  # noqa: BLE001 - it is the answer
            return type(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def test_of_many_that_ask_to_be_paired_from_one_address_three_may(installation):
    got = at_once(lambda _: pairing.ask(installation, "192.0.2.1", "x"))

    assert Counter(got)[pairing.TooManyRequests] == MANY - 3
    assert PairingRequest.objects.filter(state="open").count() == 3


def test_of_many_managers_who_answer_one_does(installation, till):
    pairing.ask(installation, "192.0.2.1", "x")
    asked = PairingRequest.objects.get()
    boss = Associate.objects.create(installation=installation, code="b", name="Boss")

    got = at_once(lambda which: pairing.answer(asked, boss, till if which % 2 else None))

    assert Counter(got) == {None: 1, pairing.NoSuchCode: MANY - 1}
    assert Entry.objects.filter(act__startswith="till.pairing").count() == 1


def test_a_till_that_polls_twice_at_once_is_paired_once(installation, till):
    _, poll = pairing.ask(installation, "192.0.2.1", "x")
    PairingRequest.objects.update(state="approved", till=till)
    asked = PairingRequest.objects.get()

    keys = at_once(lambda _: pairing.key_of(asked, till, poll))

    assert len(set(keys)) == 1 and PairedTill.objects.count() == 1


def test_many_who_sign_in_at_one_till_leave_one_session(till, ana, ben):
    paired, _ = pair(till)

    at_once(lambda which: pin_sessions.start(paired, (ana, ben)[which % 2]))

    assert PinSession.objects.count() == MANY
    assert PinSession.objects.filter(ended_at=None).count() == 1
    assert Entry.objects.filter(act="pin_session.ended").count() == MANY - 1


def test_a_sign_in_beside_an_unpairing_leaves_nobody_signed_in(till, ana):
    paired, _ = pair(till)
    boss = Who.machine("boss")

    at_once(
        lambda which: (
            pin_sessions.unpair(paired, boss)
            if which == MANY // 2
            else pin_sessions.start(paired, ana)
        )
    )

    assert not PinSession.objects.filter(ended_at=None).exists()


def test_an_approval_is_used_once(installation, till, ana):
    mel = Associate.objects.create(
        installation=installation, code="mel", name="Mel", role=Associate.Role.MANAGER
    )
    give_pin(mel)
    Bearer.issue(till, ana)
    bearer = Bearer.objects.select_related("till__store", "associate").get()
    approvals.grant(bearer, "undo", till, approvals.Given(str(mel.pk), PIN))

    got = at_once(lambda _: approvals.use(bearer, "undo", till))

    assert Counter(got) == {mel: 1, None: MANY - 1}
    assert Approval.objects.exclude(used_at=None).count() == 1
