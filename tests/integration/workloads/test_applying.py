"""What `reconcile.apply` writes to a real API, and what it leaves alone."""

from __future__ import annotations

import asyncio

import pytest

from sampan.kube import meta, owners
from sampan.kube.errors import ConflictError
from sampan.kube.kinds import CONFIG_MAPS, JOBS, PODS
from sampan.reconcile.apply import (
    add_finalizer,
    apply_child,
    delete_if_present,
    remove_finalizer,
    update_status,
)
from sampan.reconcile.reconciler import TerminalError

HOLD = "example.com/hold"


def child(**data: str) -> dict:
    return {"metadata": {"name": "child", "namespace": "team"}, "data": data}


async def parent_of(cluster, name: str = "parent") -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", **await cluster.create(CONFIG_MAPS, name)}


def test_a_child_is_made_kept_and_changed(run):
    async def scenario(cluster):
        parent = await parent_of(cluster)
        made = await apply_child(cluster.client, CONFIG_MAPS, parent, child(a="1"), None)
        assert owners.is_controlled_by(made, parent)
        again = await apply_child(cluster.client, CONFIG_MAPS, parent, child(a="1"), made)
        assert meta.resource_version(again) == meta.resource_version(made), "nothing to write"
        await cluster.client.patch(CONFIG_MAPS, "child", {"data": {"theirs": "x"}}, "team")
        changed = await apply_child(cluster.client, CONFIG_MAPS, parent, child(a="2"), made)
        assert changed["data"] == {"a": "2", "theirs": "x"}

    run(scenario)


def test_a_child_that_the_cache_does_not_show_yet_is_found(run):
    async def scenario(cluster):
        parent = await parent_of(cluster)
        first = await apply_child(cluster.client, CONFIG_MAPS, parent, child(a="1"), None)
        second = await apply_child(cluster.client, CONFIG_MAPS, parent, child(a="1"), None)
        assert meta.uid(first) == meta.uid(second)

    run(scenario)


def test_somebody_elses_object_is_not_taken_over(run):
    async def scenario(cluster):
        parent, other = await parent_of(cluster), await parent_of(cluster, "other")
        await apply_child(cluster.client, CONFIG_MAPS, other, child(a="1"), None)
        with pytest.raises(
            TerminalError, match='exists and belongs to ConfigMap "other"; delete it, so that'
        ):
            await apply_child(cluster.client, CONFIG_MAPS, parent, child(a="2"), None)
        assert (await cluster.get(CONFIG_MAPS, "child"))["data"] == {"a": "1"}

    run(scenario)


def test_a_status_is_written_once_and_never_on_outdated_knowledge(run):
    async def scenario(cluster):
        template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "m", "image": "busybox"}]}}
        # Managed by somebody else, so that our own Job controller stays out of it.
        spec = {"template": template, "managedBy": "example.com/tests"}
        job = await cluster.create(JOBS, "job", spec=spec)
        written = await update_status(cluster.client, JOBS, job, {"active": 1})
        assert written["status"] == {"active": 1}
        same = await update_status(cluster.client, JOBS, written, {"active": 1})
        assert meta.resource_version(same) == meta.resource_version(written)
        with pytest.raises(ConflictError):
            await update_status(cluster.client, JOBS, job, {"active": 2})

    run(scenario)


def test_finalizers_come_and_go_whatever_others_do(run):
    async def scenario(cluster):
        obj = await cluster.create(CONFIG_MAPS, "held")
        held = await add_finalizer(cluster.client, CONFIG_MAPS, obj, HOLD)
        assert await add_finalizer(cluster.client, CONFIG_MAPS, held, HOLD) is held
        with pytest.raises(ConflictError):
            await add_finalizer(cluster.client, CONFIG_MAPS, obj, "example.com/other")
        await cluster.client.patch(
            CONFIG_MAPS, "held", {"metadata": {"finalizers": ["example.com/first", HOLD]}}, "team"
        )
        await remove_finalizer(cluster.client, CONFIG_MAPS, held, HOLD)
        now = await cluster.get(CONFIG_MAPS, "held")
        assert meta.finalizers(now) == ["example.com/first"]
        await remove_finalizer(cluster.client, CONFIG_MAPS, now, "example.com/first")
        assert "finalizers" not in (await cluster.get(CONFIG_MAPS, "held"))["metadata"]
        await cluster.client.delete(CONFIG_MAPS, "held", "team")
        await remove_finalizer(cluster.client, CONFIG_MAPS, now, "example.com/first")

    run(scenario)


def test_finalizers_are_removed_under_concurrent_writes(run):
    async def scenario(cluster):
        spec = {"containers": [{"name": "m", "image": "busybox"}]}
        pod = await cluster.create(PODS, "pod", metadata={"finalizers": [HOLD]}, spec=spec)

        async def label(number: int) -> None:
            await cluster.client.patch(PODS, "pod", {"metadata": {"labels": {"n": str(number)}}}, "team")

        await asyncio.gather(
            *(label(number) for number in range(20)), remove_finalizer(cluster.client, PODS, pod, HOLD)
        )
        assert not meta.finalizers(await cluster.get(PODS, "pod"))

    run(scenario)


def test_only_the_very_object_is_deleted(run):
    async def scenario(cluster):
        old = await cluster.create(CONFIG_MAPS, "thing")
        await cluster.client.delete(CONFIG_MAPS, "thing", "team")
        assert not await delete_if_present(cluster.client, CONFIG_MAPS, old)
        new = await cluster.create(CONFIG_MAPS, "thing")
        assert not await delete_if_present(cluster.client, CONFIG_MAPS, old)
        assert await cluster.get(CONFIG_MAPS, "thing")
        assert await delete_if_present(cluster.client, CONFIG_MAPS, new)
        assert await cluster.get(CONFIG_MAPS, "thing") is None

    run(scenario)
