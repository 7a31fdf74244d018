"""PINs: who is at a till that many people share, and a manager's own PIN for one act.

A manager issues a start PIN in the admin, which works once, and the associate sets their own under
it at the till. So nobody else ever knows a PIN, and what is done under one was done by its owner.
Only an Argon2 hash is kept, of the PIN with a pepper (PIN_PEPPER) that is not in the database: with
ten thousand PINs to try, a hash alone would not withstand whoever has the database.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import pairwise
from typing import ClassVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now

from access import tries
from audit.models import Entry
from audit.record import Where, Who, record
from stores.models import Associate, Installation, Till

START_PIN_LIVES = timedelta(hours=24)
SHORTEST, LONGEST = 4, 8
FEWEST_DIGITS = 3  # different ones, in a PIN that one may choose
# OWASP's first choice of parameters for Argon2id: 19 MiB and about 30 ms, so that tills of a chain
# can sign in all at once in the morning.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
WRONG = "That name and PIN don't belong together. Try again, or ask a manager for a start PIN."
UNREADABLE = "Type the PIN: digits alone."


class PinRefused(Exception):
    """The words are the same whatever was wrong. `wait` is in seconds, 0 where one may try on."""

    def __init__(self, text: str = WRONG, wait: int = 0) -> None:
        super().__init__(text)
        self.wait = wait


class NewPinNeeded(Exception):
    """It was the start PIN: the associate must choose one of their own."""


class WeakPin(Exception):
    """`str()` says what to choose instead."""


class Pin(models.Model):
    """What of an associate's PIN is kept. A start PIN works once, until it expires."""

    associate = models.OneToOneField(Associate, models.CASCADE, related_name="pin")
    encoded = models.CharField(max_length=200, editable=False)
    is_start = models.BooleanField(default=False, editable=False)
    expires_at = models.DateTimeField(null=True, editable=False)
    set_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "PIN's hash"
        verbose_name_plural = "PINs' hashes"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(is_start=False) | Q(expires_at__isnull=False),
                name="a_start_pin_expires",
            )
        ]

    def __str__(self) -> str:
        return f"{'Start PIN' if self.is_start else 'PIN'} of {self.associate}"


class Badge(models.Model):
    """A badge says a name, as tapping it does: the PIN is asked for all the same."""

    associate = models.OneToOneField(Associate, models.CASCADE, related_name="badge")
    installation = models.ForeignKey(Installation, models.CASCADE)
    sha256 = models.CharField(max_length=64, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["installation", "sha256"], name="a_badge_is_of_one_associate"
            )
        ]

    def __str__(self) -> str:
        return f"Badge of {self.associate}"


class Person(Associate):
    """An associate as one who signs in."""

    class Meta:
        proxy = True
        verbose_name = "PIN"
        verbose_name_plural = "PINs and badges"


@dataclass(frozen=True)
class Claim:
    """Who somebody says they are: a name tapped or a badge scanned. Perhaps nobody we know."""

    associate: Associate | None
    said: str

    @property
    def subject(self) -> str:
        """What tries are counted by. Of nobody we know too, so that they look alike."""
        if self.associate:
            return subject_of(self.associate)
        return f"nobody:{keyed('claim', self.said)[:32]}"


def subject_of(row: Associate | Till) -> str:
    return f"{'till' if isinstance(row, Till) else 'associate'}:{row.pk}"


def keyed(what: str, text: str) -> str:
    """64 hexadecimal digits that nobody can compute, or try, without the pepper."""
    key, message = settings.PIN_PEPPER.encode(), f"{what}:{text}".encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def seasoned(associate_id: int, pin: str) -> str:
    """Bound to its owner: a hash that is put into another row opens nothing."""
    return keyed("pin", f"{associate_id}:{pin}")


@cache
def of_nobody() -> str:
    """What is compared with where there is no PIN, so that it takes as long."""
    return HASHER.hash(secrets.token_hex(32))


def signs_in() -> Q:
    """Who can: active, and with a PIN that counts."""
    lives = Q(pin__is_start=False) | Q(pin__expires_at__gt=Now())
    return Q(is_active=True, pin__isnull=False) & lives


def people_of(installation_id: str) -> models.QuerySet[Associate]:
    return Associate.objects.filter(signs_in(), installation_id=installation_id).order_by("name")


def claim_of(installation_id: str, *, associate: str = "", badge: str = "") -> Claim:
    """By the id of who was tapped, or by a badge's text."""
    people = people_of(installation_id).select_related("pin")
    if badge:
        mine = people.filter(badge__sha256=badge_hash(installation_id, badge))
        return Claim(mine.first(), f"badge:{badge}")
    is_id = associate.isascii() and associate.isdigit() and len(associate) <= 18
    return Claim(people.filter(pk=associate).first() if is_id else None, f"name:{associate[:64]}")


def badge_hash(installation_id: str, badge: str) -> str:
    return keyed("badge", f"{installation_id}:{badge.strip().casefold()}")


