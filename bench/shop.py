"""The shop of a benchmark, in the panel's database. Runs in the panel's own environment.

python -m bench.shop bearers N      for each of N tills a bearer, a line each
python -m bench.shop offers POLICY  how offers are read: per_member or shared
"""

import sys

import django

INSTALLATION = "bench"


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


if __name__ == "__main__":
    django.setup()
    {"bearers": bearers, "offers": offers}[sys.argv[1]](sys.argv[2])
