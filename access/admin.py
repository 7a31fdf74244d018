from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst

from access import people_admin  # noqa: F401 - registers its pages
from access.keys import ApiKey, LaunchSecret, TwoAreLive, WebhookSecret
from access.launching import LaunchCode, UsedToken
from access.look_ups import LookUps
from access.models import Bearer
from audit.audited import Audited
from audit.look_only import LookOnly
from audit.record import Where


@admin.register(Bearer)
class BearerAdmin(Audited, admin.ModelAdmin):
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

    def where(self, obj):
        return Where.at(till=obj.till)

    @admin.action(description="Revoke: the panel must be launched again", permissions=["change"])
    @transaction.atomic
    def revoke(self, request, queryset):
        revoked = list(queryset.select_for_update(of=("self",)).filter(revoked_at=None))
        for bearer in revoked:
            self.record(request, "revoked", bearer, before={"associate": str(bearer.associate)})
        queryset.filter(revoked_at=None).update(revoked_at=Now())
        self.message_user(request, f"{len(revoked)} revoked.")


@admin.register(LookUps)
class LookUpsAdmin(LookOnly, admin.ModelAdmin):
    """Who looks more customers up than anybody serves."""

    list_display = ("hour", "till", "associate", "count", "refused_at")
    list_filter = (("refused_at", admin.EmptyFieldListFilter), "hour")
    list_select_related = ("till__store", "associate")
    search_fields = ("till__name", "associate__name")


@admin.register(UsedToken)
class UsedTokenAdmin(LookOnly, admin.ModelAdmin):
    """Launch tokens of the last minutes, which are good no more."""

    list_display = ("installation", "expires_at")
    exclude = ("jti_sha256",)
    list_select_related = ("installation",)
    search_fields = ("installation__id", "installation__name")


@admin.register(LaunchCode)
class LaunchCodeAdmin(LookOnly, admin.ModelAdmin):
    """Panels that a POS opened by posting a token, of the last day."""

    list_display = ("till", "associate", "expires_at", "used_at")
    list_filter = (("used_at", admin.EmptyFieldListFilter),)
    list_select_related = ("till__store", "associate")
    search_fields = ("till__name", "associate__name")
    exclude = ("code_sha256",)


COLUMNS = ("label", "installation", "created_at", "revoked_at")
SEARCHED = ("label", "installation__id", "installation__name")


class IssuedAdmin(Audited, admin.ModelAdmin):
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

    def where(self, obj):
        return Where.at(installation=obj.installation)

    def save_model(self, request, obj, form, change):
        obj.told_once = obj.start()
        self.record(request, "issued", obj, after={"shown": obj.shown, "label": obj.label})

    def response_add(self, request, obj, post_url_continue=None):
        # In the answer alone: a message or a redirect would keep the secret in a cookie or session.
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{capfirst(self.opts.verbose_name)} issued",
            "issued": obj,
            "list_address": self.list_address(),
        }
        return TemplateResponse(request, "access/issued.html", context)

    def list_address(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    @admin.action(description="Revoke: it opens nothing from now on", permissions=["revoke"])
    @transaction.atomic
    def revoke(self, request, queryset):
        revoked = [row for row in queryset.filter(revoked_at=None) if row.revoke()]
        for row in revoked:
            self.record(request, "revoked", row, before={"shown": row.shown, "label": row.label})
        self.message_user(request, f"{len(revoked)} revoked.")


@admin.register(ApiKey, WebhookSecret)
class HashedAdmin(IssuedAdmin):
    list_display = ("prefix", *COLUMNS, "last_used_at")
    search_fields = ("prefix", *SEARCHED)


@admin.register(LaunchSecret)
class LaunchSecretAdmin(IssuedAdmin):
    list_display = ("kid", *COLUMNS, "last_used_at")
    search_fields = ("kid", *SEARCHED)

    def get_queryset(self, request):
        return super().get_queryset(request).defer("secret")


admin.site.unregister([User, Group])


class SuperusersAlone:
    """Who may give rights can give themselves any: that takes no permission but being superuser."""

    def has_add_permission(self, request, obj=None):
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        return request.user.is_superuser

    def has_delete_permission(self, request, obj=None):
        return request.user.is_superuser


@admin.register(User)
class ManagerAdmin(SuperusersAlone, Audited, UserAdmin):
    """Who may log in here: what is done to them is in the trail, too."""

    @transaction.atomic
    def user_change_password(self, request, id, form_url=""):
        answer = super().user_change_password(request, id, form_url)
        if request.method == "POST" and answer.status_code == 302:
            self.record(request, "password_changed", User.objects.get(pk=unquote(id)))
        return answer


@admin.register(Group)
class ManagersGroupAdmin(SuperusersAlone, Audited, GroupAdmin):
    """What its members may do."""
