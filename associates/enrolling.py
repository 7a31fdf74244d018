"""Enrolling at the till: the form, its checks as it is typed, and the visible wait."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from access.look_ups import meter
from access.middleware import PanelRequest
from associates.answers import by, screen
from associates.member_screen import look_up, show_kept, show_member
from associates.tokens import read_new_member, sign_new_member
from connectors.errors import NotFound, ReplyLost, Throttled, Unavailable
from members.engine import engine
from members.enrol import NewMember, record_consents
from members.enrol import enrol as enrol_at_engine
from members.identity import (
    CardNumber,
    Email,
    Unreadable,
    read_email,
    read_identity,
    read_phone,
)
from members.keeping import found_of, keep
from members.last_known import find_or_recall_twin
from members.masking import mask_email, mask_name
from members.models import Enrolment, Member
from members.names import read_name

# The screen asks every second; after that many times it says that this takes longer than usual.
PATIENCE = 20


@dataclass(slots=True)
class Form:
    """What was typed, and what is wrong with it. Nothing that was typed gets lost."""

    values: dict[str, str]
    errors: dict[str, str]

    FIELDS = ("email", "phone", "first_name", "last_name")


@screen
@require_POST
def form(request: PanelRequest) -> HttpResponse:
    """An empty form, but for what was looked up. It was asked for, so it takes the focus."""
    values = prefilled(request)
    first = next(name for name in Form.FIELDS if name not in values)
    return render_form(request, Form(values, {}), first=first)


def prefilled(request: PanelRequest) -> dict[str, str]:
    """A query that can be read as an email or a phone; a card number is not repeated."""
    query = request.POST.get("query", "").strip()
    if not query:
        return {}
    try:
        identity = read_identity(query, request.till.store.phone_region)
    except CardNumber:
        return {}
    except Unreadable:
        return {}
    return {"email" if isinstance(identity, Email) else "phone": query}


@screen
@require_POST
def check_field(request: PanelRequest) -> HttpResponse:
    """One field as it was just left: what is wrong with it, or nothing.

    Whose phone it is was said of the number before.
    """
    name = request.POST.get("field", "")
    _, checked = read_form(request)
    error = checked.errors.get(name, "") if request.POST.get(name, "").strip() else ""
    context = {"error": error, "of_phone": name == "phone"}
    return render(request, "associates/enrol.html#error", context)


@screen
@require_POST
def enrol(request: PanelRequest) -> HttpResponse:
    new, checked = read_form(request)
    if new is None:
        return render_form(request, checked, status=422)
    twin, same_email, reached = find_or_recall_twin(engine(), new)
    if twin is not None:
        # Else forms would show whom look-ups no longer do.
        meter.count(request.till, request.associate)
    if twin is not None and same_email:
        found = look_up(request, Email(new.email))
        return show_member(request, found, notice="Already a member: nothing was changed.")
    # The yes is to one number: another one is asked about again.
    if twin is not None and request.POST.get("shared") != new.phone:
        likely = {
            "name": mask_name(twin.name),
            "email": mask_email(twin.email or ""),
            "phone": new.phone,
        }
        return render_form(request, checked, status=409, likely=likely)
    return send(request, new) if reached else keep_for_later(request, new)


def send(request: PanelRequest, new: NewMember) -> HttpResponse:
    """An answer that was lost is found by waiting, as any new member is; should nobody wait for it,
    the worker finds out."""
    try:
        enrol_at_engine(
            engine(), new, store=request.till.store, associate=request.associate, by=by(request)
        )
    except ReplyLost:
        keep_what_was_typed(request, new)
        return render_wait(request, new, tries=0, sure=False)
    except Unavailable:
        return keep_for_later(request, new)
    return render_wait(request, new, tries=0, sure=True)


def keep_for_later(request: PanelRequest, new: NewMember) -> HttpResponse:
    """The engine is out of reach: nothing that was typed is lost, and nobody has to come again."""
    return show_kept(request, found_of(keep_what_was_typed(request, new), live=False))


def keep_what_was_typed(request: PanelRequest, new: NewMember) -> Enrolment:
    return keep(
        new,
        installation=request.installation,
        store=request.till.store,
        associate=request.associate,
        by=by(request),
    )


@screen
@require_POST
def wait(request: PanelRequest) -> HttpResponse:
    """Is the new member there yet? It takes the engine some seconds."""
    new = read_new_member(request.POST.get("new", ""))
    tries = count(request.POST.get("tries", ""))
    sure = request.POST.get("sure") == "1"
    try:
        found = look_up(request, Email(new.email))
        if found.member.waiting and found.member.live and tries < PATIENCE:
            return render_wait(request, new, tries=tries + 1, sure=sure)
        if found.member.waiting:
            return show_kept(request, found.member)
        if not found.member.live:
            return render_wait(request, new, tries=tries, sure=sure, away=True)
    except NotFound:
        if not sure and tries >= PATIENCE:
            return render_form(request, Form(as_typed(new), {}), notice="not_there")
        return render_wait(request, new, tries=tries + 1, sure=sure)
    except (Unavailable, Throttled):
        return render_wait(request, new, tries=tries, sure=sure, away=True)
    member = Member.objects.seen(new.email)
    note_arrived(request, member, new)
    return show_member(request, found, success="Welcome! The new member is enrolled.")


def note_arrived(request: PanelRequest, member: Member, new: NewMember) -> None:
    """The engine has them. Of one whose answer was lost nothing has to be kept any more."""
    with transaction.atomic():
        record_consents(member, new.consents, request.till.store, request.associate)
        if Enrolment.objects.end_waiting_of(member):
            by(request).record("member.enrolled", member)


def read_form(request: PanelRequest) -> tuple[NewMember | None, Form]:
    values = {name: request.POST.get(name, "") for name in Form.FIELDS}
    checked = Form(values, {})
    region = request.till.store.phone_region
    email = take(checked, "email", read_email)
    phone = take(checked, "phone", lambda text: read_phone(text, region) if text.strip() else "")
    first = take(checked, "first_name", read_name)
    last = take(checked, "last_name", read_name)
    values["marketing"] = request.POST.get("marketing", "")
    if checked.errors or email is None:
        return None, checked
    marketing = values["marketing"] == "on"
    return NewMember(email, phone or None, first or None, last or None, marketing), checked


def take(checked: Form, name: str, read: Any) -> str | None:
    """The field's value read, or its error noted. A card number is not shown again."""
    try:
        value: str = read(checked.values[name])
    except Unreadable as error:
        checked.errors[name] = str(error)
        if isinstance(error, CardNumber):
            checked.values[name] = ""
        return None
    return value


def count(text: str) -> int:
    return min(int(text), 1000) if text.isascii() and text.isdigit() and len(text) < 5 else 0


def as_typed(new: NewMember) -> dict[str, str]:
    return {name: getattr(new, name) or "" for name in Form.FIELDS} | {
        "marketing": "on" if new.marketing_emails else ""
    }


def render_form(
    request: PanelRequest, checked: Form, *, status: int = 200, **extra: Any
) -> HttpResponse:
    context = {"values": checked.values, "errors": checked.errors, **extra}
    return render(request, "associates/enrol.html", context, status=status)


def render_wait(
    request: PanelRequest, new: NewMember, *, tries: int, sure: bool, away: bool = False
) -> HttpResponse:
    context = {
        "away": away,
        "new": sign_new_member(new),
        "tries": tries,
        "sure": sure,
        "long": tries >= PATIENCE,
        "name": new.first_name or "the new member",
    }
    return render(request, "associates/waiting.html", context)
