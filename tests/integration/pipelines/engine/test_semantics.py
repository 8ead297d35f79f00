"""What implementers of the IR miss: nesting, lists, null, importers, volumes, limits, deadlines, deletion."""

from __future__ import annotations

import asyncio
import copy
import json

import pytest

from sampan.components.pipelines.api.errors import FailedPreconditionError, NotFoundError
from sampan.components.pipelines.api.settings import PipelineSettings
from sampan.components.pipelines.engine.volumes import VolumeOperation
from sampan.components.pipelines.store import artifacts, runs
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS


def _from(task, key):
    return {"valueFromParameter": {"producerSubtask": task, "outputParameterKey": key}}


def test_nested_loops_give_nested_lists_and_skipped_iterations_drop_out(open_cluster, go, spec):
    spec.step("mul", inputs={"x": "int", "y": "int"}, outputs={"z": "int"})
    spec.step("end", inputs={"all": "list"}, outputs={"all": "list"})
    spec.dag(
        "odd",
        {"mul": spec.task("mul", inputs={"x": "<x", "y": "<y"})},
        inputs={"x": "int", "y": "int"},
        outputs={"z": "int"},
        gives={"parameters": {"z": _from("mul", "z")}},
    )
    spec.dag(
        "inner",
        {
            "condition-1": spec.task(
                "odd",
                inputs={"x": "<x", "y": "<y"},
                triggerPolicy={"condition": "int(inputs.parameter_values['y']) != 2"},
            )
        },
        inputs={"x": "int", "y": "int"},
        outputs={"z": "list"},
        gives={"parameters": {"z": _from("condition-1", "z")}},
    )
    spec.dag(
        "outer",
        {
            "for-loop-2": spec.task(
                "inner",
                inputs={"x": "<x"},
                parameterIterator={"itemInput": "y", "items": {"raw": "[1, 2, 3]"}},
            )
        },
        inputs={"x": "int"},
        outputs={"z": "list"},
        gives={"parameters": {"z": _from("for-loop-2", "z")}},
    )
    document = spec.done(
        {
            "for-loop-1": spec.task(
                "outer", parameterIterator={"itemInput": "x", "items": {"raw": "[10, 20]"}}
            ),
            "end": spec.task("end", ("for-loop-1",), inputs={"all": "for-loop-1.z"}),
        }
    )

    async def main():
        async with open_cluster(
            mul=lambda call: call.returns(z=call.parameters["x"] * call.parameters["y"]),
            end=lambda call: call.returns(all=call.parameters["all"]),
        ) as cluster:
            run = await cluster.run(document)
            assert run.state == "SUCCEEDED", run.error
            assert cluster.tasks(run.run_id)["root/end"].outputs.parameters == {"all": [[10, 30], [20, 60]]}

    go(main())


def test_a_loop_within_a_loop_over_the_same_items(open_cluster, go, spec):
    spec.step("mul", inputs={"x": "int", "y": "int"}, outputs={"z": "int"})
    spec.dag(
        "inner",
        {"mul": spec.task("mul", inputs={"x": "<x", "y": "<y"})},
        inputs={"x": "int", "y": "int", "all": "list"},
        outputs={"z": "int"},
        gives={"parameters": {"z": _from("mul", "z")}},
    )
    again = {"itemInput": "y", "items": {"inputParameter": "all"}}
    spec.dag(
        "outer",
        {"for-loop-2": spec.task("inner", inputs={"x": "<x", "all": "<all"}, parameterIterator=again)},
        inputs={"x": "int", "all": "list"},
        outputs={"z": "list"},
        gives={"parameters": {"z": _from("for-loop-2", "z")}},
    )
    over = {"itemInput": "x", "items": {"inputParameter": "all"}}
    document = spec.done(
        {"for-loop-1": spec.task("outer", inputs={"all": "<all"}, parameterIterator=over)},
        inputs={"all": "list"},
    )

    async def main():
        async with open_cluster(
            mul=lambda call: call.returns(z=call.parameters["x"] * call.parameters["y"])
        ) as cluster:
            run = await cluster.run(document, {"all": [2, 3]})
            assert run.state == "SUCCEEDED", run.error
            assert cluster.tasks(run.run_id)["root/for-loop-1"].outputs.parameters == {"z": [[4, 6], [6, 9]]}

    go(main())


