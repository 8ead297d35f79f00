"""Calls of the platform's API within the process."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from sampan.ui.api import Api, ApiFailureError, segment
from sampan.web.guards import User

USER = User("ann", ("staff",))


class Told:
    """Answers with what it was asked, in pieces."""

    def __init__(self, status: int = 200, body: bytes | None = None) -> None:
        self.status, self.body = status, body
        self.gone = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        told = {
            "method": scope["method"],
            "path": scope["path"],
            "raw": scope["raw_path"].decode(),
            "query": scope["query_string"].decode(),
            "user": scope["state"]["user"].name,
            "body": message["body"].decode(),
        }
        body = json.dumps(told).encode() if self.body is None else self.body
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"X-A", b"b")]})
        for index in range(0, len(body), 7):
            await send({"type": "http.response.body", "body": body[index : index + 7], "more_body": True})
        await send({"type": "http.response.body"})


def test_it_asks_as_the_user_and_reads_the_answer() -> None:
    api = Api(Told(), USER)
    found = asyncio.run(api.post(f"/runs/{segment('a/b c')}", {"x": 1}, {"q": "ä&b", "page": "2"}))
    assert found == {
        "method": "POST",
        "path": "/runs/a/b c",
        "raw": "/runs/a%2Fb%20c",
        "query": "q=%C3%A4%26b&page=2",
        "user": "ann",
        "body": '{"x":1}',
    }


@pytest.mark.parametrize(
    ("body", "message", "reason"),
    [
        (b'{"code":5,"message":"run not found","details":[]}', "run not found", "5"),
        (
            b'{"kind":"Status","message":"pods \\"p\\" not found","reason":"NotFound"}',
            'pods "p" not found',
            "NotFound",
        ),
        (b'{"error_message":"bad file","error_details":"line 3"}', "bad file", ""),
        (b"<html>", "the server answered 404", ""),
        (b"", "the server answered 404", ""),
    ],
)
def test_refusals_keep_the_words_of_the_api(body: bytes, message: str, reason: str) -> None:
    api = Api(Told(404, body), USER)
    with pytest.raises(ApiFailureError) as refused:
        asyncio.run(api.get("/x"))
    assert (refused.value.status, refused.value.message, refused.value.reason) == (404, message, reason)


def test_a_stream_comes_in_pieces_and_ends_when_it_is_left() -> None:
    ended = []

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()
        try:
            for number in range(10_000):
                await send({"type": "http.response.body", "body": b"%d " % number, "more_body": True})
        finally:
            ended.append(True)

    async def read() -> list[bytes]:
        stream = Api(endless, USER).stream("/log")
        pieces = [await anext(stream) for _ in range(40)]
        await stream.aclose()
        await asyncio.sleep(0)
        return pieces

    assert asyncio.run(read()) == [b"%d " % number for number in range(40)]
    assert ended == [True]


def test_a_failure_of_the_application_is_raised() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("no")

    async def ask() -> Any:
        return await Api(broken, USER).get("/x")

    with pytest.raises(RuntimeError, match="no"):
        asyncio.run(ask())
