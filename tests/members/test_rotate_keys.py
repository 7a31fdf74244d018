"""A new key is put before the old one, everything is written anew, the old one goes."""

from collections.abc import Callable
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import call_command
from django.utils import timezone

from access.models import LaunchSecret
from alerts.models import Recipient
from api.models import KeyedCall
from backfill.models import Backfill, RowNotTaken
from backfill.models import Part as PartOfBackfill
from database.encryption import DecryptionFailed, EncryptedTextField, blind_index
from members.enrol import NewMember
from members.identity import Email, Phone
from members.keeping import keep, recall_kept
from members.last_known import row_of
from members.lookup import FoundMember
from members.management.commands import rotate_keys
from members.models import Member
from offers.models import Batch, Part, Pool
from sales.models import Refund, Sale
from stores.models import Installation
from webhooks.models import Webhook

pytestmark = pytest.mark.database

ADDRESSES = [f"person{number}@example.com" for number in range(5)]
NEW_KEY = Fernet.generate_key().decode()
NEW_INDEX_KEY = "another index key of enough characters"


@pytest.fixture
def people(db: None) -> list[Member]:
    return [Member.objects.seen(address) for address in ADDRESSES]


def rotate() -> str:
    told = StringIO()
    call_command("rotate_keys", stdout=told)
    return told.getvalue()


def add_new_key(settings) -> None:
    settings.ENCRYPTION_KEYS = [NEW_KEY, *settings.ENCRYPTION_KEYS]


def remove_old_keys(settings) -> None:
    settings.ENCRYPTION_KEYS = [NEW_KEY]


def all_addresses() -> list[str]:
    return sorted(member.email for member in Member.objects.all())


def die_at_batch(number: int) -> Callable[..., int]:
    """`rewrite`, but that the process is killed before it can write that batch."""
    rewrite, begun = rotate_keys.rewrite, []

    def dying(ids) -> int:
        begun.append(ids)
        if len(begun) == number:
            raise KeyboardInterrupt
        return rewrite(ids)

    return dying


@pytest.fixture
def killed_half_way(monkeypatch: pytest.MonkeyPatch, people: list[Member], settings) -> None:
    """Two of the five are written with the new keys."""
    add_new_key(settings)
    settings.BLIND_INDEX_KEY = NEW_INDEX_KEY
    monkeypatch.setattr(rotate_keys, "BATCH", 2)
    with monkeypatch.context() as patch:
        patch.setattr(rotate_keys, "rewrite", die_at_batch(2))
        with pytest.raises(KeyboardInterrupt):
            rotate()


def test_both_keys_open_before_the_rotation(people: list[Member], settings) -> None:
    add_new_key(settings)
    assert all_addresses() == ADDRESSES


def test_the_old_key_can_be_removed_after_it(people: list[Member], settings) -> None:
    add_new_key(settings)
    assert rotate() == "5 members written anew.\n"
    remove_old_keys(settings)
    assert all_addresses() == ADDRESSES


def test_a_launch_secret_is_written_anew_too(installation: Installation, settings) -> None:
    issued = LaunchSecret.issue(installation)
    LaunchSecret.issue(installation).revoke()
    add_new_key(settings)
    rotate()
    remove_old_keys(settings)
    secrets = LaunchSecret.objects.order_by("id").values_list("secret", flat=True)
    assert list(secrets) == [issued.secret, ""]


ENCRYPTED = {
    (model, field.name)
    for model in apps.get_models()
    for field in model._meta.concrete_fields
    if isinstance(field, EncryptedTextField)
}


