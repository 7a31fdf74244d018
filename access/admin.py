from django.contrib import admin, messages
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from access.keys import ApiKey, LaunchSecret, TwoAreLive, WebhookSecret
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


COLUMNS = ("label", "installation", "created_at", "revoked_at")
SEARCHED = ("label", "installation__id", "installation__name")


class IssuedAdmin(admin.ModelAdmin):
    """Issue and revoke, and nothing else. What was issued is told in the answer, once."""

    list_filter = ("installation", "revoked_at")
    list_select_related = ("installation",)
    actions = ("revoke",)

    def get_fields(self, request, obj=None):
        return self.list_display if obj else ("installation", "label")

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def has_revoke_permission(self, request):
        return request.user.has_perm(f"access.change_{self.opts.model_name}")

    def add_view(self, request, form_url="", extra_context=None):
        extra_context = {"title": f"Issue {self.opts.verbose_name}", **(extra_context or {})}
        try:
            return super().add_view(request, form_url, extra_context)
        except TwoAreLive as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(self.list_address())

    def save_model(self, request, obj, form, change):
        obj.told_once = obj.start()

    def response_add(self, request, obj, post_url_continue=None):
        # In the answer alone: a message or a redirect would keep the secret in a cookie or session.
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{self.opts.verbose_name} issued",
            "issued": obj,
            "list_address": self.list_address(),
        }
        return TemplateResponse(request, "access/issued.html", context)

    def list_address(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    @admin.action(description="Revoke: it opens nothing from now on", permissions=["revoke"])
    def revoke(self, request, queryset):
        count = sum(row.revoke() for row in queryset.filter(revoked_at=None))
        self.message_user(request, f"{count} revoked.")


@admin.register(ApiKey, WebhookSecret)
class HashedAdmin(IssuedAdmin):
    list_display = ("prefix", *COLUMNS)
    search_fields = ("prefix", *SEARCHED)


@admin.register(LaunchSecret)
class LaunchSecretAdmin(IssuedAdmin):
    list_display = ("kid", *COLUMNS)
    search_fields = ("kid", *SEARCHED)

    def get_queryset(self, request):
        return super().get_queryset(request).defer("secret")
