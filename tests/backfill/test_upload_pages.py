"""Managers upload sales: they see what would be recorded, then record it; and so does a command."""

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.test import Client

from backfill.keeping import discard
from backfill.management.commands import backfill_sales
from backfill.models import Backfill
from backfill.states import State
from backfill.working import hold, work_on
from outbox.models import PeriodicJob
from sales.models import Sale
from tests.backfill.conftest import BY, csv_of

# The command and the worker end their own transactions.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

GOOD, BAD = "S-1,2026-05-02 12:00,42.00,mara@example.com", "S-2,2026-05-02 12:00,=1+1,"


@pytest.fixture
def boss(db) -> Client:
    client = Client()
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def upload(boss, installation):
    """Uploads these rows; the page's text, after the worker's turn, and again after each act."""

    def show(backfill: Backfill) -> str:
        work_on()
        return boss.get(f"/admin/backfill/backfill/{backfill.pk}/change/").content.decode()

    def upload(*rows: str, tells: str = "yes", raw: bytes | None = None):
        file = SimpleUploadedFile("may.csv", raw or csv_of(*rows))
        said = {"installation": installation.pk, "tells_engine": tells, "file": file}
        answer = boss.post("/admin/backfill/backfill/upload/", said)
        return (
            show(Backfill.objects.get()) if answer.status_code == 302 else answer.content.decode()
        )

    def press(act: str) -> str:
        backfill = Backfill.objects.get()
        boss.post(f"/admin/backfill/backfill/{backfill.pk}/act/{act}/")
        return show(backfill) if Backfill.objects.exists() else ""

    upload.press = press
    return upload


def test_a_file_is_looked_at_and_then_recorded(boss, upload):
    assert "Check the file" in boss.get("/admin/backfill/backfill/upload/").content.decode()
    shown = upload(GOOD, BAD)
    assert "1 would be recorded; 1 of them names somebody whom this panel has not met" in shown
    assert "Line 3: Column total: write it with a point" in shown
    assert "mara@example.com" not in shown
    assert not Sale.objects.exists()

    shown = upload.press("begin")
    assert "Done: 2 of 2 rows" in shown
    assert "1 recorded" in shown
    assert Sale.objects.get().pos_id == "S-1"


def test_what_was_not_taken_is_a_file_that_runs_nowhere(boss, upload):
    upload(GOOD, BAD)
    answer = boss.get(f"/admin/backfill/backfill/{Backfill.objects.get().pk}/not-taken.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    first, second = answer.content.decode("utf-8-sig").splitlines()
    assert first == '"id","completed_at","total","email","line_in_file","why_not_taken"'
    assert second.startswith('"S-2","2026-05-02 12:00","\'=1+1","","3","Column total')


def test_a_file_may_be_paused_gone_on_with_stopped_or_discarded(upload):
    upload(GOOD)
    Backfill.objects.update(state=State.RECORDING)
    assert "Paused: no row more is begun." in upload.press("pause")
    assert "Go on" in upload.press("no-such-act")
    Backfill.objects.update(state=State.PAUSED)
    assert "Stopped" in upload.press("stop")
    assert "It had changed meanwhile" in upload.press("discard")


def test_a_file_may_be_discarded(upload):
    upload(GOOD)
    upload.press("discard")
    assert not Backfill.objects.exists()


def test_a_file_that_cannot_be_read_says_why(upload):
    assert "No column has the title id" in upload(raw=b"a,b\n1,2\n")
    assert not Backfill.objects.exists()


def test_the_page_asks_how_far_it_is_and_is_shown_anew_when_that_is_over(boss, upload):
    upload(GOOD)
    Backfill.objects.update(state=State.RECORDING)
    address = f"/admin/backfill/backfill/{Backfill.objects.get().pk}/progress/"
    told = boss.get(f"{address}?state=recording").content.decode()
    assert "Being recorded: 1 of 1 rows" in told
    assert f'hx-get="{address}?state=recording"' in told
    assert boss.get(f"{address}?state=checking")["HX-Refresh"] == "true"


def test_the_page_says_where_no_worker_is_at_it(boss, upload):
    upload(GOOD)
    Backfill.objects.update(state=State.RECORDING, position=0, new=0)
    address = f"/admin/backfill/backfill/{Backfill.objects.get().pk}/progress/?state=recording"

    def warns() -> bool:
        return "No worker is at it" in boss.get(address).content.decode()

    assert warns()
    PeriodicJob.objects.create(name="backfill.working.work_on")
    assert not warns()
    PeriodicJob.objects.update(began_at=Now() - timedelta(minutes=1))
    assert warns()
    assert hold(Backfill.objects.get())  # by the command, say
    assert not warns()


@pytest.mark.parametrize("address", ["upload/", "1/act/begin/", "1/not-taken.csv"])
def test_it_takes_the_right_to_do_so(db, address):
    client = Client()
    client.force_login(User.objects.create(username="clerk", is_staff=True))
    method = client.post if address.endswith("begin/") else client.get
    assert method(f"/admin/backfill/backfill/{address}").status_code == 403


class TestTheCommand:
    @pytest.fixture
    def file(self, tmp_path: Path, installation) -> Path:
        path = tmp_path / "may.csv"
        path.write_bytes(csv_of(GOOD, BAD))
        return path

    def run(self, *words: object) -> str:
        told = StringIO()
        call_command("backfill_sales", *map(str, words), "--installation", "shop", stdout=told)
        return told.getvalue()

    def test_says_what_it_would_record(self, file):
        told = self.run(file, "--dry-run")
        assert "1 new, 0 there already, 1 not taken." in told
        assert "line 3: Column total" in told
        assert "dry run" in told
        assert not Backfill.objects.exists()

    def test_records_and_tells_figures_as_json(self, file):
        told = [json.loads(line) for line in self.run(file, "--record-only", "--json").splitlines()]
        assert (told[-1]["state"], told[-1]["new"], told[-1]["not_taken"]) == ("done", 1, 1)
        assert Sale.objects.get().not_delivered == "history"

    def test_goes_on_with_what_was_begun(self, file, upload, installation):
        upload(raw=file.read_bytes(), tells="no")
        assert "Going on with the file" in self.run(file, "--record-only")
        assert Backfill.objects.get().state == State.DONE

    def test_says_that_a_manager_discarded_its_file(self, file, monkeypatch):
        monkeypatch.setattr(backfill_sales, "work", lambda mine, *_: discard(mine, BY))
        monkeypatch.setattr(backfill_sales, "A_LOOK_SECONDS", 0)
        with pytest.raises(CommandError, match="discarded it in the admin"):
            self.run(file, "--record-only")
        assert not Sale.objects.exists()

    def test_goes_on_no_other_way_than_it_was_begun(self, file, upload):
        upload(raw=file.read_bytes(), tells="yes")
        Backfill.objects.update(state=State.PAUSED)
        with pytest.raises(CommandError, match="begun with --tell-engine"):
            self.run(file, "--record-only")

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (["missing.csv", "--record-only"], "can't be read"),
            ([__file__, "--record-only"], "is needed|column|comma"),
            (["missing.csv"], "Say --tell-engine or --record-only"),
        ],
    )
    def test_says_what_is_wrong(self, installation, words, why):
        with pytest.raises(CommandError, match=why):
            self.run(*words)
