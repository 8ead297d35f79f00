"""How requests are divided: by weight, by tag, by rule; and who gets copies."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sampan.components.serving.api.routing import Rule
from sampan.components.serving.controller.gateway.accesslog import AccessLog, append
from sampan.testing.gateways import HOST, Asked, Rig, backend, request, say


def test_weights_hold_across_connections(run: Any) -> None:
    async def test(rig: Rig) -> None:
        new, old = backend("new", weight=10), backend("old", weight=90)
        rig.route(new, old)
        servers = {"new": await rig.server(), "old": await rig.server()}
        for one in (new, old):
            rig.pod(one, servers[one.service], one.service)
        clients = [await rig.client() for _ in range(7)]

        async def ask(client: Any) -> None:
            for _ in range(150):
                assert (await client.ask(request())).status == 200

        await asyncio.gather(*(ask(client) for client in clients))
        assert abs(len(servers["new"].asked) / 1050 - 0.1) < 0.01
        await rig.noted(1050)
        found = rig.core.statistics.summary(("InferenceService", "default", "iris", "new"))
        assert found.requests == len(servers["new"].asked)

    run(test)


def test_a_tag_leads_to_its_backend_alone(run: Any) -> None:
    async def test(rig: Rig) -> None:
        new, old = backend("new", weight=0, tag="canary"), backend("old", weight=100)
        rig.route(new, old)
        servers = {"new": await rig.server(), "old": await rig.server()}
        for one in (new, old):
            rig.pod(one, servers[one.service], one.service)
        client = await rig.client()
        for _ in range(5):
            await client.ask(request())
            await client.ask(request(host=f"canary-{HOST}"))
        assert [len(server.asked) for server in servers.values()] == [5, 5]
        assert (await client.ask(request(host=f"nobody-{HOST}"))).status == 404

    run(test)


def test_rules_set_headers_and_choose_by_path(run: Any) -> None:
    async def test(rig: Rig) -> None:
        explainer, predictor = backend("explainer"), backend("predictor")
        rules = (
            Rule((explainer,), path=r"/v1/models/[\w.-]+:explain$", headers={"X-Which": "explainer"}),
            Rule((predictor,), headers={"KServe-Isvc-Name": "iris"}),
        )
        rig.route(rules=rules)
        explains, predicts = await rig.server(), await rig.server()
        rig.pod(explainer, explains, "e")
        rig.pod(predictor, predicts, "p")
        client = await rig.client()
        await client.ask(request("/v1/models/iris:explain?x"))
        await client.ask(request("/v1/models/iris:predict", b"{}", "kserve-isvc-name: other"))
        assert explains.asked[0].get("x-which") == "explainer"
        assert predicts.asked[0].all("kserve-isvc-name") == ["iris"]

    run(test)


def test_a_shadow_gets_a_copy_and_is_never_waited_for(run: Any) -> None:
    async def test(rig: Rig) -> None:
        async def slow(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.2)
            await say(writer, b"shadow", "500 No")

        one, shadow, absent = backend("one"), backend("shadow"), backend("absent", scaled=False)
        rig.route(rules=(Rule((one,), shadows=(shadow, absent)),))
        server, copies = await rig.server(), await rig.server(slow)
        rig.pod(one, server, "one")
        rig.pod(shadow, copies, "shadow")
        client = await rig.client()
        head = f"POST /x HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        client.writer.write(head + b"3\r\nabc\r\n")
        await asyncio.sleep(0.05)
        answer = await client.ask(b"2\r\nde\r\n0\r\n\r\n")
        assert (answer.status, answer.body) == (200, b"ok")
        assert (await client.ask(request(body=b"whole"))).body == b"ok"
        while len(copies.asked) < 2:
            await asyncio.sleep(0.01)
        assert sorted(asked.body for asked in copies.asked) == [b"abcde", b"whole"]
        assert [asked.body for asked in server.asked] == [b"abcde", b"whole"]
        while not rig.core.meter.load(shadow.target, 60).idle_seconds:  # type: ignore[arg-type]
            await asyncio.sleep(0.01)
        assert Counter(done.status for done in await rig.noted(2)) == {200: 2}

    run(test)


def test_the_access_log_says_what_was_asked_and_no_more(run: Any, tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        log = AccessLog(tmp_path / "access")
        rig.core._note = log.note
        one, server = backend(), await rig.server()
        rig.route(one)
        rig.pod(one, server)
        client = await rig.client()
        secret = "hunter2"
        given = (
            f"Authorization: Bearer {secret}",
            f"Cookie: a={secret}",
            "traceparent: 00-abc",
            "X-Request-Id: r1",
        )
        await client.ask(request(f"/v1/x?token={secret}", secret.encode(), *given))
        await client.ask(request('/a"b\\c', b"{}"))
        await log.close()
        text = (tmp_path / "access" / "default.jsonl").read_text()
        assert secret not in text
        first, second = (json.loads(line) for line in text.splitlines())
        assert first.pop("ms") > 0
        assert first.pop("time").endswith("Z")
        assert first == {
            "id": "r1",
            "method": "POST",
            "path": "/v1/x",
            "host": HOST,
            "status": 200,
            "in": 7,
            "out": 2,
            "peer": "127.0.0.1",
            "kind": "InferenceService",
            "name": "iris",
            "service": "iris-00001",
            "pod": "pod",
            "trace": "00-abc",
        }
        assert second["path"] == '/a"b\\c'

    run(test)


def test_the_access_log_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sampan.components.serving.controller.gateway.accesslog._MOST_BYTES", 100)
    for number in range(10):
        append(tmp_path, "default", b"%d" % number * 101)
    found = {path.name: path.read_bytes()[:1] for path in tmp_path.iterdir()}
    assert found == {"default.1.jsonl": b"9", "default.2.jsonl": b"8", "default.3.jsonl": b"7"}
    # Nobody leads the log to another file.
    (tmp_path / "evil.jsonl").symlink_to(tmp_path / "default.1.jsonl")
    with pytest.raises(OSError, match="symbolic"):
        append(tmp_path, "evil", b"x")
