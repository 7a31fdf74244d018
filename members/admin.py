from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from audit.look_only import LookOnly
from audit.record import By, Where, Who
from members.identity import Unreadable, read_email, read_phone
from members.keeping import (
    AlreadyWaiting,
    Details,
    delivery_of,
    drop,
    is_parked,
    mend,
    parked_ids,
    read_details,
)
from members.masking import mask_email, mask_name, mask_phone
from members.models import Consent, Enrolment, LastKnown, Member
from members.names import read_name

MAY_MEND = "members.change_enrolment"


def is_opened(request: HttpRequest) -> bool:
    """One row is shown, and no list: a list decrypts nothing."""
    match = request.resolver_match
    return match is not None and str(match.url_name).endswith("_change")


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
        return queryset if is_opened(request) else queryset.defer("email")


@admin.register(LastKnown)
class LastKnownAdmin(LookOnly, admin.ModelAdmin):
    """How fresh the figures are; the figures themselves are the engine's to show."""

    list_display = ("member_id", "as_of", "looked_up_at")
    list_filter = ("as_of", "looked_up_at")
    search_fields = ("member__id",)
    fields = ("member", "as_of", "looked_up_at")

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


class WaitsForAPerson(admin.SimpleListFilter):
    title = "waits for a person"
    parameter_name = "asks"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(pk__in=parked_ids()) if self.value() == "yes" else queryset


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=200, error_messages={"required": "Say why: it is kept with what you decide."}
    )


class MendForm(ReasonForm):
    """What is left empty stays as it is."""

    email = forms.CharField(required=False, max_length=300)
    phone = forms.CharField(required=False, max_length=300)
    first_name = forms.CharField(required=False, max_length=300)
    last_name = forms.CharField(required=False, max_length=300)

    def __init__(self, data: Any, region: str) -> None:
        super().__init__(data)
        self.region = region

    def clean(self) -> dict[str, Any]:
        """As at a till. Nothing that was typed stands in the words."""
        readers = {
            "email": read_email,
            "phone": lambda text: read_phone(text, self.region),
            "first_name": read_name,
            "last_name": read_name,
        }
        for name, read in readers.items():
            try:
                self.cleaned_data[name] = read(text) if (text := self.cleaned_data[name]) else ""
            except Unreadable as error:
                self.add_error(name, str(error))
        return self.cleaned_data

    def told(self) -> dict[str, str]:
        fields = ("email", "phone", "first_name", "last_name")
        return {name: self.cleaned_data[name] for name in fields if self.cleaned_data[name]}


@admin.register(Enrolment)
class EnrolmentAdmin(LookOnly, admin.ModelAdmin):
    """Who waits for the engine, masked. What it refused, a manager mends or drops."""

    change_form_template = "members/enrolment.html"
    list_display = ("asked_at", "__str__", "state", "store", "associate")
    list_filter = (WaitsForAPerson, "state", "installation", "store", "asked_at")
    search_fields = ("id", "member__id")
    search_help_text = "An enrolment's id, or a member's."
    list_select_related = ("store", "associate")
    fields = (
        "state",
        "masked_name",
        "masked_email",
        "masked_phone",
        "delivery",
        "installation",
        "store",
        "associate",
        "member",
        "asked_at",
        "ended_at",
    )
    readonly_fields = ("masked_name", "masked_email", "masked_phone", "delivery")

    def get_queryset(self, request):
        queryset = super().get_queryset(request)
        return queryset if is_opened(request) else queryset.defer("details")

    @admin.display(description="Name")
    def masked_name(self, row: Enrolment) -> str:
        details = waiting_details(row)
        return mask_name(f"{details.first_name or ''} {details.last_name or ''}")

    @admin.display(description="Email")
    def masked_email(self, row: Enrolment) -> str:
        return mask_email(waiting_details(row).email)

    @admin.display(description="Phone")
    def masked_phone(self, row: Enrolment) -> str:
        return mask_phone(waiting_details(row).phone or "")

    @admin.display(description="Delivery")
    def delivery(self, row: Enrolment) -> str:
        """Where the telling of it stands, and why it waits for a person where it does."""
        told = delivery_of(row)
        if told is None:
            return "-"
        told_why = (told.get_state_display(), told.get_parked_reason_display())
        return ": ".join(filter(None, told_why))

    def get_urls(self) -> list[URLPattern]:
        acts = {"mend": self.mend, "drop": self.drop}
        return [
            *(
                path(
                    f"<uuid:pk>/{name}/",
                    self.admin_site.admin_view(require_POST(act)),
                    name=f"members_enrolment_{name}",
                )
                for name, act in acts.items()
            ),
            *super().get_urls(),
        ]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        row = self.get_object(request, object_id)
        may_act = request.user.has_perm(MAY_MEND) and row is not None and is_parked(row)
        context = dict(extra_context or {}) | {"may_act": may_act}
        return super().change_view(request, object_id, form_url, context)

    def mend(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Correct what the engine refused; it is sent again at once."""
        row = self.parked_row(request, pk)
        region = row.store.phone_region if row.store else row.installation.region
        form = MendForm(request.POST, region)
        if form.is_valid():
            by = by_manager(request, row, form)
            try:
                mended = mend(row, form.told(), by)
            except AlreadyWaiting as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.tell(request, mended, "Mended: it is sent again.")
        return self.back(request, row, form)

    def drop(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """They are not enrolled, and nothing of them is kept."""
        row = self.parked_row(request, pk)
        form = ReasonForm(request.POST)
        if form.is_valid():
            self.tell(request, drop(row, by_manager(request, row, form)), "Dropped.")
        return self.back(request, row, form)

    def parked_row(self, request: HttpRequest, pk: Any) -> Enrolment:
        if not request.user.has_perm(MAY_MEND):
            raise PermissionDenied
        rows = Enrolment.objects.select_related("installation", "store__installation")
        return get_object_or_404(rows, pk=pk)

    def tell(self, request: HttpRequest, done: bool, words: str) -> None:
        if done:
            self.message_user(request, words, messages.SUCCESS)
        else:
            self.message_user(request, "It does not wait for a person any more.", messages.ERROR)

    def back(self, request: HttpRequest, row: Enrolment, form: forms.Form) -> HttpResponse:
        for errors in form.errors.values():
            self.message_user(request, " ".join(map(str, errors)), messages.ERROR)
        return HttpResponseRedirect(reverse("admin:members_enrolment_change", args=[row.pk]))


def by_manager(request: HttpRequest, row: Enrolment, form: forms.Form) -> By:
    where = Where.at(store=row.store, installation=row.installation)
    return By(Who.user(request.user), where, form.cleaned_data["reason"])


def waiting_details(row: Enrolment) -> Details:
    """Of one that ended nothing is shown, not even masked."""
    return read_details(row) if row.state == Enrolment.State.WAITING else Details(email="")
