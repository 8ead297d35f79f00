"""The engine dies at every point of a run and another takes over: same end, and nothing finished runs twice.

A change is published after its commit and before anything is done about it, so an engine that is stopped on the n-th
change has lost everything that was not committed by then.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from sampan.kube.kinds import PODS


def _pipeline(spec):
    """A chain, a loop of two within a limit, a retried step, and an exit handler around a failing one."""
    spec.step("start", outputs={"n": "int"}).step("add", inputs={"x": "int"}, outputs={"y": "int"})
    spec.step("flaky").step("bad").step("tell", inputs={"status": "status"})
    spec.dag(
        "body",
        {
            "add": spec.task("add", inputs={"x": "<item"}),
            "again": spec.task("add", ("add",), inputs={"x": "add.y"}),
        },
        inputs={"item": "int"},
        outputs={"ys": "list"},
        gives={
            "parameters": {
                "ys": {"valueFromParameter": {"producerSubtask": "again", "outputParameterKey": "y"}}
            }
        },
    )
    spec.dag("guarded", {"bad": spec.task("bad")})
    return spec.done(
        {
            "start": spec.task("start"),
            "for-loop-1": spec.task(
                "body",
                ("start",),
                parameterIterator={"itemInput": "item", "items": {"raw": "[1, 2, 3]"}},
                iteratorPolicy={"parallelismLimit": 2},
            ),
            "flaky": spec.task(
                "flaky", ("start",), retryPolicy={"maxRetryCount": 1, "backoffDuration": "0.01s"}
            ),
            "exit-handler-1": spec.task("guarded", ("flaky", "for-loop-1")),
            "tell": spec.task(
                "tell",
                ("exit-handler-1",),
                inputs={"status": "status:exit-handler-1"},
                triggerPolicy={"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
            ),
        }
    )


@pytest.fixture
def behaviours(failed):
    async def flaky(call):
        if call.pod["metadata"]["labels"]["pipelines.kubeflow.org/attempt"] == "1":
            raise failed()

    async def bad(call):
        raise failed(2)

    async def add(call):
        await asyncio.sleep(0.003)
        call.returns(y=call.parameters["x"] + 1)

    return {
        "start": lambda call: call.returns(n=3),
        "add": add,
        "flaky": flaky,
        "bad": bad,
        "tell": lambda call: None,
    }


def _outcome(cluster, run_id):
    """What a user sees, without times and ids."""
    tasks = cluster.tasks(run_id)
    return {
        path: (
            row.state,
            row.inputs.parameters if "status" not in row.inputs.parameters else {},
            row.outputs.parameters,
            [attempt.state for attempt in row.attempts],
        )
        for path, row in tasks.items()
    }


async def _undisturbed(open_cluster, document, behaviours):
    async with open_cluster(**behaviours) as cluster:
        changes = 0
        run_id = await cluster.submit(document)
        async for _ in cluster.engine.changes(run_id):
            changes += 1
        run = await cluster.wait(run_id)
        return _outcome(cluster, run_id), Counter(cluster.executed), changes, json.loads(run.error)["message"]


async def _disturbed(open_cluster, document, behaviours, after):
    """Stops the engine after so many changes, each time again until the run is over."""
    restarts = 0
    async with open_cluster(**behaviours) as cluster:
        run_id = await cluster.submit(document)
        while not cluster.row(run_id).runtime_state.is_final:
            seen = 0
            async with asyncio.timeout(60):
                async for change in cluster.engine.changes(run_id):
                    seen += 1
                    if change.is_over or seen >= after:
                        break
                else:
                    seen = after
            if not cluster.row(run_id).runtime_state.is_final:
                restarts += 1
                await cluster.restart_engine()
        run = await cluster.wait(run_id)
        pods = await cluster.client.list(PODS)
        assert len(pods.items) == len(cluster.executed)
        message = json.loads(run.error)["message"]
        return _outcome(cluster, run_id), Counter(cluster.executed), message, restarts


def test_dying_after_every_nth_commit(open_cluster, go, spec, behaviours, tmp_path, database_url):
    if database_url:
        pytest.skip("begins anew by removing the file")
    document = _pipeline(spec)
    outcome, executed, changes, message = go(_undisturbed(open_cluster, document, behaviours))
    assert outcome["root"][0] == "FAILED"
    assert executed["root/flaky"] == 2
    assert changes > 8
    for after in (1, 2, 3, 5, 8):
        (tmp_path / "sampan.db").unlink()
        found = go(_disturbed(open_cluster, document, behaviours, after))
        assert found[0] == outcome, f"after {after} commits"
        assert found[1] == executed, f"after {after} commits"
        assert found[2] == message
        assert found[3] >= 1


def test_a_run_that_was_being_stopped_goes_on_being_stopped(open_cluster, go, spec):
    started = asyncio.Event()

    async def hang(call):
        started.set()
        await asyncio.sleep(60)

    spec.step("hang")
    document = spec.done({"a": spec.task("hang"), "b": spec.task("hang", ("a",))})

    async def main():
        async with open_cluster(hang=hang) as cluster:
            run_id = await cluster.submit(document)
            await started.wait()
            await cluster.engine.terminate(run_id)
            await cluster.restart_engine()
            run = await cluster.wait(run_id)
            assert run.state == "CANCELED"
            assert (await cluster.client.list(PODS)).items == []
            assert cluster.states(run_id) == {"root": "CANCELED", "root/a": "CANCELED"}

    go(main())


def test_a_pod_that_is_taken_away_runs_again_and_counts_as_no_retry(open_cluster, go, spec):
    starts = []
    started = asyncio.Event()

    async def step(call):
        started.set()
        starts.append(call.pod["metadata"]["name"])
        if len(starts) == 1:
            await asyncio.sleep(60)

    spec.step("step")
    document = spec.done({"step": spec.task("step")})

    async def main():
        async with open_cluster(step=step) as cluster:
            run_id = await cluster.submit(document)
            await started.wait()
            await cluster.client.delete(PODS, starts[0], "default")
            run = await cluster.wait(run_id)
            assert run.state == "SUCCEEDED"
            states = [attempt.state for attempt in cluster.tasks(run_id)["root/step"].attempts]
            assert states == ["CANCELED", "SUCCEEDED"]

    go(main())


def test_a_node_shutdown_runs_the_step_again(open_cluster, go, spec):
    starts = []
    started = asyncio.Event()

    async def step(call):
        started.set()
        starts.append(call)
        if len(starts) == 1:
            await asyncio.sleep(60)

    spec.step("step")
    document = spec.done({"step": spec.task("step")})

    async def main():
        async with open_cluster(step=step) as cluster:
            run_id = await cluster.submit(document)
            await started.wait()
            status = {"phase": "Failed", "reason": "Terminated", "message": "node shutdown"}
            await cluster.engine.stop()
            await cluster.client.patch(
                PODS,
                starts[0].pod["metadata"]["name"],
                {"status": status},
                "default",
                subresource="status",
            )
            await cluster.restart_engine()
            run = await cluster.wait(run_id)
            assert run.state == "SUCCEEDED"
            assert len(starts) == 2

    go(main())
