"""Refunds, what was told twice and differed, and what rounding left."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db import models, transaction
from django.db.models.functions import Now
from django.http import HttpRequest

from audit.look_only import LookOnly
from audit.record import Where, Who, record
from sales.models import Conflict, Refund, Remainder
from sales.watches import asks_for_a_manager
from stores.models import Installation

MAY_SETTLE = "sales.settle"


class Asks(admin.SimpleListFilter):
    title = "asks for a manager"
    parameter_name = "asks"

    def lookups(self, request, model_admin):
        return [("yes", "Yes")]

    def queryset(self, request, queryset):
        return queryset.filter(asks_for_a_manager()) if self.value() == "yes" else queryset


class IsUnseen(Asks):
    def queryset(self, request, queryset):
        return queryset.filter(seen_at=None) if self.value() == "yes" else queryset


class DoneForm(ActionForm):
    done = forms.CharField(max_length=200, required=False, label="What was done: ")


class SeenTo(LookOnly, admin.ModelAdmin):
    """A ledger whose rows a manager marks as seen, with words that go into the trail."""

    action_form = DoneForm
    actions = ("mark_seen",)

    @admin.action(description="I have seen to it", permissions=["settle"])
    def mark_seen(self, request, chosen):
        words = request.POST.get("done", "").strip()
        if not words:
            self.message_user(request, "Say what was done: it is kept.", messages.ERROR)
            return
        done = sum(self.mark_one(request, row, words) for row in chosen)
        self.message_user(request, f"{done} marked.", messages.SUCCESS)

    def mark_one(self, request: HttpRequest, row: models.Model, words: str) -> bool:
        with transaction.atomic():
            if not self.mark(row):
                return False
            record(
                act=f"{row._meta.model_name}.seen",
                who=Who.user(request.user),
                subject=row,
                where=Where.at(installation=self.place(row)),
                reason=words[:200],
            )
        return True

    def mark(self, row: Any) -> bool:
        """Whether it was unseen until now."""
        raise NotImplementedError

    def place(self, row: Any) -> Installation:
        """The installation that it is of."""
        raise NotImplementedError

    def has_settle_permission(self, request):
        return request.user.has_perm(MAY_SETTLE)


@admin.register(Refund)
class RefundAdmin(LookOnly, admin.ModelAdmin):
    """What the engine was told of it stands among the deliveries."""

    list_display = (
        *("pos_id", "recorded_at", "sale", "total_cents", "currency"),
        *("is_void", "state", "reason", "not_told", "told_at"),
    )
    list_filter = (Asks, "state", "reason", "is_void", "installation", "recorded_at")
    search_fields = ("pos_id", "refund_id", "named_sale", "sale__pos_id", "sale__member__id")
    search_help_text = "The POS's id of the refund or its sale, or a member's id."
    date_hierarchy = "recorded_at"
    list_select_related = ("sale",)
    exclude = ("email", "phone")
    readonly_fields = ("recorded_at", "changed_at", "refund_id", "order_id")

    def get_queryset(self, request):
        """A list decrypts nothing."""
        hidden = ("email", "phone", "sale__email", "sale__phone")
        return super().get_queryset(request).defer(*hidden)

    @admin.display(description="not told, as its sale")
    def not_told(self, refund):
        return refund.sale.get_not_delivered_display() if refund.sale else "-"


@admin.register(Conflict)
class ConflictAdmin(SeenTo):
    list_display = (
        *("pos_id", "subject", "installation", "differs", "total_cents", "currency"),
        *("times", "first_at", "last_at", "seen_at"),
    )
    list_filter = (IsUnseen, "subject", "installation", "first_at")
    list_select_related = ("installation",)
    search_fields = ("pos_id",)
    search_help_text = "The POS's id of the sale or the refund."
    readonly_fields = ("first_at",)

    def mark(self, row: Any) -> bool:
        unseen = Conflict.objects.filter(pk=row.pk, seen_at=None)
        return bool(unseen.update(seen_at=Now()))

    def place(self, row: Any) -> Installation:
        place: Installation = row.installation
        return place


@admin.register(Remainder)
class RemainderAdmin(SeenTo):
    list_display = (
        *("sale", "state", "earned", "spent", "expected", "moved", "points"),
        *("cause", "found_at"),
    )
    list_filter = ("state", "sale__installation", "found_at")
    list_select_related = ("sale",)
    search_fields = ("sale__pos_id", "sale__member__id")
    search_help_text = "The POS's id of the sale, or a member's id."
    readonly_fields = ("found_at",)

    def get_queryset(self, request):
        return super().get_queryset(request).defer("sale__email", "sale__phone")

    def mark(self, row: Any) -> bool:
        asks = Remainder.objects.filter(pk=row.pk, state=Remainder.State.ASKS)
        return bool(asks.update(state=Remainder.State.SEEN, ended_at=Now()))

    def place(self, row: Any) -> Installation:
        place: Installation = row.sale.installation
        return place
