"""The remote client against a server that fails as real ones do: busy, restarting, forgetful, slow with its pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sampan.client import retrying
from sampan.client.kubeconfig import Connection
from sampan.client.protocol import ListOptions
from sampan.client.remote import RemoteClient
from sampan.kube.errors import ExpiredError, ServiceUnavailableError, TooManyRequestsError
from sampan.kube.kinds import CONFIG_MAPS
from sampan.testing.apiserver import loopback

Reply = Callable[[Request], Response]


@dataclass
class Script:
    """Answers in this order; the last one again and again."""

    replies: list[Reply]
    asked: list[Request] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.asked.append(request)
        return self.replies[min(len(self.asked), len(self.replies)) - 1](request)


def reply(body: Any, code: int = 200, **headers: str) -> Reply:
    shown = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: JSONResponse(body, code, shown)


def status(code: int, reason: str = "", message: str = "no") -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}


def page(names: str, token: str = "", version: str = "7") -> dict[str, Any]:
    metadata = {"resourceVersion": version, **({"continue": token} if token else {})}
    return {"items": [config_map(name, "1") for name in names], "metadata": metadata}


def config_map(name: str, version: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version}}


def lines(*events: tuple[str, dict[str, Any]]) -> Reply:
    text = "".join(json.dumps({"type": kind, "object": obj}) + "\n" for kind, obj in events)
    return lambda _: Response(text, media_type="application/json")


def go(script: Script, test: Callable[[RemoteClient], Awaitable[None]], **connection: Any) -> None:
    app = Starlette(
        routes=[Route("/{path:path}", script.answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])]
    )

    async def main() -> None:
        async with loopback(app) as url:
            client = RemoteClient(Connection(url, **connection))
            try:
                async with asyncio.timeout(60):
                    await test(client)
            finally:
                await client.close()

    asyncio.run(main())


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sampan.client.remote._FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(retrying, "_FIRST_BREAK_SECONDS", 0.001)


@pytest.mark.parametrize("code", [429, 503, 500])
def test_what_comes_with_retry_after_is_waited_out(code: int) -> None:
    busy = reply(status(code), code, retry_after="0")
    script = Script([busy, busy, reply(config_map("one", "1"))])

    async def created(client: RemoteClient) -> None:
        obj = {"metadata": {"name": "one", "namespace": "default"}}
        assert (await client.create(CONFIG_MAPS, obj))["metadata"]["resourceVersion"] == "1"

    go(script, created)
    assert [request.method for request in script.asked] == ["POST"] * 3


def test_a_server_that_stays_busy_is_an_error() -> None:
    script = Script([reply(status(429, "TooManyRequests", "later"), 429, retry_after="0")])

    async def test(client: RemoteClient) -> None:
        with pytest.raises(TooManyRequestsError, match="later"):
            await client.get(CONFIG_MAPS, "one", "default")

    go(script, test)
    assert len(script.asked) == 11


def test_a_long_list_comes_in_pages() -> None:
    script = Script([reply(page("ab", "t1")), reply(page("cd", "t2")), reply(page("e"))])

    async def test(client: RemoteClient) -> None:
        found = await client.list(CONFIG_MAPS, "default", ListOptions(label_selector="a=b"))
        assert [each["metadata"]["name"] for each in found.items] == list("abcde")
        assert (found.resource_version, found.continue_token) == ("7", "")
        assert found.items[0]["kind"] == "ConfigMap"

    go(script, test)
    assert [request.query_params.get("continue") for request in script.asked] == [None, "t1", "t2"]
    assert {request.query_params["labelSelector"] for request in script.asked} == {"a=b"}


def test_pages_that_are_gone_are_read_at_once() -> None:
    gone = reply(status(410, "Expired"), 410)
    script = Script([reply(page("ab", "t1")), gone, reply(page("abc", version="9"))])

    async def test(client: RemoteClient) -> None:
        found = await client.list(CONFIG_MAPS, "default")
        assert (len(found.items), found.resource_version) == (3, "9")

    go(script, test)
    assert "limit" not in script.asked[-1].query_params


def test_a_watch_goes_on_over_connections() -> None:
    script = Script(
        [
            lines(("ADDED", config_map("a", "11")), ("BOOKMARK", {"metadata": {"resourceVersion": "15"}})),
            reply(status(503), 503),
            lines(("MODIFIED", config_map("a", "16"))),
            lines(("DELETED", config_map("a", "17"))),
        ]
    )

    async def test(client: RemoteClient) -> None:
        seen: list[tuple[str, str]] = []
        async with aclosing(client.watch(CONFIG_MAPS, None, ListOptions(resource_version="10"))) as events:
            async for event in events:
                seen.append((event.type, event.object["metadata"]["resourceVersion"]))
                if event.type == "DELETED":
                    break
        assert seen == [("ADDED", "11"), ("BOOKMARK", "15"), ("MODIFIED", "16"), ("DELETED", "17")]

    go(script, test)
    assert [request.query_params["resourceVersion"] for request in script.asked] == ["10", "15", "15", "16"]


def test_a_watch_without_a_version_begins_with_what_is_there() -> None:
    script = Script([reply(page("ab")), lines(("DELETED", config_map("a", "8")))])

    async def test(client: RemoteClient) -> None:
        seen = []
        async with aclosing(client.watch(CONFIG_MAPS)) as events:
            async for event in events:
                seen.append((event.type, event.object["metadata"]["name"]))
                if len(seen) == 3:
                    break
        assert seen == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]

    go(script, test)
    assert script.asked[1].query_params["resourceVersion"] == "7"


@pytest.mark.parametrize(
    "gone", [reply(status(410, "Gone"), 410), lines(("ERROR", status(410, "Expired", "too old")))]
)
def test_a_version_that_is_no_longer_kept_is_the_callers_to_know(gone: Reply) -> None:
    async def test(client: RemoteClient) -> None:
        with pytest.raises(ExpiredError):
            async for _ in client.watch(CONFIG_MAPS, None, ListOptions(resource_version="1")):
                pass

    go(Script([gone]), test)


def test_a_watch_gives_up_in_the_end() -> None:
    script = Script([reply(status(503), 503)])

    async def test(client: RemoteClient) -> None:
        with pytest.raises(ServiceUnavailableError):
            async for _ in client.watch(CONFIG_MAPS, None, ListOptions(resource_version="1")):
                pass

    go(script, test)
    assert len(script.asked) == 6


def test_a_refused_token_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")

    def refuse(_: Request) -> Response:
        file.write_text("new")
        return JSONResponse(status(401, "Unauthorized"), 401)

    script = Script([refuse, reply(config_map("one", "1"))])

    async def test(client: RemoteClient) -> None:
        await client.get(CONFIG_MAPS, "one", "default")

    go(script, test, token_file=file, impersonate="jane")
    assert [request.headers["authorization"] for request in script.asked] == ["Bearer old", "Bearer new"]
    assert script.asked[0].headers["impersonate-user"] == "jane"


def test_requests_go_through_the_proxy_that_is_named() -> None:
    script = Script([reply(config_map("one", "1"))])

    async def test(client: RemoteClient) -> None:
        proxied = RemoteClient(Connection("http://cluster.invalid:6443", proxy_url=client._server))
        try:
            assert (await proxied.get(CONFIG_MAPS, "one", "default"))["metadata"]["name"] == "one"
        finally:
            await proxied.close()

    go(script, test)
    assert script.asked[0].headers["host"] == "cluster.invalid:6443"


@pytest.mark.parametrize("body", [b"<html>", b'"text"', b""])
def test_an_answer_that_is_no_object_is_no_crash(body: bytes) -> None:
    async def test(client: RemoteClient) -> None:
        with pytest.raises(ServiceUnavailableError, match="did not answer with an object in JSON"):
            await client.get(CONFIG_MAPS, "one", "default")

    go(Script([lambda _: Response(body)]), test)
