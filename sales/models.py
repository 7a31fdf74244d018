"""Sales that a POS reported: recorded once, delivered to the engine as orders once."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from database.encryption import EncryptedTextField, blind_index
from members.identity import email_identity
from members.models import Member
from outbox.ledger import find
from sales.origins import OriginRule
from stores.models import POS_ID, Associate, Installation, Store, Till

# A model that stands in a file of its own is one of this app's only if it is imported here.
__all__ = ["Claim", "Conflict", "OriginRule", "Refund", "Remainder", "Sale"]

ORDER, REFUND = "order", "refund"
GIVE_BACK, REFUND_READING, REMAINDER = "give-back", "refund-reading", "remainder"


class Sale(models.Model):
    """A completed sale. Money is whole cents after discounts; times are UTC.

    An email or phone is kept, encrypted, only until the engine says whose it is: one that it does
    not know stays here to be claimed, for an order would enrol a stranger.
    """

    class NotDelivered(models.TextChoices):
        """Why the engine is not told of it."""

        NONE = "", "-"
        EXCLUDED_ORIGIN = "excluded_origin", "Comes from where another system tells the engine"
        ONLINE_ORDER = "online_order", "The engine has it from the web shop"
        SAME_ORDER = "same_order", "Another installation told of the same order"
        NOBODY = "nobody", "Names no member"
        UNKNOWN_MEMBER = "unknown_member", "The engine knows nobody by this email or phone"
        VOIDED = "voided", "Voided before the engine heard of it"
        HISTORY = "history", "Recorded from a file, as history"

    installation = models.ForeignKey(Installation, models.PROTECT)
    pos_id = models.CharField(max_length=64, validators=[POS_ID], help_text="The POS's id.")
    order_id = models.CharField(max_length=255, editable=False, help_text="Its id at the engine.")
    ticket = models.CharField(max_length=64, blank=True)
    store = models.ForeignKey(Store, models.PROTECT, null=True, blank=True)
    till = models.ForeignKey(Till, models.PROTECT, null=True, blank=True)
    associate = models.ForeignKey(Associate, models.PROTECT, null=True, blank=True)

    member = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="sales")
    email = EncryptedTextField(null=True, blank=True)
    email_index = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    phone = EncryptedTextField(null=True, blank=True, help_text="E.164")

    completed_at = models.DateTimeField()
    total_cents = models.PositiveBigIntegerField(help_text="After discounts.")
    refunded_cents = models.PositiveBigIntegerField(
        default=0, db_default=0, help_text="All that was taken back of it so far, and its void."
    )
    discount_cents = models.PositiveBigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    coupon_codes = models.JSONField(default=list, help_text="Each with what it turned out to be.")
    items = models.JSONField(default=list, blank=True)
    origin = models.CharField(max_length=64, blank=True)
    told = models.JSONField(default=dict, help_text="Whatever else the POS said of it.")
    content = models.CharField(max_length=64, editable=False, help_text="SHA-256 of what was told.")
    from_file = models.BooleanField(
        default=False, db_default=False, help_text="Not told by the POS itself."
    )

    not_delivered = models.CharField(max_length=20, choices=NotDelivered, blank=True)
    rule = models.CharField(
        max_length=200, blank=True, help_text="By which it is not delivered, as the rule was then."
    )
    same_as = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="The same order, as another installation told of it.",
    )
    purchases_before = models.PositiveIntegerField(
        null=True, blank=True, help_text="At the engine, before the first attempt to tell it."
    )
    spent_cents_before = models.BigIntegerField(null=True, blank=True)
    points_earned = models.BigIntegerField(
        null=True, blank=True, help_text="By the member's history, as read before its first refund."
    )
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)
    voided_at = models.DateTimeField(null=True, blank=True)
    void_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["-recorded_at"]
        indexes: ClassVar = [models.Index(fields=["recorded_at"], name="sales_recorded_of_late")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["installation", "pos_id"], name="a_sale_is_recorded_once"
            ),
            models.UniqueConstraint(fields=["order_id"], name="an_order_id_names_one_sale"),
            models.CheckConstraint(
                condition=Q(refunded_cents__lte=F("total_cents")),
                name="refunds_are_no_more_than_their_sale",
            ),
        ]

    def __str__(self) -> str:
        return f"Sale {self.pos_id}"

    def index_anew(self) -> list[str]:
        """For `rotate_keys`: only what is still to be claimed is ever found by its email."""
        self.email_index = blind_index(email_identity(self.email)) if self.email else ""
        return ["email_index"]

    @property
    def delivery(self) -> str:
        """Where the telling of it stands: a state of the outbox, or `none`."""
        if self.not_delivered:
            return "none"
        promised = find(ORDER, self.order_id)
        return promised.state if promised else "none"

    @property
    def left_cents(self) -> int:
        """What can still be refunded."""
        return self.total_cents - self.refunded_cents

    def facts(self) -> dict[str, Any]:
        """What a delivery's payload holds of it: ids only."""
        return {"sale": self.pk}


