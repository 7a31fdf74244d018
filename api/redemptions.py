"""Points turned into coupon codes, and what becomes of these."""

import base64
import binascii
from uuid import UUID

from django.db.models import Q, Subquery
from ninja import Query, Router
from pydantic import BaseModel

from api import examples, schemas
from api.auth import ApiRequest
from api.idempotency import Answer, once, required_key
from api.members import identity_of
from api.problems import Problem
from api.telling import tell_redemption, with_clock
from members.engine import engine
from members.identity import Email
from members.lookup import find_member
from members.models import Member
from redemptions import actions, life
from redemptions.actions import NO_POINTS_FOR, Act, Asked
from redemptions.delayed import Agreed
from redemptions.errors import CannotUndo, EndsOpenCode, MemberCannotRedeem, NotWithdrawn
from redemptions.models import PendingRedemption, PendingRedemptionQuerySet
from redemptions.settling import see_to
from redemptions.states import UNDER_WAY, Reason, State
from redemptions.withdrawal import Withdrawal
from stores.models import Installation
from stores.places import place_of

router = Router(tags=["Redemptions"])

# Why nothing was taken -> kind of problem, and what to do.
REFUSALS: dict[str, tuple[str, str]] = {
    Reason.NOT_SENT: (
        "engine-unavailable",
        "No points were taken. Send the same again with the same Idempotency-Key.",
    ),
    Reason.THROTTLED: (
        "engine-busy",
        "No points were taken. Wait, then send the same again with the same Idempotency-Key.",
    ),
    Reason.MISCONFIGURED: (
        "engine-misconfigured",
        "No points were taken. The shop's keys for the loyalty engine are wrong; when they have "
        "been mended, send it with a new Idempotency-Key.",
    ),
    Reason.ENGINE_SAID_NO: ("engine-said-no", "The loyalty engine said no. No points were taken."),
}

NO_TICKET = schemas.Hold()
# Points that can't be given back -> kind of problem.
NOT_REVERSED = {
    State.USED: "already-used",
    State.REFUSED: "nothing-to-reverse",
    State.NOT_MADE: "nothing-to-reverse",
    State.DISPUTED: "disputed",
}


def redeemed_before(request: ApiRequest, made: str, body: schemas.Redeem) -> Answer:
    return answer(find(request, UUID(made)), new=False)


@router.post("", **examples.REDEEM)
@once(again=redeemed_before)
def redeem(request: ApiRequest, body: schemas.Redeem) -> Answer:
    """Turn points into a code, once for an Idempotency-Key.

    202: the engine's answer was lost, and points may be gone. Read it again until it is settled;
    never make another one instead.
    """
    installation = request.auth.installation
    key = required_key(request)
    place = place_of(installation, store=body.store, till=body.till, associate=body.associate)
    act = Act(
        key=key,
        installation=installation,
        till=place.till,
        associate=place.associate,
        ticket=body.ticket or "",
        store=place.store,
        ends=Agreed(body.ends, Withdrawal(said=True)) if body.ends else None,
    )
    is_repeat = act.earlier() is not None
    try:
        redemption = actions.redeem(
            engine=engine(),
            act=act,
            member=member_of(body.member, installation),
            offer_id=body.offer_id,
            points=body.points,
            another=True,  # a new key is a new act: the POS lists the open codes itself
            by=request.auth.by(place),
        )
    except EndsOpenCode as error:
        raise ends_open_code(error.redemption) from None
    if is_repeat:
        see_to(engine(), redemption)
    return answer(redemption, new=not is_repeat)


def ends_open_code(older: PendingRedemption) -> Problem:
    return Problem(
        "ends-open-code",
        "The member has one delayed code at a time. Stop taking that one, then send this with its "
        "id as ends, and with a new Idempotency-Key.",
        ends={"id": str(older.id), "code": older.code},
    )


def member_of(asked: schemas.MemberRef, installation: Installation) -> Member:
    """The member under the email that the engine has, not the one that was typed."""
    if asked.id is not None:
        return Member.objects.get(id=asked.id)
    identity = identity_of(asked, installation)
    known = Member.objects.with_email(identity.address) if isinstance(identity, Email) else None
    if known is not None:
        return known
    found = find_member(engine(), identity)
    if found.id is None:
        raise MemberCannotRedeem(NO_POINTS_FOR["no_email"])
    return Member.objects.get(id=found.id)


def answer(redemption: PendingRedemption, *, new: bool) -> Answer:
    """Raises the problem that a refused one is."""
    if redemption.state == State.REFUSED:
        raise refusal(redemption)
    status = 202 if redemption.state in UNDER_WAY else 201 if new else 200
    return Answer(status, tell_redemption(redemption), str(redemption.id))


def refusal(redemption: PendingRedemption) -> Problem:
    kind, detail = REFUSALS[redemption.reason]
    if redemption.engine_words:
        detail = f"The loyalty engine said no: {redemption.engine_words}. No points were taken."
    wait = {"Retry-After": "1"} if kind == "engine-busy" else {}
    return Problem(kind, detail, headers=wait)


@router.get("/{uuid:redemption_id}", **examples.REDEMPTION)
def read_redemption(request: ApiRequest, redemption_id: UUID) -> Answer:
    """One redemption as it stands."""
    return Answer(200, tell_redemption(find(request, redemption_id)))


def find(request: ApiRequest, redemption_id: UUID) -> PendingRedemption:
    """One of this installation's. Raises PendingRedemption.DoesNotExist."""
    rows = PendingRedemption.objects.select_related("member", "installation")
    return rows.get(installation=request.auth.installation, id=redemption_id)


