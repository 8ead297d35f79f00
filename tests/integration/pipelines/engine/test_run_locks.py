"""Mutexes and semaphores of runs: never more at once than may be, in order, over restarts, and said in words."""

from __future__ import annotations

import asyncio
import json

import pytest

from sampan.kube.kinds import CONFIG_MAPS


@pytest.fixture
def gate():
    """A step that waits until it is let through; how many do."""
    return Gate()


class Gate:
    def __init__(self):
        self.inside = 0
        self.most = 0
        self.entered = []
        self.open = asyncio.Semaphore(0)

    async def __call__(self, call):
        self.entered.append(call.pod["metadata"]["labels"]["pipeline/runid"])
        self.inside += 1
        self.most = max(self.most, self.inside)
        await self.open.acquire()
        self.inside -= 1


def locked(spec, **config):
    spec.step("gate")
    document = spec.done({"gate": spec.task("gate")})
    platform = {"platforms": {"kubernetes": {"pipelineConfig": config}}}
    return {"pipeline_spec": document, "platform_spec": platform}


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def sized(cluster, **sizes):
    data = {key: str(size) for key, size in sizes.items()}
    metadata = {"name": "semaphore-config", "namespace": "default"}
    await cluster.client.create(CONFIG_MAPS, {"metadata": metadata, "data": data})


def test_runs_with_a_mutex_go_one_by_one(open_cluster, go, spec, gate):
    document = locked(spec, mutexName="one")

    async def main():
        async with open_cluster(gate=gate) as cluster:
            ids = [await cluster.submit(document) for _ in range(3)]
            await until(lambda: gate.inside)
            await until(lambda: cluster.engine.trouble(ids[2]))
            assert [cluster.row(each).state for each in ids] == ["RUNNING", "PENDING", "PENDING"]
            assert cluster.engine.trouble(ids[0]) == ""
            assert cluster.engine.trouble(ids[1]) == f'it waits for mutex "one", which run {ids[0]} has'
            assert "an earlier run waits for" in cluster.engine.trouble(ids[2]) or ids[
                0
            ] in cluster.engine.trouble(ids[2])
            for each in ids:
                gate.open.release()
                assert (await cluster.wait(each, seconds=60)).state == "SUCCEEDED"
            assert gate.most == 1
            assert gate.entered == ids

    go(main())


def test_a_semaphore_lets_as_many_as_its_size(open_cluster, go, spec, gate):
    document = locked(spec, semaphore_key="gpus")

    async def main():
        async with open_cluster(gate=gate) as cluster:
            await sized(cluster, gpus=2)
            ids = [await cluster.submit(document) for _ in range(5)]
            await until(lambda: gate.inside == 2)
            for _ in ids:
                gate.open.release()
            for each in ids:
                assert (await cluster.wait(each, seconds=60)).state == "SUCCEEDED"
            assert gate.most == 2

    go(main())


@pytest.mark.parametrize(
    ("sizes", "words"),
    [(None, 'no ConfigMap "semaphore-config"'), ({"x": 1}, "has nothing"), ({"gpus": "many"}, "'many'")],
)
def test_a_semaphore_without_a_size_fails_the_run(open_cluster, go, spec, gate, sizes, words):
    document = locked(spec, semaphoreKey="gpus")

    async def main():
        async with open_cluster(gate=gate) as cluster:
            if sizes is not None:
                await sized(cluster, **sizes)
            run = await cluster.run(document)
            assert run.state == "FAILED"
            assert words in json.loads(run.error)["message"]

    go(main())


def test_locks_are_kept_over_a_restart_and_given_back_by_those_that_stop(open_cluster, go, spec, gate):
    document = locked(spec, mutexName="one")

    async def main():
        async with open_cluster(gate=gate) as cluster:
            first, second, third = [await cluster.submit(document) for _ in range(3)]
            await until(lambda: gate.inside)
            await cluster.restart_engine()
            await until(lambda: cluster.engine.trouble(third))
            await cluster.restart_engine()
            assert gate.entered == [first]
            # One that waits may be stopped; the one that runs too, and then the next has its turn.
            await cluster.engine.terminate(second)
            assert cluster.row(second).state == "CANCELED"
            await cluster.engine.terminate(first)
            await until(lambda: len(gate.entered) == 2)
            assert gate.entered == [first, third]
            gate.open.release()
            assert (await cluster.wait(third, seconds=60)).state == "SUCCEEDED"

    go(main())


def test_a_run_that_is_tried_again_waits_for_its_lock_again(open_cluster, go, spec, gate, failed):
    document = locked(spec, mutexName="one")
    fails = [True]

    async def once(call):
        if fails.pop() if fails else False:
            raise failed()
        await gate(call)

    async def main():
        async with open_cluster(gate=once) as cluster:
            first = await cluster.submit(document)
            assert (await cluster.wait(first, seconds=60)).state == "FAILED"
            second = await cluster.submit(document)
            await until(lambda: gate.inside)
            await cluster.engine.retry(first)
            await until(lambda: cluster.engine.trouble(first))
            assert cluster.row(first).state == "PENDING"
            gate.open.release()
            await cluster.wait(second, seconds=60)
            await until(lambda: gate.inside)
            assert cluster.row(first).state == "RUNNING"
            gate.open.release()
            assert (await cluster.wait(first, seconds=60)).state == "SUCCEEDED"
            assert gate.most == 1

    go(main())


def test_both_kinds_at_once_and_nobody_waits_in_a_circle(open_cluster, go, spec, gate):
    async def main():
        async with open_cluster(gate=gate) as cluster:
            await sized(cluster, a=1)
            kinds = ({"semaphoreKey": "a", "mutexName": "b"}, {"semaphoreKey": "a"}, {"mutexName": "b"})
            ids = [await cluster.submit(locked(spec, **config)) for config in kinds * 2]
            for _ in ids:
                gate.open.release()
            for each in ids:
                assert (await cluster.wait(each, seconds=60)).state == "SUCCEEDED"
            assert gate.most <= 2

    go(main())
