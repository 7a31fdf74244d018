"""What somebody might try who has a bearer, a manager's cookie, or a name with HTML in it."""

import uuid
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from members.models import Member
from redemptions.models import PendingRedemption
from redemptions.states import State
from stores.models import Associate, Installation, Store, Till
from tests.access.at_till import give_pin
from tests.associates.panel import FIVE_OFF, NEVER_SEEN, Panel, text_of

pytestmark = pytest.mark.django_db

# Every address that a redemption's id stands in.
ACTS: dict[str, Callable[[Panel, str, str], HttpResponse]] = {
    "": lambda panel, path, member: panel.get(path, {"member": member}),
    "/news": lambda panel, path, member: panel.get(path, {"member": member}),
    "/ask-manager": lambda panel, path, member: panel.get(path, {"member": member}),
    "/check": lambda panel, path, member: panel.post(path, {"member": member}),
    "/extend": lambda panel, path, member: panel.post(path, {"member": member}),
    "/undo": lambda panel, path, member: panel.post(path, {"member": member, "withdrawn": "1"}),
    "/approve": lambda panel, path, member: panel.post(path, {"member": member}),
    "/applied": lambda panel, path, member: panel.post(path, {"member": member}),
    "/keep": lambda panel, path, member: panel.post(path, {"member": member}),
}
every_act = pytest.mark.parametrize("act", ACTS)


@pytest.fixture
def elsewhere(panel: Panel) -> Panel:
    """Of another merchant on this server."""
    place = Installation.objects.create(id="elsewhere", name="Elsewhere")
    store = Store.objects.create(installation=place, code="paris", name="Paris")
    till = Till.objects.create(store=store, code="9", name="Till 9")
    return Panel(till, Associate.objects.create(installation=place, code="eve", name="Eve"))


def tried(panel: Panel, act: str, redemption_id: uuid.UUID, member: str) -> HttpResponse:
    return ACTS[act](panel, f"redemptions/{redemption_id}{act}", member)


def test_every_address_with_a_redemption_is_tried_here() -> None:
    from associates.urls import urlpatterns

    known = {f"redemptions/<uuid:redemption_id>{act}" for act in ACTS}
    assert known == {str(one.pattern) for one in urlpatterns if "redemption_id" in str(one.pattern)}


@every_act
def test_whoever_may_not_learns_not_even_that_it_is_there(
    panel: Panel, elsewhere: Panel, redeemed: PendingRedemption, bea: Member, act: str
) -> None:
    mine = str(redeemed.member_id)
    answers = {
        "one that never was": tried(panel, act, NEVER_SEEN, mine),
        "without its member": tried(panel, act, redeemed.id, ""),
        "with another member": tried(panel, act, redeemed.id, str(bea.id)),
        "with a member that never was": tried(panel, act, redeemed.id, str(NEVER_SEEN)),
        "from another merchant's till": tried(elsewhere, act, redeemed.id, mine),
    }
    told = {name: (answer.status_code, text_of(answer)) for name, answer in answers.items()}
    assert set(told.values()) == {told["one that never was"]}
    assert told["one that never was"][0] == 404
    assert redeemed.code not in str(told)
    before = PendingRedemption.objects.values().get()
    assert (before["state"], before["applied_at"]) == (State.ISSUED, None)


@every_act
def test_a_managers_cookie_opens_no_panel(redeemed: PendingRedemption, act: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("boss"))
    path = f"/panel/shop/redemptions/{redeemed.id}{act}"
    for answer in (client.get(path), client.post(path, {"member": str(redeemed.member_id)})):
        assert answer.status_code == 401


MANAGERS = ["admin:index", "admin:access_pair", "admin:access_person_changelist"]


@pytest.mark.parametrize("page", MANAGERS)
def test_a_bearer_opens_no_managers_page(panel: Panel, page: str) -> None:
    """Not a manager's either: who they are at a till is not who they are in the admin."""
    panel.associate.role = Associate.Role.MANAGER
    panel.associate.save()
    for send in (panel.client.get, panel.client.post):
        answer = send(reverse(page), headers=panel.headers)
        assert answer.status_code in {302, 403}
        assert answer.status_code == 403 or "/admin/login/" in answer["Location"]


@pytest.mark.parametrize(
    ("page", "fields"),
    [
        ("admin:access_pair", {"code": "CCCC-CCCC", "answer": "approve", "till": "1"}),
        ("admin:access_person_changelist", {"action": "start_pin", "_selected_action": "1"}),
        ("admin:access_pairedtill_changelist", {"action": "unpair", "_selected_action": "1"}),
        ("admin:access_launchsecret_changelist", {"action": "revoke", "_selected_action": "1"}),
        ("admin:stores_installation_add", {"id": "x", "name": "x"}),
        ("admin:redemptions_pendingredemption_changelist", {"action": "x"}),
    ],
)
def test_a_foreign_page_posts_nothing_in_a_managers_name(
    db: None, page: str, fields: dict[str, str]
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("boss"))
    assert client.post(reverse(page), fields).status_code == 403


HTML = "<img src=x onerror=alert(1)>"


@pytest.fixture
def odd_names(panel: Panel, installation: Installation) -> Panel:
    """Every name that a POS, a manager or an import could bring."""
    for model in (Installation, Store, Till, Associate):
        model.objects.update(name=HTML)
    manager = Associate.objects.create(
        installation=installation, code="mel", name=HTML, role=Associate.Role.MANAGER
    )
    give_pin(manager)
    return Panel(Till.objects.get(), Associate.objects.get(code="ana"))


def test_html_in_a_name_is_text_in_the_panel(odd_names: Panel, mara: Member) -> None:
    coupon = odd_names.redeem(odd_names.act(mara, FIVE_OFF))
    redemption = PendingRedemption.objects.get()
    PendingRedemption.objects.update(applied_at=redemption.requested_at)
    query = {"member": str(redemption.member_id)}
    asking = odd_names.get(f"redemptions/{redemption.id}/ask-manager", query)
    shown = [odd_names.get("session"), odd_names.look_up("mara@example.com"), coupon, asking]
    for answer in shown:
        assert answer.status_code == 200
        assert b"<img" not in answer.content
    assert HTML in text_of(shown[0])
    assert b"&lt;img" in asking.content  # a manager's name, shortened


@pytest.mark.parametrize(
    "page",
    [
        "admin:stores_installation_changelist",
        "admin:stores_store_changelist",
        "admin:stores_till_changelist",
        "admin:stores_associate_changelist",
        "admin:access_person_changelist",
        "admin:access_bearer_changelist",
        "admin:redemptions_pendingredemption_changelist",
        "admin:audit_entry_changelist",
    ],
)
def test_html_in_a_name_is_text_in_the_admin(odd_names: Panel, mara: Member, page: str) -> None:
    odd_names.redeem(odd_names.act(mara, FIVE_OFF))
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    answer = client.get(reverse(page))
    assert answer.status_code == 200
    assert b"<img src=x" not in answer.content
    assert b"&lt;img src=x" in answer.content


def test_no_answer_repeats_the_bearer_or_tells_other_sites_an_address(
    panel: Panel, redeemed: PendingRedemption
) -> None:
    token = panel.headers["Authorization"].removeprefix("Bearer ")
    answer = panel.get(f"redemptions/{redeemed.id}", {"member": str(redeemed.member_id)})
    assert token not in text_of(answer)
    assert answer["Referrer-Policy"] == "same-origin"
