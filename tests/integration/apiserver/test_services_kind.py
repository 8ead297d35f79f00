"""Services as the API server keeps them: what they are given, what is refused, what stays; and their proxy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sampan.client.protocol import Client
from sampan.kube.errors import InvalidError
from sampan.kube.kinds import ENDPOINTS, NAMESPACES, PODS, SERVICES
from sampan.testing.apiserver import embedded, loopback
from sampan.testing.connections import connected, listening

PORT = {"port": 80}


def play(folder: Path, scenario: Callable[[Client], Awaitable[None]]) -> None:
    async def main() -> None:
        async with embedded(folder) as server:
            await scenario(server.client)

    asyncio.run(main())


async def make(client: Client, name: str, **spec: Any) -> dict[str, Any]:
    spec.setdefault("ports", [dict(PORT)])
    metadata = {"name": name, "namespace": "default"}
    return dict((await client.create(SERVICES, {"metadata": metadata, "spec": spec}))["spec"])


async def refused(client: Client, **spec: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidError) as caught:
        await make(client, "bad", **spec)
    return [(cause.field, cause.message) for cause in caught.value.causes]


async def change(client: Client, name: str, **spec: Any) -> dict[str, Any]:
    return dict((await client.patch(SERVICES, name, {"spec": spec}, "default"))["spec"])


def test_defaults(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        spec = await make(client, "a", selector={"x": "y"})
        address = spec.pop("clusterIP")
        assert address.startswith("127.")
        assert spec == {
            "type": "ClusterIP",
            "selector": {"x": "y"},
            "sessionAffinity": "None",
            "clusterIPs": [address],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        }
        sticky = await make(client, "b", sessionAffinity="ClientIP")
        assert sticky["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
        headless = await make(client, "c", clusterIP="None", ports=[])
        assert (headless["clusterIP"], headless["clusterIPs"]) == ("None", ["None"])
        outside = await make(client, "d", type="ExternalName", externalName="x.example", ports=[])
        assert "clusterIP" not in outside

    play(tmp_path, scenario)


def test_no_two_have_the_same(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        own = [await make(client, f"s-{at}", type="NodePort") for at in range(20)]
        assert len({each["clusterIP"] for each in own}) == 20
        assert len({each["ports"][0]["nodePort"] for each in own}) == 20
        taken, port = own[0]["clusterIP"], own[0]["ports"][0]["nodePort"]
        assert await refused(client, clusterIP=taken) == [
            (
                "spec.clusterIPs",
                f'Invalid value: ["{taken}"]: failed to allocate IP {taken}: provided IP is already allocated',
            )
        ]
        assert await refused(client, type="NodePort", ports=[{"port": 1, "nodePort": port}]) == [
            ("spec.ports[0].nodePort", f"Invalid value: {port}: provided port is already allocated")
        ]
        # Another protocol has ports of its own.
        await make(client, "udp", type="NodePort", ports=[{"port": 1, "nodePort": port, "protocol": "UDP"}])
        await client.delete(SERVICES, "s-0", "default")
        again = await make(
            client, "again", clusterIP=taken, type="NodePort", ports=[{"port": 1, "nodePort": port}]
        )
        assert again["clusterIP"] == taken

    play(tmp_path, scenario)


def test_what_was_given_outlives_the_server(tmp_path: Path) -> None:
    async def first(client: Client) -> None:
        await make(client, "a", type="NodePort", ports=[{"port": 1, "nodePort": 30001}])

    async def second(client: Client) -> None:
        before = (await client.get(SERVICES, "a", "default"))["spec"]["clusterIP"]
        assert (await make(client, "b"))["clusterIP"] != before
        assert "already allocated" in str(await refused(client, clusterIP=before))
        assert "already allocated" in str(
            await refused(client, type="NodePort", ports=[{"port": 1, "nodePort": 30001}])
        )

    play(tmp_path, first)
    play(tmp_path, second)


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"ports": []}, "spec.ports", "Required value"),
        ({"type": "Odd"}, "spec.type", 'Unsupported value: "Odd": supported values: "ClusterIP"'),
        ({"clusterIP": "bad"}, "spec.clusterIPs[0]", "must be a valid IP address"),
        ({"externalIPs": ["bad"]}, "spec.externalIPs[0]", "must be a valid IP address"),
        ({"ipFamilies": ["IPv6"]}, "spec.ipFamilies[0]", "not configured on this cluster"),
        ({"ipFamilyPolicy": "RequireDualStack"}, "spec.ipFamilyPolicy", "not configured for dual-stack"),
        (
            {"type": "NodePort", "externalTrafficPolicy": "x"},
            "spec.externalTrafficPolicy",
            'supported values: "Cluster", "Local"',
        ),
        (
            {"externalTrafficPolicy": "Local"},
            "spec.externalTrafficPolicy",
            "may only be set for externally-accessible services",
        ),
        ({"clusterIP": "10.0.0.1"}, "spec.clusterIPs", "failed to allocate IP 10.0.0.1"),
        (
            {"clusterIP": "None", "type": "NodePort"},
            "spec.clusterIPs[0]",
            "may not be set to 'None' for NodePort",
        ),
        ({"type": "ExternalName"}, "spec.externalName", "Required value"),
        ({"ports": [{"port": 1}, {"port": 2, "name": "b"}]}, "spec.ports[0].name", "Required value"),
        (
            {"ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}]},
            "spec.ports[1].name",
            'Duplicate value: "a"',
        ),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port", "must be between 1 and 65535, inclusive"),
        ({"ports": [{"port": 1, "protocol": "X"}]}, "spec.ports[0].protocol", "supported values: "),
        ({"ports": [{"port": 1, "targetPort": "a_b"}]}, "spec.ports[0].targetPort", "must contain only"),
        (
            {"ports": [{"port": 1, "nodePort": 30000}]},
            "spec.ports[0].nodePort",
            "may not be used when `type` is 'ClusterIP'",
        ),
        (
            {"type": "NodePort", "ports": [{"port": 1, "nodePort": 80}]},
            "spec.ports[0].nodePort",
            "The range of valid ports is 30000-32767",
        ),
        ({"sessionAffinity": "x"}, "spec.sessionAffinity", 'supported values: "ClientIP", "None"'),
    ],
)
def test_what_is_refused(tmp_path: Path, spec: dict[str, Any], field: str, message: str) -> None:
    async def scenario(client: Client) -> None:
        found = dict(await refused(client, **spec))
        assert message in found[field]

    play(tmp_path, scenario)


def test_what_stays_and_what_goes_when_the_type_changes(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        address = (await make(client, "a"))["clusterIP"]
        node = await change(client, "a", type="NodePort")
        port = node["ports"][0]["nodePort"]
        assert (node["clusterIP"], node["externalTrafficPolicy"]) == (address, "Cluster")
        # Who writes the whole again need not know what was given.
        whole = await client.get(SERVICES, "a", "default")
        whole["spec"] = {"type": "NodePort", "ports": [dict(PORT)]}
        kept = (await client.replace(SERVICES, whole))["spec"]
        assert (kept["clusterIP"], kept["ports"][0]["nodePort"]) == (address, port)
        plain = await change(client, "a", type="ClusterIP")
        assert "nodePort" not in plain["ports"][0]
        assert "externalTrafficPolicy" not in plain
        with pytest.raises(InvalidError) as caught:
            await change(client, "a", clusterIP="127.100.0.77", clusterIPs=["127.100.0.77"])
        assert [(each.field, each.message) for each in caught.value.causes] == [
            ("spec.clusterIPs[0]", 'Invalid value: ["127.100.0.77"]: may not change once set')
        ]
        outside = await change(client, "a", type="ExternalName", externalName="x.example")
        assert "clusterIP" not in outside
        assert (await change(client, "a", type="ClusterIP", externalName=None))["clusterIP"]

    play(tmp_path, scenario)


def test_a_dry_run_takes_nothing(tmp_path: Path) -> None:
    from sampan.client.protocol import WriteOptions

    async def scenario(client: Client) -> None:
        spec = {"type": "NodePort", "ports": [{"port": 1, "nodePort": 30005}]}
        obj = {"metadata": {"name": "dry", "namespace": "default"}, "spec": spec}
        dry = await client.create(SERVICES, obj, WriteOptions(dry_run=True))
        own = await make(client, "real", clusterIP=dry["spec"]["clusterIP"], **spec)
        assert own["clusterIP"] == dry["spec"]["clusterIP"]

    play(tmp_path, scenario)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says what it was asked, in two chunks."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    body = b""
    if "chunked" in head:
        while (size := int(await reader.readline(), 16)) > 0:
            body += (await reader.readexactly(size + 2))[:-2]
    writer.write(b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\nx-own: 1\r\nset-cookie: a=b\r\n\r\n")
    for part in (head.splitlines()[0].encode(), json.dumps([head.lower(), body.decode()]).encode()):
        writer.write(f"{len(part) + 1:x}\r\n".encode() + part + b"\n\r\n")
        await writer.drain()
    writer.write(b"0\r\n\r\n")


def test_the_proxy(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            listening(_echo) as backend,
            embedded(tmp_path) as server,
            loopback(server.asgi) as url,
            httpx.AsyncClient(base_url=url, trust_env=False) as web,
        ):
            client = server.client
            # A namespace whose name is the sub-resource's.
            await client.create(NAMESPACES, {"metadata": {"name": "proxy"}})
            metadata = {"name": "web", "namespace": "proxy"}
            spec = {"ports": [{"name": "http", "port": 80}]}
            await client.create(SERVICES, {"metadata": metadata, "spec": spec})
            base = "/api/v1/namespaces/proxy/services"
            empty = await web.get(f"{base}/web/proxy/")
            assert (empty.status_code, empty.json()["message"]) == (
                503,
                'no endpoints available for service "web"',
            )
            ports = [{"name": "http", "port": backend.port}]
            subsets = [{"addresses": [{"ip": "127.0.0.1"}], "ports": ports}]
            await client.create(ENDPOINTS, {"metadata": metadata, "subsets": subsets})
            for name in ("web", "web:80", "web:http", "http:web:http", "http:web:"):
                assert (await web.get(f"{base}/{name}/proxy/x")).status_code == 201, name
            answer = await web.post(
                f"{base}/web/proxy/a%2Fb/proxy/c?d=e%20f",
                content=_pieces(),
                headers={"authorization": "Bearer secret", "cookie": "x=y", "x-mine": "1"},
            )
            line, rest = answer.text.splitlines()
            head, body = json.loads(rest)
            assert line == "POST /a%2Fb/proxy/c?d=e%20f HTTP/1.1"
            assert body == "onetwo"
            assert "x-mine: 1" in head
            assert "secret" not in head
            assert "x=y" not in head
            assert answer.headers["x-own"] == "1"
            assert "set-cookie" not in answer.headers
            assert "sandbox" in answer.headers["content-security-policy"]
            moved = await web.get(f"{base}/web/proxy")
            assert (moved.status_code, moved.headers["location"]) == (301, f"{base}/web/proxy/")
            wrong = await web.get(f"{base}/web:81/proxy/")
            assert wrong.json()["message"] == 'no service port "81" found for service "web"'
            assert (await web.get(f"{base}/a:b:c:d/proxy/")).status_code == 400
            assert (await web.get(f"{base}/none/proxy/")).status_code == 404
            await _pods(client, web, backend.port)
            backend.refuse()
            gone = await web.get(f"{base}/web/proxy/")
            assert (gone.status_code, gone.json()["reason"]) == (503, "ServiceUnavailable")

    asyncio.run(main())


async def _pods(client: Client, web: httpx.AsyncClient, port: int) -> None:
    containers = [{"name": "a", "image": "x", "ports": [{"containerPort": port}]}]
    pod = {"metadata": {"name": "one", "namespace": "proxy"}, "spec": {"containers": containers}}
    await client.create(PODS, pod)
    base = "/api/v1/namespaces/proxy/pods"
    assert (await web.get(f"{base}/one/proxy/")).status_code == 503
    await client.patch(PODS, "one", {"status": {"podIP": "127.0.0.1"}}, "proxy", subresource="status")
    for name in ("one", f"one:{port}"):
        assert (await web.get(f"{base}/{name}/proxy/")).status_code == 201
    assert (await web.get(f"{base}/one:http/proxy/")).status_code == 400


async def _pieces() -> Any:
    yield b"one"
    yield b"two"


async def _switching(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Agrees to any other protocol, and then says everything twice."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"\r\nconnection: Upgrade" in head
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello "
    )
    while data := await reader.read(1000):
        writer.write(data * 2)


def test_the_proxy_lets_both_sides_speak_something_else(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            listening(_switching) as backend,
            embedded(tmp_path) as server,
            loopback(server.asgi) as url,
        ):
            metadata = {"name": "one", "namespace": "default"}
            spec = {"containers": [{"name": "a", "image": "x"}]}
            await server.client.create(PODS, {"metadata": metadata, "spec": spec})
            status = {"status": {"podIP": "127.0.0.1"}}
            await server.client.patch(PODS, "one", status, "default", subresource="status")
            host, _, own = url.removeprefix("http://").partition(":")
            path = f"/api/v1/namespaces/default/pods/one:{backend.port}/proxy/ws"
            async with asyncio.timeout(60), connected(host, int(own)) as (reader, writer):
                head = f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"
                writer.write(head.encode())
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
                assert await reader.readexactly(6) == b"hello "
                writer.write(b"abc")
                assert await reader.readexactly(6) == b"abcabc"

    asyncio.run(main())
