"""Origin rules in the admin, and what one would have held of the last sales."""

from dataclasses import replace

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from audit.audited import Audited
from audit.record import Where
from sales.models import OriginRule, Sale
from sales.origins import origin_of

LOOKED_AT = 100


class RuleForm(forms.ModelForm):
    class Meta:
        model = OriginRule
        fields = ("installation", "position", "field", "pattern", "delivers")


@admin.register(OriginRule)
class OriginRuleAdmin(Audited, admin.ModelAdmin):
    """Looked at before it is saved: *Preview* shows which of the last sales it fits."""

    change_form_template = "sales/origin_rule.html"
    form = RuleForm
    list_display = ("installation", "position", "field", "pattern", "delivers")
    list_display_links = ("pattern",)
    list_filter = ("installation", "field", "delivers")
    list_select_related = ("installation",)
    search_fields = ("pattern",)

    def where(self, obj: OriginRule) -> Where:
        return Where.at(installation=obj.installation)

    def get_urls(self) -> list[URLPattern]:
        preview = self.admin_site.admin_view(self.preview)
        return [path("preview/", preview, name="sales_preview_rule"), *super().get_urls()]

    def preview(self, request: HttpRequest) -> HttpResponse:
        """Of the last sales of its installation, those that the rule as typed fits."""
        form = RuleForm(request.POST or None)
        # Whoever may see rules and not change them has nothing to preview.
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            return HttpResponse(status=403)
        rule = typed_rule(form)
        if rule is None:
            self.message_user(request, "Fill in the installation and the rule.", messages.ERROR)
        fitting = fitted_of_last(rule) if rule else []
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "What this rule fits",
            "rule": rule,
            "sales": fitting,
            "looked_at": LOOKED_AT,
        }
        return TemplateResponse(request, "sales/rule_preview.html", context)


def typed_rule(form: forms.ModelForm) -> OriginRule | None:
    """As it would be saved. That it is there already does not matter here."""
    form.is_valid()
    typed = form.cleaned_data
    if not {"installation", "field", "pattern"} <= typed.keys():
        return None
    rule = OriginRule(**{name: typed[name] for name in ("installation", "field", "pattern")})
    rule.delivers = typed.get("delivers", False)
    rule.pattern = rule.pattern.strip().casefold()
    return rule


def fitted_of_last(rule: OriginRule) -> list[Sale]:
    """By email only those whose buyer is not known by another way: a member's stands elsewhere."""
    last = Sale.objects.filter(installation=rule.installation).select_related("member")
    return [sale for sale in last.order_by("-recorded_at")[:LOOKED_AT] if fits_kept(rule, sale)]


def fits_kept(rule: OriginRule, sale: Sale) -> bool:
    said = origin_of(sale)
    if not said.email and sale.member and rule.field == OriginRule.Field.EMAIL:
        said = replace(said, email=sale.member.email)
    return rule.fits(said)
