"""Pairing: how a till that can only open an address is known again.

The till shows a code. A manager types it in their own signed-in page, where they see which device
asks, and chooses its store and till. The till polls with a secret of its own, which the code does
not reveal, and so comes by its key. Codes, secrets and keys are kept as hashes alone.
"""

import secrets
from contextlib import suppress
from datetime import timedelta
from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.db.models.functions import Now

from access import tries
from access.keys import digest, new_secret
from access.pins import keyed
from audit.models import Entry
from audit.record import NOWHERE, Where, Who, record
from stores.models import Associate, Installation, Till

# No two of these look or sound alike, and without vowels they spell nothing.
LETTERS = "CDFGHJKMNPQRTVWXY34679"
CODE_LENGTH = 8
CODE_LIVES = timedelta(minutes=10)
OPEN_PER_ADDRESS = 3
OPEN_IN_ALL = 300
# Of one address in ten minutes, with those given up: a page that is loaded anew asks anew.
ASKED_PER_ADDRESS = 30
FORGOTTEN_AFTER = timedelta(days=7)
NO_SUCH_CODE = (
    "No till is waiting with this code. Compare it with the one on the till's screen; it lasts for "
    "ten minutes, then the till shows a new one."
)


class TooManyRequests(Exception):
    """Open requests to be paired; `str()` says what to do."""


class NoSuchCode(Exception):
    """Unknown, expired, refused, approved already: nobody is told which."""


class PairingRequest(models.Model):
    """A device that asks to be a till, and what a manager said to that."""

    class State(models.TextChoices):
        OPEN = "open", "Waiting for a manager"
        APPROVED = "approved", "Approved"
        REFUSED = "refused", "Refused"
        OVER = "over", "Given up, or nobody came"

    installation = models.ForeignKey(Installation, models.CASCADE)
    code_hash = models.CharField(max_length=64, unique=True)
    poll_sha256 = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    slot = models.PositiveSmallIntegerField()
    address = models.CharField(max_length=64)
    browser = models.CharField(max_length=300, blank=True)
    till = models.ForeignKey(Till, models.CASCADE, null=True)
    answered_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField("asked at", db_default=Now())
    expires_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        permissions: ClassVar = [("pair_till", "Can pair a till, and refuse one")]
        indexes: ClassVar = [models.Index(fields=["state", "expires_at"], name="pairing_waiting")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["address", "slot"],
                condition=Q(state="open"),
                name="an_address_has_few_open_requests",
            ),
            models.CheckConstraint(
                condition=Q(slot__gte=1, slot__lte=OPEN_PER_ADDRESS),
                name="an_address_has_three_slots",
            ),
            models.CheckConstraint(
                condition=~Q(state="approved") | Q(till__isnull=False),
                name="an_approved_request_has_a_till",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.address}, {self.created_at:%H:%M} UTC"


class PairedTill(models.Model):
    """A device that is this till, by its key."""

    till = models.ForeignKey(Till, models.CASCADE, related_name="paired")
    key_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    by_address = models.BooleanField(
        "by its address",
        default=False,
        editable=False,
        help_text="Its key stands in the address that the POS opens, not in a cookie.",
    )
    address = models.CharField("paired from", max_length=64, blank=True, editable=False)
    browser = models.CharField(max_length=300, blank=True, editable=False)
    paired_by = models.CharField(max_length=200, editable=False)
    created_at = models.DateTimeField("paired at", db_default=Now(), editable=False)
    last_used_at = models.DateTimeField("last sign-in", null=True, editable=False)
    last_associate = models.ForeignKey(Associate, models.SET_NULL, null=True, editable=False)
    revoked_at = models.DateTimeField("unpaired at", null=True, editable=False)

    class Meta:
        verbose_name = "paired till"
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return str(self.till)

    def forget_last(self) -> None:
        """Who was here is gone for today: all names are shown, not theirs first."""
        self.last_associate = None
        self.save(update_fields=["last_associate"])


# The till's side


def ask(installation: Installation, address: str, browser: str) -> tuple[str, str]:
    """A code to show, and the secret to poll with: both told this once.

    Raises TooManyRequests, at three that are open from one address, and at many in all.
    """
    close_expired()
    check_not_too_many(address[:64])
    code, poll = new_code(), new_secret()
    for slot in range(1, OPEN_PER_ADDRESS + 1):
        # Asked of the database alone: two that ask at once would both see the slot free.
        with suppress(IntegrityError), transaction.atomic():
            PairingRequest.objects.create(
                installation=installation,
                code_hash=code_hash(code),
                poll_sha256=digest(poll),
                slot=slot,
                address=address[:64],
                browser=browser[:300],
                expires_at=Now() + CODE_LIVES,
            )
            return f"{code[:4]}-{code[4:]}", poll
    raise TooManyRequests(
        f"{OPEN_PER_ADDRESS} tills of this network are waiting to be paired. Pair or refuse those "
        "in the admin, or try again in ten minutes."
    )


