"""exec and attach over SPDY/3.1, as kubectl before 1.31 does it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from sampan.kube.kinds import PODS

SH = "command=sh&command=-c&command="


async def opened(
    place: Any, spdy_client: Any, path: str, *streams: str, protocol: str = "v4.channel.k8s.io"
) -> Any:
    client = spdy_client(place.url)
    assert await client.upgrade(path, protocol) == 101
    assert client.headers["x-stream-protocol-version"] == protocol
    numbers = {}
    for name in streams:
        numbers[name] = await client.open(streamtype=name)
    await client.until(lambda: client.replied >= set(numbers.values()))
    return client, numbers


def test_a_command(streams: Any, spdy_client: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        path = place.path("p", "exec", SH + "cat;echo+err+>%262;exit+7&stdin=true&stdout=true&stderr=true")
        client, numbers = await opened(place, spdy_client, path, "error", "stdin", "stdout", "stderr")
        await client.write(numbers["stdin"], b"abc")
        await client.write(numbers["stdin"], b"def", fin=True)
        await client.until(lambda: client.ended >= {numbers[each] for each in ("stdout", "stderr", "error")})
        assert client.data[numbers["stdout"]] == b"abcdef"
        assert client.data[numbers["stderr"]] == b"err\n"
        status = json.loads(client.data[numbers["error"]])
        assert status["reason"] == "NonZeroExitCode"
        assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]
        await client.until(lambda: client.gone_away)

    streams(scenario)


@pytest.mark.parametrize("protocol", ["v2.channel.k8s.io", "channel.k8s.io"])
def test_older_protocols_tell_failures_in_words(streams: Any, spdy_client: Any, protocol: str) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        for script, word in (("exit+3", b"exit status 3"), ("true", b"")):
            path = place.path("p", "exec", f"{SH}{script}&stdout=1")
            client, numbers = await opened(place, spdy_client, path, "error", "stdout", protocol=protocol)
            await client.until(lambda c=client, n=numbers: n["error"] in c.ended)
            assert word in client.data[numbers["error"]]
            assert bool(word) == bool(client.data[numbers["error"]])

    streams(scenario)


def test_a_terminal_and_its_size(streams: Any, spdy_client: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        path = place.path("p", "exec", "command=sh&stdin=true&stdout=true&stderr=true&tty=true")
        client, numbers = await opened(place, spdy_client, path, "error", "stdin", "stdout", "resize")
        size = b'{"Width":91,"Height":33}'
        await client.write(numbers["resize"], size[:9])
        await client.write(numbers["resize"], size[9:] + b"\n")
        await client.ping(1)
        await client.until(lambda: client.pongs)
        resized = b'until [ "$(stty size)" = "33 91" ]; do sleep 0.05; done; stty size; exit\n'
        await client.write(numbers["stdin"], resized)
        await client.until(lambda: numbers["error"] in client.ended)
        assert b"33 91" in client.data[numbers["stdout"]]
        assert json.loads(client.data[numbers["error"]])["status"] == "Success"

    streams(scenario)


def test_attaching(streams: Any, spdy_client: Any) -> None:
    async def scenario(place: Any) -> None:
        script = "while read x; do echo got $x; done; exit 4"
        await place.run("p", ["sh", "-c", script], stdin=True, stdinOnce=True)
        path = place.path("p", "attach", "stdin=true&stdout=true")
        client, numbers = await opened(place, spdy_client, path, "error", "stdin", "stdout")
        await client.write(numbers["stdin"], b"one\n", fin=True)
        await client.until(lambda: numbers["error"] in client.ended)
        assert client.data[numbers["stdout"]] == b"got one\n"
        # The code of a container is in its pod's status.
        assert json.loads(client.data[numbers["error"]])["status"] == "Success"

    streams(scenario)


def test_what_follows_the_request_at_once_is_not_lost(streams: Any, spdy_client: Any) -> None:
    """Go waits for the answer; the protocol does not ask it to."""

    async def scenario(place: Any) -> None:
        await place.run("p")
        client = spdy_client(place.url)
        early: list[bytes] = []

        async def keep(data: bytes) -> None:
            early.append(data)

        client.send = keep
        numbers = {name: await client.open(streamtype=name) for name in ("error", "stdout")}
        del client.send
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "SPDY/3.1",
            "X-Stream-Protocol-Version": "v4.channel.k8s.io",
        }
        path = place.path("p", "exec", "command=echo&command=hi&stdout=true")
        assert await client.ask("POST", path, headers, after=b"".join(early)) == 101
        await client.until(lambda: numbers["error"] in client.ended)
        assert client.data[numbers["stdout"]] == b"hi\n"

    streams(scenario)


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (("nobody", "exec", "command=x&stdout=1"), 404, 'pods "nobody" not found'),
        (("p", "exec", "stdout=1"), 400, "at least one command"),
        (("p", "exec", "command=x"), 400, "at least 1 of stdin, stdout, stderr"),
        (("p", "exec", "command=x&stdout=1&container=no"), 400, "container no is not valid for pod p"),
        (("p", "attach", "container=no&stdout=1"), 400, "container no is not valid for pod p"),
    ],
)
def test_refusals(streams: Any, spdy_client: Any, path: Any, code: int, message: str) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        client = spdy_client(place.url)
        assert await client.upgrade(place.path(*path), "v4.channel.k8s.io") == code
        status = await client.status_object()
        assert status["kind"] == "Status"
        assert message in status["message"]

    streams(scenario)


def test_other_refusals(streams: Any, spdy_client: Any, wire: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        path = place.path("p", "exec", "command=true&stdout=1")
        client = spdy_client(place.url)
        assert await client.upgrade(path, "v9.channel.k8s.io") == 403
        assert "server accepts [v4.channel.k8s.io" in (await client.status_object())["message"]
        assert await spdy_client(place.url).upgrade(path, Authorization="Bearer wrong") == 401
        assert await spdy_client(place.url).upgrade(path, Origin="http://evil.example") == 403
        plain = wire(place.url)
        assert await plain.ask("POST", path, {"Content-Length": "0"}) == 400
        assert "Upgrade request required" in (await plain.status_object())["message"]
        # The connection of a refused upgrade says that it ends.
        refused = spdy_client(place.url)
        assert await refused.upgrade(place.path("nobody", "exec", "command=x&stdout=1")) == 404
        assert refused.headers["connection"] == "close"
        await refused.body()
        assert await refused.reader.read() == b""

    streams(scenario)


def test_a_pod_that_is_over(streams: Any, spdy_client: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p", ["sleep", "0.3"])
        async with asyncio.timeout(60):
            while (await place.client.get(PODS, "p", "default"))["status"]["phase"] == "Running":
                await asyncio.sleep(0.05)
        client = spdy_client(place.url)
        assert await client.upgrade(place.path("p", "exec", "command=x&stdout=1"), "v4.channel.k8s.io") == 500
        assert await client.body() == b'container not found ("main")'

    streams(scenario)