def held_before(request: ApiRequest, made: str, redemption_id: UUID, body: schemas.Hold) -> Answer:
    redemption = find(request, redemption_id)
    if redemption.state != State.ISSUED:
        raise Problem("no-longer-counts", "It counted when this was asked first, and does no more.")
    return Answer(200, tell_redemption(redemption), made)


@router.post("/{uuid:redemption_id}/hold", **examples.HOLD)
@once(again=held_before)
def hold(request: ApiRequest, redemption_id: UUID, body: schemas.Hold = NO_TICKET) -> Answer:
    """Payment starts: does the code count? Its lease stands still for half an hour at most."""
    redemption = find(request, redemption_id)
    life.hold(redemption, body.ticket or "", by=request.auth.by())
    return Answer(200, tell_redemption(redemption), str(redemption.id))


def reversed_before(
    request: ApiRequest, made: str, redemption_id: UUID, body: schemas.Reverse
) -> Answer:
    return answer_reversal(find(request, redemption_id))


@router.post("/{uuid:redemption_id}/reverse", **examples.REVERSE)
@once(again=reversed_before)
def reverse(request: ApiRequest, redemption_id: UUID, body: schemas.Reverse) -> Answer:
    """Give the points back. 202: promised and under way; read the redemption again."""
    redemption = find(request, redemption_id)
    place = place_of(request.auth.installation, associate=body.associate)
    if redemption.state == State.ISSUED and not body.withdrawn:
        raise Problem(
            "not-withdrawn",
            "The POS must stop taking the code first. Then send withdrawn: true.",
        )
    try:
        actions.undo(
            engine=engine(),
            redemption=redemption,
            withdrawal=Withdrawal(body.withdrawn),
            asked=Asked(
                associate=place.associate,
                why=body.reason or "",
                by=request.auth.by(place, body.reason or ""),
            ),
        )
    except NotWithdrawn:
        raise Problem(
            "not-withdrawn",
            "The code is still on a sale. Take it off there, then send withdrawn: true.",
        ) from None
    except CannotUndo as error:
        raise Problem(NOT_REVERSED[State(redemption.state)], str(error)) from None
    return answer_reversal(redemption)


def answer_reversal(redemption: PendingRedemption) -> Answer:
    state = State(redemption.state)
    if state in NOT_REVERSED:
        raise Problem(NOT_REVERSED[state], "It ended otherwise: read the redemption.")
    status = 202 if state in {*UNDER_WAY, State.REVERSING} else 200
    return Answer(status, tell_redemption(redemption), str(redemption.id))


@router.get("", **examples.REDEMPTIONS)
def list_redemptions(request: ApiRequest, asked: Query[schemas.Redemptions]) -> Answer:
    """This installation's redemptions, the newest first."""
    refuse_unknown(request, schemas.Redemptions)
    last = last_shown(request, asked.cursor) if asked.cursor else None
    page = list(newest_first(request.auth.installation, asked, last)[: asked.limit + 1])
    more = len(page) > asked.limit
    items = page[: asked.limit]
    return Answer(
        200,
        schemas.Page(
            items=[tell_redemption(redemption) for redemption in items],
            next_cursor=cursor_after(items[-1]) if more else None,
        ),
    )


def newest_first(
    installation: Installation, asked: schemas.Redemptions, last: PendingRedemption | None
) -> PendingRedemptionQuerySet:
    """Those that were asked for, older than the last one of the page before."""
    rows = with_clock(PendingRedemption.objects.filter(installation=installation))
    if asked.ticket:
        rows = rows.filter(ticket=asked.ticket)
    if asked.state:
        rows = rows.filter(state=asked.state)
    if last is not None:
        rows = rows.filter(older_than(last))
    return rows.order_by("-requested_at", "-id")


def refuse_unknown(request: ApiRequest, asked: type[BaseModel]) -> None:
    """A filter that is misspelt must not be taken for none, nor one of two for both."""
    unknown = sorted(request.GET.keys() - asked.model_fields.keys())
    twice = [name for name, given in request.GET.lists() if len(given) > 1]
    errors = [{"field": name, "detail": "There is no such parameter."} for name in unknown]
    errors += [{"field": name, "detail": "Give it once."} for name in twice]
    if errors:
        raise Problem("invalid-fields", "Correct the fields named in errors.", errors=errors)


def cursor_after(last: PendingRedemption) -> str:
    return base64.urlsafe_b64encode(last.id.bytes).decode().rstrip("=")


def older_than(last: PendingRedemption) -> Q:
    """In the order of the list. The database compares what it stored: to the digit, on each.

    An index is entered where the first half says; the other half alone is an "or", which it reads
    from the newest on.
    """
    itself = PendingRedemption.objects.filter(pk=last.pk).order_by()
    moment = Subquery(itself.values("requested_at")[:1])
    return Q(requested_at__lte=moment) & (Q(requested_at__lt=moment) | Q(id__lt=last.pk))


def last_shown(request: ApiRequest, cursor: str) -> PendingRedemption:
    try:
        last_id = UUID(bytes=base64.urlsafe_b64decode(f"{cursor}=="))
        return find(request, last_id)
    except (binascii.Error, ValueError, PendingRedemption.DoesNotExist):
        wrong = {"field": "cursor", "detail": "Send next_cursor as it was given."}
        raise Problem("invalid-fields", "The cursor can't be read.", errors=[wrong]) from None
