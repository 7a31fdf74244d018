from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from alerts.models import Alert, Mute, Recipient, State
from alerts.watching import known_kinds, set_aside
from audit.audited import Audited
from audit.look_only import LookOnly
from audit.record import Where, Who, record


@admin.register(Alert)
class AlertAdmin(LookOnly, admin.ModelAdmin):
    """What people should know of, open ones first. They come and go by themselves."""

    change_form_template = "alerts/alert.html"
    list_display = ("kind", "about", "words", "count", "state", "since", "raised_at", "cleared_at")
    list_filter = ("state", "kind", "raised_at")
    search_fields = ("kind", "subject", "installation_id")
    date_hierarchy = "raised_at"
    actions = ("set_aside",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        order = [State.OPEN, State.SET_ASIDE, State.CLEARED]
        whens = [When(state=state, then=Value(place)) for place, state in enumerate(order)]
        rows: QuerySet[Alert] = super().get_queryset(request)
        return rows.alias(place=Case(*whens)).order_by("place", "-raised_at", "-pk")

    @admin.display(description="About", ordering="subject")
    def about(self, alert: Alert) -> str:
        shown = alert.subject or "-"
        return format_html('<a href="{}">{}</a>', alert.path, shown) if alert.path else shown

    @admin.action(
        description="Set aside: seen to, until there is more of it", permissions=["set_aside"]
    )
    def set_aside(self, request: HttpRequest, chosen: QuerySet[Alert]) -> None:
        rows = [row for row in chosen if row.state == State.OPEN]
        number = set_aside(Alert.objects.filter(pk__in=[row.pk for row in rows]))
        for row in rows:
            record(
                act="alert.set_aside",
                who=Who.user(request.user),
                subject=row,
                after={"kind": row.kind, "subject": row.subject, "count": row.count},
            )
        self.message_user(request, f"{number} set aside.", messages.SUCCESS)

    def has_set_aside_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("alerts.change_alert"))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        alert = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if alert is not None and request.user.has_perm("alerts.add_mute"):
            about = urlencode({"kind": alert.kind, "subject": alert.subject})
            context["mute_address"] = f"{reverse('admin:alerts_mute_add')}?{about}"
        return super().change_view(request, object_id, form_url, context)


def kinds_to_choose() -> list[tuple[str, str]]:
    return [("", "---------"), *((kind, kind) for kind in known_kinds())]


class MuteForm(forms.ModelForm):
    """Of a kind that there is: a mute of another would keep nothing quiet, unnoticed."""

    kind = forms.ChoiceField(
        choices=kinds_to_choose,
        error_messages={
            "invalid_choice": "There are no alerts of the kind %(value)s: choose one of the list."
        },
    )

    def clean_until(self):
        until = self.cleaned_data["until"]
        if until <= timezone.now():
            raise ValidationError("Say a time that is still to come.")
        return until


@admin.register(Mute)
class MuteAdmin(Audited, admin.ModelAdmin):
    """Of what nobody is told for a while, and why. Delete one to hear of it again."""

    form = MuteForm
    list_display = ("kind", "subject", "until", "reason", "made_by", "made_at")
    list_filter = ("kind", "until")
    search_fields = ("kind", "subject", "reason")
    readonly_fields = ("made_by", "made_at")

    def save_model(self, request, obj, form, change):
        obj.made_by = str(request.user)[:250]
        super().save_model(request, obj, form, change)


class RecipientForm(forms.ModelForm):
    """Addresses are one line each, though encrypted columns are texts of any length."""

    class Meta:
        widgets: ClassVar = {
            "email": AdminTextInputWidget(attrs={"inputmode": "email", "autocomplete": "off"}),
            "url": AdminTextInputWidget(attrs={"inputmode": "url", "autocomplete": "off"}),
        }


@admin.register(Recipient)
class RecipientAdmin(Audited, admin.ModelAdmin):
    """Who is told, beside the addresses of ALERT_EMAILS."""

    form = RecipientForm
    list_display = ("label", "installation", "is_active", "created_at")
    list_filter = ("installation", "is_active")
    list_select_related = ("installation",)
    search_fields = ("label",)
    fields = ("label", "email", "url", "installation", "is_active", "signed_with", "created_at")
    readonly_fields = ("signed_with", "created_at")
    # A webhook's address is often all that it takes to post there.
    changers_alone = ("email", "url", "signed_with")

    def get_fields(self, request, obj=None):
        if obj is None or self.has_change_permission(request, obj):
            return self.fields
        return [name for name in self.fields if name not in self.changers_alone]

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        # A list opens nothing that is encrypted.
        return rows.defer("email", "url", "secret")

    @admin.display(description="Webhooks are signed with")
    def signed_with(self, recipient: Recipient) -> str:
        return recipient.secret if recipient.pk and recipient.url else "-"

    def where(self, obj):
        installation = obj.installation
        return Where.at(installation=installation) if installation else Where()