class Claim(models.Model):
    """Whose a sale is that named no known member: a person said so, once. Times are UTC."""

    class How(models.TextChoices):
        MANAGER = "manager", "Claimed by a manager"
        TILL = "till", "Attached at a till"

    sale = models.OneToOneField(Sale, models.PROTECT, related_name="claim")
    member = models.ForeignKey(Member, models.PROTECT, related_name="claims")
    how = models.CharField(max_length=10, choices=How)
    installation = models.ForeignKey(Installation, models.PROTECT)
    store = models.ForeignKey(Store, models.PROTECT, null=True, blank=True)
    till = models.ForeignKey(Till, models.PROTECT, null=True, blank=True)
    associate = models.ForeignKey(Associate, models.PROTECT, null=True, blank=True)
    by = models.CharField(max_length=250, help_text="Who said so, as they were called then.")
    reason = models.CharField(max_length=200, blank=True)
    claimed_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering: ClassVar = ["-claimed_at"]
        permissions: ClassVar = [("claim", "Can claim a sale for a member")]
        indexes: ClassVar = [
            models.Index(fields=["installation", "claimed_at"], name="claims_of_an_installation"),
        ]

    def __str__(self) -> str:
        return f"{self.sale} is {self.member}'s"


class Refund(models.Model):
    """Money given back for a sale, or its void after the engine had heard of it.

    Money is whole cents, times are UTC. An email or phone is kept, encrypted, only while it names
    no sale: a manager finds the sale by it.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waits for its sale"
        PROMISED = "promised", "Counts: the engine is told of it where it is told of the sale"
        WITHDRAWN = "withdrawn", "The sale was voided before the engine heard of either"
        KEPT = "kept", "Kept for a manager"

    class Reason(models.TextChoices):
        """Why it is a manager's."""

        NONE = "", "-"
        BLIND = "blind", "Names no sale"
        TOO_MUCH = "too_much", "Is more than was left when its sale came"
        OTHER_CURRENCY = "other_currency", "Is in another currency than its sale"
        NO_MATCH = "no_match", "Belongs to no sale, a manager said: no points"

    installation = models.ForeignKey(Installation, models.PROTECT)
    pos_id = models.CharField(
        max_length=64,
        blank=True,
        validators=[POS_ID],
        help_text="The POS's id. Empty for a void, which has none of its own.",
    )
    refund_id = models.CharField(max_length=255, editable=False, help_text="Its id at the engine.")
    sale = models.ForeignKey(Sale, models.PROTECT, null=True, blank=True, related_name="refunds")
    named_sale = models.CharField(max_length=64, blank=True, help_text="The sale that it named.")
    bought_online = models.BooleanField(
        default=False, help_text="The engine has the order from the web shop, under the id named."
    )
    order_id = models.CharField(
        max_length=255, blank=True, editable=False, help_text="The order's id at the engine."
    )
    is_void = models.BooleanField(default=False, help_text="Of all that was left of the sale.")
    store = models.ForeignKey(Store, models.PROTECT, null=True, blank=True)
    till = models.ForeignKey(Till, models.PROTECT, null=True, blank=True)
    associate = models.ForeignKey(Associate, models.PROTECT, null=True, blank=True)
    email = EncryptedTextField(null=True, blank=True)
    email_index = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    phone = EncryptedTextField(null=True, blank=True, help_text="E.164")

    total_cents = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    items = models.JSONField(default=list, blank=True)
    told = models.JSONField(default=dict, help_text="Whatever else the POS said of it.")
    content = models.CharField(max_length=64, editable=False, help_text="SHA-256 of what was told.")
    from_file = models.BooleanField(
        default=False, db_default=False, help_text="Not told by the POS itself."
    )

    state = models.CharField(max_length=16, choices=State)
    reason = models.CharField(max_length=20, choices=Reason, blank=True)
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)
    changed_at = models.DateTimeField(db_default=Now(), editable=False)
    told_at = models.DateTimeField(
        null=True, blank=True, help_text="When the engine had accepted it."
    )
    balance_before = models.BigIntegerField(
        null=True, blank=True, help_text="The member's points before the first attempt to tell it."
    )
    balance_after = models.BigIntegerField(
        null=True, blank=True, help_text="When the engine had had the time to do its part."
    )
    rows_before = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="In the member's history, that look like this refund's, before each attempt.",
    )
    points_given_back = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text="Of those spent on the sale, by us: where the engine does not.",
    )

    class Meta:
        ordering: ClassVar = ["-recorded_at"]
        permissions: ClassVar = [("settle", "Can settle what asks for a manager")]
        indexes: ClassVar = [
            models.Index(fields=["installation", "named_sale"], name="refunds_by_the_sale_named"),
            models.Index(fields=["told_at"], name="refunds_told_of_late"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["installation", "pos_id"],
                condition=Q(is_void=False),
                name="a_refund_is_recorded_once",
            ),
            models.UniqueConstraint(fields=["refund_id"], name="a_refund_id_names_one_refund"),
            models.UniqueConstraint(
                fields=["sale"], condition=Q(is_void=True), name="a_sale_is_voided_once"
            ),
            models.CheckConstraint(
                condition=Q(state="kept") & ~Q(reason="") | ~Q(state="kept") & Q(reason=""),
                name="a_refund_that_is_kept_alone_has_a_reason",
            ),
            models.CheckConstraint(
                condition=~Q(state="promised") | ~Q(order_id=""),
                name="a_promised_refund_has_an_order",
            ),
            models.CheckConstraint(
                condition=Q(is_void=True, pos_id="", sale__isnull=False)
                | (Q(is_void=False) & ~Q(pos_id="")),
                name="a_refund_has_the_id_of_its_pos_unless_it_is_a_void",
            ),
        ]

    def __str__(self) -> str:
        return f"Refund {self.pos_id}" if self.pos_id else f"Void of {self.sale}"

    def index_anew(self) -> list[str]:
        """For `rotate_keys`: only what is still to be matched is ever found by its email."""
        self.email_index = blind_index(email_identity(self.email)) if self.email else ""
        return ["email_index"]

    @property
    def delivery(self) -> str:
        """Where the telling of it stands: a state of the outbox, or `none`."""
        promised = find(REFUND, self.refund_id)
        return promised.state if promised else "none"


