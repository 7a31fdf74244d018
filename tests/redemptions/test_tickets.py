"""What a POS's page says of its tickets drives the leases of the codes on them, and no others."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from audit.models import Entry
from audit.record import By, Who
from redemptions import life, tickets
from redemptions.models import PendingRedemption
from redemptions.settling import see_to_all
from redemptions.states import Reason, State
from redemptions.tickets import Event, Ticket
from stores.models import Store

pytestmark = [pytest.mark.django_db, pytest.mark.database]

BY = By(Who.machine("a till"))
T1, T2 = "T-1", "T-2"


@pytest.fixture
def code(row, store) -> PendingRedemption:
    made = row(State.ISSUED)
    PendingRedemption.objects.filter(pk=made.pk).update(store=store)
    made.refresh_from_db()
    return made


@pytest.fixture
def hear(store, code):
    """What the till of this store tells; the code's row after it."""

    def hear(event: Event, ticket: str, *codes: str, at: Store = store) -> PendingRedemption:
        tickets.hear(event, Ticket(at, ticket, codes), BY)
        code.refresh_from_db()
        return code

    return hear


def over(code: PendingRedemption, **spans: timedelta) -> None:
    """So much time has passed for each of these dates."""
    PendingRedemption.objects.filter(pk=code.pk).update(
        **{name: F(name) - span for name, span in spans.items()}
    )


def acts() -> list[str]:
    return list(Entry.objects.order_by("id").values_list("act", flat=True))


def test_a_code_on_the_cart_is_the_tickets_and_applied(hear, code):
    heard = hear(Event.CHANGED, T1, code.code.lower())
    assert heard.ticket == T1 and heard.applied_at is not None
    assert acts() == ["redemption.applied"]


def test_said_twice_it_changes_nothing(hear, code):
    first = hear(Event.CHANGED, T1, code.code)
    applied_at = first.applied_at
    again = hear(Event.CHANGED, T1, code.code)
    assert again.applied_at == applied_at
    assert acts() == ["redemption.applied"]


def test_what_the_cart_told_already_stands_once_in_the_trail(hear, code):
    heard = hear(Event.CHANGED, T1, code.code)
    assert tickets.applied(heard, T1, BY)
    assert acts() == ["redemption.applied"]


def test_a_code_moves_with_the_cart_that_has_it(hear, code):
    hear(Event.CHANGED, T1, code.code)
    assert hear(Event.CHANGED, T2, code.code).ticket == T2
    # The first one's next word is no longer about it.
    assert hear(Event.CHANGED, T1).gone_at is None


@pytest.mark.parametrize("event", [Event.CHANGED, Event.REMOVED])
def test_taken_off_it_can_be_kept_for_ten_seconds(hear, code, engine, event):
    hear(Event.CHANGED, T1, code.code)
    removed = hear(event, T1, *([code.code] if event == Event.REMOVED else []))
    assert removed.withdrawn_at is not None and tickets.removed(removed)
    life.keep(removed)
    assert removed.applied_at is None
    over(removed, next_check_at=timedelta(minutes=1))
    see_to_all(engine)
    removed.refresh_from_db()
    assert removed.state == State.ISSUED


def test_what_is_taken_off_another_sale_is_still_on_this_one(hear, code):
    hear(Event.CHANGED, T1, code.code)
    for elsewhere in (T2, ""):
        assert hear(Event.REMOVED, elsewhere, code.code).withdrawn_at is None
    assert acts() == ["redemption.applied"]


def test_taken_off_and_not_kept_its_points_go_back(hear, code, engine):
    hear(Event.CHANGED, T1, code.code)
    removed = hear(Event.CHANGED, T1)
    over(removed, gone_at=timedelta(seconds=11), next_check_at=timedelta(seconds=11))
    assert not tickets.removed(PendingRedemption.objects.get(pk=removed.pk))
    see_to_all(engine)
    removed.refresh_from_db()
    assert removed.reason == Reason.ABANDONED and removed.state != State.ISSUED


def test_put_on_again_it_counts(hear, code):
    hear(Event.CHANGED, T1, code.code)
    hear(Event.CHANGED, T1)
    again = hear(Event.CHANGED, T1, code.code)
    assert again.gone_at is again.withdrawn_at is None and again.applied_at is not None


def test_an_open_ticket_without_it_proves_nothing_before_its_time_is_up(hear, code):
    life.bind(code, T1)
    assert hear(Event.CHANGED, T1).gone_at is None
    over(code, lease_until=timedelta(minutes=16))
    assert hear(Event.CHANGED, T1).gone_at is not None
    assert acts() == ["redemption.missed"]


def test_a_completed_sale_with_it_stops_the_clock_for_good(hear, code, engine):
    done = hear(Event.COMPLETED, T1, code.code)
    assert done.claimed_used_at is not None and done.state == State.ISSUED
    over(code, lease_until=timedelta(days=1), next_check_at=timedelta(days=1))
    see_to_all(engine)
    code.refresh_from_db()
    assert code.state == State.ISSUED
    assert acts() == ["redemption.claimed_used"]


