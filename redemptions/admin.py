from django.contrib import admin

from redemptions.models import PendingRedemption


@admin.register(PendingRedemption)
class PendingRedemptionAdmin(admin.ModelAdmin):
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

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False
