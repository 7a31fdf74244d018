"""Who looks up more customers than anybody serves is stopped, and a manager is told."""

import pytest

from access.look_ups import AN_HOUR, LookUps, Meter, TooManyLookUps
from audit.models import Entry
from stores.models import Associate, Till

pytestmark = [pytest.mark.django_db, pytest.mark.database]

NOW = 500_000 * AN_HOUR + 60.0


@pytest.fixture(autouse=True)
def _limits(settings) -> None:
    settings.LOOK_UPS_OF_A_TILL, settings.LOOK_UPS_OF_AN_ASSOCIATE = 5, 3


def counts() -> dict[str, int]:
    return {str(row.till or row.associate): row.count for row in LookUps.objects.all()}


def test_an_associate_has_so_many_an_hour(till: Till, ana: Associate, ben: Associate) -> None:
    meter = Meter()
    for _ in range(3):
        meter.count(till, ana, NOW)
    with pytest.raises(TooManyLookUps):
        meter.count(till, ana, NOW)
    meter.count(till, ben, NOW)
    meter.count(till, ana, NOW + AN_HOUR)


def test_a_till_has_so_many_whoever_stands_there(
    till: Till, ana: Associate, ben: Associate
) -> None:
    meter = Meter()
    for associate in (ana, ana, ben, ben, ana):
        meter.count(till, associate, NOW)
    with pytest.raises(TooManyLookUps):
        meter.count(till, ben, NOW)


def test_all_processes_count_together(till: Till, ana: Associate) -> None:
    first, second = Meter(), Meter()
    for meter in (first, second):
        meter.count(till, ana, NOW)
        meter.write()
    assert counts() == {str(till): 2, str(ana): 2}
    second.count(till, ana, NOW)
    with pytest.raises(TooManyLookUps):
        second.count(till, ana, NOW)
    second.write()
    assert counts() == {str(till): 3, str(ana): 3}


def test_a_manager_is_told_once(till: Till, ana: Associate) -> None:
    for meter in (Meter(), Meter()):
        for _ in range(3):
            meter.count(till, ana, NOW)
        for _ in range(2):
            with pytest.raises(TooManyLookUps):
                meter.count(till, ana, NOW)
    entry = Entry.objects.get()
    assert (entry.act, entry.outcome) == ("member.looked_up_too_often", "refused")
    assert (entry.subject_type, entry.subject_id) == ("stores.associate", str(ana.pk))
    assert LookUps.objects.get(associate=ana).refused_at is not None


def test_counting_asks_no_database(till: Till, ana: Associate, django_assert_num_queries) -> None:
    meter = Meter()
    with django_assert_num_queries(0):
        meter.count(till, ana, NOW)
