"""Sales that a POS reported: recorded once, delivered to the engine as orders once."""

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now

from database.encryption import EncryptedTextField, blind_index
from members.identity import email_identity
from members.models import Member
from outbox.ledger import find
from stores.models import POS_ID, Associate, Installation, Store, Till

ORDER, REFUND = "order", "refund"


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
        NOBODY = "nobody", "Names no member"
        UNKNOWN_MEMBER = "unknown_member", "The engine knows nobody by this email or phone"
        VOIDED = "voided", "Voided before the engine heard of it"

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
    discount_cents = models.PositiveBigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    coupon_codes = models.JSONField(default=list, help_text="Each with what it turned out to be.")
    items = models.JSONField(default=list, blank=True)
    origin = models.CharField(max_length=64, blank=True)
    told = models.JSONField(default=dict, help_text="Whatever else the POS said of it.")
    content = models.CharField(max_length=64, editable=False, help_text="SHA-256 of what was told.")

    not_delivered = models.CharField(max_length=20, choices=NotDelivered, blank=True)
    purchases_before = models.PositiveIntegerField(
        null=True, blank=True, help_text="At the engine, before the first attempt to tell it."
    )
    spent_cents_before = models.BigIntegerField(null=True, blank=True)
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

    def facts(self) -> dict[str, Any]:
        """What a delivery's payload holds of it: ids only."""
        return {"sale": self.pk}
