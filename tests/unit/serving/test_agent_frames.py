"""Calls over HTTP/2 as the agent sees them pass, however they are cut."""

from __future__ import annotations

import pytest

from sampan.components.serving.engine.programs.agent.frames import PREFACE, Direction

DATA, HEADERS, RESET, SETTINGS, CONTINUATION = 0, 1, 3, 4, 9
END, PADDED = 0x1, 0x8


def frame(kind: int, stream: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class Seen:
    def __init__(self, *, is_client: bool, most: int = 100) -> None:
        self.found: list[tuple[int, bytes, int]] = []
        self.direction = Direction(most, lambda *each: self.found.append(each), is_client=is_client)


CALLS = (
    PREFACE
    + frame(SETTINGS, 0, b"\0" * 6)
    + frame(HEADERS, 1, b"packed")
    + frame(DATA, 1, b"one ")
    + frame(HEADERS, 3, b"packed")
    + frame(DATA, 3, b"\3other\0\0\0", PADDED | END)
    + frame(DATA, 1, b"more", END)
    + frame(HEADERS, 5, b"packed", END)
)


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_what_a_stream_carried_is_told_when_it_ends(step: int) -> None:
    seen = Seen(is_client=True)
    for at in range(0, len(CALLS), step):
        seen.direction.feed(CALLS[at : at + step])
    assert seen.found == [(3, b"other", 5), (1, b"one more", 8), (5, b"", 0)]


def test_an_answer_ends_with_its_trailers() -> None:
    seen = Seen(is_client=False)
    seen.direction.feed(frame(HEADERS, 1) + frame(DATA, 1, b"said") + frame(HEADERS, 1, b"status", END))
    assert seen.found == [(1, b"said", 4)]


def test_what_is_too_much_is_counted_alone() -> None:
    seen = Seen(is_client=False, most=5)
    seen.direction.feed(frame(DATA, 1, b"1234") + frame(DATA, 1, b"5678") + frame(DATA, 1, b"9", END))
    assert seen.found == [(1, b"", 9)]


def test_what_is_broken_off_is_forgotten() -> None:
    seen = Seen(is_client=False)
    seen.direction.feed(frame(DATA, 1, b"a") + frame(RESET, 1, b"\0\0\0\1") + frame(DATA, 1, b"b", END))
    assert seen.found == [(1, b"b", 1)]


def test_what_is_no_http2_is_left_alone() -> None:
    seen = Seen(is_client=True)
    seen.direction.feed(b"GET / HTTP/1.1\r\nhost: somewhere\r\n\r\n" + CALLS)
    assert seen.found == []
