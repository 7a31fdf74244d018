from django import forms
from django.contrib import admin

from audit.audited import Audited
from audit.record import Where
from stores.models import Associate, Installation, Store, Till


@admin.register(Installation)
class InstallationAdmin(Audited, admin.ModelAdmin):
    list_display = ("name", "id", "pos", "region", "currency", "offer_policy", "is_active")
    list_filter = ("pos", "is_active", "offer_policy")
    search_fields = ("name", "id")
    readonly_fields = ("created_at",)

    def get_readonly_fields(self, request, obj=None):
        # The id stands in the address that the POS was given, the prefix in orders that were sent.
        return (*self.readonly_fields, "id", "order_prefix") if obj else self.readonly_fields

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
