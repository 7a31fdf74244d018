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
from audit.record import Who
from members.engine import engine
from redemptions.disputes import (
    Act,
    CannotSettle,
    Settlement,
    acts_of,
    asks_for_a_manager,
    is_being_taken,
    needs_code,
    settle_by_hand,
)
from redemptions.models import PendingRedemption
from redemptions.questions_admin import QuestionAdmin, SoldCodeAdmin, ToldCodeAdmin

__all__ = ["PendingRedemptionAdmin", "QuestionAdmin", "SoldCodeAdmin", "ToldCodeAdmin"]

MAY_SETTLE = "redemptions.settle"


class AsksForAManager(admin.SimpleListFilter):
    title = "asks for a manager"
    parameter_name = "asks"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(asks_for_a_manager()) if self.value() == "yes" else queryset


class SettleForm(forms.Form):
    act = forms.ChoiceField(choices=Act.choices)
    code = forms.CharField(max_length=255, required=False)
    reason = forms.CharField(
        max_length=200, error_messages={"required": "Say why: it is kept with what you decide."}
    )


@admin.register(PendingRedemption)
class PendingRedemptionAdmin(LookOnly, admin.ModelAdmin):
    """A ledger: for looking. What is done with it, the panel and the worker do; and a manager,
    where only a person can know."""

    change_form_template = "redemptions/redemption.html"
    list_display = (
        "requested_at",
        "offer_name",
        "points",
        "state",
        "reason",
        "code",
        "store",
        "associate",
    )
    list_filter = (
        AsksForAManager,
        "state",
        "reason",
        "delayed",
        "deduction",
        "installation",
        "store",
        "offer_kind",
        "requested_at",
    )
    search_fields = ("id", "code", "engine_id", "member__id", "act_key", "ticket", "sale")
    search_help_text = "A code, a ticket, a sale, the engine's redemption id, or a member's id."
    date_hierarchy = "requested_at"
    list_select_related = ("store", "associate")

    def get_urls(self) -> list[URLPattern]:
        settle = self.admin_site.admin_view(require_POST(self.settle))
        return [
            path("<uuid:pk>/settle/", settle, name="redemptions_settle"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        redemption = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if redemption is not None and request.user.has_perm(MAY_SETTLE):
            context |= {
                "acts": acts_of(redemption),
                "being_taken": is_being_taken(redemption),
                "needs_code": needs_code(redemption),
            }
        return super().change_view(request, object_id, form_url, context)

    def settle(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """One of the two acts, decided by a person, with a reason."""
        if not request.user.has_perm(MAY_SETTLE):
            raise PermissionDenied
        rows = PendingRedemption.objects.select_related("member", "installation", "store", "till")
        redemption = get_object_or_404(rows, pk=pk)
        form = SettleForm(request.POST)
        if form.is_valid():
            self.carry_out(request, redemption, form.cleaned_data)
        else:
            for errors in form.errors.values():
                self.message_user(request, " ".join(map(str, errors)), messages.ERROR)
        back = reverse("admin:redemptions_pendingredemption_change", args=[redemption.pk])
        return HttpResponseRedirect(back)

    def carry_out(
        self, request: HttpRequest, redemption: PendingRedemption, decided: dict[str, str]
    ) -> None:
        act = Act(decided["act"])
        settlement = Settlement(act, Who.user(request.user), decided["reason"], decided["code"])
        try:
            settle_by_hand(engine(), redemption, settlement)
        except CannotSettle as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, f"Done: {act.label}.", messages.SUCCESS)
