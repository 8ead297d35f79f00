"""httpGet as a probe asks it: status, headers, redirects, what is said of failures."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sampan.cluster.node.handlers import Target, ask
from sampan.cluster.node.probes import Answer, Outcome
from sampan.testing.connections import listening


async def _no_exec(*_: Any) -> tuple[int, bytes]:
    raise AssertionError("nothing to execute here")


def answer_to(responses: dict[str, str], path: str = "/", headers: Any = (), seconds: float = 5) -> Any:
    """What a probe makes of a server that answers each path with the given bytes; and what it asked."""
    requests: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        requests.append(head)
        response = responses[head.split(" ")[1]]
        if response == "silence":
            await reader.read()
        else:
            writer.write(response.encode())

    async def main() -> Answer:
        async with listening(serve) as there:
            http = {"port": there.port, "path": path, "httpHeaders": list(headers)}
            return await ask({"httpGet": http}, Target("id", {}, there.host), seconds, _no_exec)

    return asyncio.run(main()), requests


def plain(status: str, *fields: str) -> str:
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", "body"])


@pytest.mark.parametrize(
    ("status", "outcome", "text"),
    [
        ("200 OK", Outcome.SUCCESS, ""),
        ("204 No Content", Outcome.SUCCESS, ""),
        ("304 Not Modified", Outcome.WARNING, "Probe terminated redirects, Response body: body"),
        ("404 Not Found", Outcome.FAILURE, "HTTP probe failed with statuscode: 404"),
        ("500 No", Outcome.FAILURE, "HTTP probe failed with statuscode: 500"),
    ],
)
def test_the_status_decides(status: str, outcome: Outcome, text: str) -> None:
    answer, _ = answer_to({"/": plain(status)})
    assert (answer.outcome, answer.output) == (outcome, text)


def test_redirects_are_followed_on_the_same_host_only() -> None:
    there = {"/": plain("302 Found", "Location: /there?x=1"), "/there?x=1": plain("200 OK")}
    answer, requests = answer_to(there)
    assert answer.outcome is Outcome.SUCCESS
    assert len(requests) == 2
    away, _ = answer_to({"/": plain("302 Found", "Location: http://example.com/")})
    assert away.outcome is Outcome.WARNING
    for_ever, _ = answer_to({"/": plain("302 Found", "Location: /")})
    assert "stopped after 10 redirects" in for_ever.output


def test_headers_are_sent_and_have_defaults() -> None:
    headers = [{"name": "X-Own", "value": "1"}, {"name": "Host", "value": "example.com"}]
    _, (request,) = answer_to({"/": plain("200 OK")}, headers=headers)
    lines = request.split("\r\n")
    assert "X-Own: 1" in lines
    assert "Host: example.com" in lines
    assert "User-Agent: kube-probe/1.31" in lines
    assert "Accept: */*" in lines
    _, (request,) = answer_to({"/": plain("200 OK")}, headers=[{"name": "Accept", "value": ""}])
    assert "Accept" not in request


def test_what_is_not_http_and_what_is_silent() -> None:
    answer, _ = answer_to({"/": "SSH-2.0-x\r\n"})
    assert answer.outcome is Outcome.FAILURE
    assert "malformed HTTP response" in answer.output
    answer, _ = answer_to({"/": ""})
    assert answer.output.endswith(": EOF")
    answer, _ = answer_to({"/": "silence"}, seconds=0.05)
    assert "context deadline exceeded" in answer.output
