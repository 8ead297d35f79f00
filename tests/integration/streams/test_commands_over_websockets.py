"""exec and attach over WebSockets: every protocol that kubectl, the Python clients and browsers use."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from sampan.kube.kinds import PODS

SH = "command=sh&command=-c&command="
V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"


def dial(place: Any, path: str, *protocols: str, **headers: str) -> Any:
    return connect(
        "ws" + place.url.removeprefix("http") + path,
        subprotocols=list(protocols) or None,
        additional_headers=headers,
        compression=None,
        proxy=None,
        max_size=None,
        ping_interval=None,
    )


async def everything(socket: Any) -> dict[int, bytes]:
    """What came on each channel until the end."""
    found: dict[int, bytes] = {}
    # Ends with a close by 1000 alone; another is raised.
    async for message in socket:
        found[message[0]] = found.get(message[0], b"") + message[1:]
    return found


def test_a_command_with_the_newest_protocol(streams: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        path = place.path("p", "exec", SH + "cat;echo+err+>%262;exit+7&stdin=true&stdout=true&stderr=true")
        async with dial(place, path, V5) as socket:
            assert socket.subprotocol == V5
            # The stream stands before anything is written.
            assert await socket.recv() == b"\x01"
            await socket.send(b"\x00abc")
            await socket.send([b"\x00de", b"f", b"", b"g"])
            await socket.send(b"\xff\x00")
            found = await everything(socket)
        assert found[1] == b"abcdefg"
        assert found[2] == b"err\n"
        status = json.loads(found[3])
        assert (status["reason"], status["details"]["causes"][0]["message"]) == ("NonZeroExitCode", "7")

    streams(scenario)


@pytest.mark.parametrize("protocol", [V4, "channel.k8s.io", ""])
def test_older_protocols(streams: Any, protocol: str) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        path = place.path("p", "exec", SH + "read+x;echo+$x;exit+3&stdin=true&stdout=true")
        async with dial(place, path, *filter(None, [protocol])) as socket:
            assert (socket.subprotocol or "") == protocol
            await socket.send(b"\x00abc\n")
            found = await everything(socket)
        assert found[1] == b"abc\n"
        if protocol == V4:
            assert json.loads(found[3])["reason"] == "NonZeroExitCode"
        else:
            assert b"exit status 3" in found[3]

    streams(scenario)


@pytest.mark.parametrize("protocol", ["v4.base64.channel.k8s.io", "base64.channel.k8s.io"])
def test_protocols_in_base64(streams: Any, protocol: str) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        path = place.path("p", "exec", SH + "head+-c+6&stdin=true&stdout=true")
        async with dial(place, path, protocol) as socket:
            assert await socket.recv() == "1"
            await socket.send("0" + base64.b64encode(b"\x00\xffabcd").decode())
            assert await socket.recv() == "1" + base64.b64encode(b"\x00\xffabcd").decode()

    streams(scenario)


def test_a_terminal_and_its_size(streams: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        path = place.path("p", "exec", "command=sh&stdin=true&stdout=true&tty=true")
        async with dial(place, path, V5) as socket:
            await socket.send(b'\x04{"Width":91,"Height":33}')
            await socket.send(b"\x04nonsense")
            await socket.send(b"\x00stty size; exit\n")
            found = await everything(socket)
        assert b"33 91" in found[1]

    streams(scenario)


def test_pings_are_answered(streams: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        async with dial(place, place.path("p", "exec", "command=cat&stdin=1&stdout=1"), V5) as socket:
            async with asyncio.timeout(60):
                await (await socket.ping())

    streams(scenario)


def test_much_goes_through_unharmed(streams: Any) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        sent = os.urandom(1 << 20) * 6
        async with dial(place, place.path("p", "exec", "command=cat&stdin=1&stdout=1"), V5) as socket:

            async def give() -> None:
                # In one message: the size of a message is nobody's memory.
                await socket.send(b"\x00" + sent)
                await socket.send(b"\xff\x00")

            giving = asyncio.create_task(give())
            found = await everything(socket)
            await giving
        assert found[1] == sent

    streams(scenario)


def test_attaching(streams: Any) -> None:
    async def scenario(place: Any) -> None:
        script = "while read x; do echo got $x; done; exit 4"
        await place.run("p", ["sh", "-c", script], stdin=True, stdinOnce=True)
        async with dial(place, place.path("p", "attach", "stdin=true&stdout=true"), V5) as socket:
            await socket.send(b"\x00one\n")
            await socket.send(b"\xff\x00")
            found = await everything(socket)
        assert found[1] == b"got one\n"
        assert json.loads(found[3])["status"] == "Success"

    streams(scenario)


@pytest.mark.parametrize("value", ["true", "1", "True", "", "yes"])
def test_what_counts_as_true(streams: Any, value: str) -> None:
    async def scenario(place: Any) -> None:
        await place.run("p")
        path = place.path("p", "exec", f"command=echo&command=hi&stdout={value}&stderr=false&stdin=0")
        async with dial(place, path, V5) as socket:
            assert (await everything(socket))[1] == b"hi\n"

    streams(scenario)


@pytest.mark.parametrize(
    ("query", "protocol", "headers", "code"),
    [
        ("command=true&stdout=1", V5, {"Authorization": "Bearer wrong"}, 401),
        ("command=true&stdout=1", V5, {"Origin": "http://evil.example"}, 403),
        ("command=true&stdout=1", V5, {"Sec-Fetch-Site": "cross-site"}, 403),
        ("command=true&stdout=1", V5, {"Sec-Fetch-Site": "same-site"}, 403),
        ("command=true&stdout=1", "v9.channel.k8s.io", {}, 400),
        ("stdout=1", V5, {}, 400),
        ("command=true&stdout=1&container=no", V5, {}, 400),
    ],
)
def test_refusals(streams: Any, query: str, protocol: str, headers: dict[str, str], code: int) -> None:
    """In the API's words, and before anything is opened."""

    async def scenario(place: Any) -> None:
        await place.run("p")
        with pytest.raises(InvalidStatus) as refusal:
            async with dial(place, place.path("p", "exec", query), protocol, **headers):
                pass
        assert refusal.value.response.status_code == code
        status = json.loads(refusal.value.response.body)
        assert (status["kind"], status["code"]) == ("Status", code)
        assert "access-control-allow-origin" not in refusal.value.response.headers

    streams(scenario)


def test_other_paths_open_no_websocket(streams: Any) -> None:
    async def scenario(place: Any) -> None:
        for path in ("/api/v1/namespaces", "/healthz", "/nothing"):
            with pytest.raises(InvalidStatus) as refusal:
                async with dial(place, path, V5):
                    pass
            assert refusal.value.response.status_code in (200, 404)

    streams(scenario)


def test_no_node_no_stream(streams: Any) -> None:
    async def scenario(place: Any) -> None:
        pod = {"metadata": {"name": "q", "namespace": "default"}}
        spec = {"nodeSelector": {"no": "such"}, "containers": [{"name": "main", "image": "busybox"}]}
        await place.client.create(PODS, {**pod, "spec": spec})
        with pytest.raises(InvalidStatus) as refusal:
            async with dial(place, place.path("q", "exec", "command=true&stdout=1"), V5):
                pass
        assert "does not have a host assigned" in json.loads(refusal.value.response.body)["message"]

    streams(scenario)
