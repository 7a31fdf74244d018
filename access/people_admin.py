"""Managers' pages for tills of level C: pairing, PINs, who is signed in, who is locked out."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from access import pairing, pin_sessions, pins, tries
from access.address import network_of
from access.models import (
    Approval,
    Badge,
    PairedTill,
    PairingRequest,
    Person,
    Pin,
    PinSession,
    Tries,
)
from audit.audited import Audited
from audit.look_only import LookOnly
from audit.record import Where, Who
from stores.models import Installation, Till


class TypedCode(forms.Form):
    code = forms.CharField(
        max_length=20,
        label="Code on the till's screen",
        help_text="Walk up to the till and type what its screen shows.",
    )


def tills_of(installation: Installation) -> list[Any]:
    """By store, with those that are paired already told from others."""
    tills = Till.objects.filter(
        store__installation=installation, is_active=True, store__is_active=True
    )
    taken = set(
        PairedTill.objects.filter(till__in=tills, revoked_at=None).values_list("till", flat=True)
    )
    stores: dict[str, list[tuple[int, str]]] = {}
    for till in tills.select_related("store").order_by("store__name", "name"):
        also = " (has a paired device)" if till.pk in taken else ""
        stores.setdefault(till.store.name, []).append((till.pk, f"{till.name}{also}"))
    return [("", "Choose the till"), *stores.items()]


@admin.register(PairingRequest)
class PairingRequestAdmin(LookOnly, admin.ModelAdmin):
    """Which devices ask to be a till. One is approved by typing its code, never from the list."""

    list_display = ("created_at", "address", "browser", "installation", "state", "till")
    list_filter = ("state", "installation")
    list_select_related = ("installation", "till__store")
    search_fields = ("address", "till__name")
    fields = ("installation", "address", "browser", "created_at", "state", "till", "answered_by")
    actions = ("refuse",)
    change_list_template = "access/pairing_requests.html"

    def has_pair_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.pair_till")

    def get_urls(self):
        pair = self.admin_site.admin_view(self.pair)
        return [path("pair/", pair, name="access_pair"), *super().get_urls()]

    def pair(self, request):
        """Type the code, look who asks, choose the till. Nothing is taken from the address."""
        if not self.has_pair_permission(request):
            raise PermissionDenied
        typed = TypedCode(request.POST or None)
        found = self.find(request, typed) if typed.is_valid() else None
        if found and "answer" in request.POST:
            return self.answer(request, found, typed)
        return self.ask(request, found, typed)

    def find(self, request: Any, typed: TypedCode) -> PairingRequest | None:
        try:
            return pairing.find(typed.cleaned_data["code"], network_of(request), request.user)
        except (pairing.NoSuchCode, tries.MustWait) as error:
            typed.add_error("code", str(error))
            return None

    def answer(self, request: Any, found: PairingRequest, typed: TypedCode) -> HttpResponse:
        till = None
        if request.POST["answer"] == "approve":
            mine = Till.objects.filter(
                store__installation=found.installation, is_active=True, store__is_active=True
            ).select_related("store")
            chosen = request.POST.get("till", "")
            till = mine.filter(pk=chosen).first() if chosen.isascii() and chosen.isdigit() else None
            if till is None:
                self.message_user(request, "Choose the till that this is.", messages.ERROR)
                return self.ask(request, found, typed)
        try:
            pairing.answer(found, request.user, till)
        except pairing.NoSuchCode as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            done = f"Paired: that device is {till} now." if till else "Refused: it stays outside."
            self.message_user(request, done)
        return HttpResponseRedirect(reverse("admin:access_pairingrequest_changelist"))

    def ask(
        self, request: HttpRequest, found: PairingRequest | None, typed: TypedCode
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Pair a till",
            "typed": typed,
            "found": found,
            "tills": tills_of(found.installation) if found else (),
        }
        return TemplateResponse(request, "access/pair.html", context)

    @admin.action(description="Refuse: it must ask again", permissions=["pair"])
    def refuse(self, request, queryset):
        refused = 0
        for asked in queryset.filter(state=PairingRequest.State.OPEN):
            try:
                pairing.answer(asked, request.user, None)
                refused += 1
            except pairing.NoSuchCode:
                continue  # somebody else was quicker, or it expired
        self.message_user(request, f"{refused} refused.")


@admin.register(PairedTill)
class PairedTillAdmin(Audited, admin.ModelAdmin):
    """Devices that are a till. Adding one here makes an address for a POS whose browser keeps no
    cookies; else a till is paired by its code."""

    list_display = (
        "till",
        "browser",
        "address",
        "by_address",
        "created_at",
        "last_used_at",
        "revoked_at",
    )
    list_filter = ("till__store__installation", "revoked_at", "by_address")
    search_fields = ("till__name", "till__store__name")
    list_select_related = ("till__store",)
    actions = ("unpair",)

    def get_fields(self, request, obj=None):
        return (*self.list_display, "paired_by") if obj else ("till",)

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def has_unpair_permission(self, request):
        return request.user.has_perm("access.change_pairedtill")

    def where(self, obj):
        return Where.at(till=obj.till)

    def save_model(self, request, obj, form, change):
        made, obj.told_once = pairing.make_address(obj.till, request.user)
        obj.pk = made.pk
        self.record(request, "address_made", made)

    def response_add(self, request, obj, post_url_continue=None):
        # In the answer alone: a message or a redirect would keep the key in a cookie or session.
        shell = reverse("panel", args=[obj.till.store.installation_id])
        return self.told(request, obj, f"{request.build_absolute_uri(shell)}#till={obj.told_once}")

    def told(self, request: HttpRequest, obj: PairedTill, address: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Address of {obj.till}",
            "address": address,
            "list_address": reverse("admin:access_pairedtill_changelist"),
        }
        return TemplateResponse(request, "access/till_address.html", context)

    @admin.action(description="Unpair: it is no till any more, at once", permissions=["unpair"])
    @transaction.atomic
    def unpair(self, request, queryset):
        who = Who.user(request.user)
        done = [row for row in queryset if pin_sessions.unpair(row, who)]
        for row in done:
            self.record(request, "unpaired", row)
        self.message_user(request, f"{len(done)} unpaired.")


class BadgeForm(forms.ModelForm):
    badge = forms.CharField(
        required=False,
        max_length=200,
        help_text="Scan it here. It says the name at a till; the PIN is asked for all the same. "
        "Only a hash is kept. Left empty, it stays as it is.",
    )
    no_badge = forms.BooleanField(required=False, label="Has no badge any more")

    class Meta:
        model = Person
        fields = ()


@admin.register(Person)
class PersonAdmin(Audited, admin.ModelAdmin):
    """Who can sign in at a paired till, and who must wait."""

    form = BadgeForm
    fields = ("name", "installation", "role", "pin_words", "badge", "no_badge")
    readonly_fields = ("name", "installation", "role", "pin_words")
    list_display = ("name", "installation", "role", "pin_words", "has_badge", "is_active")
    list_filter = ("installation", "role", "is_active")
    search_fields = ("name", "code")
    list_select_related = ("installation", "pin", "badge")
    actions = ("start_pin", "unlock", "take_away")

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def where(self, obj):
        return Where.at(installation=obj.installation)

    @admin.display(description="PIN")
    def pin_words(self, obj):
        if not hasattr(obj, "pin"):
            return "none"
        if obj.pin.is_start:
            return f"start PIN until {obj.pin.expires_at:%d %b %H:%M} UTC"
        return f"their own, since {obj.pin.set_at:%d %b %Y}"

    @admin.display(description="badge", boolean=True)
    def has_badge(self, obj):
        return hasattr(obj, "badge")

    def save_model(self, request, obj, form, change):
        """A badge alone can be changed here; nothing of the associate's own row."""
        given = form.cleaned_data["badge"]
        if form.cleaned_data["no_badge"]:
            Badge.objects.filter(associate=obj).delete()
            self.record(request, "badge_taken_away", obj)
        elif given:
            self.give_badge(request, obj, given)

    def give_badge(self, request: HttpRequest, obj: Person, given: str) -> None:
        sha256 = pins.badge_hash(obj.installation_id, given)
        try:
            with transaction.atomic():
                Badge.objects.update_or_create(
                    associate_id=obj.pk,
                    defaults={"installation_id": obj.installation_id, "sha256": sha256},
                )
                self.record(request, "badge_given", obj)
        except IntegrityError:
            self.message_user(
                request, "Somebody else has this badge. Take it away there first.", messages.ERROR
            )

    @admin.action(description="Issue a start PIN", permissions=["change"])
    def start_pin(self, request, queryset):
        """Shown once, for one person: the associate sets their own under it at the till."""
        people = list(queryset.filter(is_active=True)[:2])
        if len(people) != 1 or queryset.count() != 1:
            self.message_user(
                request,
                "Choose one active associate: each start PIN is shown once.",
                messages.ERROR,
            )
            return None
        with transaction.atomic():
            pin = pins.issue_start_pin(people[0])
            self.record(request, "start_issued", people[0])
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Start PIN of {people[0]}",
            "start_pin": pin,
            "hours": int(pins.START_PIN_LIVES.total_seconds() // 3600),
            "list_address": reverse("admin:access_person_changelist"),
        }
        return TemplateResponse(request, "access/start_pin.html", context)

    @admin.action(description="Unlock: wrong PINs so far no more count", permissions=["change"])
    @transaction.atomic
    def unlock(self, request, queryset):
        unlocked = [person for person in queryset if tries.unlock(pins.subject_of(person))]
        for person in unlocked:
            self.record(request, "unlocked", person)
        self.message_user(request, f"{len(unlocked)} unlocked.")

    @admin.action(description="Take the PIN away: no sign-in, at once", permissions=["change"])
    @transaction.atomic
    def take_away(self, request, queryset):
        people = list(queryset.filter(pin__isnull=False))
        pins.Pin.objects.filter(associate__in=people).delete()
        who = Who.user(request.user)
        theirs = PinSession.objects.filter(associate__in=people)
        pin_sessions.end(theirs, PinSession.End.THROWN_OUT, who)
        for person in people:
            self.record(request, "taken_away", person)
        self.message_user(request, f"{len(people)} can sign in no more.")


