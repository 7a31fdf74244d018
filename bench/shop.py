"""The shop of a benchmark, in the panel's database. Runs in the panel's own environment.

python -m bench.shop bearers N      for each of N tills a bearer, a line each
python -m bench.shop offers POLICY  how offers are read: per_member or shared
python -m bench.shop key            an API key
python -m bench.shop members MAILS  who was met at a till before, of that file
python -m bench.shop orders N MAILS N more sales of that file's members, to be told to the engine
"""

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django

INSTALLATION = "bench"
A_BATCH = 2000


def bearers(count: str) -> None:
    from access.models import Bearer
    from stores.models import Associate, Installation, Store, Till

    installation, _ = Installation.objects.get_or_create(id=INSTALLATION, name="Benchmark")
    store, _ = Store.objects.get_or_create(installation=installation, code="1", name="Store")
    associate, _ = Associate.objects.get_or_create(installation=installation, code="1", name="Ana")
    for number in range(int(count)):
        till, _ = Till.objects.get_or_create(store=store, code=str(number), name=f"Till {number}")
        print(Bearer.issue(till, associate))


def offers(policy: str) -> None:
    from stores.models import Installation

    Installation.objects.filter(id=INSTALLATION).update(offer_policy=policy)


def key() -> None:
    from access.models import ApiKey
    from stores.models import Installation

    installation, _ = Installation.objects.get_or_create(id=INSTALLATION, name="Benchmark")
    print(ApiKey.issue(installation))


def members(mails: str) -> None:
    from members.models import Member

    for mail in Path(mails).read_text().split():
        Member.objects.seen(mail)


def orders(count: str, mails: str) -> None:
    """As if as many sales had been recorded while nobody could tell the engine of them."""
    from django.db import transaction
    from django.db.models.functions import Now

    from members.models import Member
    from outbox.models import Delivery
    from sales.models import ORDER, Sale
    from stores.models import Installation

    installation, _ = Installation.objects.get_or_create(id=INSTALLATION, name="Benchmark")
    members = [Member.objects.seen(mail) for mail in Path(mails).read_text().split()]
    first = Sale.objects.count()
    for numbers in batched(range(first, first + int(count)), A_BATCH):
        with transaction.atomic():
            sales = Sale.objects.bulk_create(
                Sale(
                    installation=installation,
                    pos_id=f"S-{number}",
                    order_id=f"S-{number}",
                    member=members[number % len(members)],
                    completed_at=datetime.now(UTC),
                    total_cents=100,
                    currency="USD",
                )
                for number in numbers
            )
            deliveries = Delivery.objects.bulk_create(
                Delivery(
                    kind=ORDER,
                    key=sale.order_id,
                    installation_id=INSTALLATION,
                    payload=sale.facts(),
                    order_by=f"sale:{sale.pk}",
                    due_at=Now(),
                    woken_at=Now(),
                )
                for sale in sales
            )
            wake_all([delivery.pk for delivery in deliveries])


def wake_all(ids: list[int]) -> None:
    """The tasks that `outbox.tasks.wake` would write one by one."""
    from django.conf import settings

    if settings.TASKS_ENGINE == "procrastinate":
        from procrastinate.contrib.django import app

        from outbox.engines.procrastinate_backend import NAME

        jobs: Any = [{"path": "outbox.tasks.deliver", "args": [pk], "kwargs": {}} for pk in ids]
        app.configure_task(NAME, queue="default", priority=0).batch_defer(*jobs)
        return
    from django_tasks_db.models import DBTaskResult

    from outbox.tasks import deliver

    like = DBTaskResult.objects.get(id=deliver.enqueue(ids[0]).id)
    fields = {
        field.attname: getattr(like, field.attname)
        for field in DBTaskResult._meta.fields
        if not field.primary_key
    }
    DBTaskResult.objects.bulk_create(
        DBTaskResult(**{**fields, "args_kwargs": {"args": [pk], "kwargs": {}}}) for pk in ids[1:]
    )


def batched(numbers: range, size: int) -> Iterator[range]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


if __name__ == "__main__":
    django.setup()
    acts: dict[str, Callable[..., None]] = {
        "bearers": bearers,
        "offers": offers,
        "key": key,
        "members": members,
        "orders": orders,
    }
    acts[sys.argv[1]](*sys.argv[2:])
