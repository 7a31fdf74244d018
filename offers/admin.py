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

from audit.audited import Audited
from audit.look_only import LookOnly
from audit.record import By, Who
from offers.code_files import LARGEST_FILE, Unreadable
from offers.filling import CODES, CannotUpload, discard, keep, send, settle
from offers.models import Batch, Code, Part, Pool, Use
from offers.pools import empties, forecast, with_pace
from outbox.models import Delivery
from outbox.states import State

MAY_UPLOAD = "offers.upload_codes"
LINES_SHOWN = 200


class UploadForm(forms.Form):
    file = forms.FileField(
        help_text="CSV or text: one code a line, or a column with the title Code. Up to 100,000 "
        "codes. You see what was read before anything is sent."
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > LARGEST_FILE:
            raise forms.ValidationError(f"Larger than {LARGEST_FILE // 1_000_000} MB: split it.")
        return file


def by_of(request: HttpRequest) -> By:
    return By(Who.user(request.user))


def check_may_upload(request: HttpRequest) -> None:
    if not request.user.has_perm(MAY_UPLOAD):
        raise PermissionDenied


@admin.register(Pool)
class PoolAdmin(Audited, admin.ModelAdmin):
    """How many codes each custom coupon has, and for how long they will do."""

    change_form_template = "offers/pool.html"
    list_display = ("name", "option_id", "codes_left", "lasts", "low_at", "told_at")
    search_fields = ("name", "=option_id")
    search_help_text = "The offer's name, or the engine's option id."
    fields = ("name", "option_id", "low_at", "ours_alone")
    figures = ("codes_left", "lasts", "confirmed", "taken", "told_unused", "told_at", "empty_since")
    actions = ("has_codes",)

    def get_fields(self, request, obj=None):
        return (*self.fields, *self.figures) if obj else self.fields

    def get_readonly_fields(self, request, obj=None):
        # Codes that were sent are the offer's for good.
        return (*self.figures, "option_id") if obj else ()

    def get_queryset(self, request):
        return with_pace(super().get_queryset(request))

    def has_delete_permission(self, request, obj=None):
        return False

    @admin.display(description="Codes left")
    def codes_left(self, pool: Pool) -> str:
        if pool.is_empty:
            return "none"
        if pool.stock is None:
            return "unknown"
        return f"{pool.stock:,}{' (low)' if pool.is_low else ''}"

    @admin.display(description="They last")
    def lasts(self, pool: Any) -> str:
        return forecast(pool, pool.lately)

    @admin.action(description="It has codes again: offer it at tills", permissions=["change"])
    def has_codes(self, request: HttpRequest, chosen: QuerySet[Pool]) -> None:
        for pool in chosen:
            self.record(request, "has_codes_again", pool)
            empties.note(pool.option_id, is_empty=False)
        pks = [pool.pk for pool in chosen]
        number = Pool.objects.filter(pk__in=pks).update(empty_since=None)
        self.message_user(
            request,
            f"{number} offered again, unless our own count says that there are none.",
            messages.SUCCESS,
        )

    def get_urls(self) -> list[URLPattern]:
        upload = self.admin_site.admin_view(self.upload)
        return [path("<int:pk>/upload/", upload, name="offers_upload"), *super().get_urls()]

    def upload(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Read a file and keep it, for somebody to look at it and then to send it."""
        check_may_upload(request)
        pool = get_object_or_404(Pool, pk=pk)
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            file = form.cleaned_data["file"]
            try:
                batch = keep(pool, file.name, file.read(), by_of(request))
            except (Unreadable, CannotUpload) as error:
                form.add_error("file", str(error))
            else:
                return to_batch(batch)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Upload codes for {pool}",
            "pool": pool,
            "form": form,
        }
        return TemplateResponse(request, "offers/upload.html", context)


def to_batch(batch: Batch) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:offers_batch_change", args=[batch.pk]))


@admin.register(Batch)
class BatchAdmin(LookOnly, admin.ModelAdmin):
    """What was uploaded: looked at first, then sent, part by part."""

    change_form_template = "offers/batch.html"
    list_display = ("name", "pool", "size", "uploaded_by", "uploaded_at", "sent_at")
    list_filter = ("pool", ("sent_at", admin.EmptyFieldListFilter), "uploaded_at")
    list_select_related = ("pool",)
    search_fields = ("name", "pool__name")
    exclude = ("report",)

    def get_queryset(self, request):
        # As long as the file, where all of it was left out.
        return super().get_queryset(request).defer("report")

    def has_view_permission(self, request, obj=None):
        # Who uploads looks at what was read.
        return super().has_view_permission(request, obj) or request.user.has_perm(MAY_UPLOAD)

    def get_urls(self) -> list[URLPattern]:
        def post(view: Any) -> Any:
            return self.admin_site.admin_view(require_POST(view))

        return [
            path("<int:pk>/send/", post(self.send), name="offers_send"),
            path("<int:pk>/discard/", post(self.discard), name="offers_discard"),
            path("part/<int:pk>/settle/", post(self.settle), name="offers_settle"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        batch = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if batch is not None:
            context |= {
                "parts": parts_of(batch),
                "left_out": batch.report[:LINES_SHOWN],
                "more_left_out": max(len(batch.report) - LINES_SHOWN, 0),
                "may_upload": request.user.has_perm(MAY_UPLOAD),
            }
        return super().change_view(request, object_id, form_url, context)

    def send(self, request: HttpRequest, pk: int) -> HttpResponse:
        check_may_upload(request)
        batch = get_object_or_404(Batch.objects.select_related("pool"), pk=pk)
        if send(batch, by_of(request)):
            self.message_user(request, "On their way to the engine.", messages.SUCCESS)
        else:
            self.message_user(request, "They were sent before.", messages.WARNING)
        return to_batch(batch)

    def discard(self, request: HttpRequest, pk: int) -> HttpResponse:
        check_may_upload(request)
        batch = get_object_or_404(Batch.objects.select_related("pool"), pk=pk)
        if not discard(batch, by_of(request)):
            self.message_user(request, "They were sent already.", messages.WARNING)
            return to_batch(batch)
        self.message_user(request, "Discarded: nothing was sent.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:offers_pool_change", args=[batch.pool_id]))

    def settle(self, request: HttpRequest, pk: int) -> HttpResponse:
        check_may_upload(request)
        part = get_object_or_404(Part.objects.select_related("batch__pool"), pk=pk)
        said = request.POST.get("word")
        if said not in (Part.Word.THERE, Part.Word.MISSING):
            self.message_user(request, "Say whether the engine has them.", messages.ERROR)
        elif settle(part, Part.Word(said), by_of(request)):
            self.message_user(request, "Taken up again.", messages.SUCCESS)
        else:
            self.message_user(
                request,
                "Not taken up: it waits for nobody any more, or another part of this offer is "
                "under way. If it is still parked below, say it again in a minute.",
                messages.WARNING,
            )
        return to_batch(part.batch)


def parts_of(batch: Batch) -> list[dict[str, Any]]:
    """Each part with how far it is."""
    parts = list(batch.parts.defer("codes", "sample"))
    found = Delivery.objects.filter(kind=CODES, key__in=[part.key for part in parts])
    deliveries = {delivery.key: delivery for delivery in found}
    return [
        {
            "part": part,
            "delivery": deliveries.get(part.key),
            "parked": part.key in deliveries and deliveries[part.key].state == State.PARKED,
        }
        for part in parts
    ]


@admin.register(Part)
class PartAdmin(LookOnly, admin.ModelAdmin):
    list_display = ("batch", "number", "size", "confirmed_at", "word")
    list_filter = (("confirmed_at", admin.EmptyFieldListFilter), "word")
    list_select_related = ("batch",)
    search_fields = ("batch__name", "batch__pool__name")
    exclude = ("codes", "sample")

    def get_queryset(self, request):
        return super().get_queryset(request).defer("codes", "sample")


@admin.register(Code)
class CodeAdmin(LookOnly, admin.ModelAdmin):
    """Keyed hashes: that a code was uploaded, never which one."""

    list_display = ("__str__", "part")
    list_select_related = ("part__batch",)
    search_fields = ("part__batch__name",)
    exclude = ("index",)
    show_full_result_count = False

    def get_queryset(self, request):
        return super().get_queryset(request).defer("part__codes", "part__sample")


@admin.register(Use)
class UseAdmin(LookOnly, admin.ModelAdmin):
    list_display = ("day", "pool", "count")
    list_filter = ("pool", "day")
    list_select_related = ("pool",)
    search_fields = ("pool__name",)
