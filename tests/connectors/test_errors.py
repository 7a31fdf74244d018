import pickle

import pytest

from connectors.errors import (
    Call,
    Misconfigured,
    NotFound,
    OutsideError,
    Refused,
    ReplyLost,
    Throttled,
    Unavailable,
)

CALL = Call("yotpo", "POST", "/redemptions/{id}/cancellation_completed")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Unavailable(*CALL, reason="dns"), "yotpo is unavailable"),
        (Throttled(*CALL, wait=3.0), "yotpo asks us to wait"),
        (Refused(*CALL, words="No such option"), "yotpo refused"),
        (NotFound(*CALL, words="Could not find customer"), "yotpo does not know it"),
        (Misconfigured(*CALL), "yotpo does not accept our credentials"),
        (ReplyLost(*CALL, engine_id=7), "yotpo may have acted, its reply is lost"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, OutsideError) else "",
)
def test_the_text_is_the_class_and_the_template(error: OutsideError, text: str) -> None:
    assert str(error).startswith(f"{text}: POST /redemptions/{{id}}/cancellation_completed")


def test_the_text_ends_with_the_status_where_there_is_one() -> None:
    assert str(Refused(*CALL, 422)).endswith("/cancellation_completed (422)")


def test_the_engines_words_are_no_part_of_the_text() -> None:
    error = Refused(*CALL, 422, words="not enough points")
    assert "points" not in str(error) + repr(error)


@pytest.mark.parametrize(
    ("kind", "can_retry"),
    [
        (Unavailable, True),
        (Throttled, True),
        (Refused, False),
        (NotFound, False),
        (Misconfigured, False),
        (ReplyLost, False),
    ],
)
def test_says_whether_trying_again_can_help(kind: type[OutsideError], can_retry: bool) -> None:
    assert kind.can_retry is can_retry


def test_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ReplyLost(*CALL, 200, engine_id=7)))
    assert (error.path, error.status, error.engine_id) == (CALL.path, 200, 7)
