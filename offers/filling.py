"""Codes on their way into the engine's pools: kept, cut into parts, promised, sent, confirmed."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from audit.record import By, Who
from connectors.errors import NotFound
from members.engine import engine
from offers.code_files import CodeFile, LeftOut, read_codes
from offers.models import MOST_CODES_A_CALL, Batch, Code, Part, Pool, index_of
from offers.pools import empties
from outbox.errors import NotWanted
from outbox.ledger import enqueue, send_again
from outbox.models import Delivery
from outbox.states import State

CODES = "codes"
# What one question to the database names at most.
AT_ONCE = 5_000
# A file that was looked at and never sent keeps its codes from being uploaded anew.
PREVIEW_DAYS = 7
NOBODY_SENT_IT = f"Nobody sent it for {PREVIEW_DAYS} days"


class CannotUpload(Exception):
    """Why nothing was kept, and what to do."""


def keep(pool: Pool, name: str, raw: bytes, by: By) -> Batch:
    """Read a file and keep its codes, encrypted, for somebody to look at and then to send.

    What is left out, and why, stands in the batch's report. Raises Unreadable or CannotUpload.
    """
    file = read_codes(raw)
    leave_out_known(pool, file)
    if not file.codes:
        raise CannotUpload(nothing_new(file))
    indexes = {code: index_of(code) for code in file.codes}
    try:
        with transaction.atomic():
            batch = write(pool, name, file, indexes, by)
    except IntegrityError:
        raise CannotUpload(
            "Some of these codes were uploaded by somebody else in this moment. Upload again: they "
            "are named then."
        ) from None
    return batch


def nothing_new(file: CodeFile) -> str:
    if not file.left_out:
        return "The file is empty."
    first = file.left_out[0]
    return (
        f"No new codes: {len(file.left_out):,} lines were left out. Line {first.line}: {first.why}"
    )


def leave_out_known(pool: Pool, file: CodeFile) -> None:
    """Move what an earlier batch has, of this pool or another, to what is left out."""
    of_index = {index_of(code): code for code in file.codes}
    for some in chunks(list(of_index), AT_ONCE):
        known = Code.objects.filter(index__in=some).select_related("part__batch__pool")
        for code in known.defer("part__codes", "part__sample", "part__batch__report"):
            line = file.codes.pop(of_index[code.index])
            file.left_out.append(LeftOut(line, where_from(code.part.batch, pool)))
    file.left_out.sort(key=lambda left: left.line)


def where_from(batch: Batch, pool: Pool) -> str:
    """Why a code of this batch is not taken for that pool."""
    of = "for this offer" if batch.pool_id == pool.pk else f"for another offer, {batch.pool.name}"
    words = f"Uploaded {of} on {batch.uploaded_at:%d %b %Y} already"
    if batch.sent_at is None:
        return f"{words}, and not sent yet: send or discard the batch {batch.name}."
    return f"{words}."


def write(pool: Pool, name: str, file: CodeFile, indexes: Mapping[str, str], by: By) -> Batch:
    codes = list(file.codes)
    batch = Batch.objects.create(
        pool=pool,
        name=name[:255],
        uploaded_by=by.who.name,
        size=len(codes),
        report=[[left.line, left.why] for left in file.left_out],
    )
    kept: list[Code] = []
    for number, some in enumerate(chunks(codes, MOST_CODES_A_CALL), 1):
        part = Part.objects.create(
            batch=batch, number=number, size=len(some), codes=",".join(some), sample=some[-1]
        )
        kept += [Code(index=indexes[code], part=part) for code in some]
    # In one order: of two uploads with the same codes one waits for the other, and never both.
    kept.sort(key=lambda code: code.index)
    Code.objects.bulk_create(kept, batch_size=AT_ONCE)
    by.record("codes.kept", batch, after=figures(batch))
    return batch


def figures(batch: Batch) -> dict[str, Any]:
    return {
        "offer": batch.pool.option_id,
        "codes": batch.size,
        "left_out": len(batch.report),
        "file": batch.name,
    }


@transaction.atomic
def send(batch: Batch, by: By) -> bool:
    """Promise to tell the engine, 10,000 codes a call. False where that was promised before."""
    if not Batch.objects.filter(pk=batch.pk, sent_at=None).update(sent_at=Now()):
        return False
    for part in batch.parts.defer("codes", "sample"):
        payload = {"part": part.pk, "offer": batch.pool.option_id, "codes": part.size}
        enqueue(kind=CODES, key=part.key, installation_id="", payload=payload)
    by.record("codes.sent", batch, after=figures(batch))
    return True


@transaction.atomic
def discard(batch: Batch, by: By) -> bool:
    """Forget a batch that was only looked at. False where it was sent meanwhile."""
    if Batch.objects.select_for_update().filter(pk=batch.pk, sent_at=None).first() is None:
        return False
    by.record("codes.discarded", batch, before=figures(batch))
    Batch.objects.filter(pk=batch.pk, sent_at=None).delete()
    return True


def discard_old_previews() -> None:
    """The periodic job: codes that nobody sends are not kept for ever."""
    old = Batch.objects.filter(sent_at=None, uploaded_at__lt=Now() - timedelta(days=PREVIEW_DAYS))
    by = By(Who.machine("worker"), reason=NOBODY_SENT_IT)
    for batch in old.select_related("pool"):
        discard(batch, by)


@transaction.atomic
def settle(part: Part, word: Part.Word, by: By) -> bool:
    """A person has looked in the Loyalty admin whether the engine has the codes of a parked part.

    What they say counts where the engine can't be read. False, and nothing counts, where it is not
    parked any more, or another part of the offer is under way.
    """
    parked = Delivery.objects.filter(kind=CODES, key=part.key, state=State.PARKED).first()
    # Of two people at once only one takes it up, and only their word counts.
    if parked is None or not send_again(parked):
        return False
    Part.objects.filter(pk=part.pk, confirmed_at=None).update(word=word)
    by.record("codes.settled", part.batch, after={"part": part.number, "word": word.value})
    return True


# The route of a part's delivery


def flight_of_part(delivery: Delivery) -> str:
    """One part of a pool at a time: what is read after a lost answer is of that one alone."""
    return f"codes:{delivery.payload['offer']}"


def tell_part(delivery: Delivery) -> None:
    part = part_of(delivery)
    if part.confirmed_at is not None:
        raise NotWanted
    if part.word == Part.Word.THERE:
        return
    # What a person saw was before this sending.
    Part.objects.filter(pk=part.pk).update(word=Part.Word.NONE)
    engine().upload_codes(
        option_id=delivery.payload["offer"],
        codes=part.codes.split(","),
        asked_at=delivery.asked_at,
    )


def is_part_seen(delivery: Delivery) -> bool | None:
    """Whether the engine has the codes: its first, middle and last, by what it says of a code.

    That it does not know them means something only where it shows an unused code that it has for
    certain (the reference does not say whether it does); else reading can't tell.
    """
    part = part_of(delivery)
    if part.confirmed_at is not None or part.word == Part.Word.THERE:
        return True
    if part.word == Part.Word.MISSING:
        return False
    codes = part.codes.split(",")
    shown = {is_shown(code) for code in {codes[0], codes[len(codes) // 2], codes[-1]}}
    if len(shown) == 2:
        return None
    if shown == {True}:
        return True
    return False if shows_unused(part) else None


def is_shown(code: str) -> bool:
    try:
        engine().redemption_code(code)
    except NotFound:
        return False
    return True


def shows_unused(part: Part) -> bool:
    """Whether the engine shows a code of the last confirmed part, which nobody has taken yet."""
    confirmed = Part.objects.exclude(confirmed_at=None).order_by("-confirmed_at")
    last = confirmed.filter(batch__pool_id=part.batch.pool_id).only("sample").first()
    if last is None:
        return False
    try:
        record = engine().redemption_code(last.sample)
    except NotFound:
        return False
    return record.email is None and record.redemption_id is None


def note_confirmed(delivery: Delivery) -> None:
    """The engine has them: we need them no more, but for one by which to read it."""
    part = part_of(delivery)
    waiting = Part.objects.filter(pk=part.pk, confirmed_at=None)
    if waiting.update(confirmed_at=Now(), codes="", word=Part.Word.NONE):
        Pool.objects.filter(pk=part.batch.pool_id).update(
            confirmed=F("confirmed") + part.size, empty_since=None
        )
        empties.note(part.batch.pool.option_id, is_empty=False)


def part_of(delivery: Delivery) -> Part:
    return Part.objects.select_related("batch__pool").get(pk=delivery.payload["part"])


def chunks(codes: Sequence[str], size: int) -> list[Sequence[str]]:
    return [codes[start : start + size] for start in range(0, len(codes), size)]
