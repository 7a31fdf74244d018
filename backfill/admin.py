from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from audit.look_only import LookOnly
from audit.record import By, Where, Who
from backfill import keeping
from backfill.files import LARGEST_FILE
from backfill.keeping import UploadedBefore, keep, left_over_rows, left_over_titles
from backfill.models import Backfill, Part, RowNotTaken
from backfill.states import LOOKED_AT, WORKING, State
from backfill.working import is_left_alone
from database.spreadsheets import Unreadable, csv_answer
from stores.models import Installation

MAY_RUN = "backfill.run_backfill"
ROWS_SHOWN = 200
NOTHING_DONE = "It had changed meanwhile: this is how it stands."

# Address -> the act, and what is said of it when it was done.
ACTS: dict[str, tuple[Callable[[Backfill, By], bool], str]] = {
    "begin": (keeping.begin, "Being recorded."),
    "pause": (keeping.pause, "Paused: no row more is begun."),
    "go-on": (keeping.go_on, "Going on."),
    "stop": (keeping.stop, "Stopped. What was recorded stays recorded."),
    "discard": (keeping.discard, "Discarded: nothing was recorded."),
}


class UploadForm(forms.Form):
    installation = forms.ModelChoiceField(Installation.objects.filter(is_active=True))
    tells_engine = forms.ChoiceField(
        label="What the engine hears",
        widget=forms.RadioSelect,
        choices=[
            ("no", "Nothing: record them as history. Nobody earns points for them."),
            ("yes", "Each sale and refund: members earn, and refunds take back."),
        ],
    )
    file = forms.FileField(
        help_text="CSV in UTF-8 with titles in the first line: id, completed_at and total (or "
        "total_cents) are needed. You see what would be recorded before anything is."
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > LARGEST_FILE:
            raise forms.ValidationError(f"Larger than {LARGEST_FILE // 1_000_000} MB: split it.")
        return file


def by_of(request: HttpRequest, installation: Installation) -> By:
    return By(Who.user(request.user), Where.at(installation=installation))


def check_may_run(request: HttpRequest) -> None:
    if not request.user.has_perm(MAY_RUN):
        raise PermissionDenied


def to_page(backfill: Backfill) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:backfill_backfill_change", args=[backfill.pk]))


@admin.register(Backfill)
class BackfillAdmin(LookOnly, admin.ModelAdmin):
    """Files of sales: looked at first, then recorded, with how far each is."""

    change_list_template = "backfill/backfills.html"
    change_form_template = "backfill/backfill.html"
    list_display = (
        "name",
        "installation",
        "state",
        "size",
        "new",
        "already_there",
        "not_taken",
        "tells_engine",
        "uploaded_at",
    )
    list_filter = ("state", "installation", "tells_engine", "uploaded_at")
    list_select_related = ("installation",)
    search_fields = ("name", "uploaded_by")
    search_help_text = "The file's name, or who uploaded it."
    # How far it is stands above, and moves.
    fields = readonly_fields = ("name", "installation", "uploaded_by", "uploaded_at", "ended_at")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("upload/", view(self.upload), name="backfill_upload"),
            path("<int:pk>/progress/", view(self.progress), name="backfill_progress"),
            path("<int:pk>/not-taken.csv", view(self.not_taken_file), name="backfill_not_taken"),
            path("<int:pk>/act/<slug:act>/", view(require_POST(self.act)), name="backfill_act"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "may_run": request.user.has_perm(MAY_RUN)}
        return super().changelist_view(request, context)

    def upload(self, request: HttpRequest) -> HttpResponse:
        """Take a file in, to be checked by the worker."""
        check_may_run(request)
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                return to_page(self.keep(request, form.cleaned_data))
            except Unreadable as error:
                form.add_error("file", str(error))
            except UploadedBefore as error:
                self.message_user(request, str(error), messages.WARNING)
                return to_page(error.backfill)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Upload sales",
            "form": form,
        }
        return TemplateResponse(request, "backfill/upload.html", context)

    def keep(self, request: HttpRequest, said: dict[str, Any]) -> Backfill:
        return keep(
            said["installation"],
            said["file"].name,
            said["file"].read(),
            tells_engine=said["tells_engine"] == "yes",
            by=by_of(request, said["installation"]),
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        backfill = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if backfill is not None:
            context |= standing(backfill)
            reasons = backfill.left_over.order_by().values("why").annotate(rows=Count("pk"))
            context |= {
                "reasons": reasons.order_by("-rows", "why")[:ROWS_SHOWN],
                "left_over": backfill.left_over.defer("cells")[:ROWS_SHOWN],
                "more_left_over": max(backfill.not_taken - ROWS_SHOWN, 0),
                "may_run": request.user.has_perm(MAY_RUN),
            }
        return super().change_view(request, object_id, form_url, context)

    def progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How far it is, for the page that asks again and again; all of it where it moved on."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        backfill = get_object_or_404(Backfill, pk=pk)
        if request.GET.get("state") != backfill.state:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "backfill/progress.html", standing(backfill))

    def act(self, request: HttpRequest, pk: int, act: str) -> HttpResponse:
        check_may_run(request)
        backfill = get_object_or_404(Backfill.objects.select_related("installation"), pk=pk)
        known = ACTS.get(act)
        if known is None:
            return to_page(backfill)
        do, words = known
        done = do(backfill, by_of(request, backfill.installation))
        self.message_user(
            request,
            words if done else NOTHING_DONE,
            messages.SUCCESS if done else messages.WARNING,
        )
        if done and act == "discard":
            return HttpResponseRedirect(reverse("admin:backfill_backfill_changelist"))
        return to_page(backfill)

    def not_taken_file(self, request: HttpRequest, pk: int) -> HttpResponse:
        """It holds what the uploaded file said of people."""
        check_may_run(request)
        backfill = get_object_or_404(Backfill, pk=pk)
        rows = left_over_rows(backfill)
        return csv_answer(f"not-taken-{pk}.csv", left_over_titles(backfill), rows)


def standing(backfill: Backfill) -> dict[str, Any]:
    return {
        "backfill": backfill,
        "is_working": backfill.state in WORKING,
        "is_left_alone": is_left_alone(backfill),
        "is_looked_at": backfill.state in LOOKED_AT,
        "may_begin": backfill.state == State.CHECKED,
        "may_pause": backfill.state == State.RECORDING,
        "may_go_on": backfill.state == State.PAUSED,
    }


@admin.register(Part)
class PartAdmin(LookOnly, admin.ModelAdmin):
    """Rows that wait, encrypted: how many, and never what they say."""

    list_display = ("backfill", "first", "size")
    list_select_related = ("backfill",)
    search_fields = ("backfill__name",)
    exclude = ("rows",)

    def get_queryset(self, request):
        return super().get_queryset(request).defer("rows")


@admin.register(RowNotTaken)
class RowNotTakenAdmin(LookOnly, admin.ModelAdmin):
    """Why, by line; what a row says is in its file's download only."""

    list_display = ("backfill", "line", "why")
    list_select_related = ("backfill",)
    search_fields = ("backfill__name", "why")
    exclude = ("cells",)

    def get_queryset(self, request):
        return super().get_queryset(request).defer("cells")
