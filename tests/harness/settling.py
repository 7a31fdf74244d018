"""Waiting until everything has ended, with due times moved forward instead of slept through."""

import time
from datetime import timedelta

from tests.harness.shop import DEADLINE_SECONDS, UNASKED, Shop

LONGEST_SECONDS = 180.0
LOOK_EVERY_SECONDS = 0.25
# A process that is at a row says so by its next_check_at, at most so far ahead (redemptions/
# timing.py, reversal_claim). What lies further is a pause, and only pauses are cut short.
CLAIM = timedelta(seconds=4 * DEADLINE_SECONDS + 5 + 1)
# Then the half hour of what stays unclear is over, too; a person gets these.
PATIENCE_SECONDS = 60.0
HALF_AN_HOUR = timedelta(minutes=31)

OPEN = """
    SELECT 'redemption', CAST(id AS TEXT), state FROM redemptions_pendingredemption
    WHERE state IN ('requested', 'uncertain', 'reversing')
        OR (state = 'issued' AND claimed_used_at IS NULL AND lease_until < ?)
        OR (state = 'used' AND deduction = 'told')
    UNION ALL
    SELECT 'delivery', kind || ' ' || key, state FROM outbox_delivery AS one
    WHERE state IN ('pending', 'running', 'verifying') AND NOT EXISTS (
        SELECT 1 FROM outbox_delivery AS parked
        WHERE parked.order_by = one.order_by AND parked.state = 'parked' AND parked.id < one.id)
"""
# What is behind a parked one of its sale waits for a person, too.


def still_open(shop: Shop) -> list[tuple[object, ...]]:
    return shop.database.execute(OPEN, shop.moment(timedelta(seconds=2) - UNASKED))


def settle(
    shop: Shop, *, patience: float = PATIENCE_SECONDS, longest: float = LONGEST_SECONDS
) -> list[str]:
    """Returns what did not end in `longest` seconds; empty where all did."""
    begun = time.monotonic()
    while rows := still_open(shop):
        spent = time.monotonic() - begun
        if spent > longest:
            return [f"never ended: {' '.join(map(str, row))}" for row in rows]
        press(shop)
        if spent > patience:
            let_half_an_hour_pass(shop)
        time.sleep(LOOK_EVERY_SECONDS)
    return []


def press(shop: Shop) -> None:
    shop.database.execute(
        "UPDATE redemptions_pendingredemption SET next_check_at = ?"
        " WHERE (state IN ('uncertain', 'reversing') OR deduction = 'told') AND next_check_at > ?",
        shop.moment(),
        shop.moment(CLAIM),
    )
    # Silent for long enough, so that the sweeper wakes a worker for it.
    shop.database.execute(
        "UPDATE outbox_delivery SET due_at = ?, woken_at = NULL"
        " WHERE state IN ('pending', 'verifying') AND lease_until IS NULL AND due_at > ?",
        shop.moment(timedelta(seconds=-3)),
        shop.moment(timedelta(seconds=4)),
    )
    shop.free_dead_jobs()


def let_half_an_hour_pass(shop: Shop) -> None:
    long_ago = shop.moment(-HALF_AN_HOUR)
    shop.database.execute(
        "UPDATE redemptions_pendingredemption SET first_readable_read_at = ?"
        " WHERE state = 'uncertain' AND first_readable_read_at IS NOT NULL",
        long_ago,
    )
    shop.database.execute(
        "UPDATE redemptions_pendingredemption SET last_reversal_attempt_at = ?"
        " WHERE state = 'reversing' AND sold_at IS NOT NULL"
        " AND last_reversal_attempt_at IS NOT NULL",
        long_ago,
    )
