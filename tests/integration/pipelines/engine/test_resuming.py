"""A run goes on from another one with a new version of its pipeline: what is reused, what runs, and that it says so."""

from __future__ import annotations

import asyncio
import copy
import json
from dataclasses import replace

import pytest

from sampan.components.pipelines.api.errors import FailedPreconditionError, InvalidArgumentError
from sampan.components.pipelines.engine.resumption import Resumption, StepChange
from sampan.components.pipelines.store import runs
from sampan.kube.kinds import PODS
from sampan.lib.ids import new_uid


class Pipelines:
    """prepare → train → report, with train's behaviour in the test's hand."""

    def __init__(self, spec) -> None:
        spec.step("prepare", inputs={"n": "int"}, artifacts={"data": "system.Dataset"})
        spec.step("train", inputs={"data": "system.Dataset"}, outputs={"score": "float"})
        spec.step("report", inputs={"score": "float", "title": "str"}, outputs={"text": "str"})
        self.document = spec.done(
            {
                "prepare": spec.task("prepare", inputs={"n": "<n"}),
                "train": spec.task("train", ("prepare",), artifacts={"data": "prepare.data"}),
                "report": spec.task("report", ("train",), inputs={"score": "train.score", "title": "<title"}),
            },
            inputs={"n": "int", "title": "str"},
        )
        self.parameters = {"n": 1, "title": "first"}

    def with_image(self, step: str, image: str):
        document = copy.deepcopy(self.document)
        document["deploymentSpec"]["executors"][f"exec-{step}"]["container"]["image"] = image
        return document


def behaviours(failed):
    def prepare(call):
        call.writes("data", "rows")
        call.returns()

    def train(call):
        raise failed()

    return {
        "prepare": prepare,
        "train": train,
        "better": lambda call: call.returns(score=0.5),
        "report": lambda call: call.returns(text=f"{call.parameters['title']}: {call.parameters['score']}"),
    }


async def planned(cluster, run_id, spec=None, parameters=None, steps=None):
    wanted = Resumption(run_id, spec and {"pipeline_spec": spec}, parameters or {}, steps or {})
    return await cluster.engine.resumable(wanted)


async def resumed(cluster, run_id, spec=None, parameters=None, steps=None):
    """As REST does it. The new run's id."""
    ready = await planned(cluster, run_id, spec, parameters, steps)
    row = replace(
        cluster.row(run_id),
        run_id=new_uid(),
        spec=json.dumps(ready.spec),
        runtime_config=json.dumps(ready.runtime_config),
        state="PENDING",
        error="",
        finished_at=0,
        resumed_from=run_id,
    )
    await cluster.database.write(lambda connection: runs.insert(connection, row))
    await cluster.engine.submit(row.run_id)
    return row.run_id


def words(ready):
    return {each.task: (each.action.value, each.reason) for each in ready.plan}


def test_a_failed_step_gets_another_image_and_what_had_succeeded_is_reused(open_cluster, go, spec, failed):
    pipeline = Pipelines(spec)

    async def main():
        async with open_cluster(**behaviours(failed)) as cluster:
            first = await cluster.run(pipeline.document, pipeline.parameters)
            assert first.state == "FAILED"
            new = pipeline.with_image("train", "test/better")
            assert words(await planned(cluster, first.run_id, new)) == {
                "prepare": ("REUSED", f"reused from run {first.run_id}"),
                "train": ("RUNS", "its image changed: test/train → test/better"),
                "report": ("RUNS", "it comes after train"),
            }
            run_id = await resumed(cluster, first.run_id, new)
            assert (await cluster.wait(run_id)).state == "SUCCEEDED"
            rows = cluster.tasks(run_id)
            assert rows["root/report"].outputs.parameters == {"text": "first: 0.5"}
            assert rows["root/prepare"].state == "CACHED"
            assert rows["root/prepare"].reason == f"reused from run {first.run_id}"
            before = cluster.tasks(first.run_id)["root/prepare"]
            assert rows["root/prepare"].cached_from_task_id == before.task_id
            assert rows["root/prepare"].outputs.artifacts == before.outputs.artifacts
            assert cluster.executed == ["root/prepare", "root/train", "root/train", "root/report"]
            # And once more from the second, with another parameter that only the report reads.
            third = await resumed(cluster, run_id, parameters={"title": "second"})
            assert (await cluster.wait(third)).state == "SUCCEEDED"
            rows = cluster.tasks(third)
            assert rows["root/report"].outputs.parameters == {"text": "second: 0.5"}
            assert rows["root/report"].reason == "its input title changed: first → second"
            assert cluster.executed[4:] == ["root/report"]
            assert cluster.row(first.run_id).state == "FAILED"
            assert runs_after(cluster, first.run_id) == [run_id]

    go(main())