def test_a_sale_completed_without_it_gives_it_up(hear, code):
    hear(Event.CHANGED, T1, code.code)
    assert hear(Event.COMPLETED, T1).gone_at is not None
    assert acts() == ["redemption.applied", "redemption.removed"]


def test_completed_without_a_word_of_codes_what_is_on_it_counts_as_sold(hear, code, store):
    hear(Event.CHANGED, T1, code.code)
    for event in (Event.CHANGED, Event.REMOVED, Event.COMPLETED):
        tickets.hear(event, Ticket(store, T1, None), BY)
    code.refresh_from_db()
    assert (code.claimed_used_at is not None, code.gone_at) == (True, None)


def test_completed_without_a_word_of_codes_one_that_never_was_on_it_is_left_alone(
    hear, code, store
):
    PendingRedemption.objects.update(ticket=T1)
    assert tickets.hear(Event.COMPLETED, Ticket(store, T1, None), BY) == []


def test_a_page_cannot_void_what_it_called_completed(hear, code):
    hear(Event.COMPLETED, T1, code.code)
    assert hear(Event.VOIDED, T1).state == State.ISSUED


def test_what_is_on_the_sale_is_not_kept(hear, code):
    """Else it would look as if it were on none, and be undone with nobody's leave."""
    hear(Event.CHANGED, T1, code.code)
    tickets.keep(code, BY)
    assert code.applied_at is not None
    hear(Event.REMOVED, T1, code.code)
    tickets.keep(code, BY)
    assert acts()[-1] == "redemption.kept"


def test_a_voided_ticket_gives_its_codes_back(hear, code):
    hear(Event.CHANGED, T1, code.code)
    voided = hear(Event.VOIDED, T1)
    assert (voided.state, voided.reason) == (State.REVERSING, Reason.VOIDED)
    assert acts()[-1] == "redemption.voided"


def test_parked_its_time_stands_still_until_it_is_resumed(hear, code):
    hear(Event.CHANGED, T1, code.code)
    before = life.seconds_left(code)
    parked = hear(Event.PARKED, T1)
    assert life.is_frozen(parked) and life.seconds_left(parked) >= before - 5
    resumed = hear(Event.RESUMED, T1)
    assert not life.is_frozen(resumed)
    assert before - 5 <= life.seconds_left(resumed) <= before
    assert acts() == ["redemption.applied", "redemption.parked", "redemption.resumed"]
    assert hear(Event.RESUMED, T1).frozen_until is None
    assert len(acts()) == 3


@pytest.mark.parametrize("event", list(Event))
def test_another_store_touches_nothing(hear, code, installation, event):
    life.bind(code, T1)
    elsewhere = Store.objects.create(installation=installation, code="salem", name="Salem")
    before = PendingRedemption.objects.values().get(pk=code.pk)
    hear(event, T1, code.code, at=elsewhere)
    assert PendingRedemption.objects.values().get(pk=code.pk) == before
    assert acts() == []


@pytest.mark.parametrize("event", list(Event))
def test_without_a_ticket_no_code_that_waits_for_one_is_touched(hear, code, event):
    assert code.ticket == ""
    before = PendingRedemption.objects.values().get(pk=code.pk)
    hear(event, "", "LP-ANOTHER")
    assert PendingRedemption.objects.values().get(pk=code.pk) == before
    assert acts() == []


@pytest.mark.parametrize("event", list(Event))
@pytest.mark.parametrize("state", [s for s in State if s != State.ISSUED])
def test_what_is_not_issued_is_left_as_it_is(row, store, event, state):
    made = row(state)
    PendingRedemption.objects.filter(pk=made.pk).update(store=store, ticket=T1)
    before = PendingRedemption.objects.values().get(pk=made.pk)
    tickets.hear(event, Ticket(store, T1, [made.code] if made.code else []), BY)
    after = PendingRedemption.objects.values().get(pk=made.pk)
    if event == Event.VOIDED and state in (State.REQUESTED, State.UNCERTAIN):
        assert after["reverse_when_found"] is True
    else:
        assert after == before


def test_applied_too_late_the_till_must_take_it_off_again(code):
    assert tickets.applied(code, T1, BY)
    PendingRedemption.objects.filter(pk=code.pk).update(
        state=State.USED, sold_at=timezone.now(), applied_at=None
    )
    assert not tickets.applied(code, T1, BY)
    assert acts() == ["redemption.applied"]


def test_the_cart_is_told_in_two_queries_and_what_it_changes(
    hear, code, store, django_assert_max_num_queries
):
    hear(Event.CHANGED, T1, code.code)
    with django_assert_max_num_queries(3):  # with BEGIN and COMMIT's savepoints
        tickets.hear(Event.CHANGED, Ticket(store, T1, [code.code]), BY)
