"""Rows 2, 3, 13, 14, 19: the gateway to models. What two servers could read in two ways goes no further than here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from sampan.components.serving.api.routing import Private
from sampan.components.serving.engine.gateway.table import Limits
from sampan.testing.gateways import HOST, Asked, Rig, backend, play, request, rig, say
from sampan.web.guards import User

HEAD = f"POST / HTTP/1.1\r\nHost: {HOST}\r\n".encode()
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


async def _one(rig: Rig) -> Any:
    server, one = await rig.server(), backend()
    rig.route(one)
    rig.pod(one, server)
    return server


async def _raw(rig: Rig, data: bytes) -> bytes:
    """What comes back until the connection is quiet or closed."""
    client = await rig.client()
    client.writer.write(data)
    got = b""
    try:
        async with asyncio.timeout(0.5):
            while piece := await client.reader.read(65536):
                got += piece
    except (TimeoutError, ConnectionError):
        pass
    return got


def _each(test: Callable[[Rig, Any], Awaitable[None]], cases: Mapping[str, Any]) -> None:
    """All at the same time, each with a rig of its own; says which failed."""

    async def one(name: str, case: Any) -> str:
        try:
            async with asyncio.timeout(60), rig() as made:
                await test(made, case)
        except (AssertionError, TimeoutError, EOFError) as error:
            return f"{name}: {error!r}"
        return ""

    async def main() -> list[str]:
        return await asyncio.gather(*(one(name, case) for name, case in cases.items()))

    assert [said for said in asyncio.run(main()) if said] == []


SMUGGLING = {
    "length and chunked": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two lengths": b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n" + SMUGGLED,
    "two lengths in one": b"Content-Length: 0, 40\r\n\r\n" + SMUGGLED,
    "signed length": b"Content-Length: +0\r\n\r\n" + SMUGGLED,
    "length with a blank": b"Content-Length : 0\r\n\r\n" + SMUGGLED,
    "hex length": b"Content-Length: 0x0\r\n\r\n" + SMUGGLED,
    "folded line": b"X-A: b\r\n Content-Length: 40\r\n\r\n" + SMUGGLED,
    "folded coding": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "other coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two codings": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "coding twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "coding with vertical tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "bare line feeds": b"X-A: b\nContent-Length: 40\r\n\r\n" + SMUGGLED,
    "bare carriage return": b"X-A: b\rContent-Length: 40\r\n\r\n" + SMUGGLED,
    "zero in a value": b"X-A: b\x00c\r\nContent-Length: 0\r\n\r\n",
    "blank in a name": b"X A: b\r\nContent-Length: 0\r\n\r\n",
    "chunk size with a sign": b"Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "chunk size too large": b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc",
    "chunk without its end": b"Transfer-Encoding: chunked\r\n\r\n1\r\nabcd\r\n0\r\n\r\n" + SMUGGLED,
}


def test_no_request_is_hidden_in_another() -> None:
    """A server behind sees each request as this one read it, or does not see it."""

    async def test(rig: Rig, case: bytes) -> None:
        server = await _one(rig)
        got = await _raw(rig, HEAD + case)
        assert b"HTTP/1.1 2" not in got or b"smuggled" not in repr(server.asked).encode()
        for asked in server.asked:
            assert "/smuggled" not in asked.line
            assert len(asked.all("content-length")) + len(asked.all("transfer-encoding")) <= 1
            assert asked.get("x-a").isprintable()

    _each(test, SMUGGLING)


def test_nothing_is_a_request_behind_one_that_is_refused_for_its_form() -> None:
    """Where it ends might be seen in another way: the connection ends with the answer."""

    async def test(rig: Rig) -> None:
        server = await _one(rig)
        for coding in ("gzip, chunked", "identity, chunked"):
            client = await rig.client()
            asked = HEAD + f"Transfer-Encoding: {coding}\r\n\r\n0\r\n\r\n".encode()
            refused = await client.ask(asked)
            assert (refused.status, refused.get("connection")) == (501, "close")
        assert server.asked == []

    play(test)


def test_blanks_around_a_length_are_none_of_it() -> None:
    async def test(rig: Rig) -> None:
        server = await _one(rig)
        client = await rig.client()
        for length in ("5", " 5 ", "\t5\t", "5  "):
            asked = HEAD + f"Content-Length:{length}\r\n\r\nhello".encode()
            assert (await client.ask(asked)).status == 200
        assert [(each.get("content-length"), each.body) for each in server.asked] == [("5", b"hello")] * 4

    play(test)


LINES = (
    "GET http://other-default.localhost/ HTTP/1.1",
    "GET //other HTTP/1.1",
    "GET * HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "CONNECT iris-default.localhost:80 HTTP/1.1",
    "TRACE / HTTP/1.1",
    "GET /a#b HTTP/1.1",
    "GET /a\tb HTTP/1.1",
    "GET /a\x00b HTTP/1.1",
    "GET / HTTP/1.1 x",
    "GET / HTTP/2.0",
    "GET / HTTP/0.9",
    "PRI * HTTP/2.0",
)


def test_request_lines_that_mean_something_else() -> None:
    async def test(rig: Rig, line: str) -> None:
        server = await _one(rig)
        got = await _raw(rig, f"{line}\r\nHost: {HOST}\r\n\r\n".encode())
        if line == "GET //other HTTP/1.1":
            assert server.asked[0].line == line
        else:
            assert got == b"" or got[8:10] in (b" 4", b" 5")
            assert server.asked == []

    _each(test, {line: line for line in LINES})


HOSTS = (
    (),
    (HOST, HOST),
    (HOST, "localhost"),
    ("localhost", HOST),
    (f"{HOST}, localhost",),
    (f"x@{HOST}",),
    (f"{HOST}/x",),
    (f"{HOST}:80@localhost",),
    (f"{HOST}:x",),
    (f"{HOST}:-1",),
    (f"{HOST}:123456",),
    (f"[{HOST}]",),
    (f"{HOST}.evil.example",),
    ("evil.example",),
    ("169.254.169.254",),
    ("other-default.localhost",),
)


def test_only_hosts_of_routes_lead_anywhere() -> None:
    async def test(rig: Rig, hosts: tuple[str, ...]) -> None:
        server = await _one(rig)
        lines = "".join(f"Host: {host}\r\n" for host in hosts)
        got = await _raw(rig, f"POST / HTTP/1.1\r\n{lines}Content-Length: 0\r\n\r\n".encode())
        # The rig's own platform has no guards; what comes to it is none of ours.
        assert server.asked == []
        assert got == b"" or b" 40" in got[:16] or b"platform" in got

    _each(test, {repr(hosts): hosts for hosts in HOSTS})


def test_a_port_and_a_last_dot_make_no_other_host() -> None:
    async def test(rig: Rig) -> None:
        server = await _one(rig)
        client = await rig.client()
        for host in (f"{HOST}:1", HOST.upper(), f"{HOST}.", f"{HOST}.:80"):
            assert (await client.ask(request(host=host))).status == 200
        assert len(server.asked) == 4

    play(test)


ANSWERS = {
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "length and chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9\r\n\r\n",
    "zero in a value": b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "a protocol nobody asked for": b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 20_000,
}


def test_answers_that_are_none_end_as_502() -> None:
    async def test(rig: Rig, case: bytes) -> None:
        async def say_it(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(case)
            await writer.drain()

        one = backend()
        rig.route(one)
        rig.pod(one, await rig.server(say_it))
        client = await rig.client()
        assert (await client.ask(request())).status == 502

    _each(test, ANSWERS)


def test_what_comes_behind_an_answer_is_nobodys() -> None:
    """A server that says two answers to one question poisons no other client's."""

    async def test(rig: Rig) -> None:
        async def twice(asked: Asked, writer: asyncio.StreamWriter) -> None:
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
            first, evil = answer % (len(asked.body), asked.body), answer % (4, b"evil")
            writer.write(first + evil)
            await writer.drain()

        one = backend()
        rig.route(one)
        rig.pod(one, await rig.server(twice))
        clients = [await rig.client() for _ in range(4)]
        for number in range(20):
            body = b"%d" % number
            answers = await asyncio.gather(*(client.ask(request(body=body)) for client in clients))
            assert [answer.body for answer in answers if answer.status == 200] == [body] * 4

    play(test)