def runs_after(cluster, run_id):
    return cluster.database.read_now(lambda connection: runs.resumed_by(connection, run_id))


def test_one_steps_image_alone_is_replaced_and_its_component_stays_for_the_others(
    open_cluster, go, spec, failed
):
    pipeline = Pipelines(spec)
    pipeline.document["root"]["dag"]["tasks"]["train-2"] = spec.task(
        "train", ("prepare", "report"), artifacts={"data": "prepare.data"}
    )

    async def main():
        async with open_cluster(**behaviours(failed)) as cluster:
            first = await cluster.run(pipeline.document, pipeline.parameters)
            steps = {"train": StepChange(image="test/better", memory="2Gi", env={"A": "b"})}
            with pytest.raises(InvalidArgumentError, match="no such step; it has prepare, train, report"):
                await planned(cluster, first.run_id, steps={"tra": StepChange(image="x")})
            run_id = await resumed(cluster, first.run_id, steps=steps)
            run = await cluster.wait(run_id)
            assert run.state == "FAILED"
            assert run.error.count("train-2") == 1
            states = cluster.states(run_id)
            assert (states["root/train"], states["root/train-2"]) == ("SUCCEEDED", "FAILED")
            pods = {pod["metadata"]["annotations"]["pipelines.kubeflow.org/task-path"]: pod["spec"]["containers"][0]
                    for pod in (await cluster.client.list(PODS)).items
                    if pod["metadata"]["labels"]["pipeline/runid"] == run_id}  # fmt: skip
            assert pods["root/train"]["resources"]["limits"] == {"memory": "2Gi"}
            assert {"name": "A", "value": "b"} in pods["root/train"]["env"]
            assert "A" not in [each["name"] for each in pods["root/train-2"].get("env", [])]

    go(main())


def test_iterations_are_matched_by_their_items_and_conditions_are_decided_anew(
    open_cluster, go, spec, failed
):
    spec.step("fit", inputs={"n": "int"}, outputs={"score": "int"}).step("best", inputs={"scores": "list"})
    spec.step("small").step("large")
    condition = "inputs.parameter_values['pipelinechannel--n'] > 3"
    spec.dag("big", {"large": spec.task("large")}, inputs={"pipelinechannel--n": "int"})
    spec.dag(
        "item",
        {
            "fit": spec.task("fit", inputs={"n": "<n"}),
            "condition-1": spec.task(
                "big", ("fit",), inputs={"pipelinechannel--n": "<n"}, triggerPolicy={"condition": condition}
            ),
        },
        inputs={"n": "int", "items": "list"},
        outputs={"score": "int"},
        gives={"parameters": {"score": {"valueFromParameter": {
            "producerSubtask": "fit", "outputParameterKey": "score"}}}},
    )  # fmt: skip
    loop = spec.task("item", inputs={"items": "<items"})
    loop |= {
        "parameterIterator": {"itemInput": "n", "items": {"inputParameter": "items"}},
        "iteratorPolicy": {"parallelismLimit": 1},
    }
    document = spec.done(
        {"loop": loop, "best": spec.task("best", ("loop",), inputs={"scores": "loop.score"})},
        inputs={"items": "list"},
    )
    scores = []

    async def main():
        async with open_cluster(
            fit=lambda call: call.returns(score=call.parameters["n"] * 10),
            best=lambda call: scores.append(call.parameters["scores"]),
            small=lambda call: None,
            large=lambda call: None,
        ) as cluster:
            first = await cluster.run(document, {"items": [1, 2, 5]})
            assert first.state == "SUCCEEDED"
            ready = await planned(cluster, first.run_id, parameters={"items": [5, 3, 1]})
            reused = f"reused from run {first.run_id}"
            assert words(ready) == {
                "loop/0/fit": ("REUSED", reused),
                "loop/0/condition-1/large": ("REUSED", reused),
                "loop/1/fit": ("RUNS", "it is new"),
                "loop/1/condition-1/large": ("UNDECIDED", "decided once fit has run"),
                "loop/2/fit": ("REUSED", reused),
                "loop/2/condition-1": (
                    "SKIPPED",
                    "its condition is not met, or what it waits for was skipped",
                ),
                "best": ("RUNS", "it comes after item"),
            }
            assert [each.display_name for each in ready.plan][:2] == [
                "item[0] / fit",
                "item[0] / large",
            ]
            executed = len(cluster.executed)
            run_id = await resumed(cluster, first.run_id, parameters={"items": [5, 3, 1]})
            assert (await cluster.wait(run_id)).state == "SUCCEEDED"
            assert cluster.executed[executed:] == ["root/loop/1/fit", "root/best"]
            assert scores[-1] == [50, 30, 10]

    go(main())