def test_nothing_encrypted_is_left_behind(
    people: list[Member], installation: Installation, settings
) -> None:
    """One row of each model with such a column: a new model must be added here."""
    LaunchSecret.issue(installation)
    known = FoundMember(
        people[0].id, ADDRESSES[0], None, None, None, 1, None, None, True, timezone.now()
    )
    row_of(known).save()
    KeyedCall.objects.create(
        installation=installation, route="r", key="k", runner=None, status=404, refusal="no"
    )
    sale = {"total_cents": 1, "currency": "USD", "completed_at": timezone.now()}
    to_claim = {"email": ADDRESSES[0], "phone": "+14155550123"}
    Sale.objects.create(installation=installation, pos_id="1", **sale, **to_claim)
    blind = {"total_cents": 1, "currency": "USD", "state": "kept", "reason": "blind"}
    Refund.objects.create(installation=installation, pos_id="2", refund_id="2", **blind, **to_claim)
    keep(NewMember(ADDRESSES[0], None, None, None, False), installation=installation)
    Recipient.objects.create(label="Desk", email=ADDRESSES[0], url="https://example.com/")
    pool = Pool.objects.create(option_id=1, name="Tote")
    batch = Batch.objects.create(pool=pool, name="codes.csv", size=1)
    Part.objects.create(batch=batch, number=1, size=1, codes="T-1", sample="T-1")
    backfill = Backfill.objects.create(
        installation=installation, name="sales.csv", tells_engine=True, size=1
    )
    PartOfBackfill.objects.create(backfill=backfill, first=0, size=1, rows="[]")
    RowNotTaken.objects.create(backfill=backfill, line=2, why="No time.", cells="[]")
    told = {"raw": "{}", "digest": "1", "topic": "loyalty/opt_in", "state": "waiting"}
    Webhook.objects.create(installation=installation, source="yotpo", event="all", **told)
    add_new_key(settings)
    settings.BLIND_INDEX_KEY = NEW_INDEX_KEY
    rotate()
    remove_old_keys(settings)
    read = {
        (model, name): bool(model._base_manager.values_list(name, flat=True)[0])
        for model, name in ENCRYPTED
    }
    assert read == dict.fromkeys(ENCRYPTED, True)
    assert Sale.objects.get().email_index == blind_index(ADDRESSES[0])


def test_the_old_key_cannot_be_removed_without_it(people: list[Member], settings) -> None:
    add_new_key(settings)
    remove_old_keys(settings)
    with pytest.raises(DecryptionFailed):
        all_addresses()


def test_a_new_index_key_finds_the_same_rows(people: list[Member], settings) -> None:
    settings.BLIND_INDEX_KEY = NEW_INDEX_KEY
    assert Member.objects.with_email(ADDRESSES[0]) is None
    rotate()
    assert [Member.objects.with_email(address) for address in ADDRESSES] == people
    assert Member.objects.seen(ADDRESSES[0]) == people[0]


def test_running_it_again_is_harmless(people: list[Member], settings) -> None:
    add_new_key(settings)
    settings.BLIND_INDEX_KEY = NEW_INDEX_KEY
    rotate()
    rotate()
    remove_old_keys(settings)
    assert all_addresses() == ADDRESSES
    assert Member.objects.seen(ADDRESSES[4]) == people[4]


def test_with_nothing_to_write_it_says_so(db: None) -> None:
    assert rotate() == "0 members written anew.\n"


def test_killed_half_way_it_leaves_every_row_readable(killed_half_way: None) -> None:
    assert all_addresses() == ADDRESSES
    indexes = set(Member.objects.values_list("email_index", flat=True))
    assert len(indexes & set(map(blind_index, ADDRESSES))) == 2


def test_killed_half_way_it_is_ended_by_running_it_again(
    killed_half_way: None, people: list[Member], settings
) -> None:
    rotate()
    remove_old_keys(settings)
    assert all_addresses() == ADDRESSES
    assert [Member.objects.with_email(address) for address in ADDRESSES] == people


def test_a_batch_is_written_whole_or_not_at_all(
    people: list[Member], monkeypatch: pytest.MonkeyPatch, settings
) -> None:
    def die(_ids: object) -> None:
        raise KeyboardInterrupt

    before = set(Member.objects.values_list("email_index", flat=True))
    settings.BLIND_INDEX_KEY = NEW_INDEX_KEY
    monkeypatch.setattr(rotate_keys, "rewrite_last_known", die)
    with pytest.raises(KeyboardInterrupt):
        rotate()
    assert set(Member.objects.values_list("email_index", flat=True)) == before


def test_an_enrolment_that_waits_is_found_and_read_after_it(
    installation: Installation, settings
) -> None:
    ida = NewMember("ida@example.com", "+14155550166", "Ida", None, marketing_emails=False)
    keep(ida, installation=installation)
    add_new_key(settings)
    settings.BLIND_INDEX_KEY = NEW_INDEX_KEY
    rotate()
    remove_old_keys(settings)
    for identity in (Email(ida.email), Phone("+14155550166")):
        found = recall_kept(identity, live=False)
        assert found is not None
        assert found.name == "Ida"