def test_a_loop_over_artifacts(open_cluster, go, spec):
    def make(call):
        call.writes("data", call.parameters["text"])
        call.returns()

    def read(call):
        with open(call.artifact("item", "inputs")["uri"]) as file:
            call.returns(text=file.read())

    spec.step("make", inputs={"text": "str"}, artifacts={"data": "system.Dataset"})
    spec.step("read", inputs={"item": "system.Dataset"}, outputs={"text": "str"})
    spec.step("end", inputs={"all": "list"}, outputs={"all": "list"})
    spec.dag(
        "maker",
        {"make": spec.task("make", inputs={"text": "<item"})},
        inputs={"item": "str"},
        outputs={"data": "system.Dataset[]"},
        gives={
            "artifacts": {
                "data": {"artifactSelectors": [{"producerSubtask": "make", "outputArtifactKey": "data"}]}
            }
        },
    )
    spec.dag(
        "reader",
        {"read": spec.task("read", artifacts={"item": "<item"})},
        inputs={"item": "system.Dataset", "all": "system.Dataset[]?"},
        outputs={"text": "list"},
        gives={"parameters": {"text": _from("read", "text")}},
    )
    document = spec.done(
        {
            "for-loop-1": spec.task(
                "maker", parameterIterator={"itemInput": "item", "items": {"raw": '["a", "b"]'}}
            ),
            "for-loop-2": spec.task(
                "reader",
                ("for-loop-1",),
                artifacts={"all": "for-loop-1.data"},
                artifactIterator={"itemInput": "item", "items": {"inputArtifact": "all"}},
            ),
            "end": spec.task("end", ("for-loop-2",), inputs={"all": "for-loop-2.text"}),
        }
    )

    async def main():
        async with open_cluster(
            make=make, read=read, end=lambda call: call.returns(all=call.parameters["all"])
        ) as cluster:
            run = await cluster.run(document)
            assert run.state == "SUCCEEDED", run.error
            assert cluster.tasks(run.run_id)["root/end"].outputs.parameters == {"all": ["a", "b"]}

    go(main())


def test_a_container_component_writes_files_and_null_inputs_are_left_out(open_cluster, go, spec):
    seen = []

    def plain(call):
        seen.append(call.args)
        with open(call.args[2], "w") as file:
            file.write("7")

    spec.step(
        "plain",
        inputs={"a": "str?", "b": "str"},
        outputs={"n": "int"},
        command=["run"],
        args=[
            "{{$.inputs.parameters['b']}}",
            "{{$.outputs.parameters['n'].output_file}}",
            '{"IfPresent": {"InputName": "a", "Then": ["--a", "{{$.inputs.parameters[\'a\']}}"]}}',
        ],
    )
    spec.dag(
        "inner",
        {"plain": spec.task("plain", inputs={"a": "<a", "b": "{{$.pipeline_task_name}} of <a>"})},
        inputs={"a": "str?"},
    )
    document = spec.done({"inner": spec.task("inner")})

    async def main():
        async with open_cluster(plain=plain) as cluster:
            run = await cluster.run(document)
            assert run.state == "SUCCEEDED", run.error
            assert cluster.tasks(run.run_id)["root/inner/plain"].outputs.parameters == {"n": 7}
            assert seen[0][:2] == ["run", "plain of <a>"]
            assert len(seen[0]) == 3

    go(main())


def test_a_missing_output_fails_the_step_with_its_name(open_cluster, go, spec):
    spec.step("silent", outputs={"answer": "int"})

    async def main():
        async with open_cluster(silent=lambda call: None) as cluster:
            run = await cluster.run(spec.done({"silent": spec.task("silent")}))
            assert run.state == "FAILED"
            assert 'gave no output parameter \\"answer\\"' in run.error

    go(main())


def test_an_importer_records_once_and_again_when_told_to(open_cluster, go, spec, tmp_path):
    (tmp_path / "data.csv").write_text("1,2")

    def importer(name, reimport):
        spec.document["components"][name] = {
            "executorLabel": f"exec-{name}",
            "inputDefinitions": {"parameters": {"uri": {"parameterType": "STRING"}}},
            "outputDefinitions": {
                "artifacts": {"artifact": {"artifactType": {"schemaTitle": "system.Dataset"}}}
            },
        }
        spec.document["deploymentSpec"]["executors"][f"exec-{name}"] = {
            "importer": {
                "artifactUri": {"runtimeParameter": "uri"},
                "typeSchema": {"schemaTitle": "system.Dataset"},
                "metadata": {"from": "{{$.inputs.parameters['uri']}}"},
                "reimport": reimport,
            }
        }

    importer("old", False)
    importer("new", True)
    spec.step("use", inputs={"data": "system.Dataset"}, outputs={"from": "str"})
    uri = str(tmp_path / "data.csv")
    document = spec.done(
        {
            "old": spec.task("old", inputs={"uri": "<uri"}),
            "new": spec.task("new", inputs={"uri": "<uri"}),
            "use": spec.task("use", ("old",), artifacts={"data": "old.artifact"}),
        },
        inputs={"uri": "str"},
    )

    def use(call):
        call.returns(**{"from": call.artifact("data", "inputs")["metadata"]["from"]})

    async def main():
        async with open_cluster(use=use) as cluster:
            ids = []
            for _ in range(2):
                run = await cluster.run(document, {"uri": uri})
                assert run.state == "SUCCEEDED", run.error
                rows = cluster.tasks(run.run_id)
                assert rows["root/old"].type == "IMPORTER"
                assert rows["root/use"].outputs.parameters == {"from": uri}
                ids.append([rows[f"root/{name}"].outputs.artifacts["artifact"] for name in ("old", "new")])
            assert ids[0][0] == ids[1][0] or ids[1][0] == ids[0][1]
            assert ids[0][1] != ids[1][1]

    go(main())