def test_headers_of_identity_come_to_no_pod() -> None:
    async def test(rig: Rig) -> None:
        server = await _one(rig)
        client = await rig.client()
        names = (
            "kubeflow-userid",
            "Kubeflow_Userid",
            "X-Forwarded-User",
            "X-Remote-User",
            "Impersonate-User",
        )
        answer = await client.ask(request("/", b"{}", *(f"{name}: admin" for name in names)))
        assert answer.status == 200
        assert "admin" not in [value for _, value in server.asked[0].headers]

    play(test)


def test_a_response_cannot_be_split_by_what_the_client_says() -> None:
    async def test(rig: Rig) -> None:
        await _one(rig)
        client = await rig.client()
        answer = await client.ask(request("/", b"{}", 'X-Request-Id: a"b'))
        assert answer.get("x-request-id") not in ("", 'a"b')
        answer = await client.ask(request("/", b"{}", "X-Request-Id: " + "a" * 5000))
        assert len(answer.get("x-request-id")) < 200

    play(test)


class _Reviewer:
    """Of two users, one of whom may."""

    def who(self, authorization: str) -> User | None:
        name = {"Bearer good": "alice", "Bearer bad": "mallory"}.get(authorization)
        return User(name) if name else None

    def may(self, user: User, verb: str, resource: Any, namespace: str, name: str) -> bool:
        return (user.name, verb, resource.plural, namespace, name) == (
            *("alice", "get", "inferenceservices"),
            *("default", "iris"),
        )


