from django.contrib import admin

from audit.look_only import LookOnly
from audit.models import Entry


@admin.register(Entry)
class EntryAdmin(LookOnly, admin.ModelAdmin):
    """The trail, for looking."""

    list_display = (
        "at",
        "act",
        "outcome",
        "who",
        "installation",
        "store",
        "till",
        "subject_type",
        "subject_id",
        "reason",
    )
    list_filter = ("outcome", "who_kind", "act", "installation", "subject_type", "at")
    search_fields = (
        "subject_id__exact",
        "request_id__exact",
        "who__istartswith",
        "act__startswith",
    )
    search_help_text = "An id of what it was done to, or of the request; who; an act's beginning."
    date_hierarchy = "at"
    # Counting a long trail takes longer than showing a page of it.
    show_full_result_count = False