def check(till: Till, claim: Claim, pin: str, what: str = "pin_session.start") -> Associate:
    """Whose PIN it is. `what` they want goes into the trail where they are refused.

    Raises PinRefused, in the same words and the same time whether there is no such person, no PIN,
    or another one. The try is counted before anything is compared.
    """
    if not is_readable(pin):
        raise PinRefused(UNREADABLE)
    try:
        tries.take(claim.subject, str(claim.associate or "Nobody known"), tries.OF_A_PERSON)
        tries.take(subject_of(till), str(till), tries.OF_A_TILL)
    except tries.MustWait as error:
        refuse(till, claim, what, "locked")
        ask = f"Too many wrong PINs. Wait {tries.wait_words(error.seconds)}, or ask a manager."
        raise PinRefused(ask, error.seconds) from None
    if not fits(claim.associate, pin) or claim.associate is None:
        refuse(till, claim, what, "wrong PIN")
        raise PinRefused
    tries.was_right(claim.subject)
    tries.forgive(subject_of(till))
    return claim.associate


def hold(associate: Associate) -> None:
    """Nobody takes this PIN away before the transaction ends. Raises PinRefused: it is gone."""
    if Pin.objects.select_for_update().filter(associate=associate).first() is None:
        raise PinRefused


def is_readable(pin: str) -> bool:
    return pin.isascii() and pin.isdigit() and SHORTEST <= len(pin) <= LONGEST


def fits(associate: Associate | None, pin: str) -> bool:
    nobody = of_nobody()  # made whoever it is, so that the first of a process tells nothing either
    encoded = associate.pin.encoded if associate else nobody
    try:
        return HASHER.verify(encoded, seasoned(associate.pk if associate else 0, pin))
    except (VerifyMismatchError, InvalidHashError):
        return False


def refuse(till: Till, claim: Claim, what: str, why: str) -> None:
    record(
        act=f"{what}.refused",
        # Whoever it was, it may well not have been the one they said.
        who=Who.machine("Somebody at the till"),
        subject=claim.associate or till,
        where=Where.at(till=till),
        outcome=Entry.Outcome.REFUSED,
        after={"as": str(claim.associate or "nobody known")},
        reason=why,
    )


def issue_start_pin(associate: Associate) -> str:
    """A new start PIN, told this once; the PIN before it counts no more. Nobody is locked out."""
    pin = next(pin for pin in iter(random_pin, None) if not weakness(pin))
    Pin.objects.update_or_create(
        associate=Associate.objects.get(pk=associate.pk),
        defaults={
            "encoded": HASHER.hash(seasoned(associate.pk, pin)),
            "is_start": True,
            "expires_at": Now() + START_PIN_LIVES,
            "set_at": Now(),
        },
    )
    tries.unlock(subject_of(associate))
    return pin


def random_pin() -> str:
    return "".join(secrets.choice("0123456789") for _ in range(settings.PIN_DIGITS))


def settle_start(till: Till, associate: Associate, new: str) -> None:
    """Nothing where the PIN that was checked is their own; else `new` takes the start PIN's place.

    Raises NewPinNeeded without one, WeakPin, PinRefused.
    """
    if not associate.pin.is_start:
        return
    if not new:
        raise NewPinNeeded
    choose(till, associate, new)


@transaction.atomic
def choose(till: Till, associate: Associate, new: str) -> None:
    """Their own, in place of the start PIN that was just checked. Raises WeakPin, PinRefused."""
    why = weakness(new)
    if why:
        raise WeakPin(why)
    start = Pin.objects.filter(pk=associate.pin.pk, encoded=associate.pin.encoded, is_start=True)
    encoded = HASHER.hash(seasoned(associate.pk, new))
    if not start.update(encoded=encoded, is_start=False, expires_at=None, set_at=Now()):
        raise PinRefused  # it was used a moment ago, or there is a newer one
    record(
        act="pin.chosen",
        who=Who.associate(associate),
        subject=associate,
        where=Where.at(till=till),
    )


def weakness(pin: str) -> str:
    """Why nobody may choose this one, or nothing."""
    digits = settings.PIN_DIGITS
    if not (pin.isascii() and pin.isdigit() and len(pin) == digits):
        return f"A PIN has {digits} digits."
    if is_trivial(pin):
        return "That PIN is among the first that one tries. Choose digits that follow no pattern."
    return ""


def is_trivial(pin: str) -> bool:
    """Few different digits (111111, 112112), a run (123456, 987654), or a part again (259259)."""
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
    size = len(pin)
    repeats = any(pin == (pin[:part] * size)[:size] for part in range(1, size // 2 + 1))
    mirrored = size >= 6 and pin == pin[::-1]
    pairs = size % 2 == 0 and pin[::2] == pin[1::2]  # 224466
    is_a_year = size == 4 and pin[:2] in {"19", "20"}
    few = len(set(pin)) < FEWEST_DIGITS
    return few or steps in ({1}, {9}, {0}) or repeats or mirrored or pairs or is_a_year
