import json
import re
from typing import Any, ClassVar

from django.apps import apps
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.look_only import LookOnly
from outbox.ledger import send_again
from outbox.models import Attempt, Delivery, OutsideSystem, PeriodicJob

# Ids, amounts, codes, times. Anything else might be somebody's name.
AN_ID = re.compile(r"[A-Za-z0-9._:+-]{1,64}")
LEFT_ALONE = "not parked, or one that it waits for is under way"
# The task engines' own tables hold wake-ups only: what is to be done stands in the deliveries.
ENGINES = ("django_tasks_database", "procrastinate")

for label in ENGINES:
    if label in apps.app_configs:
        for model in apps.get_app_config(label).get_models():
            if admin.site.is_registered(model):
                admin.site.unregister(model)


class AttemptInline(LookOnly, admin.TabularInline):
    model = Attempt
    fields = readonly_fields = ("number", "started_at", "ended_at", "outcome", "words")
    extra = 0


@admin.register(Delivery)
class DeliveryAdmin(LookOnly, admin.ModelAdmin):
    """A ledger: for looking, and for sending again what waits for a person."""

    list_display = (
        "created_at",
        "kind",
        "key",
        "state",
        "parked_reason",
        "attempts",
        "last_error",
        "due_at",
    )
    list_filter = ("state", "kind", "parked_reason", "last_error", "urgent", "created_at")
    search_fields = ("key", "order_by")
    search_help_text = "The key of a delivery, or what it is told in order of."
    date_hierarchy = "created_at"
    fieldsets = (
        (None, {"fields": ("kind", "key", "installation_id", "state", "parked_reason")}),
        ("What is told", {"fields": ("told",)}),
        ("When", {"fields": ("due_at", "order_by", "flight", "urgent", "created_at")}),
        ("So far", {"fields": ("attempts", "last_error", "in_a_row", "reads", "changed_at")}),
        ("The worker", {"fields": ("woken_at", "lease_owner", "lease_until", "fence")}),
    )
    readonly_fields = ("told", "created_at", "changed_at")
    inlines: ClassVar = [AttemptInline]
    actions = ("send_again",)

    @admin.display(description="Payload")
    def told(self, delivery: Delivery) -> str:
        return json.dumps(masked(delivery.payload), indent=2, sort_keys=True)

    @admin.action(description="Send again (parked ones)", permissions=["send_again"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        sent = sum(send_again(delivery) for delivery in chosen)
        left = len(chosen) - sent
        self.message_user(
            request,
            f"{sent} sent again." + (f" {left} left alone: {LEFT_ALONE}." if left else ""),
            messages.SUCCESS if sent else messages.WARNING,
        )

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        """Looking is not enough: who may change deliveries may have them sent again."""
        return request.user.has_perm("outbox.change_delivery")


@admin.register(Attempt)
class AttemptAdmin(LookOnly, admin.ModelAdmin):
    list_display = ("started_at", "delivery", "number", "outcome", "ended_at")
    list_filter = ("outcome", "started_at")
    list_select_related = ("delivery",)
    search_fields = ("delivery__key",)


@admin.register(PeriodicJob)
class PeriodicJobAdmin(LookOnly, admin.ModelAdmin):
    list_display = ("name", "began_at", "slot", "ended_slot")
    search_fields = ("name",)


@admin.register(OutsideSystem)
class OutsideSystemAdmin(LookOnly, admin.ModelAdmin):
    list_display = ("system", "open_until", "next_slot_at", "changed_at")
    search_fields = ("system",)


def masked(value: Any) -> Any:
    """The payload with dots in the place of any text that is no id, amount, code or time."""
    if isinstance(value, dict):
        return {name: masked(part) for name, part in value.items()}
    if isinstance(value, list):
        return [masked(part) for part in value]
    if isinstance(value, str) and not AN_ID.fullmatch(value):
        return "•••"
    return value
