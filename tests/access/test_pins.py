"""PINs: chosen under a start PIN, guessed in vain, and told to nobody."""

from datetime import timedelta

import pytest
from argon2 import extract_parameters
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from access import pins, tries
from access.models import Badge, Pin, Tries
from access.pins import Claim, PinRefused, WeakPin
from audit.models import Entry
from tests.access.at_till import PIN, give_pin, start_pin

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick(request):
    if "real_hashes" not in request.fixturenames:
        request.getfixturevalue("quick_pins")


@pytest.fixture
def real_hashes() -> None:
    """As in production."""


def claim(installation, associate) -> Claim:
    return pins.claim_of(installation.id, associate=str(associate.pk))


def refusal(till, who: Claim, pin: str) -> PinRefused:
    with pytest.raises(PinRefused) as refused:
        pins.check(till, who, pin)
    return refused.value


def test_the_right_pin_says_who_it_is(installation, till, ana):
    give_pin(ana)

    assert pins.check(till, claim(installation, ana), PIN) == ana


def test_a_pin_is_kept_as_an_argon2_hash_with_a_pepper_of_its_owners(till, ana, ben, settings):
    give_pin(ana)
    kept = Pin.objects.get().encoded

    assert kept.startswith("$argon2id$")
    assert pins.seasoned(ana.pk, PIN) != pins.seasoned(ben.pk, PIN)
    settings.PIN_PEPPER = "another " * 5
    assert pins.fits(Pin.objects.get().associate, PIN) is False


def test_whoever_can_write_the_database_cannot_lend_their_hash_to_another(
    installation, till, ana, ben
):
    give_pin(ana, "102938")
    give_pin(ben)
    Pin.objects.filter(associate=ana).update(encoded=Pin.objects.get(associate=ben).encoded)

    refusal(till, claim(installation, ana), PIN)


def test_200_guesses_are_refused_and_hardly_one_is_looked_at(installation, till, ana, monkeypatch):
    give_pin(ana)
    monkeypatch.setattr(tries, "FIRST_DELAY", timedelta(minutes=10))  # 200 may take a while
    looked_at = []
    fits = pins.fits
    monkeypatch.setattr(pins, "fits", lambda *given: looked_at.append(1) or fits(*given))

    for number in range(200):
        refusal(till, claim(installation, ana), f"{number:06}")

    assert len(looked_at) == 5
    assert Entry.objects.filter(act="pin_session.start.refused").count() == 200
    assert refusal(till, claim(installation, ana), PIN).wait >= 1


def test_guesses_at_all_names_in_turn_lock_the_till(installation, till, ana, ben):
    people = [
        ana,
        ben,
        *(
            type(ana).objects.create(
                installation=installation, code=f"p{number}", name=f"P {number}"
            )
            for number in range(6)
        ),
    ]
    for person in people:
        give_pin(person)
    refused = [
        refusal(till, claim(installation, person), "918273") for _ in range(3) for person in people
    ]

    assert Tries.objects.get(subject=f"till:{till.pk}").wrong == 10
    assert refused[9].wait == 0 and all(one.wait for one in refused[10:])


def test_ana_locked_out_by_another_till_is_locked_at_this_one(installation, store, till, ana):
    other = type(till).objects.create(store=store, code="2", name="Till 2")
    give_pin(ana)
    for _ in range(5):
        refusal(other, claim(installation, ana), "918273")

    assert refusal(till, claim(installation, ana), PIN).wait >= 1


def test_unknown_locked_and_wrong_look_alike(installation, till, ana, ben):
    """Ben has no PIN, nobody has the id 999999, and `'` is no id at all."""
    give_pin(ana)
    for who in (str(ana.pk), str(ben.pk), "999999", "'", ""):
        tried = pins.claim_of(installation.id, associate=who)
        said = [(str(one), one.wait) for one in (refusal(till, tried, "918273") for _ in range(4))]
        assert said == [(pins.WRONG, 0)] * 4
        assert "918273" not in str(Entry.objects.values_list())
        Tries.objects.filter(subject__startswith="till").delete()


def test_unknown_takes_as_long_as_wrong(installation, till, ana, real_hashes, monkeypatch):
    """Each is compared once, with a hash that took as much work."""
    give_pin(ana)
    compared = []
    hasher = pins.HASHER

    class Spy:
        hash = staticmethod(hasher.hash)

        def verify(self, encoded: str, told: str) -> bool:
            compared.append(extract_parameters(encoded))
            return hasher.verify(encoded, told)

    monkeypatch.setattr(pins, "HASHER", Spy())
    for who in (str(ana.pk), "999999", ""):
        refusal(till, pins.claim_of(installation.id, associate=who), "918273")

    assert len(compared) == 3 and len(set(map(str, compared))) == 1
    assert compared[0].memory_cost == 19 * 1024