@admin.register(PinSession)
class PinSessionAdmin(LookOnly, admin.ModelAdmin):
    """Who is signed in where."""

    list_display = ("associate", "till", "started_at", "active_at", "ended_at", "ended_why")
    list_filter = ("ended_why", "paired__till__store__installation")
    search_fields = ("associate__name", "paired__till__name")
    list_select_related = ("associate", "paired__till__store")
    actions = ("throw_out",)

    @admin.display(description="till")
    def till(self, obj):
        return obj.paired.till

    def has_end_permission(self, request):
        return request.user.has_perm("access.change_pinsession")

    @admin.action(description="End: they must sign in again", permissions=["end"])
    def throw_out(self, request, queryset):
        who = Who.user(request.user)
        ended = pin_sessions.end(queryset, PinSession.End.THROWN_OUT, who)
        self.message_user(request, f"{ended} ended.")


@admin.register(Tries)
class TriesAdmin(LookOnly, Audited, admin.ModelAdmin):
    """Who, and which till, guessed wrong; none is looked at before `wait_until`."""

    list_display = ("shown", "wrong", "wait_until", "last_at")
    search_fields = ("shown",)
    fields = list_display
    actions = ("unlock",)

    def get_queryset(self, request):
        return super().get_queryset(request).filter(wrong__gt=0)

    def has_unlock_permission(self, request):
        return request.user.has_perm("access.change_tries")

    @admin.action(description="Unlock", permissions=["unlock"])
    @transaction.atomic
    def unlock(self, request, queryset):
        unlocked = [row for row in queryset if tries.unlock(row.subject)]
        for row in unlocked:
            self.record(request, "unlocked", row, before={"of": row.shown, "wrong": row.wrong})
        self.message_user(request, f"{len(unlocked)} unlocked.")


@admin.register(Approval)
class ApprovalAdmin(LookOnly, admin.ModelAdmin):
    """What managers agreed to at a till, by their own PIN."""

    list_display = ("granted_at", "kind", "manager", "requester", "subject_id", "used_at")
    list_filter = ("kind",)
    list_select_related = ("manager", "requester")
    search_fields = ("manager__name", "requester__name", "subject_id__exact")


class OnThePersonsPage(LookOnly, admin.ModelAdmin):
    """Changed under PINs and badges alone."""

    search_fields = ("associate__name",)
    list_select_related = ("associate",)


@admin.register(Pin)
class PinAdmin(OnThePersonsPage):
    list_display = fields = ("associate", "is_start", "expires_at", "set_at")


@admin.register(Badge)
class BadgeAdmin(OnThePersonsPage):
    list_display = fields = ("associate", "installation")
