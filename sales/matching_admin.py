"""Refunds without a sale, in the admin: a manager chooses the sale, or says that there is none."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from audit.look_only import LookOnly
from audit.record import Who
from offers.money import show_money
from sales.candidates import candidates
from sales.errors import CannotMatch, CannotRefund
from sales.models import Refund
from sales.record import find_sale
from sales.refunds import match, match_none
from sales.watches import asks_for_a_manager

MAY_SETTLE = "sales.settle"
NONE, ANOTHER = "none", "another"


class MatchForm(forms.Form):
    choice = forms.CharField(
        max_length=80, error_messages={"required": "Choose a sale, or that there is none."}
    )
    number = forms.CharField(max_length=64, required=False)
    reason = forms.CharField(
        max_length=200, error_messages={"required": "Say why: it is kept with what you decide."}
    )


class Matching(LookOnly, admin.ModelAdmin):
    """For the admin of refunds."""

    change_form_template = "sales/refund.html"

    def get_urls(self) -> list[URLPattern]:
        act = self.admin_site.admin_view(require_POST(self.match))
        return [path("<int:pk>/match/", act, name="sales_match"), *super().get_urls()]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        context = dict(extra_context or {})
        refund = self.get_object(request, object_id)
        if refund is not None and request.user.has_perm(MAY_SETTLE):
            asks = Refund.objects.filter(asks_for_a_manager(), pk=refund.pk).exists()
            amount = show_money(refund.total_cents, refund.currency)
            found = candidates(refund) if asks else []
            context |= {"asks": asks, "amount": amount, "candidates": found}
        return super().change_view(request, object_id, form_url, context)

    def match(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One decision, with its reason; the sale by its number at the POS."""
        if not request.user.has_perm(MAY_SETTLE):
            raise PermissionDenied
        refund = get_object_or_404(Refund.objects.select_related("installation"), pk=pk)
        form = MatchForm(request.POST)
        if form.is_valid():
            self.carry_out(request, refund, form.cleaned_data)
        else:
            for errors in form.errors.values():
                self.message_user(request, str(errors[0]), messages.ERROR)
        return HttpResponseRedirect(reverse("admin:sales_refund_change", args=[refund.pk]))

    def carry_out(self, request: HttpRequest, refund: Refund, decided: dict[str, Any]) -> None:
        who, reason = Who.user(request.user), decided["reason"]
        try:
            if decided["choice"] == NONE:
                match_none(refund, who, reason)
                self.message_user(request, "No points are taken back.", messages.SUCCESS)
                return
            is_another = decided["choice"] == ANOTHER
            number = decided["number"] if is_another else decided["choice"].partition(":")[2]
            sale = find_sale(refund.installation, number.strip())
            if sale is None:
                self.message_user(request, "This POS has told of no such sale.", messages.ERROR)
                return
            match(refund, sale, who, reason)
        except (CannotMatch, CannotRefund) as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, f"Matched with {sale}.", messages.SUCCESS)
