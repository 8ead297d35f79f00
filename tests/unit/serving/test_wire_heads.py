"""Heads and bodies of HTTP/1.1, read strictly."""

from __future__ import annotations

import random

import pytest

from sampan.components.serving.engine.programs.wire.heads import (
    Body,
    HeadError,
    canonical,
    end_to_end,
    read_request,
    read_response,
    request_body,
    response_body,
    write_head,
)


def test_a_head_is_read() -> None:
    head = read_request(b"POST /v1/models/m:predict?a=1 HTTP/1.1\r\nHost: m\r\nX-A:  b \r\nx-a: c")
    assert (head.method, head.target, head.path) == (
        "POST",
        "/v1/models/m:predict?a=1",
        "/v1/models/m:predict",
    )
    assert head.headers == [("Host", "m"), ("X-A", "b"), ("x-a", "c")]
    assert head.get("x-a") == "b"
    absolute = read_request(b"GET http://other/path?q HTTP/1.1\r\nHost: m")
    assert absolute.path == "/path"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b", 400),
        (b"GET /a b HTTP/1.1\r\nHost: a", 400),
        (b"GET / HTTP/2.0\r\nHost: a", 505),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX : b", 400),
        (b"GET / HTTP/1.1\r\nHost: a\nX: b", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00", 400),
        (b"GET / HTTP/1.1\r\nHost: a" + b"\r\nX: y" * 300, 431),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked", 501),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked", 501),
    ],
)
def test_what_two_programs_could_read_in_two_ways_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(HeadError) as caught:
        request_body(read_request(data))
    assert caught.value.status == status


def test_an_answers_body_is_framed() -> None:
    ok = read_response(b"HTTP/1.1 200 OK\r\nContent-Length: 5")
    assert response_body(ok, "POST").length == 5
    assert response_body(ok, "HEAD").done
    assert response_body(read_response(b"HTTP/1.1 204 \r\nContent-Length: 5"), "GET").done
    until_closed = response_body(read_response(b"HTTP/1.0 200 OK"), "GET")
    assert until_closed.at_end()
    assert not until_closed.done
    with pytest.raises(HeadError):
        read_response(b"HTTP/1.1 abc OK")


CHUNKS = b"5\r\nhello\r\n6;a=b\r\n world\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"


def test_chunks_are_put_together_however_they_come() -> None:
    random.seed(7)
    for _ in range(200):
        body, buffer, found = Body(None, chunked=True), bytearray(), b""
        rest = CHUNKS + b"next"
        while rest:
            size = random.randint(1, 7)
            buffer += rest[:size]
            rest = rest[size:]
            found += body.feed(buffer)
        assert found == b"hello world0123456789"
        assert body.done
        assert bytes(buffer) == b"next"


@pytest.mark.parametrize(
    "chunk",
    [b"x\r\n", b"-1\r\n", b"5\r\nhelloX\r\n", b"1" * 300, b" 5\r\nhello\r\n", b"5\nhello\r\n" + b"a" * 300],
)
def test_a_broken_chunk_is_refused(chunk: bytes) -> None:
    with pytest.raises(HeadError):
        Body(None, chunked=True).feed(bytearray(chunk))


def test_what_concerns_one_connection_is_left_out() -> None:
    headers = [
        ("Connection", "close, X-Mine"),
        ("X-Mine", "1"),
        ("Upgrade", "h2c"),
        ("TE", "trailers"),
        ("X-Other", "2"),
    ]
    assert end_to_end(headers) == [("X-Other", "2")]


def test_no_line_end_gets_into_a_head() -> None:
    with pytest.raises(ValueError, match="X-A"):
        write_head("HTTP/1.1 200 OK", [("X-A", "b\r\nX-C: d")])


def test_names_are_written_as_go_writes_them() -> None:
    assert [canonical(name) for name in ("ce-id", "CONTENT-type", "x-b3-TraceId")] == [
        "Ce-Id",
        "Content-Type",
        "X-B3-Traceid",
    ]