def test_a_step_whose_artifact_is_gone_runs_and_so_does_all_after_it(open_cluster, go, spec, failed):
    pipeline = Pipelines(spec)
    document = pipeline.with_image("train", "test/better")

    async def main():
        async with open_cluster(**behaviours(failed)) as cluster:
            first = await cluster.run(document, pipeline.parameters)
            assert first.state == "SUCCEEDED"
            assert {each.action.value for each in (await planned(cluster, first.run_id)).plan} == {"REUSED"}
            for file in (cluster.home / "artifacts").rglob("data"):
                file.unlink()
            found = words(await planned(cluster, first.run_id))
            assert found["prepare"][0] == "RUNS"
            assert 'its artifact "data" is gone' in found["prepare"][1]
            assert found["train"] == ("RUNS", "it comes after prepare")

    go(main())


def test_a_resumed_run_goes_on_after_every_restart_as_if_there_had_been_none(open_cluster, go, spec, failed):
    """Steps and iterations that come late are still reused, though the engine was made anew in between."""
    spec.step("gate", inputs={"n": "int"}).step("late", inputs={"n": "int"})
    loop = spec.task("late")
    loop |= {
        "parameterIterator": {"itemInput": "n", "items": {"raw": "[1, 2, 3, 4]"}},
        "iteratorPolicy": {"parallelismLimit": 1},
    }
    document = spec.done({"loop": loop, "gate": spec.task("gate", inputs={"n": "<n"})}, inputs={"n": "int"})
    begun, may_end, broken = asyncio.Event(), asyncio.Event(), [True]

    async def late(call):
        if call.parameters["n"] == 2 and broken[0]:
            raise failed()
        if call.parameters["n"] == 2:
            begun.set()
            await may_end.wait()

    async def main():
        async with open_cluster(gate=lambda call: None, late=late) as cluster:
            first = await cluster.run(document, {"n": 1})
            assert first.state == "FAILED"
            broken[0] = False
            run_id = await resumed(cluster, first.run_id)
            await begun.wait()
            for _ in range(2):
                await cluster.restart_engine()
            may_end.set()
            assert (await cluster.wait(run_id)).state == "SUCCEEDED"
            assert cluster.executed[-1] == "root/loop/1"
            assert len(cluster.executed) == 6
            assert [cluster.states(run_id)[f"root/loop/{index}"] for index in range(4)] == [
                "CACHED",
                "SUCCEEDED",
                "CACHED",
                "CACHED",
            ]

    go(main())


def test_what_cannot_be_resumed_says_why(open_cluster, go, spec, failed):
    pipeline = Pipelines(spec)

    async def main():
        async with open_cluster(**behaviours(failed)) as cluster:
            run_id = await cluster.submit(pipeline.document, pipeline.parameters)
            with pytest.raises(FailedPreconditionError, match="only a run that has ended can be resumed"):
                await planned(cluster, run_id)
            await cluster.wait(run_id)
            with pytest.raises(InvalidArgumentError, match="nope"):
                await planned(cluster, run_id, parameters={"nope": 1})
            workflow = replace(cluster.row(run_id), run_id="w", spec='{"workflow": {}}', state="FAILED")
            await cluster.database.write(lambda connection: runs.insert(connection, workflow))
            with pytest.raises(FailedPreconditionError, match="no run of a KFP pipeline"):
                await planned(cluster, "w")

    go(main())


def test_what_only_comes_after_a_step_that_runs_runs_too_though_its_inputs_are_as_they_were(
    open_cluster, go, spec, failed
):
    spec.step("first", outputs={"text": "str"}).step("reads", inputs={"text": "str"}).step("waits")
    spec.step("apart")
    document = spec.done(
        {
            "first": spec.task("first"),
            "reads": spec.task("reads", ("first",), inputs={"text": "first.text"}),
            "waits": spec.task("waits", ("reads",)),
            "apart": spec.task("apart"),
        }
    )

    async def main():
        async with open_cluster(
            first=lambda call: call.returns(text="same"),
            again=lambda call: call.returns(text="same"),
            reads=lambda call: None,
            waits=lambda call: None,
            apart=lambda call: None,
        ) as cluster:
            first = await cluster.run(document)
            cluster.executed.clear()
            run_id = await resumed(cluster, first.run_id, steps={"first": StepChange(image="test/again")})
            assert (await cluster.wait(run_id)).state == "SUCCEEDED"
            assert cluster.executed == ["root/first", "root/reads", "root/waits"]
            rows = cluster.tasks(run_id)
            assert rows["root/waits"].reason == "it comes after reads"
            assert rows["root/apart"].state == "CACHED"

    go(main())
