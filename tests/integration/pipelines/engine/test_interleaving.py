"""What comes while a run begins, ends or is let go of: nothing is lost between two owners, nobody waits for ever."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace

import pytest

from sampan.client.protocol import DeleteOptions
from sampan.components.pipelines.engine import driver, engine
from sampan.components.pipelines.engine.resumption import Resumption
from sampan.components.pipelines.engine.step_files import LocalStepFiles
from sampan.components.pipelines.store import runs
from sampan.kube.errors import ExpiredError, ServiceUnavailableError
from sampan.kube.kinds import PODS
from sampan.store.database import StorageError, StorageFullError


class Gate:
    """What passes here waits until it is opened."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def passed(self) -> None:
        self.reached.set()
        await self.opened.wait()


class SlowFiles(LocalStepFiles):
    """A run begins only once the gate is open."""

    gate: Gate | None = None

    async def learn(self, client, namespace):
        if self.gate is not None:
            await self.gate.passed()


class Hanging:
    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def __call__(self, call):
        self.begun.set()
        await asyncio.Event().wait()


def single(spec, **config):
    document = spec.step("step").done({"step": spec.task("step")})
    return {
        "pipeline_spec": document,
        "platform_spec": {"platforms": {"kubernetes": {"pipelineConfig": config}}},
    }


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("config", [{}, {"mutexName": "one"}])
def test_a_run_that_is_stopped_while_it_is_read_does_not_begin(open_cluster, go, spec, tmp_path, config):
    document, files = single(spec, **config), SlowFiles(tmp_path)

    async def main():
        async with open_cluster(files=files, step=lambda call: None) as cluster:
            gate = files.gate = Gate()
            run_id = await cluster.store(document)
            submitting = asyncio.create_task(cluster.engine.submit(run_id))
            await gate.reached.wait()
            await cluster.engine.terminate(run_id)
            gate.opened.set()
            await submitting
            assert (await cluster.wait(run_id)).state == "CANCELED"
            assert cluster.executed == []

    go(main())


def test_a_run_that_is_stopped_just_before_it_is_read_does_not_begin(
    open_cluster, go, spec, tmp_path, monkeypatch
):
    document, files = single(spec), SlowFiles(tmp_path)

    async def main():
        async with open_cluster(files=files, step=lambda call: None) as cluster:
            gate = files.gate = Gate()
            run_id = await cluster.store(document)
            write, begun = cluster.database.write, []

            async def begin_and_write(*given):
                if not begun:
                    begun.append(asyncio.create_task(cluster.engine.submit(run_id)))
                    await gate.reached.wait()
                return await write(*given)

            monkeypatch.setattr(cluster.database, "write", begin_and_write)
            await cluster.engine.terminate(run_id)
            gate.opened.set()
            await begun[0]
            assert (await cluster.wait(run_id)).state == "CANCELED"
            assert cluster.executed == []

    go(main())


def test_a_run_that_is_stopped_the_moment_it_gets_its_locks_again_stays_so(
    open_cluster, go, spec, monkeypatch, failed
):
    document, ends = single(spec, mutexName="one"), []

    def step(call):
        if not ends:
            ends.append(1)
            raise failed()

    async def main():
        async with open_cluster(step=step) as cluster:
            run_id = await cluster.submit(document)
            assert (await cluster.wait(run_id)).state == "FAILED"
            write, stopped = cluster.database.write, []

            async def stop_and_write(*given):
                if cluster.row(run_id).state == "PENDING" and not stopped:
                    stopped.append(1)
                    await cluster.engine.terminate(run_id)
                return await write(*given)

            monkeypatch.setattr(cluster.database, "write", stop_and_write)
            await cluster.engine.retry(run_id)
            await until(lambda: stopped and not cluster.engine._admitted)
            assert (await cluster.wait(run_id)).state == "CANCELED"
            assert len(cluster.executed) == 1

    go(main())


