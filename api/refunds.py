"""Refunds that a POS reports, and what one would do."""

from ninja import Router

from api import examples, schemas
from api.auth import ApiRequest
from api.idempotency import Answer, once
from api.members import identity_of
from members.engine import engine
from members.identity import Email, Phone
from sales.errors import NoSuchSale
from sales.items import warnings_of
from sales.models import Refund
from sales.preview import preview
from sales.record import find_sale
from sales.refunds import NewRefund, record_refund
from stores.models import Installation
from stores.places import place_of

router = Router(tags=["Refunds"])

OPEN = (Refund.State.WAITING, Refund.State.KEPT)


def recorded_before(request: ApiRequest, made: str, body: schemas.NewRefund) -> Answer:
    refunds = Refund.objects.select_related("sale")
    return answer(refunds.get(installation=request.auth.installation, pk=made), body, new=False)


@router.post("", **examples.REFUND)
@once(again=recorded_before)
def report_refund(request: ApiRequest, body: schemas.NewRefund) -> Answer:
    """Take back what a sale earned, by the share that is refunded.

    It may come before its sale (202): it then waits. Without `sale_id` it is kept for a manager,
    who finds the sale (202). Fields that are not known are kept and named in `warnings`.
    """
    installation = request.auth.installation
    place = place_of(installation, store=body.store, till=body.till, associate=body.associate)
    recorded = record_refund(
        installation, read_refund(body, installation), place, by=request.auth.by(place)
    )
    return answer(recorded.refund, body, new=recorded.is_new)


def read_refund(body: schemas.NewRefund, installation: Installation) -> NewRefund:
    """Raises Unreadable for an email or phone that is none."""
    shopper = identity_of(body, installation) if body.email or body.phone else None
    return NewRefund(
        pos_id=body.id,
        sale_id=body.sale_id or "",
        bought_online=body.bought_online,
        total_cents=body.total_cents,
        currency=body.currency,
        email=shopper.address if isinstance(shopper, Email) else "",
        phone=shopper.number if isinstance(shopper, Phone) else "",
        items=tuple(item.model_dump() for item in body.items),
        told=dict(body.model_extra or {}),
    )


def answer(refund: Refund, body: schemas.NewRefund, *, new: bool) -> Answer:
    told = schemas.Refund(
        id=refund.pos_id,
        sale_id=refund.named_sale or None,
        state=Refund.State(refund.state),
        reason=refund.reason or None,
        delivery=refund.delivery,
        not_delivered=(refund.sale.not_delivered if refund.sale else "") or None,
        warnings=[
            *(f"{name}: not known; kept and not used" for name in body.unknown()),
            *warnings_of(refund),
        ],
    )
    status = 202 if refund.state in OPEN else 201 if new else 200
    return Answer(status, told, str(refund.pk))


@router.post("/preview", **examples.REFUND_PREVIEW)
@once()
def preview_refund(request: ApiRequest, body: schemas.PreviewRefund) -> Answer:
    """What a refund would do to the member's points. An estimate: nothing is recorded or told."""
    sale = find_sale(request.auth.installation, body.sale_id)
    if sale is None:
        raise NoSuchSale
    items = [item.model_dump() for item in body.items]
    return Answer(
        200, schemas.RefundPreview.model_validate(preview(engine(), sale, body.total_cents, items))
    )
