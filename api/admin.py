from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from api.models import KeyedCall
from audit.look_only import LookOnly


@admin.register(KeyedCall)
class KeyedCallAdmin(LookOnly, admin.ModelAdmin):
    """What POSes sent under which key, for finding out why a repeat was answered so."""

    list_display = ("started_at", "route", "key", "status", "installation")
    list_filter = ("route", "status", "installation")
    search_fields = ("key", "made")
    search_help_text = "An Idempotency-Key, or the id of what it made."
    list_select_related = ("installation",)
    exclude = ("refusal", "asked_index")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """A list decrypts nothing."""
        return super().get_queryset(request).defer("refusal")
