from django import forms
from django.contrib import admin, messages
from django.utils.html import format_html, format_html_join

from audit.audited import Audited
from audit.record import Where
from stores.models import Associate, Installation, Store, Till
from stores.platforms import PLATFORMS, Platform


@admin.register(Installation)
class InstallationAdmin(Audited, admin.ModelAdmin):
    list_display = (
        *("name", "id", "pos", "platform", "region", "currency", "offer_policy", "is_active"),
    )
    list_filter = ("pos", "platform", "is_active", "offer_policy")
    search_fields = ("name", "id")
    readonly_fields = ("created_at", "status_by_platform")

    def get_readonly_fields(self, request, obj=None):
        # The id stands in the address that the POS was given, the prefix in orders that were sent.
        return (*self.readonly_fields, "id", "order_prefix") if obj else self.readonly_fields

    @admin.display(description="what to give for a status")
    def status_by_platform(self, installation):
        lines = ((Platform(name).label, statuses.help) for name, statuses in PLATFORMS.items())
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {}</li>", lines))

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        if doubt := obj.doubt_of_status():
            self.message_user(request, f"{obj}: {doubt}", messages.WARNING)

    def where(self, obj):
        return Where.at(installation=obj)


@admin.register(Store)
class StoreAdmin(Audited, admin.ModelAdmin):
    list_display = ("name", "code", "installation", "region", "is_active")
    list_filter = ("installation", "is_active")
    search_fields = ("name", "code")
    list_select_related = ("installation",)

    def where(self, obj):
        return Where.at(store=obj)


class StoreChoice(forms.ModelChoiceField):
    """Two installations may each have a store in Boston."""

    def label_from_instance(self, obj):
        return f"{obj.installation}: {obj}"


@admin.register(Till)
class TillAdmin(Audited, admin.ModelAdmin):
    list_display = ("name", "code", "store", "is_active")
    list_filter = ("store__installation", "store", "is_active")
    search_fields = ("name", "code", "store__name")
    list_select_related = ("store",)

    def formfield_for_foreignkey(self, db_field, request, **options):
        if db_field.name == "store":
            stores = Store.objects.select_related("installation")
            options["queryset"] = stores.order_by("installation__name", "name")
            options["form_class"] = StoreChoice
        return super().formfield_for_foreignkey(db_field, request, **options)

    def where(self, obj):
        return Where.at(till=obj)


@admin.register(Associate)
class AssociateAdmin(Audited, admin.ModelAdmin):
    list_display = ("name", "code", "role", "installation", "is_active")
    list_filter = ("installation", "role", "is_active")
    search_fields = ("name", "code")
    list_select_related = ("installation",)

    def where(self, obj):
        return Where.at(installation=obj.installation)