def test_a_token_of_the_cluster_is_its_users_and_stays_here() -> None:
    async def test(rig: Rig) -> None:
        server = await _one(rig)
        client = await rig.client()
        for path, host in (("/v1", HOST), ("/serving/default/iris/v1", "localhost")):
            assert (
                await client.ask(request(path, b"{}", "Authorization: Bearer good", host=host))
            ).status == 200
            assert server.asked[-1].get("authorization") == ""
            assert (
                await client.ask(request(path, b"{}", "Authorization: Bearer bad", host=host))
            ).status == 403
            assert (
                await client.ask(request(path, b"{}", "Authorization: Bearer sk-1", host=host))
            ).status == 200
            assert server.asked[-1].get("authorization") == "Bearer sk-1"

    play(test, reviewer=_Reviewer())


@pytest.mark.parametrize("is_refused", [False, True])
def test_what_containers_said_last_is_for_whoever_may_read_the_object(is_refused: bool) -> None:
    """Pods of any namespace may call; what a model's log says is for those who could read it anyway."""
    why = Private("it ended with exit code 1: password=hunter2", "it ended")

    async def said(rig: Rig, *headers: str) -> tuple[int, bool]:
        one = backend()
        rig.route(one, refusal=why if is_refused else "")
        rig.core.trouble = lambda _backend: why
        answer = await (await rig.client()).ask(request("/", b"{}", *headers))
        assert is_refused or "hunter2" in rig.done[-1].why
        assert b"it ended" in answer.body or answer.status == 403
        return answer.status, b"hunter2" in answer.body

    async def of_this_machine(rig: Rig) -> None:
        assert await said(rig) == (503, True)
        assert await said(rig, "Authorization: Bearer good") == (503, True)
        assert await said(rig, "Authorization: Bearer sk-1") == (503, True)

    async def of_a_pod(rig: Rig) -> None:
        assert await said(rig) == (503, False)
        assert await said(rig, "Authorization: Bearer sk-1") == (503, False)
        assert await said(rig, "Authorization: Bearer bad") == (403, False)
        assert await said(rig, "Authorization: Bearer good") == (503, True)

    play(of_this_machine, reviewer=_Reviewer())
    play(of_a_pod, reviewer=_Reviewer(), pods={"127.0.0.1": "default"})


def test_what_is_cluster_local_does_not_exist_outside() -> None:
    async def test(rig: Rig) -> None:
        server, one = await rig.server(), backend()
        rig.route(one, is_public=False)
        rig.pod(one, server)
        client = await rig.client()
        unknown = await client.ask(request(host="nobody-default.localhost"))
        for path, host in (("/", HOST), ("/serving/default/iris/", "localhost")):
            answer = await client.ask(request(path, host=host))
            assert (answer.status, answer.body) == (unknown.status, unknown.body)
        assert (await client.ask(request(host="iris.default.svc.cluster.local"))).status == 200

    play(test)


def test_pods_come_to_what_is_cluster_local_by_any_name() -> None:
    async def test(rig: Rig) -> None:
        server, one = await rig.server(), backend()
        rig.route(one, is_public=False)
        rig.pod(one, server)
        client = await rig.client()
        assert (await client.ask(request())).status == 200
        # A bare name is of the pod's own namespace.
        rig.door._ready.has_host = lambda host, peer: True  # type: ignore[union-attr,method-assign]
        assert (await client.ask(request(host="iris"))).status == 200

    play(test, pods={"127.0.0.1": "default"})


