"""Who calls: a POS's server, by the API key of its installation."""

from dataclasses import dataclass

from django.http import HttpRequest
from ninja.security import HttpBearer

from access.models import ApiKey
from api.rates import Allowance, take
from audit.record import By, Where, Who
from stores.models import Installation
from stores.places import Place


@dataclass(frozen=True, slots=True)
class Caller:
    installation: Installation
    key: ApiKey
    allowance: Allowance

    def by(self, place: Place | None = None, reason: str = "") -> By:
        """For the trail: this key, the associate and the place that the body names, and why."""
        where = Where.at(
            till=place.till if place else None,
            store=place.store if place else None,
            installation=self.installation,
        )
        return By(Who.key(self.key, place.associate if place else None), where, reason)


class ApiRequest(HttpRequest):
    """What a call is given once its key was found to be good."""

    auth: Caller
    id: str


class ApiKeyBearer(HttpBearer):
    """One read, no write. Raises TooMany where the key's allowance is used up."""

    openapi_bearerFormat = "API key"  # noqa: N815 - OpenAPI's own name

    def authenticate(self, request: HttpRequest, token: str) -> Caller | None:
        key = ApiKey.of_secret(token.strip())
        if key is None:
            return None
        allowance = take(str(key.pk))
        request.allowance = allowance  # type: ignore[attr-defined]
        allowance.check()
        return Caller(key.installation, key, allowance)