def test_volume_claims_are_made_mounted_and_deleted(open_cluster, go, spec):
    mounted = []

    def use(call):
        mounted.append(call.pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"])

    spec.step(
        "createpvc",
        inputs={"access_modes": "list", "size": "str", "pvc_name_suffix": "str?"},
        outputs={"name": "str"},
        image="argostub/createpvc",
    )
    spec.step("deletepvc", inputs={"pvc_name": "str"}, image="argostub/deletepvc")
    spec.step("use")
    document = spec.done(
        {
            "createpvc": spec.task(
                "createpvc",
                inputs={"access_modes": ["ReadWriteOnce"], "size": "1Gi", "pvc_name_suffix": "-x"},
            ),
            "use": spec.task("use", ("createpvc",)),
            "deletepvc": spec.task("deletepvc", ("use",), inputs={"pvc_name": "createpvc.name"}),
        }
    )
    name = {"taskOutputParameter": {"producerTask": "createpvc", "outputParameterKey": "name"}}
    mount = {"pvcMount": [{"mountPath": "/data", "pvcNameParameter": name}]}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-use": mount}}}}}

    async def main():
        async with open_cluster(use=use) as cluster:
            run = await cluster.run({"pipeline_spec": document, "platform_spec": platform})
            assert run.state == "SUCCEEDED", run.error
            assert mounted == [cluster.tasks(run.run_id)["root/createpvc"].outputs.parameters["name"]]
            assert mounted[0].endswith("-x")
            claims = await cluster.client.list(PERSISTENT_VOLUME_CLAIMS, "default")
            assert all(claim["metadata"].get("deletionTimestamp") for claim in claims.items)

    go(main())


def claim_task(spec, cache, size="1Gi"):
    inputs = {"access_modes": "list", "size": "str", "pvc_name": "str"}
    spec.step("createpvc", inputs=inputs, outputs={"name": "str"}, image="argostub/createpvc")
    given = {"access_modes": ["ReadWriteOnce"], "size": size, "pvc_name": "mine"}
    task = spec.task("createpvc", inputs=given, cachingOptions={"enableCache": cache})
    return copy.deepcopy(spec.done({"createpvc": task}))


def test_a_claim_of_a_fixed_name_is_the_cached_result_while_it_exists(open_cluster, go, spec):
    async def main():
        async with open_cluster() as cluster:
            first = await cluster.run(claim_task(spec, cache=True))
            assert first.state == "SUCCEEDED"
            again = await cluster.run(claim_task(spec, cache=True))
            assert again.state == "SUCCEEDED", again.error
            for different in (claim_task(spec, cache=True, size="2Gi"), claim_task(spec, cache=False)):
                run = await cluster.run(different)
                assert run.state == "FAILED"
                assert "already exists" in json.loads(run.error)["message"]
            await cluster.client.delete(PERSISTENT_VOLUME_CLAIMS, "mine", "default")
            assert (await cluster.run(claim_task(spec, cache=True))).state == "SUCCEEDED"
            assert (await cluster.client.get(PERSISTENT_VOLUME_CLAIMS, "mine", "default"))["metadata"]["name"]

    go(main())


def test_a_deletion_that_a_crash_kept_from_being_noted_is_no_failure(open_cluster, go, spec, monkeypatch):
    claim = claim_task(spec, cache=False)
    spec.step("deletepvc", inputs={"pvc_name": "str"}, image="argostub/deletepvc")
    document = spec.done({"deletepvc": spec.task("deletepvc", inputs={"pvc_name": "mine"})})
    deleted = asyncio.Event()
    real = VolumeOperation.perform

    async def perform(operation, client, namespace, asking):
        given = await real(operation, client, namespace, asking)
        if operation.image.endswith("deletepvc") and not operation.is_again:
            deleted.set()
            await asyncio.sleep(60)  # the engine dies before it hears of it
        return given

    monkeypatch.setattr(VolumeOperation, "perform", perform)

    async def main():
        async with open_cluster() as cluster:
            await cluster.run(claim)
            run_id = await cluster.submit(document)
            await deleted.wait()
            await cluster.restart_engine()
            run = await cluster.wait(run_id)
            assert run.state == "SUCCEEDED", run.error

    go(main())


def test_pods_are_limited_and_a_small_run_is_not_kept_waiting_by_a_large_one(open_cluster, go, spec):
    spec.step("wait", inputs={"x": "int"})
    spec.dag("body", {"wait": spec.task("wait", inputs={"x": "<item"})}, inputs={"item": "int"})

    async def wait(call):
        await asyncio.sleep(0.02)

    def document(count):
        items = {"raw": json.dumps(list(range(count)))}
        return spec.done(
            {"for-loop-1": spec.task("body", parameterIterator={"itemInput": "item", "items": items})}
        )

    async def main():
        async with open_cluster(settings=PipelineSettings(max_parallel_pods=4), wait=wait) as cluster:
            large = await cluster.submit(json.loads(json.dumps(document(60))))
            small = await cluster.submit(json.loads(json.dumps(document(3))))
            assert (await cluster.wait(small)).state == "SUCCEEDED"
            assert not cluster.row(large).runtime_state.is_final
            assert (await cluster.wait(large)).state == "SUCCEEDED"
            assert cluster.kubelet.busiest <= 4

    go(main())


def test_a_run_that_takes_too_long_fails(open_cluster, go, spec):
    async def hang(call):
        await asyncio.sleep(60)

    spec.step("hang")
    document = spec.done({"hang": spec.task("hang")})
    platform = {"platforms": {"kubernetes": {"pipelineConfig": {"activeDeadlineSeconds": 1}}}}

    async def main():
        async with open_cluster(hang=hang) as cluster:
            run = await cluster.run({"pipeline_spec": document, "platform_spec": platform})
            assert run.state == "FAILED"
            assert "longer than its limit of 1 s" in run.error
            assert cluster.states(run.run_id)["root/hang"] == "CANCELED"

    go(main())


def test_a_deleted_runs_pods_go(open_cluster, go, spec):
    started = asyncio.Event()

    async def hang(call):
        started.set()
        await asyncio.sleep(60)

    spec.step("hang")

    async def main():
        async with open_cluster(hang=hang) as cluster:
            run_id = await cluster.submit(spec.done({"hang": spec.task("hang")}))
            await started.wait()
            await cluster.database.write(lambda connection: runs.delete(connection, run_id))
            await cluster.engine.forget(run_id, "default")
            await cluster.until_no_pods()

    go(main())


def test_pods_whose_run_is_over_are_removed_at_the_start(open_cluster, go, spec):
    started = asyncio.Event()

    async def hang(call):
        started.set()
        await asyncio.sleep(60)

    spec.step("hang")

    async def main():
        async with open_cluster(hang=hang) as cluster:
            run_id = await cluster.submit(spec.done({"hang": spec.task("hang")}))
            await started.wait()
            await cluster.engine.stop()
            await cluster.database.write(lambda connection: runs.delete(connection, run_id))
            await cluster.restart_engine()
            await cluster.until_no_pods()

    go(main())


def test_metrics_are_recorded_by_name(open_cluster, go, spec):
    def train(call):
        call.returns(artifacts={"metrics": {"artifacts": [{"metadata": {"accuracy": 0.9, "note": "x"}}]}})

    spec.step("train", artifacts={"metrics": "system.Metrics"})

    async def main():
        async with open_cluster(train=train) as cluster:
            run = await cluster.run(spec.done({"train": spec.task("train")}))
            found = cluster.database.read_now(lambda connection: artifacts.of_run(connection, run.run_id))
            values = {row.name: (row.type.value, row.number_value) for row in found.values()}
            assert values == {"metrics": ("Metric", None), "accuracy": ("Metric", 0.9)}

    go(main())


def test_what_cannot_be_asked_of_a_run(open_cluster, go, spec):
    spec.step("good")

    async def main():
        async with open_cluster(good=lambda call: None) as cluster:
            run = await cluster.run(spec.done({"good": spec.task("good")}))
            with pytest.raises(FailedPreconditionError, match="nothing to retry"):
                await cluster.engine.retry(run.run_id)
            with pytest.raises(NotFoundError):
                await cluster.engine.submit("unknown")
            await cluster.engine.terminate(run.run_id)
            assert cluster.row(run.run_id).state == "SUCCEEDED"

    go(main())


def test_a_spec_that_cannot_run_fails_the_run_with_the_reason(open_cluster, go, spec):
    async def main():
        async with open_cluster() as cluster:
            run = await cluster.run(spec.done({"a": spec.task("nowhere")}))
            assert run.state == "FAILED"
            assert 'no component \\"nowhere\\"' in run.error

    go(main())
