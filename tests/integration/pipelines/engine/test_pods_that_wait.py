"""What a step's pod waits for is in its task while it does, and gone when it runs or is stopped."""

from __future__ import annotations

import asyncio

import pytest

from sampan.kube.kinds import PODS

UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
        }
    ],
}
NO_SECRET = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "True"}],
    "containerStatuses": [
        {
            "name": "main",
            "state": {"waiting": {"reason": "ContainerCreating", "message": 'secret "s" not found'}},
            "image": "x",
            "imageID": "x",
            "ready": False,
            "restartCount": 0,
        }
    ],
}


async def _pod(cluster):
    async with asyncio.timeout(60):
        while not (found := (await cluster.client.list(PODS, "default")).items):
            await asyncio.sleep(0.01)
    return found[0]["metadata"]["name"]


async def _says(cluster, run_id, text):
    """Until the task's error is `text`."""
    async with asyncio.timeout(60):
        while cluster.tasks(run_id)["root/work"].error != text:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (UNSCHEDULABLE, "Unschedulable: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu."),
        (NO_SECRET, 'ContainerCreating: secret "s" not found'),
    ],
)
def test_the_task_says_what_its_pod_waits_for_until_it_runs(open_cluster, go, spec, status, text):
    spec.step("work")
    document = spec.done({"work": spec.task("work")})

    async def main():
        may_end = asyncio.Event()
        async with open_cluster(work=lambda call: may_end.wait()) as cluster:
            run_id = await cluster.submit(document)
            name = await _pod(cluster)
            await cluster.client.patch(PODS, name, {"status": status}, "default", subresource="status")
            await _says(cluster, run_id, text)
            assert cluster.tasks(run_id)["root/work"].state == "RUNNING"
            running = {"phase": "Running", "conditions": [], "containerStatuses": []}
            await cluster.client.patch(PODS, name, {"status": running}, "default", subresource="status")
            await _says(cluster, run_id, "")
            may_end.set()
            run = await cluster.wait(run_id)
            assert run.state == "SUCCEEDED"
            assert cluster.tasks(run_id)["root/work"].error == ""

    go(main())


def test_what_is_told_before_the_answer_to_its_creation_is_not_forgotten(open_cluster, go, spec, monkeypatch):
    spec.step("work")
    document = spec.done({"work": spec.task("work")})

    async def main():
        may_end = asyncio.Event()
        async with open_cluster(work=lambda call: may_end.wait()) as cluster:
            create = cluster.client.create

            async def slow(kind, obj, *args, **options):
                made = await create(kind, obj, *args, **options)
                if kind is PODS:
                    name, status = made["metadata"]["name"], {"status": UNSCHEDULABLE}
                    await cluster.client.patch(PODS, name, status, "default", subresource="status")
                    await asyncio.sleep(0.3)  # in which the watch tells of it
                return made

            monkeypatch.setattr(cluster.client, "create", slow)
            run_id = await cluster.submit(document)
            text = "Unschedulable: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
            await _says(cluster, run_id, text)
            may_end.set()
            assert (await cluster.wait(run_id)).state == "SUCCEEDED"

    go(main())


def test_a_stopped_task_does_not_say_so_any_more(open_cluster, go, spec):
    spec.step("work")
    document = spec.done({"work": spec.task("work")})

    async def main():
        async with open_cluster(work=lambda call: asyncio.Event().wait()) as cluster:
            run_id = await cluster.submit(document)
            name = await _pod(cluster)
            await cluster.client.patch(PODS, name, {"status": UNSCHEDULABLE}, "default", subresource="status")
            async with asyncio.timeout(60):
                while not cluster.tasks(run_id)["root/work"].error:
                    await asyncio.sleep(0.02)
            await cluster.engine.terminate(run_id)
            assert (await cluster.wait(run_id)).state == "CANCELED"
            assert cluster.tasks(run_id)["root/work"].error == ""

    go(main())


def test_a_resource_that_no_cluster_has_fails_the_step_at_once(open_cluster, go, spec):
    resources = {"accelerator": {"resourceType": "NVIDIA_TESLA_P4", "resourceCount": "1"}}
    spec.step("work", resources=resources)
    document = spec.done({"work": spec.task("work")})

    async def main():
        async with open_cluster(work=lambda call: None) as cluster:
            run = await cluster.run(document)
            assert run.state == "FAILED"
            assert "NVIDIA_TESLA_P4" in run.error
            assert "fully qualified" in run.error
            assert cluster.executed == []

    go(main())
