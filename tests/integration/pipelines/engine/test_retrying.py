"""A run that has ended and is tried again: what is kept, what runs anew, and that nothing of the past is lost."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import replace

from sampan.components.pipelines.api.errors import FailedPreconditionError
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.store import runs, tasks

EXIT = {"triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}}


class Broken:
    """Behaviours that fail as long as they are broken."""

    def __init__(self, failed) -> None:
        self.failed, self.is_broken = failed, True

    def __call__(self, call):
        if self.is_broken and call.parameters.get("n", 0) % 2 == 0:
            raise self.failed()
        call.returns(text=f"mended {call.parameters.get('n', '')}")


def test_failed_iterations_run_again_with_exit_handlers_and_all_attempts_stay(open_cluster, go, spec, failed):
    spec.step("prepare", outputs={"text": "str"}).step("fit", inputs={"n": "int"}, outputs={"text": "str"})
    spec.step("cleanup", inputs={"status": "status"}).step("after")
    spec.dag("item", {"fit": spec.task("fit", inputs={"n": "<n"})}, inputs={"n": "int"})
    loop = spec.task("item", ("prepare",))
    loop["parameterIterator"] = {"itemInput": "n", "items": {"raw": "[1, 2, 3, 4]"}}
    spec.dag("body", {"prepare": spec.task("prepare"), "loop": loop, "after": spec.task("after", ("loop",))})
    clean = spec.task("cleanup", ("exit-handler-1",), **EXIT)
    clean["inputs"]["parameters"]["status"] = {"taskFinalStatus": {"producerTask": "exit-handler-1"}}
    document = spec.done({"exit-handler-1": spec.task("body"), "cleanup": clean})
    told = []

    async def main():
        fit = Broken(failed)
        async with open_cluster(
            prepare=lambda call: call.returns(text="x"),
            fit=fit,
            after=lambda call: None,
            cleanup=lambda call: told.append(call.parameters["status"]["state"]),
        ) as cluster:
            run = await cluster.run(document)
            assert run.state == "FAILED"
            # Of two that fail side by side the first is named, whichever it is.
            assert re.search("exit-handler-1/loop/[13]/fit: exit code 1; the end of its log", run.error)
            fit.is_broken = False
            await cluster.engine.retry(run.run_id)
            assert (await cluster.wait(run.run_id)).state == "SUCCEEDED"
            body = "root/exit-handler-1"
            assert Counter(cluster.executed) == {
                f"{body}/prepare": 1,
                f"{body}/loop/0/fit": 1,
                f"{body}/loop/1/fit": 2,
                f"{body}/loop/2/fit": 1,
                f"{body}/loop/3/fit": 2,
                f"{body}/after": 1,
                "root/cleanup": 2,
            }
            rows = cluster.tasks(run.run_id)
            assert [a.state for a in rows[f"{body}/loop/1/fit"].attempts] == ["FAILED", "SUCCEEDED"]
            assert len({a.pod for a in rows["root/cleanup"].attempts}) == 2
            assert told == ["FAILED", "COMPLETE"]
            assert not any(row.former for row in rows.values())

    go(main())


def test_a_kept_step_whose_artifact_is_gone_runs_again_and_says_why(open_cluster, go, spec, failed):
    spec.step("make", artifacts={"data": "system.Dataset"}).step("use", inputs={"data": "system.Dataset"})
    spec.step("other")
    spec.dag("inner", {"make": spec.task("make")}, outputs={"data": "system.Dataset"}, gives={
        "artifacts": {"data": {"artifactSelectors": [
            {"producerSubtask": "make", "outputArtifactKey": "data"}]}}})  # fmt: skip
    use = spec.task("use", ("inner", "other"), artifacts={"data": "inner.data"})
    document = spec.done({"inner": spec.task("inner"), "other": spec.task("other"), "use": use})

    def make(call):
        call.writes("data", "x")
        call.returns()

    async def main():
        broken = Broken(failed)
        async with open_cluster(make=make, use=broken, other=lambda call: None) as cluster:
            run = await cluster.run(document)
            assert run.state == "FAILED"
            for file in (cluster.home / "artifacts").rglob("data"):
                file.unlink()
            broken.is_broken = False
            await cluster.engine.retry(run.run_id)
            assert (await cluster.wait(run.run_id)).state == "SUCCEEDED"
            assert Counter(cluster.executed) == {"root/inner/make": 2, "root/other": 1, "root/use": 2}
            assert 'artifact "data" is gone' in cluster.tasks(run.run_id)["root/inner/make"].reason

    go(main())


def test_a_stopped_run_is_retried_across_a_restart_and_conditions_are_decided_again(
    open_cluster, go, spec, failed
):
    spec.step("first", outputs={"text": "str"}).step("second").step("third")
    condition = "inputs.parameter_values['pipelinechannel--text'] == 'go'"
    spec.dag("branch", {"third": spec.task("third")}, inputs={"pipelinechannel--text": "str"})
    branch = spec.task(
        "branch", ("first",), inputs={"pipelinechannel--text": "first.text"},
        triggerPolicy={"condition": condition},
    )  # fmt: skip
    document = spec.done(
        {"first": spec.task("first"), "branch": branch, "second": spec.task("second", ("branch",))}
    )
    begun, answer = asyncio.Event(), ["wait"]

    async def first(call):
        begun.set()
        if answer[0] == "wait":
            await asyncio.sleep(60)
        call.returns(text=answer[0])

    async def main():
        async with open_cluster(first=first, second=lambda c: None, third=lambda c: None) as cluster:
            run_id = await cluster.submit(document)
            await begun.wait()
            await cluster.engine.terminate(run_id)
            assert (await cluster.wait(run_id)).state == "CANCELED"
            for text, expected in (("no", "SKIPPED"), ("go", "SUCCEEDED")):
                answer[0] = text
                await cluster.engine.retry(run_id)
                await cluster.restart_engine()
                assert (await cluster.wait(run_id)).state == "SUCCEEDED"
                assert cluster.states(run_id)["root/branch"] == expected
                if text == "no":
                    # As if it had failed after all: succeeded runs are not retried.
                    await cluster.database.write(lambda c: _fail(c, cluster.tasks(run_id)["root/first"]))
            assert cluster.tasks(run_id)["root/first"].attempts[0].state == "CANCELED"

    go(main())


def _fail(connection, row):
    tasks.update(connection, [replace(row, state=RuntimeState.FAILED)])
    runs.set_state(connection, row.run_id, RuntimeState.FAILED, 1)


def test_of_two_who_retry_at_once_one_is_told_that_the_run_is_under_way(open_cluster, go, spec, failed):
    document = spec.step("step", inputs={"n": "int"}).done({"step": spec.task("step", inputs={"n": 2})})

    async def main():
        broken = Broken(failed)
        async with open_cluster(step=broken) as cluster:
            run = await cluster.run(document)
            broken.is_broken = False
            outcomes = await asyncio.gather(
                *(cluster.engine.retry(run.run_id) for _ in range(3)), return_exceptions=True
            )
            refused = [outcome for outcome in outcomes if outcome is not None]
            assert len(refused) == 2
            assert all(isinstance(each, FailedPreconditionError) for each in refused)
            assert (await cluster.wait(run.run_id)).state == "SUCCEEDED"
            assert cluster.executed == ["root/step", "root/step"]

    go(main())


def test_what_a_retried_run_does_not_come_to_again_is_still_to_be_seen(open_cluster, go, spec, failed):
    """An exit task in a loop that has fewer items the second time."""
    spec.step("count", outputs={"items": "list"}).step("work", inputs={"n": "int"}).step("bad")
    loop = spec.task("work", ("count", "bad"), inputs={"items": "count.items"}, **EXIT)
    loop["parameterIterator"] = {"itemInput": "n", "items": {"inputParameter": "items"}}
    document = spec.done({"count": spec.task("count"), "bad": spec.task("bad", ("count",)), "loop": loop})
    items = [[1, 3, 5]]

    async def main():
        bad = Broken(failed)
        async with open_cluster(
            count=lambda call: call.returns(items=items[0]), work=lambda call: None, bad=bad
        ) as cluster:
            run = await cluster.run(document)
            assert run.state == "FAILED"
            bad.is_broken, items[0] = False, [1]
            await cluster.database.write(lambda c: _fail(c, cluster.tasks(run.run_id)["root/count"]))
            await cluster.engine.retry(run.run_id)
            assert (await cluster.wait(run.run_id)).state == "SUCCEEDED"
            states = cluster.states(run.run_id)
            assert [states[f"root/loop/{index}"] for index in range(3)] == ["SUCCEEDED", "SKIPPED", "SKIPPED"]
            assert len(cluster.tasks(run.run_id)["root/loop/1"].attempts) == 1

    go(main())
