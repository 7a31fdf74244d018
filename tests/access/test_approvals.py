"""A manager's own PIN for one act: a minute, once, and never one's own."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from access import approvals, pins
from access.approvals import Given
from access.models import Approval, Bearer, Tries
from access.pins import NewPinNeeded, PinRefused, WeakPin
from audit.models import Entry
from stores.models import Associate
from tests.access.at_till import PIN, give_pin, start_pin

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_pins")]

KIND = "undo.still_on_sale"


@pytest.fixture
def mel(installation) -> Associate:
    mel = Associate.objects.create(
        installation=installation, code="mel", name="Mel Sato", role=Associate.Role.MANAGER
    )
    give_pin(mel)
    return mel


@pytest.fixture
def bearer(till, ana) -> Bearer:
    """Ana's. What she asks for is about the store, which is as good as anything."""
    Bearer.issue(till, ana)
    return Bearer.objects.get()


def grant(
    bearer: Bearer, manager: Associate | str, pin: str = PIN, kind: str = KIND, new_pin: str = ""
) -> Approval:
    name = manager if isinstance(manager, str) else str(manager.pk)
    return approvals.grant(bearer, kind, bearer.till.store, Given(name, pin, new_pin))


def test_a_manager_approves_one_act_once(bearer, mel):
    grant(bearer, mel)

    assert approvals.use(bearer, KIND, bearer.till.store) == mel
    assert approvals.use(bearer, KIND, bearer.till.store) is None
    entry = Entry.objects.get(act="approval.granted")
    assert (entry.who, entry.after["asked_by"], entry.till) == (
        "Mel Sato",
        "Ana Pardo",
        "Till 1, Boston",
    )


@pytest.mark.parametrize("change", [{"role": Associate.Role.ASSOCIATE}, {"is_active": False}])
def test_who_is_no_manager_any_more_agreed_to_nothing(bearer, mel, change):
    grant(bearer, mel)
    Associate.objects.filter(pk=mel.pk).update(**change)

    assert approvals.use(bearer, KIND, bearer.till.store) is None


def test_it_is_for_this_act_of_this_bearer_alone(bearer, mel, till, ben):
    grant(bearer, mel)
    Bearer.issue(till, ben)
    bens = Bearer.objects.get(associate=ben)

    assert approvals.use(bearer, "undo.of_another", bearer.till.store) is None
    assert approvals.use(bearer, KIND, bearer.till) is None
    assert approvals.use(bens, KIND, bearer.till.store) is None


def test_after_a_minute_it_is_over(bearer, mel):
    approval = grant(bearer, mel)
    assert approval.expires_at is not None
    Approval.objects.update(expires_at=Now() - timedelta(milliseconds=1))

    assert approvals.use(bearer, KIND, bearer.till.store) is None


def test_it_lasts_sixty_seconds(bearer, mel):
    grant(bearer, mel)
    approval = Approval.objects.get()
    assert approval.expires_at - approval.granted_at == timedelta(seconds=60)


def test_a_manager_does_not_approve_their_own_act(till, mel):
    Bearer.issue(till, mel)
    mels = Bearer.objects.get()

    with pytest.raises(PinRefused, match="Nobody approves what they ask for themselves"):
        grant(mels, mel)
    assert not Approval.objects.exists()
    assert Entry.objects.get(act="approval.refused").who == "Mel Sato"
    assert list(approvals.managers_of(mels)) == []
    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.create(
            kind=KIND,
            subject_type="x",
            subject_id="1",
            requester=mel,
            manager=mel,
            expires_at=Now(),
        )


def test_no_manager_wrong_pin_and_nobody_look_alike(bearer, mel, ben):
    give_pin(ben, "839201")
    refused = []
    for manager, pin in ((mel, "918273"), (ben, "839201"), ("999999", PIN)):
        with pytest.raises(PinRefused) as error:
            grant(bearer, manager, pin)
        refused.append((str(error.value), error.value.wait))

    assert set(refused) == {(pins.WRONG, 0)}
    assert not Approval.objects.exists()
    assert Entry.objects.filter(act="approval.refused", outcome="refused").count() == 3


def test_a_start_pin_approves_only_with_a_pin_of_ones_own(bearer, mel):
    """A manager of a POS that launches the panel never signs in at a till."""
    start = start_pin(mel)
    with pytest.raises(NewPinNeeded):
        grant(bearer, mel, start)
    with pytest.raises(WeakPin):
        grant(bearer, mel, start, new_pin="123456")
    assert not Approval.objects.exists()

    grant(bearer, mel, start, new_pin="839201")

    assert approvals.use(bearer, KIND, bearer.till.store) == mel
    with pytest.raises(PinRefused):
        grant(bearer, mel, start, new_pin="839202")
    assert grant(bearer, mel, "839201")


def test_guessing_a_managers_pin_ends_after_five(bearer, mel):
    waits = []
    for number in range(20):
        with pytest.raises(PinRefused) as refused:
            grant(bearer, mel, f"{number:06}")
        waits.append(refused.value.wait)

    assert waits[:5] == [0] * 5 and all(waits[5:])
    assert Tries.objects.get(subject=f"associate:{mel.pk}").wrong == 5
    with pytest.raises(PinRefused, match="Too many wrong PINs"):
        grant(bearer, mel)


@pytest.mark.parametrize("off", ["is_active", "role"])
def test_who_is_no_manager_any_more_approves_nothing(bearer, mel, off):
    Associate.objects.filter(pk=mel.pk).update(
        **{off: False if off == "is_active" else "associate"}
    )

    with pytest.raises(PinRefused):
        grant(bearer, mel)