@pytest.mark.parametrize("error", [StorageError("gone for a moment"), ServiceUnavailableError("away")])
def test_a_run_that_has_its_locks_begins_once_it_can(open_cluster, go, spec, monkeypatch, error):
    """What it waited for is its own: nobody else will look for it again."""
    document = single(spec, mutexName="one")
    monkeypatch.setattr(engine, "_LOOK_SECONDS", 0.05)

    async def main():
        async with open_cluster(step=lambda call: None) as cluster:
            read, failures = cluster.database.read, [error]

            async def read_and_fail(*given):
                if failures and cluster.engine._admitted:
                    raise failures.pop()
                return await read(*given)

            run_id = await cluster.store(document)
            monkeypatch.setattr(cluster.database, "read", read_and_fail)
            await cluster.engine.submit(run_id)
            assert (await cluster.wait(run_id)).state == "SUCCEEDED"
            assert not failures

    go(main())


def test_a_run_that_is_deleted_while_it_begins_with_its_locks_keeps_no_other_from_them(
    open_cluster, go, spec, monkeypatch
):
    document = single(spec, mutexName="one")

    async def main():
        async with open_cluster(step=lambda call: None) as cluster:
            read, deleted = cluster.database.read, []

            async def read_and_delete(*given):
                found = await read(*given)
                if not deleted and cluster.engine._admitted:
                    deleted.extend(cluster.engine._admitted)
                    await cluster.database.write(lambda connection: runs.delete(connection, deleted[0]))
                return found

            first, second = await cluster.store(document), await cluster.store(document)
            monkeypatch.setattr(cluster.database, "read", read_and_delete)
            await cluster.engine.submit(first)
            await until(lambda: deleted)
            await cluster.engine.submit(second)
            assert (await cluster.wait(second)).state == "SUCCEEDED"
            assert deleted == [first]

    go(main())


def test_who_stops_a_run_that_is_deleted_meanwhile_is_not_kept_waiting(open_cluster, go, spec, monkeypatch):
    document = single(spec)

    async def main():
        step = Hanging()
        async with open_cluster(step=step) as cluster:
            run_id = await cluster.submit(document)
            await step.begun.wait()
            write, gate = cluster.database.write, Gate()

            async def slow_write(*given):
                if not gate.reached.is_set():
                    await gate.passed()
                return await write(*given)

            monkeypatch.setattr(cluster.database, "write", slow_write)
            stopping = asyncio.create_task(cluster.engine.terminate(run_id))
            await gate.reached.wait()
            await cluster.engine.forget(run_id, "default")
            async with asyncio.timeout(60):
                await stopping
            gate.opened.set()

    go(main())


def test_who_begins_a_run_that_is_deleted_meanwhile_is_not_kept_waiting(open_cluster, go, spec, monkeypatch):
    document = single(spec)

    async def main():
        async with open_cluster(step=lambda call: None) as cluster:
            run_id = await cluster.store(document)
            read, deletions = cluster.database.read, []

            async def read_and_delete(*given):
                found = await read(*given)
                deletions.append(asyncio.create_task(cluster.engine.forget(run_id, "default")))
                return found

            monkeypatch.setattr(cluster.database, "read", read_and_delete)
            async with asyncio.timeout(60):
                await cluster.engine.submit(run_id)
                await asyncio.gather(*deletions)

    go(main())


def test_who_watches_a_run_that_is_deleted_is_told(open_cluster, go, spec):
    document = single(spec)

    async def main():
        step = Hanging()
        async with open_cluster(step=step) as cluster:
            run_id = await cluster.submit(document)
            await step.begun.wait()

            async def watch():
                return [change async for change in cluster.engine.changes(run_id)]

            watching = asyncio.create_task(watch())
            await asyncio.sleep(0)
            await cluster.engine.forget(run_id, "default")
            async with asyncio.timeout(60):
                assert (await watching)[-1].is_over

    go(main())


def test_a_paused_run_that_is_stopped_while_it_is_continued_is_stopped(
    open_cluster, go, spec, monkeypatch, failed
):
    """The stop could not be stored before its driver was let go of."""
    document = single(spec)

    async def main():
        hang, calls = Hanging(), []

        async def step(call):
            calls.append(1)
            if len(calls) == 1:
                raise failed()
            await hang(call)

        async with open_cluster(step=step) as cluster:
            run_id = await cluster.store(document)
            row = replace(cluster.row(run_id), pause_on_failure=True, run_id="paused")
            await cluster.database.write(lambda connection: runs.insert(connection, row))
            await cluster.engine.submit("paused")
            await until(lambda: cluster.row("paused").state == "PAUSED")
            write, refused = cluster.database.write, asyncio.Event()

            async def full_once(*given):
                if not refused.is_set():
                    refused.set()
                    raise StorageFullError("the disk is full")
                return await write(*given)

            monkeypatch.setattr(cluster.database, "write", full_once)
            stopping = asyncio.create_task(cluster.engine.terminate("paused"))
            await refused.wait()
            await cluster.engine.proceed(Resumption("paused"))
            async with asyncio.timeout(60):
                await stopping
            assert (await cluster.wait("paused")).state == "CANCELED"

    go(main())


