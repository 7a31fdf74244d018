"""Who embeds the panel, and where it stands: installations, stores, tills, associates."""

from typing import Any, ClassVar
from zoneinfo import available_timezones

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from stores.lines import LinesField
from stores.origins import normal_origin, normal_word
from stores.platforms import (
    LONGEST_PATTERN,
    LONGEST_STATUS,
    PLATFORMS,
    Platform,
    WrongPattern,
    WrongStatus,
)

POS_ID = RegexValidator(
    r"^[A-Za-z0-9._:-]{1,64}\Z", "Use 1 to 64 letters, digits, dots, underscores, colons, hyphens."
)


def validate_region(value: str) -> None:
    """ISO 3166 alpha-2, and one that has telephone numbers."""
    if value not in phonenumbers.SUPPORTED_REGIONS:
        raise ValidationError("Use a two-letter country code in capitals, such as US or GB.")


def validate_time_zone(value: str) -> None:
    if value not in available_timezones():
        raise ValidationError("Use a name of the IANA list, such as America/New_York.")


class Installation(models.Model):
    """One POS that embeds the panel. Its id stands in the panel's address."""

    class Pos(models.TextChoices):
        GENERIC = "generic", "Any POS"
        HEARTLAND = "heartland", "Heartland Retail"

    class OfferPolicy(models.TextChoices):
        PER_MEMBER = "per_member", "Ask for each member"
        SHARED = "shared", "The same for everyone, shared for a minute"

    class GivesBack(models.TextChoices):
        """Who gives back, with a refund, the points that were spent on the sale."""

        ENGINE = "engine", "The engine"
        PANEL = "panel", "Loyalty Panel, as the money is given back"
        NOBODY = "nobody", "Nobody: spent is spent"

    id = models.SlugField(primary_key=True, max_length=64)
    name = models.CharField(max_length=200)
    pos = models.CharField(max_length=20, choices=Pos, default=Pos.GENERIC)
    region = models.CharField(
        max_length=2,
        default="US",
        validators=[validate_region],
        help_text="Country in which phone numbers without a country code are read.",
    )
    currency = models.CharField(
        max_length=3,
        default="USD",
        validators=[RegexValidator(r"^[A-Z]{3}\Z", "Use an ISO 4217 code, such as USD.")],
    )
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    offer_policy = models.CharField(
        max_length=20,
        choices=OfferPolicy,
        default=OfferPolicy.PER_MEMBER,
        help_text="Sharing halves the calls, where no offer is restricted to some members.",
    )
    origins = LinesField(
        normal=normal_origin,
        help_text="Pages that may show the panel in a frame, one a line: https://host or "
        "https://host:port.",
    )
    sends_coep = models.BooleanField(
        "sends COEP",
        default=False,
        help_text="For a POS page that is itself cross-origin isolated (it sends "
        "Cross-Origin-Embedder-Policy): browsers show it no frame that does not send that, too.",
    )
    lease_minutes = models.PositiveSmallIntegerField(
        default=15,
        validators=[MinValueValidator(1), MaxValueValidator(240)],
        help_text="How long a code waits for its sale.",
    )
    unasked_reverse_minutes = models.PositiveIntegerField(
        default=60,
        validators=[MinValueValidator(1)],
        help_text="How long after that a code is reversed of which the POS says nothing. Where "
        "tills sell offline: until the end of the day.",
    )
    platform = models.CharField(
        max_length=20,
        choices=Platform,
        default=Platform.CUSTOM,
        help_text="Where the merchant's online shop stands: by it the engine knows the status of "
        "an order.",
    )
    order_status = models.CharField(
        max_length=LONGEST_STATUS,
        blank=True,
        validators=[RegexValidator(r"^[ -~]*\Z", "Use printable ASCII characters.")],
        help_text="What our orders say of themselves; it must match the account's setting, or they "
        "earn nothing. Empty: the platform's usual one.",
    )
    order_status_pattern = models.CharField(
        max_length=LONGEST_PATTERN,
        blank=True,
        help_text="The account's regular expression for that status, as it stands there: the one "
        "is checked against the other. Adobe Commerce and custom accounts have one.",
    )
    ignore_ip_ua = models.BooleanField(
        "orders are not checked for fraud",
        default=True,
        help_text="No shopper's browser stands behind a sale at a till; with the check the engine "
        "takes all of a shop's sales for one and the same shopper's.",
    )
    delayed_deduction = models.BooleanField(
        "points go with the order",
        default=False,
        help_text="The engine takes a code's points when the order that has it arrives, not when "
        "the code is made; custom coupons' always go at once. The status word of our orders must "
        "match the account's setting, or the points never go and the discount is free.",
    )
    spent_points_returned_by = models.CharField(
        "spent points are returned by",
        max_length=10,
        choices=GivesBack,
        default=GivesBack.ENGINE,
        help_text="Who gives a code's points back when its sale is refunded. To find out: have a "
        "test member spend points on a sale, refund the whole of it at the POS, and see whether "
        "the points come back in their history at the engine. If they do, it is the engine; if "
        "not, choose the panel or nobody. With the panel where the engine does it, too, they "
        "would come back twice.",
    )
    order_prefix = models.CharField(
        max_length=64,
        blank=True,
        validators=[POS_ID],
        help_text="Stands before the POS's sale id in orders at the engine, so that no two "
        "installations send the same one. The first may go without; a later one gets its id and "
        "a hyphen.",
    )
    excluded_origins = LinesField(
        normal=normal_word,
        help_text="Sales that say they come from here, one word a line, are recorded and not "
        "delivered to the engine.",
    )
    attach_within_days = models.PositiveSmallIntegerField(
        "sales are attached within days",
        default=14,
        validators=[MaxValueValidator(365)],
        help_text="For so many days a till may attach a sale that named no member to one who has "
        "enrolled since, or forgot to say so. 0: never, only managers.",
    )
    attach_daily_limit = models.PositiveSmallIntegerField(
        "sales attached a day",
        default=10,
        validators=[MinValueValidator(1)],
        help_text="Of one associate within 24 hours. More of them a manager claims.",
    )
    pairing = models.BooleanField(
        "tills are paired",
        default=True,
        help_text="A till that comes without a launch of the POS's may show a code, and be paired "
        "by it. Switch it off where the POS signs launches.",
    )
    undo_of_others_needs_manager = models.BooleanField(
        "undo of others' needs a manager",
        default=False,
        help_text="To undo what another associate redeemed takes a manager's own PIN.",
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(lease_minutes__gte=1, lease_minutes__lte=240),
                name="a_lease_lasts_from_1_to_240_minutes",
            ),
            models.CheckConstraint(
                condition=Q(unasked_reverse_minutes__gte=1),
                name="an_unasked_reversal_waits_for_1_minute_or_more",
            ),
            models.UniqueConstraint(
                fields=["order_prefix"],
                name="an_order_prefix_belongs_to_one_installation",
                violation_error_code="unique",  # told beside the field
                violation_error_message="Another installation has this order prefix: their sales "
                "would be one order at the engine. Choose another, such as the id and a hyphen.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **options: Any) -> None:
        self.choose_order_prefix()
        super().save(*args, **options)

    def clean(self) -> None:
        self.choose_order_prefix()
        self.check_order_status()

    def check_order_status(self) -> None:
        """Raises ValidationError."""
        statuses = PLATFORMS.get(self.platform)
        if statuses is None:
            return  # said of the field itself
        try:
            statuses.check(self.order_status, self.order_status_pattern)
        except WrongStatus as error:
            raise ValidationError({"order_status": str(error)}) from None
        except WrongPattern as error:
            raise ValidationError({"order_status_pattern": str(error)}) from None

    @property
    def status_sent(self) -> str | None:
        """What our orders say of their status; None where they say nothing."""
        return PLATFORMS[self.platform].sent(self.order_status)

    def doubt_of_status(self) -> str:
        """Why codes could be a free discount here, or nothing."""
        if not self.delayed_deduction:
            return ""
        try:
            self.check_order_status()
        except ValidationError as error:
            return " ".join(error.messages)
        if PLATFORMS[self.platform].is_sure(self.order_status_pattern):
            return ""
        return (
            "Points go with the order, and nobody has checked that the account counts the status "
            f"{self.status_sent!r}: if it does not, codes are a free discount. Type in the "
            "account's regular expression."
        )

    def choose_order_prefix(self) -> None:
        """A new installation that was given none goes without, or else gets its id and a hyphen."""
        if not self._state.adding or self.order_prefix:
            return
        if Installation.objects.filter(order_prefix="").exists():
            self.order_prefix = f"{self.id}-"

    def delivers(self, origin: str) -> bool:
        """Whether sales from there go to the engine, and are not only recorded."""
        return origin.strip().casefold() not in self.excluded_origins


class Store(models.Model):
    """A shop. `code` is what the POS calls it."""

    installation = models.ForeignKey(Installation, models.PROTECT, related_name="stores")
    code = models.CharField(max_length=64, validators=[POS_ID])
    name = models.CharField(max_length=200)
    region = models.CharField(
        max_length=2,
        blank=True,
        validators=[validate_region],
        help_text="Country of this store's phone numbers; empty: as the installation.",
    )
    address = models.CharField(
        max_length=200, blank=True, help_text="Sent with its sales. Empty: its name."
    )
    city = models.CharField(max_length=100, blank=True, help_text="Sent with its sales.")
    state = models.CharField(
        max_length=100, blank=True, help_text="State or province. Sent with its sales."
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["installation", "code"], name="an_installation_has_one_store_of_a_code"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def phone_region(self) -> str:
        return self.region or self.installation.region


class Till(models.Model):
    """A place where sales are made. `code` is what the POS calls it."""

    store = models.ForeignKey(Store, models.PROTECT, related_name="tills")
    code = models.CharField(max_length=64, validators=[POS_ID])
    name = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["store", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store", "code"], name="a_store_has_one_till_of_a_code")
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.store}"


class Associate(models.Model):
    """A person who works at a till. `code` is their id at the POS."""

    class Role(models.TextChoices):
        ASSOCIATE = "associate", "Associate"
        MANAGER = "manager", "Manager"

    installation = models.ForeignKey(Installation, models.PROTECT, related_name="associates")
    code = models.CharField(max_length=64, validators=[POS_ID])
    name = models.CharField(max_length=200)
    role = models.CharField(max_length=20, choices=Role, default=Role.ASSOCIATE)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["installation", "code"], name="an_installation_has_one_associate_of_a_code"
            )
        ]

    def __str__(self) -> str:
        return self.name
