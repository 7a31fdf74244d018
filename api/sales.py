"""Sales that a POS reports, and their voids."""

from typing import Any

from ninja import Router

from api import examples, schemas
from api.auth import ApiRequest
from api.idempotency import Answer, once
from api.members import identity_of
from api.redemptions import member_of
from api.telling import tell_redemption
from members.engine import engine
from members.identity import Email, Phone
from redemptions.settling import see_to
from redemptions.states import State
from sales.claims import attach
from sales.errors import NoSuchSale
from sales.models import Sale
from sales.record import NewSale, find_sale, record, void
from stores.models import Installation
from stores.places import place_of

router = Router(tags=["Sales"])
EMPTY = schemas.Void(reason=None)


def recorded_before(request: ApiRequest, made: str, body: schemas.NewSale) -> Answer:
    sales = Sale.objects.select_related("installation")
    return answer(sales.get(installation=request.auth.installation, pk=made), body, new=False)


@router.post("", **examples.SALE)
@once(again=recorded_before)
def report_sale(request: ApiRequest, body: schemas.NewSale) -> Answer:
    """Record a completed sale: its codes are used, and the engine is told of the order, once.

    Fields that are not known are kept and named in `warnings`: no sale is lost for them. A sale of
    nothing is reported as well, for its codes.
    """
    installation = request.auth.installation
    place = place_of(installation, store=body.store, till=body.till, associate=body.associate)
    recorded = record(installation, read_sale(body, installation), place, by=request.auth.by(place))
    return answer(recorded.sale, body, new=recorded.is_new)


def read_sale(body: schemas.NewSale, installation: Installation) -> NewSale:
    """Raises Unreadable for an email or phone that is none."""
    buyer = identity_of(body, installation) if body.email or body.phone else None
    return NewSale(
        pos_id=body.id,
        ticket=body.ticket or "",
        completed_at=body.completed_at,
        total_cents=body.total_cents,
        discount_cents=body.discount_cents,
        currency=body.currency,
        email=buyer.address if isinstance(buyer, Email) else "",
        phone=buyer.number if isinstance(buyer, Phone) else "",
        coupon_codes=tuple(body.coupon_codes),
        items=tuple(item.model_dump(exclude_none=True) for item in body.items),
        origin=body.origin or "",
        online_order_id=body.online_order_id or "",
        told=told_besides(body),
    )


def told_besides(body: schemas.NewSale) -> dict[str, Any]:
    """What we keep and do not use: known words of the platforms, and unknown fields."""
    known = body.model_dump(include={"order_type", "source"}, exclude_none=True)
    return known | (body.model_extra or {})


def answer(sale: Sale, body: schemas.NewSale, *, new: bool) -> Answer:
    told = schemas.Sale(
        id=sale.pos_id,
        delivery=sale.delivery,
        not_delivered=sale.not_delivered or None,
        codes=[schemas.CodeOutcome.model_validate(code) for code in sale.coupon_codes],
        warnings=[f"{name}: not known; kept and not used" for name in body.unknown()],
    )
    return Answer(201 if new else 200, told, str(sale.pk))


@router.post("/{pos_id}/attach", **examples.ATTACH)
@once()
def attach_sale(request: ApiRequest, pos_id: schemas.PosId, body: schemas.Attach) -> Answer:
    """Say whose a sale is that named no known member: somebody who enrolled after paying.

    Within what the installation allows a till; else a manager claims it.
    """
    installation = request.auth.installation
    place = place_of(installation, store=body.store, till=body.till, associate=body.associate)
    sale = find_sale(installation, pos_id)
    if sale is None:
        raise NoSuchSale
    member = member_of(body.member, installation)
    made = attach(sale, member, place, request.auth.by(place))
    return Answer(
        200,
        schemas.AttachedSale(
            id=sale.pos_id,
            member=schemas.MemberId(id=member.id),
            delivery=made.sale.delivery,
            attached_at=made.claimed_at,
        ),
    )


@router.post("/{pos_id}/void", **examples.VOID)
@once()
def void_sale(request: ApiRequest, pos_id: schemas.PosId, body: schemas.Void = EMPTY) -> Answer:
    """Take a sale back, by its id, or an open sale by its ticket. Its open codes are reversed.

    `refund`: the engine had heard of the sale, so it is told of a refund of the whole.
    """
    voided = void(
        request.auth.installation,
        pos_id,
        body.reason or "",
        by=request.auth.by(reason=body.reason or ""),
    )
    for redemption in voided.codes:
        if redemption.state == State.REVERSING:
            see_to(engine(), redemption)
    return Answer(
        200,
        schemas.VoidedSale(
            id=pos_id,
            refund=voided.refund,
            codes=[tell_redemption(redemption) for redemption in voided.codes],
        ),
    )