@pytest.mark.parametrize("pin", ["", "12", "123456789", "27495a", "٢٧٤٩٥١", "274951\n"])
def test_what_is_no_pin_is_not_even_counted(installation, till, ana, pin):
    give_pin(ana)

    assert str(refusal(till, claim(installation, ana), pin)) == pins.UNREADABLE
    assert not Tries.objects.exists()


@pytest.mark.parametrize(
    "pin",
    [
        "111111",
        "123456",
        "654321",
        "012345",
        "890123",
        "121212",
        "123123",
        "112233",
        "123321",
        "100000",
        "444555",
        "987654",
    ],
)
def test_a_pin_that_one_tries_first_is_refused(pin):
    assert "among the first" in pins.weakness(pin)


@pytest.mark.parametrize("pin", ["27495", "2749511", "27495x", "", "٢٧٤٩٥١"])
def test_a_pin_has_as_many_digits_as_the_setting_says(pin):
    assert pins.weakness(pin) == "A PIN has 6 digits."


def test_with_four_digits_years_are_refused_too(settings):
    settings.PIN_DIGITS = 4

    assert pins.weakness("1984") and pins.weakness("2011") and not pins.weakness("2749")


def test_of_all_pins_few_are_refused():
    """So that whoever guesses gains nothing to speak of by it."""
    refused = sum(pins.is_trivial(f"{number:06}") for number in range(0, 1_000_000, 97))
    assert refused / (1_000_000 / 97) < 0.03


def test_under_a_start_pin_one_chooses_ones_own(installation, till, ana):
    start = start_pin(ana)
    associate = pins.check(till, claim(installation, ana), start)
    assert associate.pin.is_start

    pins.choose(till, associate, PIN)

    refusal(till, claim(installation, ana), start)
    assert pins.check(till, claim(installation, ana), PIN).pin.is_start is False
    assert Entry.objects.get(act="pin.chosen").who == "Ana Pardo"


def test_a_start_pin_works_once(installation, till, ana):
    start = start_pin(ana)
    one, other = (pins.check(till, claim(installation, ana), start) for _ in range(2))
    pins.choose(till, one, PIN)

    with pytest.raises(PinRefused):
        pins.choose(till, other, "839201")


def test_a_start_pin_that_is_a_day_old_is_none(installation, till, ana):
    start = start_pin(ana)
    Pin.objects.update(expires_at=Now() - timedelta(seconds=1))

    assert str(refusal(till, claim(installation, ana), start)) == pins.WRONG


def test_the_start_pin_itself_is_weak_nowhere_and_a_weak_choice_keeps_it(installation, till, ana):
    start = start_pin(ana)
    associate = pins.check(till, claim(installation, ana), start)

    with pytest.raises(WeakPin):
        pins.choose(till, associate, "123456")
    assert pins.check(till, claim(installation, ana), start) == ana


def test_a_disabled_associate_and_one_of_another_installation_cannot_sign_in(
    installation, till, ana, ben
):
    from stores.models import Associate, Installation

    elsewhere = Installation.objects.create(id="elsewhere", name="Elsewhere")
    eve = Associate.objects.create(installation=elsewhere, code="eve", name="Eve")
    for person in (ana, ben, eve):
        give_pin(person)
    Associate.objects.filter(pk=ana.pk).update(is_active=False)

    assert [str(person) for person in pins.people_of(installation.id)] == ["Ben Okafor"]
    for person in (ana, eve):
        refusal(till, claim(installation, person), PIN)


def test_a_badge_says_the_name_and_is_kept_as_a_hash(installation, till, ana, ben):
    give_pin(ana)
    Badge.objects.create(
        associate=ana, installation=installation, sha256=pins.badge_hash("shop", " 0042-ANA ")
    )

    assert pins.check(till, pins.claim_of("shop", badge="0042-ana"), PIN) == ana
    refusal(till, pins.claim_of("shop", badge="0043-ana"), PIN)
    with pytest.raises(IntegrityError), transaction.atomic():
        Badge.objects.create(
            associate=ben, installation=installation, sha256=pins.badge_hash("shop", "0042-ana")
        )


def test_a_start_pin_must_expire(ana):
    with pytest.raises(IntegrityError), transaction.atomic():
        Pin.objects.create(associate=ana, encoded="x", is_start=True)
