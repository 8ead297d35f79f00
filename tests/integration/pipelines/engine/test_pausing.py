"""A run that pauses when a step fails: nothing after it is decided until its user says how to go on."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from sampan.components.pipelines.api.errors import FailedPreconditionError, InvalidArgumentError
from sampan.components.pipelines.engine.resumption import Resumption, StepChange
from sampan.components.pipelines.store import runs
from sampan.lib.ids import new_uid

EXIT = {"triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}}


async def submit(cluster, document):
    run_id = await cluster.submit(document)
    row = replace(cluster.row(run_id), run_id=new_uid(), state="PENDING", pause_on_failure=True)
    await cluster.engine.terminate(run_id)
    await cluster.wait(run_id)
    cluster.executed.clear()
    await cluster.database.write(lambda connection: runs.insert(connection, row))
    await cluster.engine.submit(row.run_id)
    return row.run_id


async def until(cluster, run_id, state, **tasks):
    """Waits for the run's state and its tasks'."""
    async with asyncio.timeout(60):
        while True:
            states = cluster.states(run_id)
            if cluster.row(run_id).state == state and all(
                states.get(f"root/{k}") == v for k, v in tasks.items()
            ):
                return
            await asyncio.sleep(0.01)


def document(spec):
    spec.step("bad", outputs={"text": "str"}).step("other").step("after", inputs={"text": "str"})
    spec.step("cleanup")
    spec.dag(
        "body", {"bad": spec.task("bad"), "after": spec.task("after", ("bad",), inputs={"text": "bad.text"})}
    )
    return spec.done(
        {
            "exit-handler-1": spec.task("body"),
            "other": spec.task("other"),
            "cleanup": spec.task("cleanup", ("exit-handler-1",), **EXIT),
        }
    )


def behaviours(failed, begun, may_end):
    def bad(call):
        raise failed()

    async def other(call):
        begun.set()
        await may_end.wait()

    return {
        "bad": bad,
        "good": lambda call: call.returns(text="mended"),
        "other": other,
        "after": lambda call: None,
        "cleanup": lambda call: None,
    }


@pytest.mark.parametrize("restarts", [False, True])
def test_a_paused_run_goes_on_with_another_image_while_others_run(open_cluster, go, spec, failed, restarts):
    async def main():
        begun, may_end = asyncio.Event(), asyncio.Event()
        async with open_cluster(**behaviours(failed, begun, may_end)) as cluster:
            run_id = await submit(cluster, document(spec))
            await until(cluster, run_id, "PAUSED", other="RUNNING", **{"exit-handler-1/bad": "PAUSED"})
            assert "root/cleanup" not in cluster.states(run_id)
            assert "exit code 1" in cluster.tasks(run_id)["root/exit-handler-1/bad"].error
            if restarts:
                await cluster.restart_engine()
                assert cluster.row(run_id).state == "PAUSED"
            steps = {"bad": StepChange(image="test/good")}
            outcomes = await asyncio.gather(
                *(cluster.engine.proceed(Resumption(run_id, steps=steps)) for _ in range(2)),
                return_exceptions=True,
            )
            assert sorted(type(each).__name__ for each in outcomes) == ["FailedPreconditionError", "NoneType"]
            if restarts:
                await cluster.restart_engine()
            may_end.set()
            assert (await cluster.wait(run_id)).state == "SUCCEEDED"
            bad = cluster.tasks(run_id)["root/exit-handler-1/bad"]
            assert [each.state for each in bad.attempts] == ["FAILED", "SUCCEEDED"]
            assert sorted(cluster.executed) == [
                "root/cleanup",
                "root/exit-handler-1/after",
                "root/exit-handler-1/bad",
                "root/exit-handler-1/bad",
                "root/other",
            ]
            history = [each["state"] for each in json.loads(cluster.row(run_id).state_history)]
            assert history == ["PENDING", "RUNNING", "PAUSED", "RUNNING", "SUCCEEDED"]

    go(main())


def test_a_step_that_fails_again_pauses_the_run_again_and_a_stop_lets_it_fail(open_cluster, go, spec, failed):
    async def main():
        begun, may_end = asyncio.Event(), asyncio.Event()
        may_end.set()
        async with open_cluster(**behaviours(failed, begun, may_end)) as cluster:
            run_id = await submit(cluster, document(spec))
            await until(cluster, run_id, "PAUSED", other="SUCCEEDED")
            await cluster.engine.proceed(Resumption(run_id))
            await until(cluster, run_id, "PAUSED", **{"exit-handler-1/bad": "PAUSED"})
            assert len(cluster.tasks(run_id)["root/exit-handler-1/bad"].attempts) == 2
            await cluster.engine.terminate(run_id)
            run = await cluster.wait(run_id)
            assert run.state == "FAILED"
            assert "exit-handler-1/bad: exit code 1" in run.error
            assert cluster.states(run_id) == {
                "root": "FAILED",
                "root/other": "SUCCEEDED",
                "root/exit-handler-1": "FAILED",
                "root/exit-handler-1/bad": "FAILED",
                "root/cleanup": "SUCCEEDED",
            }
            with pytest.raises(FailedPreconditionError, match="only a PAUSED run"):
                await cluster.engine.proceed(Resumption(run_id))

    go(main())


def test_the_failed_steps_are_taken_from_a_new_version_and_nothing_else_is(open_cluster, go, spec, failed):
    async def main():
        begun, may_end = asyncio.Event(), asyncio.Event()
        may_end.set()
        async with open_cluster(**behaviours(failed, begun, may_end)) as cluster:
            old = document(spec)
            new = json.loads(json.dumps(old))
            run_id = await submit(cluster, old)
            await until(cluster, run_id, "PAUSED", other="SUCCEEDED")
            new["components"]["bad"]["outputDefinitions"]["parameters"]["more"] = {"parameterType": "STRING"}
            with pytest.raises(InvalidArgumentError, match="has other outputs there; stop the run"):
                await cluster.engine.proceed(Resumption(run_id, {"pipeline_spec": new}))
            assert cluster.row(run_id).state == "PAUSED"
            new = json.loads(json.dumps(old))
            for name in ("bad", "after"):
                new["deploymentSpec"]["executors"][f"exec-{name}"]["container"]["image"] = "test/good"
            await cluster.engine.proceed(Resumption(run_id, {"pipeline_spec": new}))
            run = await cluster.wait(run_id)
            assert run.state == "SUCCEEDED"
            images = {label: each["container"]["image"] for label, each in json.loads(run.spec)["pipeline_spec"][
                "deploymentSpec"]["executors"].items()}  # fmt: skip
            assert images["exec-after"] == "test/after"
            assert images["exec-bad"] == "test/bad"

    go(main())


@pytest.mark.parametrize("restarts", [False, True])
def test_a_loop_over_what_is_no_list_pauses_too_and_is_decided_anew(open_cluster, go, spec, failed, restarts):
    spec.step("make", outputs={"items": "str"}).step("each", inputs={"n": "str"})
    spec.dag("body", {"each": spec.task("each", inputs={"n": "<n"})}, inputs={"n": "str", "items": "str"})
    loop = spec.task("body", ("make",), inputs={"items": "make.items"})
    loop["parameterIterator"] = {"itemInput": "n", "items": {"inputParameter": "items"}}
    broken = spec.done({"make": spec.task("make"), "loop": loop})

    async def main():
        async with open_cluster(
            make=lambda call: call.returns(items="no list"), each=lambda call: None
        ) as cluster:
            run_id = await submit(cluster, broken)
            await until(cluster, run_id, "PAUSED", loop="PAUSED")
            await cluster.engine.proceed(Resumption(run_id))
            await until(cluster, run_id, "PAUSED", loop="PAUSED")
            if restarts:
                await cluster.restart_engine()
            await cluster.engine.terminate(run_id)
            if restarts and cluster.row(run_id).state == "CANCELING":
                await cluster.restart_engine()
            run = await cluster.wait(run_id)
            assert run.state == "FAILED"
            assert "not a JSON list" in run.error
            assert cluster.states(run_id)["root/loop"] == "FAILED"

    go(main())
