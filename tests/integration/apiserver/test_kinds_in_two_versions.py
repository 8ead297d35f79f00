"""Kinds that are served in a second version: one object, two faces."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from sampan.testing.apiserver import embedded, loopback

CORE = "/api/v1/namespaces/default/events"
NEW = "/apis/events.k8s.io/v1/namespaces/default/events"
V1 = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
V2 = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
MERGE = {"content-type": "application/merge-patch+json"}
POD = {"kind": "Pod", "namespace": "default", "name": "p"}


def run(folder: Path, test: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with (
            embedded(folder) as server,
            loopback(server.asgi) as address,
            httpx.AsyncClient(base_url=address, trust_env=False) as client,
        ):
            await test(client)
            server.close_streams()

    asyncio.run(main())


def test_events_have_two_faces(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        core = {
            "metadata": {"name": "one"},
            "involvedObject": POD,
            "message": "hello",
            "reason": "R",
            "count": 3,
        }
        assert (await client.post(CORE, json=core)).status_code == 201
        new = (await client.get(f"{NEW}/one")).json()
        assert (new["apiVersion"], new["kind"]) == ("events.k8s.io/v1", "Event")
        assert (new["regarding"], new["note"], new["deprecatedCount"]) == (POD, "hello", 3)
        assert new["eventTime"] is None
        assert "message" not in new
        written = {
            "metadata": {"name": "two"},
            "regarding": POD,
            "note": "there",
            "reason": "R",
            "action": "A",
            "type": "Normal",
            "eventTime": "2024-01-01T00:00:00.000000Z",
            "reportingController": "example.com/c",
            "reportingInstance": "c-0",
            "series": {"count": 2, "lastObservedTime": "2024-01-01T00:00:01.000000Z"},
        }
        assert (await client.post(NEW, json=written)).status_code == 201
        stored = (await client.get(f"{CORE}/two")).json()
        assert (stored["apiVersion"], stored["involvedObject"], stored["message"]) == ("v1", POD, "there")
        assert (stored["reportingComponent"], stored["series"]["count"], stored["source"]) == (
            "example.com/c",
            2,
            {},
        )
        selected = (await client.get(NEW, params={"fieldSelector": "regarding.name=p,reason=R"})).json()
        assert [each["metadata"]["name"] for each in selected["items"]] == ["one", "two"]
        assert {each["apiVersion"] for each in selected["items"]} == {"events.k8s.io/v1"}
        table = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        rows = (await client.get(NEW, headers=table)).json()["rows"]
        assert [row["cells"][3] for row in rows] == ["pod/p", "pod/p"]
        patched = await client.patch(f"{NEW}/one", json={"note": "changed"}, headers=MERGE)
        assert patched.json()["note"] == "changed"
        assert (await client.get(f"{CORE}/one")).json()["message"] == "changed"
        async with client.stream("GET", NEW, params={"watch": "true", "resourceVersion": "1"}) as watch:
            first = json.loads(await anext(watch.aiter_lines()))
            assert first["object"]["note"] == "hello"

    run(tmp_path, test)


def test_the_newer_group_of_events_asks_for_more(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        event = {"metadata": {"name": "one"}, "regarding": POD, "deprecatedCount": 1}
        answer = await client.post(NEW, json=event)
        assert answer.status_code == 422
        fields = {each["field"] for each in answer.json()["details"]["causes"]}
        assert fields == {
            "eventTime",
            "reportingController",
            "reportingInstance",
            "action",
            "reason",
            "deprecatedCount",
        }

    run(tmp_path, test)


def test_autoscalers_keep_what_the_older_version_cannot_say(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        memory = {
            "type": "Resource",
            "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 70}},
        }
        cpu = {
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
        }
        spec = {"scaleTargetRef": target, "maxReplicas": 3, "metrics": [cpu, memory]}
        assert (await client.post(V2, json={"metadata": {"name": "one"}, "spec": spec})).status_code == 201
        old = (await client.get(f"{V1}/one")).json()
        assert (old["apiVersion"], old["spec"]["targetCPUUtilizationPercentage"]) == ("autoscaling/v1", 50)
        assert "metrics" not in old["spec"]
        old["spec"]["maxReplicas"] = 5
        assert (await client.put(f"{V1}/one", json=old)).status_code == 200
        new = (await client.get(f"{V2}/one")).json()
        assert new["spec"]["maxReplicas"] == 5
        assert new["spec"]["metrics"] == [cpu, memory]
        assert "annotations" not in new["metadata"]
        made = {"metadata": {"name": "two"}, "spec": {"scaleTargetRef": target, "maxReplicas": 0}}
        refused = await client.post(V1, json=made)
        assert refused.json()["details"]["causes"][0]["field"] == "spec.maxReplicas"
        group = (await client.get("/apis/autoscaling")).json()
        assert [each["version"] for each in group["versions"]] == ["v2", "v1"]

    run(tmp_path, test)


def test_nonsense_in_an_autoscalers_annotations_is_refused(tmp_path: Path) -> None:
    nonsense = [
        ("metrics", [{"resource": 2}]),
        ("metrics", [{"type": "Resource", "resource": [1]}]),
        ("metrics", [{"type": "Resource", "resource": {"name": 5, "target": {"type": "Utilization"}}}]),
        ("metrics", [{"type": "Pods", "pods": {"metric": {"name": ["a"]}, "target": "x"}}]),
        ("metrics", [{"type": "External", "external": {"metric": 1, "target": {"type": 1, "value": []}}}]),
        ("behavior", {"scaleUp": {"policies": ["a"]}}),
        ("behavior", {"scaleUp": {"policies": {"a": 1}}}),
        ("behavior", {"scaleUp": {"stabilizationWindowSeconds": "long"}}),
        ("behavior", {"scaleDown": {"policies": [{"type": "Pods", "value": "x", "periodSeconds": {}}]}}),
        ("behavior", {"scaleDown": {"tolerance": []}}),
    ]

    async def test(client: httpx.AsyncClient) -> None:
        for key, value in nonsense:
            annotations = {f"autoscaling.alpha.kubernetes.io/{key}": json.dumps(value)}
            body = {
                "metadata": {"name": "a", "annotations": annotations},
                "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "a"}, "maxReplicas": 2},
            }
            answer = await client.post(V1, json=body)
            assert answer.status_code == 422, (value, answer.text)

    run(tmp_path, test)