async def hold(cluster, name, *finalizers):
    """The pod stays, on its way out, while it has finalizers."""
    await cluster.client.patch(PODS, name, {"metadata": {"finalizers": list(finalizers) or None}}, "default")


def test_a_pod_on_its_way_out_that_went_in_a_gap_of_the_watch_is_gone(open_cluster, go, spec, monkeypatch):
    """After a restart only the list says so."""
    document = single(spec)

    async def main():
        step = Hanging()
        async with open_cluster(step=step) as cluster:
            watch = cluster.client.watch

            async def watch_with_a_gap(kind, namespace, options):
                async for event in watch(kind, namespace, options):
                    if kind == PODS and event.type == "DELETED":
                        raise ExpiredError("too old")
                    yield event

            delete, deletions = cluster.client.delete, []

            async def count_deletions(*given):
                deletions.append(await delete(*given))

            monkeypatch.setattr(cluster.client, "delete", count_deletions)
            run_id = await cluster.submit(document)
            await step.begun.wait()
            (pod,) = (await cluster.client.list(PODS)).items
            await hold(cluster, pod["metadata"]["name"], "test/hold")
            await cluster.engine.terminate(run_id)
            # That of the engine, and the kubelet's.
            await until(lambda: len(deletions) == 2)
            monkeypatch.setattr(cluster.client, "watch", watch_with_a_gap)
            await cluster.restart_engine()
            await until(lambda: len(deletions) == 3)
            assert cluster.row(run_id).state == "CANCELING"
            await hold(cluster, pod["metadata"]["name"])
            assert (await cluster.wait(run_id)).state == "CANCELED"

    go(main())


def test_a_former_attempts_pod_that_goes_does_not_stand_for_the_one_that_is_stopped(
    open_cluster, go, spec, failed
):
    document = spec.step("step").done(
        {"step": spec.task("step", retryPolicy={"maxRetryCount": 1, "backoffDuration": "0s"})}
    )

    async def main():
        hang, names = Hanging(), []

        async def step(call):
            names.append(call.pod["metadata"]["name"])
            if len(names) == 1:
                raise failed()
            await hang(call)

        async with open_cluster(step=step) as cluster:
            run_id = await cluster.submit(document)
            await hang.begun.wait()
            await hold(cluster, names[1], "test/hold")
            await cluster.engine.terminate(run_id)
            gone = asyncio.create_task(cluster.wait(run_id))
            await cluster.client.delete(PODS, names[0], "default", DeleteOptions(grace_period_seconds=0))
            # The engine hears of this one after that.
            other = await cluster.submit(single(spec)["pipeline_spec"])
            await until(lambda: len(names) == 3)
            await cluster.engine.terminate(other)
            await cluster.wait(other)
            assert cluster.row(run_id).state == "CANCELING"
            await hold(cluster, names[1])
            assert (await gone).state == "CANCELED"

    go(main())


def test_a_step_that_is_stopped_before_it_has_a_pod_gets_none(open_cluster, go, spec, tmp_path, monkeypatch):
    document, files = single(spec), LocalStepFiles(tmp_path)
    monkeypatch.setattr(driver, "_COMMIT_PAUSE_SECONDS", 0.05)

    async def main():
        async with open_cluster(files=files, step=lambda call: None) as cluster:
            create, made, tried, is_full = cluster.client.create, [], asyncio.Event(), [True]

            def prepare(paths):
                tried.set()
                if is_full:
                    raise OSError(errno.ENOSPC, "No space left on device")

            async def noted_create(kind, *given):
                made.append(kind)
                return await create(kind, *given)

            monkeypatch.setattr(files, "prepare", prepare)
            monkeypatch.setattr(cluster.client, "create", noted_create)
            run_id = await cluster.submit(document)
            await tried.wait()
            await cluster.engine.terminate(run_id)
            is_full.clear()
            assert (await cluster.wait(run_id)).state == "CANCELED"
            assert PODS not in made

    go(main())
