from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from audit.look_only import LookOnly
from audit.record import Where, Who, record
from webhooks.keeping import handle_again
from webhooks.models import Webhook

MAY_SEE = "webhooks.see_body"
LEFT_ALONE = "one that waits already, that was answered at once, or whose body is gone"


@admin.register(Webhook)
class WebhookAdmin(LookOnly, admin.ModelAdmin):
    """The list names nobody and decrypts nothing; the body is for those who may see it."""

    list_display = (
        "received_at",
        "source",
        "event",
        "topic",
        "state",
        "done",
        "times",
        "installation",
    )
    list_filter = ("state", "topic", "event", "installation", "received_at")
    list_select_related = ("installation",)
    search_fields = ("id", "event_id")
    search_help_text = "A webhook's id, or the sender's own id of the event."
    date_hierarchy = "received_at"
    fields = (
        "installation",
        "source",
        "event",
        "topic",
        "event_id",
        "state",
        "done",
        "times",
        "runs",
        "received_at",
        "last_received_at",
        "handled_at",
        "headers",
    )
    readonly_fields = ("received_at", "last_received_at", "handled_at", "says")
    actions = ("handle_again",)

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        match = request.resolver_match
        is_opened = match is not None and str(match.url_name).endswith("_change")
        may_see = request.user.has_perm(MAY_SEE)
        return rows if is_opened and may_see else rows.defer("raw")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.fields, "says") if request.user.has_perm(MAY_SEE) else self.fields

    @admin.display(description="What it says")
    def says(self, row: Webhook) -> str:
        return format_html("<pre>{}</pre>", row.pretty)

    @admin.action(description="Handle again", permissions=["handle_again"])
    def handle_again(self, request: HttpRequest, chosen: QuerySet[Webhook]) -> None:
        done = [row for row in chosen.select_related("installation") if self.again(request, row)]
        left = len(chosen) - len(done)
        self.message_user(
            request,
            f"{len(done)} to be handled again."
            + (f" {left} left alone: {LEFT_ALONE}." if left else ""),
            messages.SUCCESS if done else messages.WARNING,
        )

    def again(self, request: HttpRequest, row: Webhook) -> bool:
        before = row.state
        if not handle_again(row):
            return False
        record(
            act="webhook.handled_again",
            who=Who.user(request.user),
            subject=row,
            where=Where.at(installation=row.installation),
            before={"state": before},
            after={"state": row.state, "runs": row.runs},
        )
        return True

    def has_handle_again_permission(self, request: HttpRequest) -> bool:
        """Looking is not enough."""
        return request.user.has_perm("webhooks.change_webhook")