def check_not_too_many(address: str) -> None:
    """Raises TooManyRequests."""
    rows = PairingRequest.objects.filter(created_at__gt=Now() - CODE_LIVES)
    is_flood = rows.filter(state=PairingRequest.State.OPEN).count() >= OPEN_IN_ALL
    if is_flood or rows.filter(address=address).count() >= ASKED_PER_ADDRESS:
        raise TooManyRequests("Too many tills ask to be paired. Try again in ten minutes.")


def close_expired() -> None:
    rows = PairingRequest.objects.filter(expires_at__lte=Now())
    rows.filter(state=PairingRequest.State.OPEN).update(state=PairingRequest.State.OVER)
    PairingRequest.objects.filter(expires_at__lt=Now() - FORGOTTEN_AFTER).delete()


def new_code() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))


def code_hash(code: str) -> str:
    """Of 35 bits, which could be tried: so with a key."""
    return keyed("pairing", normal_code(code))


def normal_code(text: str) -> str:
    """As people type it: in small letters, with or without the hyphen."""
    return "".join(text.upper().split()).replace("-", "")[:64]


def of_poll(poll: str, installation_id: str) -> PairingRequest | None:
    """Not refused, not given up, and not expired."""
    states = (PairingRequest.State.OPEN, PairingRequest.State.APPROVED)
    return (
        PairingRequest.objects.select_related("till__store__installation")
        .filter(
            poll_sha256=digest(poll),
            installation_id=installation_id,
            state__in=states,
            expires_at__gt=Now(),
        )
        .first()
    )


def key_of(request: PairingRequest, till: Till, poll: str) -> str:
    """The key of the till that it was approved for, made at the first call.

    It follows from the poll's secret, so that a till whose answer was lost can ask once more.
    """
    key = keyed("till", poll)
    with suppress(IntegrityError), transaction.atomic():
        PairedTill.objects.create(
            till=till,
            key_sha256=digest(key),
            address=request.address,
            browser=request.browser,
            paired_by=request.answered_by,
        )
    return key


def give_up(poll: str) -> None:
    """The till went away, or can't keep a key: its place is free for another request."""
    mine = PairingRequest.objects.filter(poll_sha256=digest(poll), state=PairingRequest.State.OPEN)
    mine.update(state=PairingRequest.State.OVER)


# The manager's side


def find(code: str, address: str, user: AbstractBaseUser) -> PairingRequest:
    """The open request with this code. Raises NoSuchCode, and tries.MustWait.

    Counted before it is looked for, by the manager's address and in all: codes can't be tried.
    """
    mine = f"pairing:{address}"
    try:
        tries.take(mine, f"Pairing codes from {address}", tries.OF_AN_ADDRESS)
        tries.take("pairing", "Pairing codes in all", tries.OF_ALL)
    except tries.MustWait:
        refused(user, "too many wrong codes")
        raise
    found = (
        PairingRequest.objects.select_related("installation")
        .filter(code_hash=code_hash(code), state=PairingRequest.State.OPEN, expires_at__gt=Now())
        .first()
    )
    if found is None:
        refused(user, "no such code")
        raise NoSuchCode(NO_SUCH_CODE)
    tries.was_right(mine)
    tries.forgive("pairing")
    return found


def refused(user: AbstractBaseUser, why: str) -> None:
    record(
        act="till.pairing_code.refused",
        who=Who.user(user),
        subject=user,
        where=NOWHERE,
        outcome=Entry.Outcome.REFUSED,
        reason=why,
    )


@transaction.atomic
def answer(request: PairingRequest, user: AbstractBaseUser, till: Till | None) -> None:
    """Approve it for this till, or refuse it. Raises NoSuchCode where it is open no more."""
    state = PairingRequest.State.APPROVED if till else PairingRequest.State.REFUSED
    still_open = PairingRequest.objects.filter(
        pk=request.pk, state=PairingRequest.State.OPEN, expires_at__gt=Now()
    )
    # What was approved in the last second may still be fetched.
    if not still_open.update(
        state=state, till=till, answered_by=str(user)[:200], expires_at=Now() + CODE_LIVES
    ):
        raise NoSuchCode(NO_SUCH_CODE)
    record(
        act="till.pairing_approved" if till else "till.pairing_refused",
        who=Who.user(user),
        subject=till or request,
        where=Where.at(till=till) if till else Where.at(installation=request.installation),
        outcome=Entry.Outcome.DONE if till else Entry.Outcome.REFUSED,
        after={"from": request.address, "browser": request.browser},
    )


def make_address(till: Till, user: AbstractBaseUser) -> tuple[PairedTill, str]:
    """Pair a till by a key that stands in its address: the key is told this once."""
    key = new_secret()
    made = PairedTill.objects.create(
        till=till, key_sha256=digest(key), by_address=True, paired_by=str(user)[:200]
    )
    return made, key


def paired_of(key: str, installation_id: str) -> PairedTill | None:
    """The till of this key, where it and all that it belongs to is active."""
    return (
        PairedTill.objects.select_related("till__store__installation", "last_associate")
        .filter(
            key_sha256=digest(key),
            revoked_at=None,
            till__is_active=True,
            till__store__is_active=True,
            till__store__installation_id=installation_id,
            till__store__installation__is_active=True,
            till__store__installation__pairing=True,
        )
        .first()
    )
