"""What `kubectl top` reads: measured on real processes, served as metrics.k8s.io."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from sampan.kube import quantities

BASE = "/apis/metrics.k8s.io/v1beta1"
BUSY = "while :; do :; done"


def test_pods_and_the_node(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            wanted = node.pod("busy", ["sh", "-c", BUSY])
            wanted["spec"]["containers"].append(
                {"name": "idle", "image": "busybox", "command": ["sleep", "100"]}
            )
            wanted["metadata"]["labels"] = {"app": "busy"}
            await node.client.create(node.pods_kind, wanted)
            await node.create("over", ["true"])
            await node.until("busy", lambda pod: pod["status"].get("phase") == "Running")
            await node.until("over", lambda pod: pod["status"].get("phase") == "Succeeded")
            transport = httpx.ASGITransport(app=node.asgi)
            async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as http:
                await check(http, node.agent.node_name)

    async def check(http: httpx.AsyncClient, name: str) -> None:
        pods = (await http.get(f"{BASE}/pods")).json()
        assert (pods["kind"], pods["apiVersion"]) == ("PodMetricsList", "metrics.k8s.io/v1beta1")
        (pod,) = pods["items"]
        assert pod["metadata"]["labels"] == {"app": "busy"}
        usage = {each["name"]: each["usage"] for each in pod["containers"]}
        assert quantities.parse(usage["main"]["cpu"]) > quantities.parse("100m")
        assert quantities.parse(usage["idle"]["cpu"]) < quantities.parse("100m")
        assert 50 * 1024 < quantities.parse(usage["idle"]["memory"]) < 50 * 1024 * 1024
        assert usage["idle"]["memory"].endswith("Ki")
        assert pod["window"].endswith("s")
        assert pod["timestamp"]

        one = (await http.get(f"{BASE}/namespaces/default/pods/busy")).json()
        assert (one["kind"], one["metadata"]["name"]) == ("PodMetrics", "busy")
        assert (await http.get(f"{BASE}/namespaces/default/pods/over")).status_code == 404
        for query, count in (("labelSelector=app=busy", 1), ("labelSelector=app=other", 0)):
            found = (await http.get(f"{BASE}/namespaces/default/pods?{query}")).json()
            assert len(found["items"]) == count
        assert (await http.get(f"{BASE}/namespaces/other/pods")).json()["items"] == []

        nodes = (await http.get(f"{BASE}/nodes")).json()
        assert nodes["kind"] == "NodeMetricsList"
        (found,) = nodes["items"]
        assert found["metadata"]["name"] == name
        assert found["metadata"]["labels"]["kubernetes.io/hostname"] == name
        assert quantities.parse(found["usage"]["cpu"]) > 0
        assert quantities.parse(found["usage"]["memory"]) > 1024 * 1024

        summary = (await http.get(f"/api/v1/nodes/{name}/proxy/stats/summary")).json()["node"]
        disk = summary["fs"]
        assert summary["nodeName"] == name
        assert (
            disk["capacityBytes"] >= disk["usedBytes"] + disk["availableBytes"] > disk["availableBytes"] > 0
        )
        assert (await http.get("/api/v1/nodes/other/proxy/stats/summary")).status_code == 404
        assert (await http.post(f"/api/v1/nodes/{name}/proxy/stats/summary")).status_code == 405

        accept = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        table = (await http.get(f"{BASE}/namespaces/default/pods", headers=accept)).json()
        assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "cpu", "memory", "Window"]
        assert table["rows"][0]["cells"][0] == "busy"
        assert (await http.delete(f"{BASE}/namespaces/default/pods/busy")).status_code == 405
        discovery = (await http.get(BASE)).json()
        assert {each["kind"]: each["verbs"] for each in discovery["resources"]} == {
            "NodeMetrics": ["get", "list"],
            "PodMetrics": ["get", "list"],
        }

    asyncio.run(main())
