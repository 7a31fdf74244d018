"""Launch: how a POS says, with its signature, which till and which person a panel serves.

A POS that can sign gives its tokens to the panel over the bridge (level A) or posts one into the
frame (level B). A token is good once, for a minute or two.
"""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import jwt
import structlog
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic import ValidationError as NotAsItShouldBe

from access.keys import LaunchSecret, digest, new_secret
from audit.models import Entry
from audit.record import Where, Who, record
from stores.models import Associate, Installation, Till
from stores.places import Disabled, place_of, rename

log = structlog.get_logger(__name__)

ALGORITHM = "HS256"
LONGEST_LIFE_SECONDS = 120
LEEWAY_SECONDS = 10
LONGEST_TOKEN = 4096
CODE_LIFE = timedelta(seconds=30)
NEEDED = ["iss", "aud", "sub", "name", "role", "store", "till", "iat", "nbf", "exp", "jti"]
# What is said of a token before its signature is known to be right.
UNSIGNED = {"malformed", "signature"}
REFUSED = "launch.refused"
MOST_REFUSALS_NOTED = 20  # of an installation within that time; the log has them all
NOTED_WITHIN = timedelta(hours=1)
HOW = "docs/bridge.md says how one is made."

# No name and no database has that sign.
NO_NUL = r"^[^\x00]*$"
# The end of the year 9999, after which no date can be told.
Moment = Annotated[int | float, Field(ge=0, le=253_402_300_799)]
PosCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]


class LaunchRefused(Exception):
    """In words for whoever stands at the till or sets it up. `status` is HTTP's, `why` a word."""

    def __init__(self, why: str, detail: str, status: int = 401) -> None:
        super().__init__(detail)
        self.why, self.status = why, status


class Claims(BaseModel):
    """What a launch token says. Times are seconds since 1970 in UTC, by the POS's clock."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    sub: PosCode
    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=NO_NUL)
    ]
    role: Literal["associate", "manager"]
    store: PosCode
    till: PosCode
    iat: Moment
    nbf: Moment
    exp: Moment
    jti: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    sale: PosCode | None = None


@dataclass(frozen=True)
class Launched:
    """Who stands where; `sale` is the POS's id of the open sale, where it told one."""

    till: Till
    associate: Associate
    sale: str = ""


