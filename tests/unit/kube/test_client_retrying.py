"""When a request is sent again, and when its answer is the caller's."""

from __future__ import annotations

import pytest

from sampan.client.retrying import Break, after_answer, after_break, backoff


@pytest.mark.parametrize(
    ("status", "retry_after", "attempt", "seconds"),
    [
        (429, "2", 1, 2.0),
        (503, "1", 10, 1.0),
        (500, "1", 1, 1.0),
        (429, "86400", 1, 30.0),
        (429, "1", 11, None),
        (429, "", 1, None),
        (503, "Wed, 21 Oct 2015 07:28:00 GMT", 1, None),
        (404, "1", 1, None),
        (200, "1", 1, None),
    ],
)
def test_answers(status: int, retry_after: str, attempt: int, seconds: float | None) -> None:
    assert after_answer(status, retry_after, attempt) == seconds


def test_a_write_that_may_have_arrived_is_not_sent_again() -> None:
    assert after_break(Break.LATER, reads=False, attempt=1) is None
    assert after_break(Break.LATER, reads=True, attempt=1) is not None
    assert after_break(Break.BEFORE_SENDING, reads=False, attempt=1) is not None
    assert after_break(Break.BEFORE_SENDING, reads=True, attempt=5) is None


def test_pauses_grow_to_a_limit() -> None:
    for failures, most in ((1, 0.1), (2, 0.2), (3, 0.4), (20, 30.0)):
        assert most / 2 <= backoff(failures, 0.1) <= most