class Conflict(models.Model):
    """A sale or refund was told again with other content: not taken, and a manager should look.

    It names nobody. Told so several times it is one row.
    """

    class Subject(models.TextChoices):
        SALE = "sale", "Sale"
        REFUND = "refund", "Refund"

    installation = models.ForeignKey(Installation, models.PROTECT)
    subject = models.CharField(max_length=10, choices=Subject)
    pos_id = models.CharField(max_length=64)
    content = models.CharField(max_length=64, editable=False, help_text="SHA-256 of what was told.")
    total_cents = models.PositiveBigIntegerField(help_text="As it was told the other time.")
    currency = models.CharField(max_length=3)
    differs = models.JSONField(default=list, help_text="In what, as far as the row tells.")
    times = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField(db_default=Now(), editable=False)
    last_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(null=True, blank=True, help_text="A manager has looked at it.")

    class Meta:
        ordering: ClassVar = ["-last_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["installation", "subject", "pos_id", "content"],
                name="a_conflict_is_recorded_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_subject_display()} {self.pos_id} with other content"


class Remainder(models.Model):
    """What was left when the whole of a sale had been refunded in parts: points are whole.

    `expected` and `moved` are of the member's balance, over all of its refunds.
    """

    class State(models.TextChoices):
        CORRECTING = "correcting", "Being corrected"
        CORRECTED = "corrected", "Corrected"
        ASKS = "asks", "Asks for a manager"
        SEEN = "seen", "A manager has seen to it"

    sale = models.OneToOneField(Sale, models.PROTECT, related_name="remainder")
    state = models.CharField(max_length=16, choices=State)
    earned = models.BigIntegerField(
        null=True, blank=True, help_text="Points of the order, by the engine's history."
    )
    spent = models.BigIntegerField(default=0, help_text="Points of the codes used in it.")
    expected = models.BigIntegerField(null=True, blank=True)
    moved = models.BigIntegerField(null=True, blank=True)
    points = models.BigIntegerField(default=0, help_text="What the correction gives, or takes.")
    cause = models.CharField(max_length=300)
    found_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-found_at"]

    def __str__(self) -> str:
        return f"Remainder of {self.sale}"