def test_pages_of_other_sites_change_nothing() -> None:
    async def test(rig: Rig) -> None:
        server = await _one(rig)
        client = await rig.client()
        evil = "Origin: https://evil.example"
        assert (await client.ask(request("/", b"{}", evil))).status == 403
        assert (await client.ask(request("/", b"{}", "Sec-Fetch-Site: cross-site"))).status == 403
        assert (await client.ask(request("/", b"{}", "Sec-Fetch-Site: same-site"))).status == 403
        upgrade = ("Connection: Upgrade", "Upgrade: websocket", evil)
        assert (await client.ask(request("/", b"", *upgrade, method="GET"))).status == 403
        assert server.asked == []
        client = await rig.client()
        assert (await client.ask(request("/", b"{}", f"Origin: http://{HOST}"))).status == 200

    play(test)


def test_an_annotation_lets_other_origins_in_and_no_others() -> None:
    async def test(rig: Rig) -> None:
        async def generous(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await say(writer, b"ok", "200 OK", "Access-Control-Allow-Origin: *")

        server, one = await rig.server(generous), backend()
        rig.route(one, limits=Limits(frozenset({"https://app.example"})))
        rig.pod(one, server)
        client = await rig.client()
        asked = ("Origin: https://app.example", "Access-Control-Request-Method: POST")
        preflight = await client.ask(request("/", b"", *asked, method="OPTIONS"))
        assert (preflight.status, preflight.get("access-control-allow-origin")) == (
            204,
            "https://app.example",
        )
        answer = await client.ask(request("/", b"{}", asked[0], "Sec-Fetch-Site: cross-site"))
        assert (answer.status, answer.get("access-control-allow-origin")) == (200, "https://app.example")
        assert answer.get("access-control-allow-credentials") == ""
        evil = await client.ask(request("/", b"", "Origin: https://evil.example", method="GET"))
        assert evil.get("access-control-allow-origin") == ""
        assert (await client.ask(request("/", b"{}", "Origin: https://evil.example"))).status == 403

    play(test)


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_are_bounded_as_they_come(chunked: bool) -> None:
    async def test(rig: Rig) -> None:
        server, one = await rig.server(), backend()
        rig.route(one, limits=Limits(most_bytes=1000))
        rig.pod(one, server)
        client = await rig.client()
        assert (await client.ask(request(body=b"x" * 1000))).status == 200
        if chunked:
            data = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"100\r\n" + b"x" * 256 + b"\r\n") * 5
        else:
            data = HEAD + b"Content-Length: 2000000\r\n\r\n"
        assert (await client.ask(data)).status == 413
        assert [len(asked.body) for asked in server.asked] == [1000]

    play(test)


def test_a_client_that_says_nothing_more_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sampan.components.serving.controller.gateway.exchange._BODY_SECONDS", 0.2)

    async def test(rig: Rig) -> None:
        server = await _one(rig)
        clients = [await rig.client() for _ in range(50)]
        for client in clients:
            client.writer.write(HEAD + b"Content-Length: 10\r\n\r\nab")
        answers = await asyncio.gather(*(client.read() for client in clients))
        assert {answer.status for answer in answers} == {408}
        other = await rig.client()
        assert (await other.ask(request())).status == 200
        assert len(server.asked) == 1
        assert {member.in_flight for pool in rig.core.pools.values() for member in pool.members.values()} == {
            0
        }

    play(test)


def test_a_client_that_does_not_read_slows_the_pod_and_nobody_else() -> None:
    async def test(rig: Rig) -> None:
        sent = 0

        async def pour(asked: Asked, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            if asked.line.startswith("GET /pour"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 268435456\r\n\r\n")
                for _ in range(4096):
                    writer.write(b"x" * 65536)
                    await writer.drain()
                    sent += 65536
            else:
                await say(writer, b"ok")

        one = backend()
        rig.route(one)
        rig.pod(one, await rig.server(pour))
        client, other = await rig.client(), await rig.client()
        client.writer.write(request("/pour", b"", method="GET"))
        await asyncio.sleep(0.5)
        assert 0 < sent < 32 * 1024 * 1024
        assert (await other.ask(request())).status == 200

    play(test)


def test_errors_say_nothing_of_the_machine() -> None:
    async def test(rig: Rig) -> None:
        one = backend()
        rig.route(one, timeout_seconds=0.3)
        rig.pod(one, 1)
        client = await rig.client()
        answer = await client.ask(request())
        assert answer.status == 503
        for word in (b"127.0.0.1", b"Traceback", b"/home", b".py", b"Errno"):
            assert word not in answer.body

    play(test)
