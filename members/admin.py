from django.contrib import admin

from audit.look_only import LookOnly
from members.models import Consent, LastKnown, Member


class ConsentInline(LookOnly, admin.TabularInline):
    model = Consent
    extra = 0
    fields = readonly_fields = (
        "purpose",
        "granted",
        "wording_version",
        "given_at",
        "store",
        "associate",
    )


@admin.register(Member)
class MemberAdmin(LookOnly, admin.ModelAdmin):
    """Lists show no email: it is decrypted only where one member is opened."""

    list_display = ("id", "first_seen_at")
    list_filter = ("first_seen_at",)
    # Not by email: the admin's search stands in the address, and so in logs and histories.
    search_fields = ("id",)
    search_help_text = "A member's id."
    fields = ("id", "email", "first_seen_at")
    inlines = (ConsentInline,)

    def get_queryset(self, request):
        queryset = super().get_queryset(request)
        opened = request.resolver_match and request.resolver_match.url_name.endswith("_change")
        return queryset if opened else queryset.defer("email")


@admin.register(LastKnown)
class LastKnownAdmin(LookOnly, admin.ModelAdmin):
    """How fresh the figures are; the figures themselves are the engine's to show."""

    list_display = ("member_id", "as_of")
    list_filter = ("as_of",)
    search_fields = ("member__id",)
    fields = ("member", "as_of")

    def get_queryset(self, request):
        rows = super().get_queryset(request).select_related("member")
        return rows.defer("figures", "member__email")


@admin.register(Consent)
class ConsentAdmin(LookOnly, admin.ModelAdmin):
    list_display = ("member", "purpose", "granted", "wording_version", "given_at", "store")
    list_filter = ("purpose", "granted", "store", "given_at")
    search_fields = ("member__id",)
    list_select_related = ("member", "store")

    def get_queryset(self, request):
        return super().get_queryset(request).defer("member__email")
