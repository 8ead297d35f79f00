"""A run that is stopped, by its user or by its deadline: its steps end, its exit tasks run, then it is over."""

from __future__ import annotations

import asyncio

import pytest

from sampan.components.pipelines.api.settings import PipelineSettings
from sampan.kube.kinds import PODS

EXIT = {"triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}}


def with_exit_handler(spec, work, **clean):
    spec.step("cleanup", inputs={"status": "status"}, outputs={"text": "str"})
    spec.dag("body", work)
    status = {"taskFinalStatus": {"producerTask": "exit-handler-1"}}
    cleanup = spec.task("cleanup", ("exit-handler-1",), **EXIT, **clean)
    cleanup["inputs"]["parameters"]["status"] = status
    return spec.done({"exit-handler-1": spec.task("body"), "cleanup": cleanup})


def cleanup(call):
    call.returns(text=call.parameters["status"]["state"])


class Hanging:
    """A step that ends when it is told to, or never."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()

    async def __call__(self, call):
        self.begun.set()
        await self.may_end.wait()
        call.returns(text="ended")


def test_exit_handlers_of_a_stopped_run_are_told_that_it_was_canceled(open_cluster, go, spec):
    spec.step("hang").step("later")
    document = with_exit_handler(spec, {"hang": spec.task("hang"), "later": spec.task("later", ("hang",))})

    async def main():
        hang = Hanging()
        async with open_cluster(hang=hang, later=lambda call: None, cleanup=cleanup) as cluster:
            run_id = await cluster.submit(document)
            await hang.begun.wait()
            await cluster.engine.terminate(run_id)
            run = await cluster.wait(run_id)
            assert (run.state, run.error) == ("CANCELED", "")
            assert cluster.states(run_id) == {
                "root": "CANCELED",
                "root/exit-handler-1": "CANCELED",
                "root/exit-handler-1/hang": "CANCELED",
                "root/cleanup": "SUCCEEDED",
            }
            assert cluster.tasks(run_id)["root/cleanup"].outputs.parameters == {"text": "CANCELED"}
            pods = await cluster.client.list(PODS)
            assert [pod["metadata"]["name"][:7] for pod in pods.items] == ["cleanup"]

    go(main())


def test_a_second_stop_ends_exit_handlers_too(open_cluster, go, spec):
    spec.step("hang")
    document = with_exit_handler(spec, {"hang": spec.task("hang")})

    async def main():
        hang, slow = Hanging(), Hanging()
        async with open_cluster(hang=hang, cleanup=slow) as cluster:
            run_id = await cluster.submit(document)
            await hang.begun.wait()
            await cluster.engine.terminate(run_id)
            await slow.begun.wait()
            assert cluster.row(run_id).state == "CANCELING"
            await cluster.engine.terminate(run_id)
            assert (await cluster.wait(run_id)).state == "CANCELED"
            assert cluster.states(run_id)["root/cleanup"] == "CANCELED"
            assert (await cluster.client.list(PODS)).items == []

    go(main())


def test_an_exit_handler_that_runs_already_goes_on_when_the_run_is_stopped(open_cluster, go, spec):
    spec.step("quick")
    document = with_exit_handler(spec, {"quick": spec.task("quick")})

    async def main():
        slow = Hanging()
        async with open_cluster(quick=lambda call: None, cleanup=slow) as cluster:
            run_id = await cluster.submit(document)
            await slow.begun.wait()
            await cluster.engine.terminate(run_id)
            assert cluster.row(run_id).state == "CANCELING"
            slow.may_end.set()
            assert (await cluster.wait(run_id)).state == "CANCELED"
            assert cluster.states(run_id)["root/cleanup"] == "SUCCEEDED"

    go(main())


def test_what_ignores_failures_is_stopped_like_all_else_and_loops_begin_nothing_more(open_cluster, go, spec):
    spec.step("quick").step("hang").step("item", inputs={"n": "int"})
    loop = spec.task("item")
    loop |= {
        "parameterIterator": {"itemInput": "n", "items": {"raw": "[1, 2, 3, 4]"}},
        "iteratorPolicy": {"parallelismLimit": 1},
    }
    document = spec.done(
        {"quick": spec.task("quick"), "hang": spec.task("hang", ("quick",), **EXIT), "loop": loop}
    )

    async def main():
        hang, item = Hanging(), Hanging()
        async with open_cluster(quick=lambda call: None, hang=hang, item=item) as cluster:
            run_id = await cluster.submit(document)
            await hang.begun.wait()
            await item.begun.wait()
            await cluster.engine.terminate(run_id)
            assert (await cluster.wait(run_id)).state == "CANCELED"
            assert cluster.states(run_id) == {
                "root": "CANCELED",
                "root/quick": "SUCCEEDED",
                "root/hang": "CANCELED",
                "root/loop": "CANCELED",
                "root/loop/0": "CANCELED",
            }

    go(main())


@pytest.mark.parametrize("restarts", [1, 3])
def test_a_stop_goes_on_after_a_crash_with_its_exit_handlers(open_cluster, go, spec, restarts):
    spec.step("hang").step("later")
    work = {"hang": spec.task("hang"), "later": spec.task("later", ("hang",))}
    document = with_exit_handler(spec, work)

    async def main():
        hang, slow = Hanging(), Hanging()
        async with open_cluster(hang=hang, later=lambda call: None, cleanup=slow) as cluster:
            run_id = await cluster.submit(document)
            await hang.begun.wait()
            await cluster.engine.terminate(run_id)
            for _ in range(restarts):
                await cluster.restart_engine()
            await slow.begun.wait()
            await cluster.restart_engine()
            slow.may_end.set()
            assert (await cluster.wait(run_id)).state == "CANCELED"
            assert cluster.states(run_id)["root/cleanup"] == "SUCCEEDED"
            assert cluster.executed == ["root/exit-handler-1/hang", "root/cleanup"]

    go(main())


@pytest.mark.parametrize("by", ["pipeline", "settings"])
def test_a_deadline_names_what_was_running_and_lets_exit_handlers_run(open_cluster, go, spec, by):
    spec.step("hang")
    document = with_exit_handler(spec, {"hang": spec.task("hang")})
    settings = PipelineSettings(default_deadline_seconds=1 if by == "settings" else 0)
    if by == "pipeline":
        platform = {"platforms": {"kubernetes": {"pipelineConfig": {"activeDeadlineSeconds": 1}}}}
        document = {"pipeline_spec": document, "platform_spec": platform}

    async def main():
        async with open_cluster(settings, hang=Hanging(), cleanup=cleanup) as cluster:
            run = await cluster.run(document)
            assert run.state == "FAILED"
            assert "took longer than its limit of 1 s; running were: exit-handler-1/hang" in run.error
            rows = cluster.tasks(run.run_id)
            assert rows["root/exit-handler-1/hang"].state == "CANCELED"
            assert "longer than its limit" in rows["root/exit-handler-1/hang"].attempts[0].message
            assert rows["root/cleanup"].outputs.parameters == {"text": "FAILED"}
            await cluster.engine.retry(run.run_id)
            await cluster.engine.terminate(run.run_id)
            assert (await cluster.wait(run.run_id)).state == "CANCELED"

    go(main())


def test_a_step_without_a_timeout_of_its_own_gets_the_default_one(open_cluster, go, spec):
    document = spec.step("quick").done({"quick": spec.task("quick")})

    async def main():
        async with open_cluster(
            PipelineSettings(default_step_timeout_seconds=77), quick=lambda call: None
        ) as cluster:
            await cluster.run(document)
            pods = await cluster.client.list(PODS)
            assert [pod["spec"]["activeDeadlineSeconds"] for pod in pods.items] == [77]

    go(main())
