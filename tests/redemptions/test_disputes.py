"""What a manager can do with a dispute: two acts by how it came about, each written down."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from audit.models import Entry
from audit.record import Who
from connectors.limits import Limits
from outbox import limits
from outbox.models import Delivery
from outbox.worker import deliver
from redemptions import disputes
from redemptions.actions import redeem
from redemptions.disputes import ACTS, Act, CannotSettle, Settlement, acts_of, settle_by_hand
from redemptions.models import PendingRedemption
from redemptions.settling import see_to_all
from redemptions.states import Reason, State
from redemptions.use import unuse
from tests.redemptions.conftest import FIVE_OFF

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

MARA = "mara@example.com"
PAGE = "admin:redemptions_pendingredemption_change"


@pytest.fixture
def manager() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("manager"))
    return client


def press(client: Client, redemption: PendingRedemption, act: str, **more: str):
    address = reverse("admin:redemptions_settle", args=[redemption.pk])
    answer = client.post(address, {"act": act, "reason": "seen by hand", **more}, follow=True)
    redemption.refresh_from_db()
    return answer


def work_off() -> None:
    limits._limits["yotpo"] = Limits(rate_per_second=100_000)
    for delivery in Delivery.objects.all():
        deliver(delivery.pk)
    limits._limits.clear()


@pytest.fixture
def sold_after(engine, act, mara) -> PendingRedemption:
    """Given back at the engine, and then a sale came with the code."""
    made = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
    made.end(Reason.UNDONE)
    see_to_all(engine)
    made.refresh_from_db()
    sold = {"sale": "S-1", "sold_at": Now()}
    assert made.move(State.DISPUTED, Reason.SOLD_AFTER, only_from=[State.REVERSED], **sold)
    return made


@pytest.mark.parametrize("reason", ACTS)
def test_each_dispute_offers_its_two_acts(row, manager, reason):
    redemption = row(State.DISPUTED, reason=reason, code="LP-D")
    assert len(acts_of(redemption)) == 2
    page = manager.get(reverse(PAGE, args=[redemption.pk])).content.decode()
    assert all(act.label in page for act in acts_of(redemption))


def test_a_redemption_that_asks_for_nobody_offers_nothing(row, manager):
    redemption = row(State.ISSUED)
    page = manager.get(reverse(PAGE, args=[redemption.pk])).content.decode()
    assert acts_of(redemption) == ()
    assert "Settle it" not in page


class TestTakeAgain:
    def test_takes_the_points_and_ends_as_used(self, sandbox, manager, sold_after):
        press(manager, sold_after, Act.TAKE_AGAIN)
        assert sold_after.state == State.DISPUTED
        assert acts_of(sold_after) == ()
        work_off()
        sold_after.refresh_from_db()
        assert (sold_after.state, sandbox.balance(MARA)) == (State.USED, 140)

    def test_whose_answer_is_lost_takes_them_once(self, settings, sandbox, manager, sold_after):
        settings.ENGINE_SETTLE_SECONDS = 0
        sandbox.fault("POST /points/adjust", "drop_after")
        press(manager, sold_after, Act.TAKE_AGAIN)
        for _ in range(4):
            Delivery.objects.update(due_at=Now())
            work_off()
        sold_after.refresh_from_db()
        assert (sold_after.state, sandbox.balance(MARA)) == (State.USED, 140)
        assert sandbox.call_counts()["POST /points/adjust"] == 1

    def test_of_points_that_are_spent_asks_again(self, sandbox, manager, sold_after):
        sandbox.adjust(MARA, -600)
        press(manager, sold_after, Act.TAKE_AGAIN)
        work_off()
        sold_after.refresh_from_db()
        assert sold_after.state == State.DISPUTED
        assert acts_of(sold_after) == (Act.TAKE_AGAIN, Act.LET_GO)
        sandbox.adjust(MARA, 600)
        press(manager, sold_after, Act.TAKE_AGAIN)
        work_off()
        sold_after.refresh_from_db()
        assert (sold_after.state, sandbox.balance(MARA)) == (State.USED, 140)


class TestAVoidOfASaleWhosePointsWereTakenAgain:
    @pytest.fixture
    def voided(self, manager, sold_after) -> PendingRedemption:
        """The engine was never told of the sale, and has given the points back once already."""
        press(manager, sold_after, Act.TAKE_AGAIN)
        work_off()
        with transaction.atomic():
            unuse("S-1")
        sold_after.refresh_from_db()
        return sold_after

    def test_is_a_managers(self, engine, sandbox, voided):
        see_to_all(engine)
        voided.refresh_from_db()
        assert (voided.state, sandbox.balance(MARA)) == (State.DISPUTED, 140)
        assert acts_of(voided) == (Act.GIVE_AGAIN, Act.LET_GO)

    def test_who_gives_them_again(self, settings, sandbox, manager, voided):
        settings.ENGINE_SETTLE_SECONDS = 0
        sandbox.fault("POST /points/adjust", "drop_after")
        press(manager, voided, Act.GIVE_AGAIN)
        assert acts_of(voided) == ()
        for _ in range(4):
            Delivery.objects.update(due_at=Now())
            work_off()
        voided.refresh_from_db()
        assert (voided.state, sandbox.balance(MARA)) == (State.REVERSED, 640)


def test_of_two_managers_who_decide_at_once_one_is_told_to_look_again(
    engine, sandbox, sold_after, monkeypatch
):
    """Points that are taken again of what was let go would be lost to the member."""
    together, waited = threading.Barrier(2), threading.local()

    def looked_at(redemption):
        found = acts_of(redemption)
        if not getattr(waited, "once", False):
            waited.once = True
            together.wait(10)
        return found

    def decide(act: Act) -> bool:
        try:
            mine = PendingRedemption.objects.select_related("installation").get(pk=sold_after.pk)
            settle_by_hand(engine, mine, Settlement(act, Who.machine("test"), "seen"))
        except CannotSettle:
            return False
        finally:
            connection.close()
        return True

    monkeypatch.setattr(disputes, "acts_of", looked_at)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(decide, [Act.TAKE_AGAIN, Act.LET_GO]))
    assert sorted(done) == [False, True]


def test_let_go_leaves_the_points(sandbox, manager, sold_after):
    press(manager, sold_after, Act.LET_GO)
    assert (sold_after.state, sold_after.reason) == (State.REVERSED, Reason.LET_GO)
    assert sandbox.balance(MARA) == 640


class TestGiveBack:
    @pytest.fixture
    def lost(self, engine, sandbox, row, mara) -> tuple[PendingRedemption, str]:
        """Made at the engine; our row does not know which it is."""
        made = sandbox.redeem_online(MARA, FIVE_OFF)
        return row(State.DISPUTED, reason=Reason.TWO_CANDIDATES, code=""), made["code"]

    def test_of_the_code_that_was_typed(self, engine, sandbox, manager, lost):
        redemption, code = lost
        press(manager, redemption, Act.GIVE_BACK, code=code)
        see_to_all(engine)
        redemption.refresh_from_db()
        assert (redemption.state, sandbox.balance(MARA)) == (State.REVERSED, 640)

    @pytest.mark.parametrize("code", ["", "NEVER-1"])
    def test_of_a_code_that_is_none_is_told(self, manager, lost, code):
        redemption, _ = lost
        answer = press(manager, redemption, Act.GIVE_BACK, code=code)
        assert redemption.state == State.DISPUTED
        assert "code" in answer.content.decode()

    def test_of_another_members_code_is_refused(self, sandbox, manager, lost):
        redemption, _ = lost
        theirs = sandbox.redeem_online("ruth@example.com", FIVE_OFF)["code"]
        answer = press(manager, redemption, Act.GIVE_BACK, code=theirs)
        assert redemption.state == State.DISPUTED
        assert "another member" in answer.content.decode()

    def test_of_one_that_the_pos_still_had_on_a_sale(self, engine, sandbox, manager, act, mara):
        code = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)
        PendingRedemption.objects.update(applied_at=Now(), lease_until=Now())
        assert acts_of(code) == (Act.SOLD, Act.GIVE_BACK)
        press(manager, code, Act.GIVE_BACK)
        see_to_all(engine)
        code.refresh_from_db()
        assert (code.state, sandbox.balance(MARA)) == (State.REVERSED, 640)


def test_none_is_ours_ends_it(row, manager):
    redemption = row(State.DISPUTED, reason=Reason.NEVER_CLEAR, code="")
    press(manager, redemption, Act.NONE_IS_OURS)
    assert redemption.state == State.NOT_MADE


def test_what_was_decided_is_written_down(row, manager):
    redemption = row(State.DISPUTED, reason=Reason.NEVER_CLEAR, code="")
    press(manager, redemption, Act.NONE_IS_OURS)
    entry = Entry.objects.get()
    assert entry.act == "redemption.settled.none_is_ours"
    assert (entry.before, entry.after) == ({"state": "disputed"}, {"state": "not_made"})
    assert entry.reason == "seen by hand"


def test_an_act_of_another_dispute_is_refused(row, manager):
    redemption = row(State.DISPUTED, reason=Reason.NEVER_CLEAR, code="")
    answer = press(manager, redemption, Act.TAKE_AGAIN)
    assert "any more" in answer.content.decode()
    assert redemption.state == State.DISPUTED


def test_without_a_reason_nothing_is_done(row, manager):
    redemption = row(State.DISPUTED, reason=Reason.NEVER_CLEAR, code="")
    answer = press(manager, redemption, Act.NONE_IS_OURS, reason=" ")
    assert "Say why" in answer.content.decode()
    assert redemption.state == State.DISPUTED


def test_who_may_only_look_settles_nothing(row):
    redemption = row(State.DISPUTED, reason=Reason.NEVER_CLEAR, code="")
    looker = User.objects.create_user("looker", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_pendingredemption"))
    client = Client()
    client.force_login(looker)
    assert press(client, redemption, Act.NONE_IS_OURS).status_code == 403
    assert "Settle it" not in client.get(reverse(PAGE, args=[redemption.pk])).content.decode()
    assert redemption.state == State.DISPUTED
