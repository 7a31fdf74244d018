"""Pools of custom codes: the engine hands out one for each redemption of such an offer.

Codes are money. Until the engine has them they are encrypted; afterwards only a keyed hash of each
stays, by which a duplicate is found. One engine account is one deployment, so a pool belongs to all
its installations. Times are UTC, by the database's clock.
"""

from datetime import timedelta
from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from database.encryption import EncryptedTextField, blind_index

MOST_CODES_A_CALL = 10_000
LONGEST_ID = 2**53
HIDDEN_FOR = timedelta(hours=1)


def index_key() -> str:
    """Names the present key without telling it. With another one, old hashes find nothing."""
    return blind_index("codes of pools")[:16]


class Pool(models.Model):
    """The codes of one custom coupon of the engine's, and what we know of its stock.

    `confirmed` and `taken` only grow. The engine's own number, where it told one, counts from then
    on: online shoppers take codes, too.
    """

    option_id = models.BigIntegerField(
        "offer",
        unique=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_ID)],
        help_text="The engine's option id: at the top of the coupon's page in the Loyalty admin.",
    )
    name = models.CharField(max_length=255, help_text="As associates know the offer.")
    low_at = models.PositiveIntegerField(
        "low at", default=100, help_text="So few codes left are an alert; 0 for none."
    )
    ours_alone = models.BooleanField(
        "all codes come from here",
        default=False,
        help_text="None was or is uploaded in the Loyalty admin. Then our count is enough to "
        "say that it is empty; else the engine must say so before the offer is hidden.",
    )
    confirmed = models.PositiveIntegerField(
        default=0, editable=False, help_text="Codes that we sent and the engine has."
    )
    taken = models.PositiveIntegerField(
        default=0, editable=False, help_text="Codes that our redemptions were given."
    )
    told_unused = models.PositiveIntegerField(
        null=True, editable=False, help_text="Unused codes by the engine's last word."
    )
    told_at = models.DateTimeField(null=True, editable=False)
    confirmed_when_told = models.PositiveIntegerField(default=0, editable=False)
    taken_when_told = models.PositiveIntegerField(default=0, editable=False)
    empty_since = models.DateTimeField(
        null=True, editable=False, help_text="The engine said that there are no codes left, last."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering: ClassVar = ["name"]
        permissions: ClassVar = [("upload_codes", "Can upload codes")]

    def __str__(self) -> str:
        return self.name

    @property
    def stock(self) -> int | None:
        """Codes that are left; None where nobody told us of any. It may be too high, never sure."""
        if self.told_unused is not None:
            since = self.confirmed - self.confirmed_when_told - self.taken + self.taken_when_told
            return max(self.told_unused + since, 0)
        if not self.confirmed:
            return None
        return max(self.confirmed - self.taken, 0)

    @property
    def is_empty(self) -> bool:
        by_count = self.stock == 0 and self.ours_alone
        return by_count or self.empty_since is not None

    @property
    def is_low(self) -> bool:
        return self.stock is not None and self.stock <= self.low_at and self.low_at > 0


def hidden() -> Q:
    """Pools whose offer no till shows: the empty ones.

    Where only a refusal says so, for an hour: somebody may have filled it in the Loyalty admin, of
    which nobody tells us. Then one redemption finds out.
    """
    had = F("told_unused") + F("confirmed") - F("confirmed_when_told") + F("taken_when_told")
    by_word = Q(told_unused__isnull=False, taken__gte=had)
    by_count = Q(told_unused=None, confirmed__gt=0, taken__gte=F("confirmed"))
    return Q(empty_since__gt=Now() - HIDDEN_FOR) | (Q(ours_alone=True) & (by_word | by_count))


class Use(models.Model):
    """How many codes of a pool our redemptions were given on one day (UTC)."""

    pool = models.ForeignKey(Pool, models.CASCADE, related_name="uses")
    day = models.DateField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["-day"]
        verbose_name = "use of a day"
        verbose_name_plural = "use by day"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["pool", "day"], name="a_pool_has_one_use_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.pool}, {self.day:%d %b %Y}"


class Batch(models.Model):
    """What one file brought. Its codes are kept when it is read, and sent when somebody says so."""

    pool = models.ForeignKey(Pool, models.PROTECT, related_name="batches")
    name = models.CharField(max_length=255)
    uploaded_by = models.CharField(max_length=250, blank=True)
    size = models.PositiveIntegerField()
    uploaded_at = models.DateTimeField(db_default=Now(), editable=False)
    sent_at = models.DateTimeField(null=True, blank=True, help_text="Empty: a preview.")
    index_key = models.CharField(
        max_length=16, default=index_key, editable=False, help_text="Which key its hashes are of."
    )
    report = models.JSONField(default=list, help_text="Lines that were left out, and why.")

    class Meta:
        ordering: ClassVar = ["-uploaded_at", "-id"]
        verbose_name_plural = "batches"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(size__gt=0), name="a_batch_has_codes")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.size:,} codes)"


class Part(models.Model):
    """Up to 10,000 codes of a batch: what one call to the engine carries."""

    class Word(models.TextChoices):
        NONE = "", "Nothing said"
        THERE = "there", "The engine has them"
        MISSING = "missing", "The engine does not have them"

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    codes = EncryptedTextField(blank=True, help_text="Emptied when the engine has them.")
    sample = EncryptedTextField(
        blank=True, default="", help_text="One code, to see whether the engine shows unused ones."
    )
    confirmed_at = models.DateTimeField(null=True, blank=True)
    word = models.CharField(
        max_length=8,
        choices=Word,
        blank=True,
        default=Word.NONE,
        help_text="What a person saw in the Loyalty admin, where the engine can't be read.",
    )

    class Meta:
        ordering: ClassVar = ["batch", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["batch", "number"], name="a_part_has_its_number"),
            models.CheckConstraint(
                condition=Q(size__gt=0, size__lte=MOST_CODES_A_CALL),
                name="a_part_has_1_to_10000_codes",
            ),
        ]

    def __str__(self) -> str:
        return f"Part {self.number} of {self.batch}"

    @property
    def key(self) -> str:
        """Of its delivery."""
        return f"part-{self.pk}"


class Code(models.Model):
    """That this code was uploaded: once, whatever its capitals, over all pools."""

    index = models.CharField(primary_key=True, max_length=64)
    part = models.ForeignKey(Part, models.CASCADE, related_name="kept")

    def __str__(self) -> str:
        return f"A code of {self.part_id}"


def index_of(code: str) -> str:
    """A POS reads codes in whatever capitals, so two that differ in them alone are one."""
    return blind_index(f"code:{code.upper()}")
