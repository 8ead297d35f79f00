"""What comes while a pod's worker begins, fails or ends."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

from sampan.client.protocol import PatchType
from sampan.cluster.node import agent, hooks
from sampan.cluster.node.pod_sync import PodWorker
from sampan.kube.kinds import PODS

WAITS = ["sh", "-c", "echo began >> {path}/began; exec sleep 1000"]


def fail_once(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The worker that next looks at its pod after the event is set fails, as it would by a fault of ours."""
    monkeypatch.setattr(agent, "_FAULT_SECONDS", 0.5)
    due, turn = asyncio.Event(), PodWorker._turn

    def failing(worker: PodWorker) -> float:
        if due.is_set():
            due.clear()
            raise RuntimeError("a fault")
        return turn(worker)

    monkeypatch.setattr(PodWorker, "_turn", failing)
    return due


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def test_a_pod_that_changes_while_its_worker_is_made_anew_goes_on(
    machine: Any, node_kit: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Its process is taken over, not begun a second time."""

    async def main() -> None:
        due = fail_once(monkeypatch)
        async with machine.up() as node:
            await node.create("p", [*WAITS[:2], WAITS[2].format(path=tmp_path)])
            await node.until("p", node_kit.is_running)
            due.set()
            await node.client.patch(PODS, "p", {"metadata": {"labels": {"a": "b"}}}, "default")
            (worker,) = node.agent._workers.values()
            worker._wake.set()
            await until(lambda: not node.agent._workers)
            await node.client.patch(PODS, "p", {"metadata": {"labels": {"a": "c"}}}, "default")
            await until(lambda: node.agent._workers)
            await node.client.delete(PODS, "p", "default", node_kit.grace(1))
            await node.gone("p")
            assert (tmp_path / "began").read_text() == "began\n"

    asyncio.run(main())


def test_a_pod_that_is_gone_while_its_worker_is_made_anew_runs_no_more(
    machine: Any, node_kit: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    async def main() -> None:
        due = fail_once(monkeypatch)
        async with machine.up() as node:
            await node.create("p", [*WAITS[:2], WAITS[2].format(path=tmp_path)])
            await node.until("p", node_kit.is_running)
            (worker,) = node.agent._workers.values()
            due.set()
            worker._wake.set()
            await until(lambda: not node.agent._workers)
            await node.client.delete(PODS, "p", "default", node_kit.at_once)
            await until(lambda: not node.agent._runtime.running())
            await until(lambda: not node.agent._workers)
            # Nothing is remembered of it, as nothing of it is to come.
            assert not node.agent._finished

    asyncio.run(main())


def test_nothing_is_remembered_of_pods_that_are_gone(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            for name in ("a", "b", "c"):
                await node.create(name, ["sleep", "1000"])
            for name in ("a", "b", "c"):
                await node.until(name, node_kit.is_running)
                await node.client.delete(PODS, name, "default", node_kit.grace(1))
                await node.gone(name)
            await until(lambda: not node.agent._workers and not node.agent._finished)
            assert not node.agent._gone

    asyncio.run(main())


def test_a_disk_that_is_full_as_a_container_with_a_hook_starts_is_waited_out(
    machine: Any, node_kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said nothing, and could not even be deleted."""

    async def main() -> None:
        async with machine.up() as node:

            def full(folder: Any) -> None:
                raise OSError(errno.ENOSPC, "No space left on device", str(folder))

            monkeypatch.setattr(hooks, "mark_pending", full)
            hook = {"lifecycle": {"postStart": {"exec": {"command": ["true"]}}}}
            await node.create("p", ["true"], container=hook)
            pod = await node.until("p", lambda pod: node_kit.waiting_reason(pod) == "CreateContainerError")
            waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
            assert waiting["message"].startswith("no space left")
            await node.client.delete(PODS, "p", "default", node_kit.grace(1))
            await node.gone("p")

    asyncio.run(main())


def test_a_container_whose_image_changes_while_it_starts_is_started_anew(
    machine: Any, node_kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with machine.up() as node:
            start, reached, opened = node.agent._runtime.start, asyncio.Event(), asyncio.Event()

            async def slow_start(spec: Any) -> Any:
                reached.set()
                await opened.wait()
                return await start(spec)

            monkeypatch.setattr(node.agent._runtime, "start", slow_start)
            await node.create("p", ["sleep", "1000"], restartPolicy="Always")
            await reached.wait()
            image = {"spec": {"containers": [{"name": "main", "image": "busybox:1.36"}]}}
            await node.client.patch(PODS, "p", image, "default", patch_type=PatchType.STRATEGIC)
            (worker,) = node.agent._workers.values()
            await until(lambda: worker.pod["spec"]["containers"][0]["image"] == "busybox:1.36")
            opened.set()
            pod = await node.until(
                "p", lambda pod: pod["status"].get("containerStatuses", [{}])[0].get("restartCount")
            )
            assert pod["status"]["containerStatuses"][0]["image"].endswith("busybox:1.36")
            await node.client.delete(PODS, "p", "default", node_kit.grace(1))
            await node.gone("p")

    asyncio.run(main())
