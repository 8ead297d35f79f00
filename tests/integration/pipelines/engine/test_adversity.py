"""The disk is full and freed again, the machine's clock is set: runs wait and say so, and end as undisturbed ones."""

from __future__ import annotations

import asyncio
import errno
import json
import sqlite3
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from sampan.components.pipelines.engine import driver
from sampan.components.pipelines.engine.engine import Engine
from sampan.components.pipelines.engine.step_files import LocalStepFiles
from sampan.components.pipelines.store import transitions
from sampan.lib import linkless
from sampan.lib.clock import SystemClock

FULL = OSError(errno.ENOSPC, "No space left on device")


class Clock(SystemClock):
    """The machine's, set by so many seconds."""

    def __init__(self) -> None:
        self.set_by = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.set_by)


async def restart(cluster, clock):
    await cluster.engine.stop()
    cluster.engine = Engine(cluster.client, cluster.database, clock, cluster.home, cluster.settings)
    await cluster.engine.start()


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(driver, "_COMMIT_PAUSE_SECONDS", 0.02)


# The disk


def test_a_run_says_that_it_waits_for_space_and_goes_on(open_cluster, go, spec, monkeypatch):
    spec.step("first").step("second")
    document = spec.done({"first": spec.task("first"), "second": spec.task("second", ("first",))})
    full = [False]

    def apply(connection, transition):
        if full[0]:
            raise sa.exc.OperationalError("", None, sqlite3.OperationalError("database or disk is full"))
        return transitions.apply(connection, transition)

    monkeypatch.setattr(driver, "transitions", SimpleNamespace(apply=apply))

    def first(call):
        full[0] = True

    async def main():
        async with open_cluster(first=first, second=lambda call: None) as cluster:
            run_id = await cluster.submit(document)
            await until(lambda: cluster.engine.trouble(run_id))
            assert "disk" in cluster.engine.trouble(run_id)
            assert "free space" in cluster.engine.trouble(run_id)
            assert cluster.row(run_id).state == "RUNNING"
            assert cluster.executed == ["root/first"]
            full[0] = False
            run = await cluster.wait(run_id, seconds=60)
            assert run.state == "SUCCEEDED"
            assert cluster.engine.trouble(run_id) == ""
            assert cluster.executed == ["root/first", "root/second"]

    go(main())


@pytest.mark.parametrize("where", ["folders", "outputs"])
def test_a_step_does_not_fail_because_the_disk_is_full(open_cluster, go, spec, monkeypatch, tmp_path, where):
    spec.step("step", artifacts={"out": "system.Dataset"})
    document = spec.done({"step": spec.task("step")})
    full = [True]
    prepare, copy = LocalStepFiles.prepare, linkless.copy

    def prepared(files, paths):
        if full[0] and where == "folders":
            raise FULL
        prepare(files, paths)

    def copied(source, target):
        if full[0] and where == "outputs":
            raise FULL
        return copy(source, target)

    monkeypatch.setattr(LocalStepFiles, "prepare", prepared)
    monkeypatch.setattr(linkless, "copy", copied)

    def step(call):
        (tmp_path / "mine").write_text("kept")
        call.returns(artifacts={"out": {"artifacts": [{"custom_path": str(tmp_path / "mine")}]}})

    async def main():
        async with open_cluster(step=step) as cluster:
            run_id = await cluster.submit(document)
            await until(lambda: cluster.engine.trouble(run_id))
            assert "No space left" in cluster.engine.trouble(run_id)
            full[0] = False
            run = await cluster.wait(run_id, seconds=60)
            assert run.state == "SUCCEEDED", run.error
            assert cluster.executed == ["root/step"]

    go(main())


# The clock


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_is_set_changes_nothing(open_cluster, go, spec, failed, jump):
    clock = Clock()

    def flaky(call):
        clock.set_by += jump
        if call.pod["metadata"]["labels"]["pipelines.kubeflow.org/attempt"] == "1":
            raise failed()

    spec.step("flaky").step("after")
    policy = {"maxRetryCount": 1, "backoffDuration": "0.2s"}
    spec.dag("body", {"flaky": spec.task("flaky", retryPolicy=policy)}, inputs={"item": "int"})
    document = spec.done(
        {
            "for-loop-1": spec.task(
                "body", parameterIterator={"itemInput": "item", "items": {"raw": "[1, 2]"}}
            ),
            "after": spec.task("after", ("for-loop-1",)),
        }
    )

    async def main():
        go_on = asyncio.Event()
        async with open_cluster(flaky=flaky, after=lambda call: go_on.wait()) as cluster:
            await restart(cluster, clock)
            run_id = await cluster.submit(document)
            # Both wait for their second attempt; what the rows say of times is an hour off.
            await until(lambda: len(cluster.executed) == 2)
            await restart(cluster, clock)
            await until(lambda: "root/after" in cluster.executed)
            # By the rows' times this task may be older than what it is part of.
            await restart(cluster, clock)
            go_on.set()
            run = await cluster.wait(run_id, seconds=60)
            assert run.state == "SUCCEEDED"
            assert len(cluster.executed) == 5
            for row in cluster.tasks(run_id).values():
                assert row.finished_at >= row.started_at

    go(main())


def test_a_deadline_is_not_put_off_by_a_clock_that_is_set_back(open_cluster, go, spec):
    clock = Clock()
    spec.step("hang")
    document = {
        "pipeline_spec": spec.done({"hang": spec.task("hang")}),
        "platform_spec": {"platforms": {"kubernetes": {"pipelineConfig": {"activeDeadlineSeconds": 1}}}},
    }

    async def main():
        async with open_cluster(hang=lambda call: asyncio.sleep(60)) as cluster:
            await restart(cluster, clock)
            run_id = await cluster.submit(document)
            await until(lambda: cluster.executed)
            clock.set_by = -86_400
            await restart(cluster, clock)
            run = await cluster.wait(run_id, seconds=60)
            assert run.state == "FAILED"
            assert "limit of 1 s" in json.loads(run.error)["message"]

    go(main())
