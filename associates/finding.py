"""Finding a sale or a member that a dialog names. Only what is of this installation is found."""

from uuid import UUID

from django.core.exceptions import BadRequest

from access.middleware import PanelRequest
from members.models import Member
from sales.models import Sale
from stores.models import Installation


def sale_of(installation: Installation, number: str) -> Sale | None:
    """By the POS's id; else by the ticket's, where only one sale was made of it."""
    sales = Sale.objects.select_related("member", "installation", "store", "till", "associate")
    here = sales.filter(installation=installation)
    found = list(here.filter(pos_id=number)[:1] or here.filter(ticket=number)[:2])
    return found[0] if len(found) == 1 else None


def find_here(request: PanelRequest, sale_id: int) -> Sale:
    """One of this installation's. Raises Sale.DoesNotExist."""
    sales = Sale.objects.select_related("member", "installation")
    return sales.get(pk=sale_id, installation=request.installation)


def read_member(given: str) -> Member | None:
    """Raises BadRequest for what is no id, Member.DoesNotExist."""
    try:
        return Member.objects.get(id=UUID(given)) if given else None
    except ValueError:
        raise BadRequest from None
