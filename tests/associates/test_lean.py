"""What a look-up costs us beside the engine: counted here; timed in bench/."""

import gzip

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from members.models import Member
from redemptions.models import PendingRedemption
from tests.associates.panel import FIVE_OFF, TEN_OFF, Panel


@pytest.mark.database
def test_a_look_up_reads_bearer_member_and_open_codes_and_no_more(
    panel: Panel, mara: Member
) -> None:
    with CaptureQueriesContext(connection) as queries:
        panel.look_up(mara.email)
    asked = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    assert [name_of_table(sql) for sql in asked] == [
        "access_bearer",
        "members_member",
        "redemptions_pendingredemption",
    ]


def test_however_many_codes_are_open_it_is_as_many_reads(panel: Panel, sandbox, mara) -> None:
    sandbox.adjust(mara.email, 5_000)
    counts = []
    for offer in (FIVE_OFF, TEN_OFF):
        panel.redeem(panel.act(mara, offer))
        with CaptureQueriesContext(connection) as queries:
            panel.look_up(mara.email)
        counts.append(len(queries))
    assert PendingRedemption.objects.count() == 2
    assert counts[0] == counts[1]


def name_of_table(sql: str) -> str:
    return sql.partition(' FROM "')[2].partition('"')[0]


@pytest.mark.django_db
def test_a_till_is_given_no_cookie_and_none_of_its_own_is_read(panel: Panel, mara: Member) -> None:
    """A manager may be logged in at the same browser."""
    panel.client.force_login(User.objects.create_superuser("manager"))
    with CaptureQueriesContext(connection) as queries:
        answer = panel.look_up(mara.email)
    assert not answer.cookies
    assert not hasattr(answer.wsgi_request, "session")
    assert not [query for query in queries if "django_session" in query["sql"]]
    assert "Cookie" not in answer.get("Vary", "")


@pytest.mark.django_db
def test_a_manager_is_still_known_in_the_admin(panel: Panel) -> None:
    panel.client.force_login(User.objects.create_superuser("manager"))
    assert panel.client.get("/admin/").status_code == 200


def test_an_answer_travels_compressed(panel: Panel, mara: Member) -> None:
    panel.headers["Accept-Encoding"] = "gzip"
    answer = panel.look_up(mara.email)
    assert answer["Content-Encoding"] == "gzip"
    assert "Mara Quill" in gzip.decompress(answer.content).decode()
