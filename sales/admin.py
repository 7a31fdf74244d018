from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from sales.claims_admin import ClaimAdmin, Claims, IsToBeClaimed
from sales.models import Sale
from sales.refunds_admin import ConflictAdmin, RefundAdmin, RemainderAdmin

__all__ = ["ClaimAdmin", "ConflictAdmin", "RefundAdmin", "RemainderAdmin", "SaleAdmin"]


@admin.register(Sale)
class SaleAdmin(Claims):
    """A ledger: for looking. What the engine was told of it stands among the deliveries."""

    list_display = ("pos_id", "completed_at", "total_cents", "currency", "store", "not_delivered")
    list_filter = (IsToBeClaimed, "not_delivered", "installation", "store", "completed_at")
    search_fields = ("pos_id", "ticket", "member__id")
    search_help_text = "The POS's id of the sale or the ticket, or a member's id."
    date_hierarchy = "completed_at"
    list_select_related = ("store",)
    exclude = ("email", "phone")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """A list decrypts nothing."""
        return super().get_queryset(request).defer("email", "phone")
