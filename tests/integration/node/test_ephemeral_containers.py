"""Containers that `kubectl debug` adds to a pod."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sampan.client.protocol import PatchType
from sampan.kube.errors import ApiError, InvalidError
from sampan.kube.kinds import PODS

PART = "ephemeralcontainers"


async def add(node: Any, pod: str, **container: Any) -> Any:
    patch = {"spec": {"ephemeralContainers": [{"image": "busybox", **container}]}}
    return await node.client.patch(
        PODS, pod, patch, "default", patch_type=PatchType.STRATEGIC, subresource=PART
    )


def state(pod: Any, name: str) -> dict[str, Any]:
    for each in pod["status"].get("ephemeralContainerStatuses") or ():
        if each["name"] == name:
            found: dict[str, Any] = each["state"]
            return found
    return {}


def test_one_runs_beside_the_others_and_counts_for_nothing(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            await node.create(
                "a", ["sh", "-c", "echo secret > $HOME/file; while ! test -e $HOME/end; do sleep 0.02; done"]
            )
            await node.until("a", lambda pod: pod["status"].get("phase") == "Running")
            await add(node, "a", name="look", command=["sh", "-c", "cat $HOME/file; exit 4"])
            pod = await node.until("a", lambda pod: "terminated" in state(pod, "look"))
            assert state(pod, "look")["terminated"]["exitCode"] == 4
            assert await node.log(pod, "look") == "secret\n"
            assert pod["status"]["phase"] == "Running"
            await add(node, "a", name="end", command=["sh", "-c", "touch $HOME/end; sleep 100"])
            pod = await node.until("a", lambda pod: pod["status"]["phase"] == "Succeeded")
            assert "terminated" in state(pod, "end")
            assert {each["name"] for each in pod["spec"]["ephemeralContainers"]} == {"look", "end"}

    asyncio.run(main())


def test_what_may_be_added(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            await node.create("a", ["sleep", "100"])
            with pytest.raises(InvalidError, match="Duplicate value"):
                await add(node, "a", name="main")
            with pytest.raises(InvalidError, match="cannot be set for an Ephemeral Container"):
                await add(node, "a", name="x", ports=[{"containerPort": 1}])
            with pytest.raises(InvalidError, match="targetContainerName"):
                await add(node, "a", name="x", targetContainerName="nobody")
            await add(node, "a", name="x", command=["true"], targetContainerName="main")
            with pytest.raises(InvalidError, match="may not be changed"):
                await add(node, "a", name="x", command=["false"])
            pod = await node.client.get(PODS, "a", "default")
            pod["spec"].pop("ephemeralContainers")
            pod["spec"]["nodeName"] = "elsewhere"
            with pytest.raises(InvalidError, match="may not be removed"):
                await node.client.replace(PODS, pod, subresource=PART)
            wanted = node.pod("b", ["true"], ephemeralContainers=[{"name": "x", "image": "busybox"}])
            with pytest.raises(ApiError, match="cannot be set on create"):
                await node.client.create(PODS, wanted)

    asyncio.run(main())


def test_one_is_adopted_after_a_crash(machine: Any) -> None:
    async def main() -> None:
        async with machine.up(crash=True) as node:
            await node.create("a", ["sleep", "100"])
            await node.until("a", lambda pod: pod["status"].get("phase") == "Running")
            await add(node, "a", name="look", command=["sh", "-c", "sleep 1; exit 5"])
            await node.until("a", lambda pod: "running" in state(pod, "look"))
        async with machine.up() as node:
            pod = await node.until("a", lambda pod: "terminated" in state(pod, "look"))
            assert state(pod, "look")["terminated"]["exitCode"] == 5

    asyncio.run(main())
