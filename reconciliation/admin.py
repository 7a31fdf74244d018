from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from audit.look_only import LookOnly
from audit.record import By, Where, Who
from members.engine import engine
from reconciliation.kinds import Kind, State
from reconciliation.models import Cursor, Difference, Reading, Run
from reconciliation.repairs import CannotRepair, Changed, Preview, confirm, dismiss, preview

MAY_REPAIR = "reconciliation.repair"
CHANGE = "admin:reconciliation_difference_change"


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=200, error_messages={"required": "Say why: it is kept with what you decide."}
    )
    fingerprint = forms.CharField(max_length=64, required=False)


def open_by_kind() -> list[dict[str, Any]]:
    """For the top of the list: one query."""
    rows = Difference.objects.filter(state=State.OPEN).order_by().values_list("kind")
    counts = rows.annotate(Count("pk"))
    return [{"kind": kind, "label": Kind(kind).label, "count": n} for kind, n in sorted(counts)]


@admin.register(Difference)
class DifferenceAdmin(LookOnly, admin.ModelAdmin):
    """Found by readings, ended by them; a manager repairs one or marks it as seen."""

    change_form_template = "reconciliation/difference.html"
    change_list_template = "reconciliation/differences.html"
    list_display = ("first_seen_at", "kind", "state", "points", "is_certain", "whose", "cause")
    list_filter = ("state", "kind", "is_certain", "first_seen_at")
    search_fields = ("member__id", "redemption__id", "sale__pos_id")
    search_help_text = "A member's id, a redemption's, or the POS's id of a sale."
    date_hierarchy = "first_seen_at"
    fields = (
        "kind",
        "state",
        "cause",
        "is_certain",
        "member",
        "redemption",
        "sale",
        "first_seen_at",
        "last_seen_at",
        "ended_at",
        "decided_by",
        "reason",
        "repair",
    )

    @admin.display(description="Member")
    def whose(self, row: Difference) -> str:
        """By the id alone: a list decrypts nobody's email."""
        return str(row.member_id)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/repair/", view(self.repair), name="reconciliation_repair"),
            path(
                "<int:pk>/dismiss/",
                view(require_POST(self.dismiss)),
                name="reconciliation_dismiss",
            ),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "by_kind": open_by_kind(), "run": Run.objects.first()}
        return super().changelist_view(request, context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if row is not None:
            context["sides"] = sides_of(row.ours, row.theirs)
            context["may_decide"] = row.state == State.OPEN and request.user.has_perm(MAY_REPAIR)
        return super().change_view(request, object_id, form_url, context)

    def repair(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET shows what would be done, on facts read now; POST does it if they are still those."""
        row = self.may_decide_on(request, pk)
        try:
            if request.method != "POST":
                return self.page(request, row, preview(engine(), row))
            form = ReasonForm(request.POST)
            if not form.is_valid():
                tell(self, request, form)
                return self.page(request, row, preview(engine(), row))
            told = form.cleaned_data
            done = confirm(engine(), row, told["fingerprint"], by(request, told["reason"]))
            self.message_user(request, f"Begun: {done.label}.", messages.SUCCESS)
        except Changed as changed:
            self.message_user(request, str(changed), messages.WARNING)
            return self.page(request, row, changed.preview)
        except CannotRepair as error:
            self.message_user(request, str(error), messages.ERROR)
        return HttpResponseRedirect(reverse(CHANGE, args=[row.pk]))

    def page(self, request: HttpRequest, row: Difference, shown: Preview) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Repair: {row.get_kind_display()}",
            "opts": self.model._meta,
            "original": row,
            "preview": shown,
            "sides": sides_of(shown.found.ours, shown.found.theirs),
        }
        return TemplateResponse(request, "reconciliation/preview.html", context)

    def dismiss(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self.may_decide_on(request, pk)
        form = ReasonForm(request.POST)
        if not form.is_valid():
            tell(self, request, form)
        else:
            try:
                dismiss(row, by(request, form.cleaned_data["reason"]))
            except CannotRepair as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, "Marked as seen.", messages.SUCCESS)
        return HttpResponseRedirect(reverse(CHANGE, args=[row.pk]))

    def may_decide_on(self, request: HttpRequest, pk: int) -> Difference:
        if not request.user.has_perm(MAY_REPAIR):
            raise PermissionDenied
        rows = Difference.objects.select_related("member", "redemption", "sale")
        return get_object_or_404(rows, pk=pk)


def tell(page: admin.ModelAdmin, request: HttpRequest, form: forms.Form) -> None:
    for errors in form.errors.values():
        page.message_user(request, " ".join(map(str, errors)), messages.ERROR)


def by(request: HttpRequest, reason: str) -> By:
    return By(Who.user(request.user), Where(), reason)


def sides_of(ours: dict[str, Any], theirs: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """What both sides say, next to each other: name, ours, theirs."""
    names = [*ours, *(name for name in theirs if name not in ours)]
    return [(name, ours.get(name, ""), theirs.get(name, "")) for name in names]


@admin.register(Run)
class RunAdmin(LookOnly, admin.ModelAdmin):
    """The last one stands on top."""

    list_display = (
        "started_at",
        "ended_at",
        "members_read",
        "per_member",
        "found",
        "gone",
        "unreadable",
        "left",
        "oldest_act_at",
    )
    list_filter = ("started_at",)
    search_fields = ("id",)

    @admin.display(description="Calls a member")
    def per_member(self, run: Run) -> str:
        return f"{run.calls_per_member:.2f}"


@admin.register(Reading)
class ReadingAdmin(LookOnly, admin.ModelAdmin):
    list_display = ("member_id", "read_at", "covers", "again_at", "calls")
    search_fields = ("member__id",)


@admin.register(Cursor)
class CursorAdmin(LookOnly, admin.ModelAdmin):
    list_display = ("name", "covers", "moved_at")
    search_fields = ("name",)
