from django.contrib import admin
from django.utils import timezone

from access.models import Bearer


@admin.register(Bearer)
class BearerAdmin(admin.ModelAdmin):
    """For looking, and for throwing somebody out."""

    list_display = ("associate", "till", "installation", "created_at", "expires_at", "revoked_at")
    list_filter = ("installation", "till", "revoked_at")
    search_fields = ("associate__name", "till__name")
    list_select_related = ("associate", "till__store", "installation")
    fields = readonly_fields = list_display
    actions = ("revoke",)

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    @admin.action(description="Revoke: the panel must be launched again")
    def revoke(self, request, queryset):
        count = queryset.filter(revoked_at=None).update(revoked_at=timezone.now())
        self.message_user(request, f"{count} revoked.")
