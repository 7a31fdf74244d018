"""Finding and enrolling members, and what they can have."""

from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from ninja import Router

from api import examples, schemas
from api.auth import ApiRequest
from api.idempotency import Answer, once
from api.problems import Problem, wrong_field
from api.telling import tell_member, tell_new_member, tell_offer
from connectors.errors import NotFound, Unavailable
from members.engine import engine
from members.enrol import Birthday, Given, NewMember, enrol
from members.identity import Email, Identity, Phone, Unreadable, read_email, read_phone
from members.keeping import found_of, keep, owe_birthday
from members.last_known import find_or_recall, find_or_recall_twin
from members.lookup import FoundMember
from members.masking import mask_email, mask_name, mask_phone
from members.models import Member
from members.names import read_name
from offers.catalogue import rank
from offers.reach import look_up
from redemptions.delayed import less_set_aside, setting_aside
from stores.models import Installation, Store
from stores.places import Place, place_of

router = Router(tags=["Members"])


@router.post("/lookup", **examples.LOOKUP)
@once()
def lookup(request: ApiRequest, body: schemas.LookUp) -> Answer:
    """Who this is, and what they have. While the engine is down: as it was last known."""
    identity = identity_of(body, request.auth.installation)
    return Answer(200, tell_member(find_or_recall(engine(), identity)))


def identity_of(
    asked: schemas.LookUp | schemas.MemberRef | schemas.NewSale | schemas.NewRefund,
    installation: Installation,
) -> Identity:
    """Asked by email or by phone: the schema sees to it that it is one of them, or an empty email
    beside a phone."""
    if asked.phone is None or asked.email:
        return Email(read_field("email", read_email, asked.email))
    return Phone(read_field("phone", read_phone, asked.phone, installation.region))


def read_field(name: str, read: Callable[..., str], *given: str | None) -> str:
    """Raises the problem that names the field."""
    try:
        return read(*given)
    except Unreadable as error:
        raise wrong_field(name, error) from None


def enrolled_before(request: ApiRequest, made: str, body: schemas.NewMember) -> Answer:
    """The member as they are now; the engine may not show them yet."""
    row = Member.objects.get(id=made)
    try:
        return Answer(200, tell_member(find_or_recall(engine(), Email(row.email))), made)
    except NotFound:
        # The store as it is, disabled or not: what was done there stays done.
        store = request.auth.installation.stores.filter(code=body.store or "").first()
        new = read_new_member(body, region_of(request, store))
        return Answer(200, tell_new_member(row, new), made)


@router.post("", **examples.ENROL)
@once(again=enrolled_before)
def enrol_member(request: ApiRequest, body: schemas.NewMember) -> Answer:
    """Make somebody a member. 200: they were one already, and nothing was changed.

    202: the engine is down; they are kept, and enrolled when it answers.
    """
    place = place_of(request.auth.installation, store=body.store, associate=body.associate)
    new = read_new_member(body, region_of(request, place.store))
    twin, same_email, reached = find_or_recall_twin(engine(), new)
    if twin is not None and same_email:
        return Answer(200, tell_member(twin), str(twin.id))
    if twin is not None and not body.force:
        raise likely_duplicate(twin)
    if reached:
        with suppress(Unavailable):
            return enrol_now(request, place, new, body)
    return keep_for_later(request, place, new, body)


def enrol_now(request: ApiRequest, place: Place, new: NewMember, body: schemas.NewMember) -> Answer:
    """Raises Unavailable where the engine went away meanwhile; nothing was done then."""
    birthday = birthday_of(body)

    def owe(member: Member) -> None:
        if birthday is not None:
            owe_birthday(member, birthday, request.auth.installation)

    member = enrol(
        engine(),
        new,
        store=place.store,
        associate=place.associate,
        consents=consents_of(body),
        by=request.auth.by(place),
        then=owe,
    )
    return Answer(201, tell_new_member(member, new), str(member.id))


def keep_for_later(
    request: ApiRequest, place: Place, new: NewMember, body: schemas.NewMember
) -> Answer:
    kept = keep(
        new,
        installation=request.auth.installation,
        store=place.store,
        associate=place.associate,
        consents=consents_of(body),
        birthday=birthday_of(body),
        by=request.auth.by(place),
    )
    return Answer(202, tell_member(found_of(kept, live=False)))


def consents_of(body: schemas.NewMember) -> list[Given]:
    return [Given(**consent.model_dump()) for consent in body.consents]


def birthday_of(body: schemas.NewMember) -> Birthday | None:
    return Birthday(**body.birthday.model_dump()) if body.birthday else None


def region_of(request: ApiRequest, store: Store | None) -> str:
    return store.phone_region if store else request.auth.installation.region


def read_new_member(body: schemas.NewMember, region: str) -> NewMember:
    return NewMember(
        email=read_field("email", read_email, body.email),
        phone=read_field("phone", read_phone, body.phone, region) if body.phone else None,
        first_name=read_field("first_name", read_name, body.first_name or "") or None,
        last_name=read_field("last_name", read_name, body.last_name or "") or None,
        marketing_emails=any(consent.granted for consent in body.consents),
    )


def likely_duplicate(twin: FoundMember) -> Problem:
    masked = {
        "name": mask_name(twin.name),
        "email": mask_email(twin.email or ""),
        "phone": mask_phone(twin.phone or ""),
    }
    return Problem(
        "likely-duplicates",
        "Ask the person whether this is them. If not, send it again with force: true.",
        duplicates=[masked],
    )


@router.get("/{uuid:member_id}/offers", **examples.OFFERS)
def list_offers(request: ApiRequest, member_id: UUID) -> Answer:
    """What the member can have in the store, those that can be had first."""
    member = Member.objects.get(id=member_id)
    found = look_up(engine(), request.auth.installation, Email(member.email))
    if found.failure is not None:
        raise found.failure
    able = less_set_aside(found.member, setting_aside(member))
    offers = rank(found.offers, able.points_available)
    return Answer(200, schemas.Offers(items=[tell_offer(able, offer) for offer in offers]))
