from django.contrib import admin

from audit.look_only import LookOnly
from offers.told_stock import ToldStock


@admin.register(ToldStock)
class ToldStockAdmin(LookOnly, admin.ModelAdmin):
    list_display = ("offer_id", "offer_name", "unused_codes", "told_at")
    search_fields = ("=offer_id", "offer_name")
    search_help_text = "The engine's id of the offer, or its name."
