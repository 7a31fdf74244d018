from django.contrib import admin

from access.look_only import LookOnly
from api.models import KeyedCall


@admin.register(KeyedCall)
class KeyedCallAdmin(LookOnly, admin.ModelAdmin):
    """What a POS asked under a key: when a repeat was answered otherwise than it expected."""

    list_display = ("first_asked_at", "installation", "route", "key", "status", "runner")
    list_filter = ("installation", "route", "status", "first_asked_at")
    search_fields = ("key", "made")
    search_help_text = "An Idempotency-Key, or the id of what was made."
    list_select_related = ("installation",)
    fields = (
        "installation",
        "route",
        "key",
        "first_asked_at",
        "started_at",
        "runner",
        "status",
        "made",
    )

    def get_queryset(self, request):
        """A refusal may name a person, masked: it is decrypted for nobody here."""
        return super().get_queryset(request).defer("refusal")