class UsedToken(models.Model):
    """A launch token that was traded. The row's uniqueness is what makes it good only once."""

    installation = models.ForeignKey(Installation, models.CASCADE)
    jti_sha256 = models.CharField(max_length=64)
    expires_at = models.DateTimeField(db_index=True, help_text="By the POS's clock.")

    class Meta:
        app_label = "access"
        constraints = (
            models.UniqueConstraint(
                fields=["installation", "jti_sha256"], name="a_launch_token_is_good_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.installation_id} until {self.expires_at:%H:%M:%S}"


class LaunchCode(models.Model):
    """Stands in a shell that a POS opened by posting a token: traded once, within 30 seconds."""

    code_sha256 = models.CharField(max_length=64, unique=True)
    till = models.ForeignKey(Till, models.CASCADE)
    associate = models.ForeignKey(Associate, models.CASCADE)
    sale = models.CharField(max_length=64, blank=True)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "access"

    def __str__(self) -> str:
        return f"{self.associate} at {self.till}"


def by_token(token: str, installation_id: str, audiences: list[str]) -> Launched:
    """The place that a signed token names; it cannot be used again. `audiences` are our origins.

    A store, till or associate not yet known is made. Raises LaunchRefused.
    """
    secret = secret_of(token, installation_id)
    claims = None
    try:
        claims = read_claims(token, secret, installation_id, audiences)
        check_times(claims, time.time())
        with transaction.atomic():
            use_up(secret.installation, claims)
            return launched(secret, claims)
    except LaunchRefused as refused:
        if refused.why not in UNSIGNED:
            try_to_note(secret, refused, claims)
        raise


def try_to_note(secret: LaunchSecret, refused: LaunchRefused, claims: Claims | None) -> None:
    try:
        note_refusal(secret, refused, claims)
    except DatabaseError:
        # Why they can't go on is what somebody waits to read.
        log.exception("launch.refusal_lost")


def note_refusal(secret: LaunchSecret, refused: LaunchRefused, claims: Claims | None) -> None:
    """For a manager. Only of tokens that are signed rightly: anybody could fill the trail else.

    Whoever has one of them could do so too, by sending it again and again: so many an hour.
    """
    where = Where.at(installation=secret.installation)
    noted = Entry.objects.filter(act=REFUSED, installation=where.installation).order_by("-id")
    last = list(noted.values_list("at", flat=True)[:MOST_REFUSALS_NOTED])
    if len(last) == MOST_REFUSALS_NOTED and last[-1] > timezone.now() - NOTED_WITHIN:
        return
    told = {"store": claims.store, "till": claims.till, "associate": claims.sub} if claims else {}
    record(
        act=REFUSED,
        who=Who.machine(f"launch secret {secret.kid}"),
        subject=secret,
        where=where,
        outcome=Entry.Outcome.REFUSED,
        after={"why": refused.why, **told},
        reason=str(refused),
    )


def secret_of(token: str, installation_id: str) -> LaunchSecret:
    """The live secret that the token says it is signed with. Raises LaunchRefused."""
    try:
        header = jwt.get_unverified_header(token) if len(token) <= LONGEST_TOKEN else {}
    except jwt.InvalidTokenError:
        header = {}
    kid, algorithm = header.get("kid"), header.get("alg")
    if not isinstance(kid, str) or not is_plain(kid) or algorithm != ALGORITHM:
        raise LaunchRefused(
            "malformed", f"The point of sale sent no launch token signed with {ALGORITHM}. {HOW}"
        )
    secret = LaunchSecret.of_kid(kid, installation_id)
    if secret is None:
        raise bad_signature()
    return secret


def is_plain(text: str) -> bool:
    """Whether any database takes it."""
    return text.isascii() and text.isprintable()


def bad_signature() -> LaunchRefused:
    # The same for an unknown key and a wrong signature: nobody learns which keys there are.
    return LaunchRefused(
        "signature",
        "The launch token is not signed with a live secret of this installation. A manager finds "
        "them in the admin under Launch secrets.",
    )


def read_claims(
    token: str, secret: LaunchSecret, installation_id: str, audiences: list[str]
) -> Claims:
    """Signed for us and complete; its times are looked at later. Raises LaunchRefused."""
    try:
        told = jwt.decode(
            token,
            secret.secret,
            algorithms=[ALGORITHM],
            audience=audiences,
            issuer=installation_id,
            # `check_times` says by how many seconds a clock is wrong; the library does not.
            options={
                "require": NEEDED,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        return Claims.model_validate(told)
    except jwt.InvalidSignatureError:
        raise bad_signature() from None
    except jwt.InvalidAudienceError:
        words = f"The launch token is not meant for this panel: its aud must be {audiences[0]}."
        raise LaunchRefused("audience", words) from None
    except jwt.InvalidIssuerError:
        words = f"The launch token's iss must be {installation_id}."
        raise LaunchRefused("issuer", words) from None
    except jwt.MissingRequiredClaimError as error:
        words = f"The launch token has no {error.claim}. {HOW}"
        raise LaunchRefused("claims", words) from None
    except NotAsItShouldBe as error:
        wrong = ", ".join(sorted({str(one["loc"][0]) for one in error.errors()}))
        words = f"The launch token's {wrong} cannot be read. {HOW}"
        raise LaunchRefused("claims", words) from None
    except jwt.InvalidTokenError:
        raise LaunchRefused("malformed", f"The launch token cannot be read. {HOW}") from None


def check_times(claims: Claims, now: float) -> None:
    """`now` in seconds since 1970, by our clock. A wrong clock is the commonest fault in the field.

    Raises LaunchRefused.
    """
    life = claims.exp - claims.iat
    ahead = max(claims.iat, claims.nbf) - now
    late = now - claims.exp
    if not 0 < life <= LONGEST_LIFE_SECONDS:
        raise LaunchRefused(
            "too_long",
            f"The launch token lives for {life:.0f} s. The most is {LONGEST_LIFE_SECONDS} s; 60 s "
            "is usual.",
        )
    if ahead > LEEWAY_SECONDS:
        raise LaunchRefused(
            "clock_ahead",
            f"The POS clock that signed this is {ahead:.0f} s ahead. Set it right, then open the "
            "panel again.",
        )
    if late > LEEWAY_SECONDS:
        raise LaunchRefused(
            "expired",
            f"This launch ended {late:.0f} s ago. If it was made just now, the POS clock that "
            f"signed it is about {now - claims.iat:.0f} s behind: set it right. Then open the "
            "panel again.",
        )


def use_up(installation: Installation, claims: Claims) -> None:
    """In a transaction with what follows from it. Raises LaunchRefused for one used before."""
    # Nobody could use those any more, even with a clock as wrong as we take.
    gone = timezone.now() - timedelta(seconds=LONGEST_LIFE_SECONDS + LEEWAY_SECONDS)
    UsedToken.objects.filter(expires_at__lt=gone).delete()
    try:
        with transaction.atomic():
            UsedToken.objects.create(
                installation=installation,
                jti_sha256=digest(claims.jti),
                expires_at=datetime.fromtimestamp(claims.exp, UTC),
            )
    except IntegrityError:
        raise LaunchRefused(
            "replayed", "This launch was used already. Open the panel again from the sale."
        ) from None


def launched(secret: LaunchSecret, claims: Claims) -> Launched:
    """Raises LaunchRefused."""
    try:
        place = place_of(secret.installation, claims.store, claims.till, claims.sub)
    except ValidationError as error:
        raise LaunchRefused("claims", " ".join(error.messages)) from None
    except Disabled as error:
        raise LaunchRefused("disabled", str(error), 403) from None
    till, associate = place.till, place.associate
    if till is None or associate is None:
        raise LookupError("place_of makes what was named")
    if changed := rename(associate, claims.name, claims.role):
        record(
            act="associate.told_by_pos",
            who=Who.machine(f"launch secret {secret.kid}"),
            subject=associate,
            where=Where.at(till=till),
            before={field: old for field, (old, _) in changed.items()},
            after={field: new for field, (_, new) in changed.items()},
        )
    return Launched(till, associate, claims.sale or "")


def make_code(place: Launched) -> str:
    """A code of 256 random bits for the page that a POS has just opened."""
    LaunchCode.objects.filter(expires_at__lt=Now() - timedelta(days=1)).delete()
    code = new_secret()
    LaunchCode.objects.create(
        code_sha256=digest(code),
        till=place.till,
        associate=place.associate,
        sale=place.sale,
        expires_at=Now() + CODE_LIFE,
    )
    return code


def by_code(code: str, installation_id: str) -> Launched:
    """Of two who trade one code at once, one gets in. Raises LaunchRefused."""
    unused = Q(used_at=None, expires_at__gt=Now(), till__store__installation_id=installation_id)
    found = LaunchCode.objects.filter(unused, code_sha256=digest(code))
    # An update cannot follow foreign keys.
    mine = LaunchCode.objects.filter(pk__in=found.values("pk"), used_at=None)
    if not mine.update(used_at=Now()):
        raise LaunchRefused(
            "replayed", "This panel was opened too long ago. Open it again from the sale."
        )
    row = LaunchCode.objects.select_related("till__store__installation", "associate").get(
        code_sha256=digest(code)
    )
    return Launched(row.till, row.associate, row.sale)


def read_body(body: bytes) -> dict[str, Any]:
    """The JSON object that a page sends to launch; none says nothing. Raises LaunchRefused."""
    try:
        told = json.loads(body or b"{}")
        # Half a surrogate pair is a text to JSON, and nothing that can be hashed or stored.
        json.dumps(told, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise LaunchRefused("malformed", 'Send {"token": "..."} as JSON.', 400)
    return told
