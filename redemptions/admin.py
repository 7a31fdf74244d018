from django.contrib import admin

from audit.look_only import LookOnly
from redemptions.models import PendingRedemption


@admin.register(PendingRedemption)
class PendingRedemptionAdmin(LookOnly, admin.ModelAdmin):
    """A ledger: for looking. What is done with it, the panel and the worker do."""

    list_display = (
        "requested_at",
        "offer_name",
        "points",
        "state",
        "reason",
        "code",
        "store",
        "associate",
    )
    list_filter = ("state", "reason", "installation", "store", "offer_kind", "requested_at")
    search_fields = ("id", "code", "engine_id", "member__id", "act_key")
    search_help_text = "A code, the engine's redemption id, or a member's id."
    date_hierarchy = "requested_at"
    list_select_related = ("store", "associate")
