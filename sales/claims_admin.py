"""Sales without a known member, in the admin: claimed there; what tills attached is listed."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from audit.look_only import LookOnly
from audit.record import Who
from connectors.errors import NotFound, OutsideError
from members.engine import engine
from members.identity import Unreadable, read_identity
from members.lookup import FoundMember, find_member
from members.masking import mask_email, mask_name
from members.models import Member
from sales.claims import claim, names_nobody_else, to_be_claimed
from sales.errors import CannotClaim
from sales.models import Claim, Sale
from sales.orders import order_of

MAY_CLAIM = "sales.claim"


class IsToBeClaimed(admin.SimpleListFilter):
    title = "whose it is"
    parameter_name = "claim"

    def lookups(self, request, model_admin):
        return [("open", "Nobody has said yet")]

    def queryset(self, request, queryset):
        return queryset.filter(to_be_claimed()) if self.value() == "open" else queryset


class FindForm(forms.Form):
    """Sent in a body: neither emails nor phones stand in addresses."""

    who = forms.CharField(
        max_length=254, error_messages={"required": "Type an email address or a phone number."}
    )


class ClaimForm(forms.Form):
    member = forms.UUIDField()
    reason = forms.CharField(
        max_length=200, error_messages={"required": "Say why: it is kept with what you decide."}
    )


class Claims(LookOnly, admin.ModelAdmin):
    """For the admin of sales: find the member, look at what the engine would be told, confirm."""

    change_form_template = "sales/sale.html"

    def get_urls(self) -> list[URLPattern]:
        def post(view: Any) -> Any:
            return self.admin_site.admin_view(require_POST(view))

        return [
            path("<int:pk>/claim/find/", post(self.find), name="sales_find_member"),
            path("<int:pk>/claim/", post(self.claim), name="sales_claim"),
            *super().get_urls(),
        ]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        context = dict(extra_context or {})
        sale = self.get_object(request, object_id)
        if sale is not None and request.user.has_perm(MAY_CLAIM):
            context["may_claim"] = Sale.objects.filter(to_be_claimed(), pk=sale.pk).exists()
        return super().change_view(request, object_id, form_url, context)

    def find(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Whom the engine knows by what was typed, and what it would be told for them."""
        sale = sale_to_claim(request, pk)
        form = FindForm(request.POST)
        if not form.is_valid():
            return self.say(request, sale, *form.errors["who"])
        region = sale.store.phone_region if sale.store else sale.installation.region
        try:
            found = find_member(engine(), read_identity(form.cleaned_data["who"], region))
        except Unreadable as error:
            return self.say(request, sale, str(error))
        except NotFound:
            return self.say(request, sale, "The loyalty system knows nobody by this.")
        except OutsideError:
            return self.say(request, sale, "The loyalty system can't be asked now. Try again.")
        if found.id is None:
            return self.say(request, sale, "This person has no email at the loyalty system.")
        return self.show(request, sale, found)

    def show(self, request: HttpRequest, sale: Sale, found: FoundMember) -> HttpResponse:
        member = Member.objects.get(pk=found.id)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Claim {sale}",
            "sale": sale,
            "member": member,
            "name": mask_name(found.name),
            "email": mask_email(member.email),
            "points": found.points_balance,
            "told": told_of(sale, member),
            "names_another": names_another(sale, member),
        }
        return TemplateResponse(request, "sales/claim.html", context)

    def claim(self, request: HttpRequest, pk: int) -> HttpResponse:
        sale = sale_to_claim(request, pk)
        form = ClaimForm(request.POST)
        if not form.is_valid():
            return self.say(request, sale, *(str(one[0]) for one in form.errors.values()))
        member = get_object_or_404(Member, pk=str(form.cleaned_data["member"]))
        try:
            claim(sale, member, Who.user(request.user), form.cleaned_data["reason"])
        except CannotClaim as error:
            return self.say(request, sale, str(error))
        words = "Claimed: the loyalty system is told of it."
        return self.say(request, sale, words, level=messages.SUCCESS)

    def say(
        self, request: HttpRequest, sale: Sale, *words: str, level: int = messages.ERROR
    ) -> HttpResponse:
        for one in words:
            self.message_user(request, one, level)
        return HttpResponseRedirect(reverse("admin:sales_sale_change", args=[sale.pk]))


def sale_to_claim(request: HttpRequest, pk: int) -> Sale:
    if not request.user.has_perm(MAY_CLAIM):
        raise PermissionDenied
    sales = Sale.objects.select_related("installation", "store__installation", "till", "associate")
    return get_object_or_404(sales, pk=pk)


def told_of(sale: Sale, member: Member) -> dict[str, Any]:
    """The order as the engine would get it; whose it is, masked."""
    body = order_of(sale, member).body()
    return body | {"customer_email": mask_email(member.email)}


def names_another(sale: Sale, member: Member) -> str:
    """A hint for the manager, masked: the sale names somebody, and not this member."""
    try:
        if names_nobody_else(sale, member):
            return ""
    except OutsideError:
        return "the phone number's owner can't be asked for now"
    return mask_email(sale.email) if sale.email else "a phone number"


@admin.register(Claim)
class ClaimAdmin(LookOnly, admin.ModelAdmin):
    """Who said whose a sale is: by the filter, what tills attached, and who attached it."""

    list_display = ("claimed_at", "sale", "member", "how", "store", "associate", "by", "reason")
    list_filter = ("how", "installation", "store", "associate", "claimed_at")
    list_select_related = ("sale", "member", "store", "associate")
    search_fields = ("sale__pos_id", "member__id", "by")
    search_help_text = "The POS's id of the sale, a member's id, or who said so."
    date_hierarchy = "claimed_at"
    readonly_fields = ("claimed_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """A list decrypts nothing."""
        return super().get_queryset(request).defer("sale__email", "sale__phone", "member__email")
