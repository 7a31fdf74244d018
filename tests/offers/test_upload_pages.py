"""Managers upload codes: they see what was read, then send it; and so does a command."""

import sys
from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from audit.models import Entry
from offers.management.commands import upload_codes
from offers.models import Batch, Code, Pool
from outbox.models import Delivery
from outbox.states import Reason, State

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool(db):
    return Pool.objects.create(option_id=90140, name="Tote bag", confirmed=20, low_at=50)


@pytest.fixture
def boss(db):
    client = Client()
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    return client


def upload(client, pool, raw):
    file = SimpleUploadedFile("autumn.csv", raw)
    return client.post(f"/admin/offers/pool/{pool.pk}/upload/", {"file": file})


def test_a_file_is_looked_at_and_then_sent(boss, pool):
    assert boss.get(f"/admin/offers/pool/{pool.pk}/upload/").status_code == 200
    answer = upload(boss, pool, b"Code\nA-1\nA-2\nA-1\n")
    batch = Batch.objects.get()
    page = f"/admin/offers/batch/{batch.pk}/change/"
    assert answer["Location"] == page
    shown = boss.get(page).content.decode()
    assert "Nothing was sent yet" in shown
    assert "2 codes for Tote bag, in 1 call." in shown
    assert "Line 4: The same as in line 2." in shown
    assert "A-2" not in shown
    assert not Delivery.objects.exists()

    boss.post(f"/admin/offers/batch/{batch.pk}/send/")
    assert Delivery.objects.get().payload == {
        "part": batch.parts.get().pk,
        "offer": 90140,
        "codes": 2,
    }
    assert "Pending" in boss.get(page).content.decode()
    acts = Entry.objects.order_by("pk").values_list("act", "who")
    assert list(acts) == [("codes.kept", "boss"), ("codes.sent", "boss")]


def test_a_file_may_be_discarded(boss, pool):
    upload(boss, pool, b"A-1\n")
    boss.post(f"/admin/offers/batch/{Batch.objects.get().pk}/discard/")
    assert not Batch.objects.exists()
    assert not Code.objects.exists()


def test_a_file_that_cannot_be_read_says_why(boss, pool):
    answer = upload(boss, pool, b"a,b\n1,2\n")
    assert "several columns" in answer.content.decode()
    assert not Batch.objects.exists()


def test_a_parked_part_asks_a_person(boss, pool):
    upload(boss, pool, b"A-1\n")
    batch = Batch.objects.get()
    boss.post(f"/admin/offers/batch/{batch.pk}/send/")
    Delivery.objects.update(state=State.PARKED, parked_reason=Reason.CANNOT_TELL, attempts=1)
    assert (
        "It does not: send them"
        in boss.get(f"/admin/offers/batch/{batch.pk}/change/").content.decode()
    )
    boss.post(f"/admin/offers/batch/part/{batch.parts.get().pk}/settle/", {"word": "missing"})
    assert Delivery.objects.get().state == State.VERIFYING
    assert batch.parts.get().word == "missing"


def test_the_list_shows_stock_and_forecast(boss, pool):
    page = boss.get("/admin/offers/pool/").content.decode()
    assert "20 (low)" in page
    assert "not enough use to say" in page


def test_who_may_only_look_uploads_nothing(pool):
    client = Client()
    client.force_login(User.objects.create(username="clerk", is_staff=True))
    assert upload(client, pool, b"A-1\n").status_code == 403
    assert not Batch.objects.exists()


def test_who_may_upload_sees_what_was_read(pool):
    client, clerk = Client(), User.objects.create(username="clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="upload_codes"))
    client.force_login(clerk)
    page = upload(client, pool, b"A-1\n")["Location"]
    assert "Send to the engine" in client.get(page).content.decode()
    assert client.get("/admin/outbox/delivery/").status_code == 403


def run(*args):
    out = StringIO()
    call_command("upload_codes", *args, stdout=out)
    return out.getvalue()


def test_the_command_sends_a_file(tmp_path):
    file = tmp_path / "codes.csv"
    file.write_text("A-1\nA-2\nA 3\n")
    said = run("90140", str(file), "--name", "Tote bag")

    assert "2 codes for Tote bag, in one call." in said
    assert "line 3: A space in it." in said
    assert Delivery.objects.count() == 1
    with pytest.raises(CommandError, match="No new codes"):
        run("90140", str(file))


def test_a_command_that_fails_leaves_nothing(tmp_path, monkeypatch):
    """Killed between reading and sending, say: it can be run again."""
    file = tmp_path / "codes.csv"
    file.write_text("A-1\n")
    empty = tmp_path / "none.csv"
    empty.write_text("\n")
    with monkeypatch.context() as patched:
        patched.setattr(upload_codes, "send", lambda *_: sys.exit(9))
        with pytest.raises(SystemExit):
            run("90140", str(file))
    with pytest.raises(CommandError, match="empty"):
        run("7", str(empty))
    with pytest.raises(CommandError, match="greater than or equal to 1"):
        run("-7", str(file))
    assert not (Batch.objects.exists() or Code.objects.exists() or Pool.objects.exists())
    assert "on their way" in run("90140", str(file))


def test_a_dry_run_keeps_nothing(tmp_path):
    file = tmp_path / "codes.csv"
    file.write_text("A-1\n")
    assert "Nothing was kept" in run("90140", str(file), "--dry-run")
    assert not (Batch.objects.exists() or Code.objects.exists() or Pool.objects.exists())
    with pytest.raises(CommandError, match="can't be read"):
        run("90140", str(tmp_path / "none.csv"))


def test_the_demo_has_a_pool_with_a_past(settings):
    with pytest.raises(CommandError, match="demo"):
        call_command("seed_demo_pools")
    settings.DEMO = True
    for _ in range(2):
        call_command("seed_demo_pools")
    pool = Pool.objects.get()
    assert (pool.stock, pool.is_low) == (5, True)
    assert [batch.name for batch in pool.batches.filter(sent_at=None)] == ["winter.csv"]
