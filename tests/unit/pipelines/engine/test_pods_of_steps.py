"""The pod made of a step, how its end is read, and where its files are."""

from __future__ import annotations

import re

import pytest

from sampan.components.pipelines.api.ir_model import Component, Constant, Container, Parameter, ParameterType
from sampan.components.pipelines.engine.errors import NullInputError, StepError
from sampan.components.pipelines.engine.failure import End, pod_end
from sampan.components.pipelines.engine.placeholders import JobContext
from sampan.components.pipelines.engine.platform import Platform, claim_names, platform
from sampan.components.pipelines.engine.podspec import Step, build_pod, pod_name, resources, task_config
from sampan.components.pipelines.engine.step_files import LocalStepFiles, StepOutputs

JOB = JobContext("run-1", "a run", "p-x", "My Pipeline", "team", "/art", "t", "t")


def step(container: Container | None = None, parts: Platform | None = None, **component: object) -> Step:
    return Step(
        job=JOB,
        task_id="task-1",
        task_name="Train It",
        scope_path="root/loop/3/Train It",
        attempt=2,
        retries=1,
        component=Component("c", **component),
        container=container or Container("python:3.11", ("sh",), ("-c", "true")),
        platform=parts or Platform(),
        lookup={".memory": "2Gi"}.get,
        provided=frozenset(),
    )


def test_a_plain_step():
    pod = build_pod(step())
    assert pod["spec"] == {
        "restartPolicy": "Never",
        "containers": [
            {
                "name": "main",
                "image": "python:3.11",
                "command": ["sh"],
                "args": ["-c", "true"],
                "env": [{"name": "PYTHONUNBUFFERED", "value": "1"}],
            }
        ],
    }
    labels = pod["metadata"]["labels"]
    assert labels["pipeline/runid"] == labels["pipelines.kubeflow.org/run-id"] == "run-1"
    assert labels["pipelines.kubeflow.org/task-id"] == "task-1"
    assert labels["pipelines.kubeflow.org/retry-count"] == "1"


@pytest.mark.parametrize("name", ["train", "Train It", "ü" * 300, "-", "a" * 300, "x_Y.z"])
def test_a_pods_name_is_a_dns_label_and_its_own(name):
    names = {pod_name(run, path, name, n) for run in "ab" for path in ("root/x", "root/y") for n in (1, 2)}
    assert len(names) == 8
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", found) for found in names)


def test_resources_by_text_by_number_and_by_placeholder():
    given = {
        "resourceMemoryLimit": "{{$.memory}}",
        "cpuLimit": 1.5,
        "memoryRequest": 0.5,
        "accelerator": {"resourceType": "nvidia.com/gpu", "resourceCount": "1"},
    }
    assert resources(Container("x", resources=given), {".memory": "2Gi"}.get) == {
        "limits": {"memory": "2Gi", "cpu": "1.5", "nvidia.com/gpu": "1"},
        "requests": {"memory": "0.5G"},
    }


def test_a_resource_that_is_no_quantity_is_named():
    with pytest.raises(StepError, match="memory limit: 'lots' is not a quantity"):
        resources(Container("x", resources={"resourceMemoryLimit": "lots"}), {}.get)


def resolve(item):
    if not isinstance(item.source, Constant):
        raise NullInputError("null")
    return item.source.value


def constant(value):
    return {"runtimeValue": {"constant": value}}


def test_the_platforms_fields_reach_the_pod():
    config = {
        "secretAsEnv": [
            {
                "secretNameParameter": constant("s"),
                "keyToEnv": [{"secretKey": "k", "envVar": "V"}],
                "optional": True,
            }
        ],
        "secretAsVolume": [{"secretName": "s2", "mountPath": "/s"}],
        "configMapAsVolume": [{"configMapNameParameter": constant("m"), "mountPath": "/m"}],
        "configMapAsEnv": [{"configMapNameParameter": {"componentInputParameter": "absent"}, "keyToEnv": []}],
        "pvcMount": [{"constant": "claim", "mountPath": "/data", "subPath": "a"}],
        "fieldPathAsEnv": [{"name": "POD", "fieldPath": "metadata.name"}],
        "nodeSelector": {"labels": {"disk": "ssd"}},
        "tolerations": [{"key": "k", "operator": "Exists"}, {"tolerationJson": constant([{"key": "j"}])}],
        "nodeAffinity": [{"matchExpressions": [{"key": "z", "operator": "In", "values": ["1"]}]}],
        "podAffinity": [{"topologyKey": "host", "matchPodLabels": {"a": "b"}, "anti": True}],
        "podMetadata": {"labels": {"team": "x", "pipeline/runid": "stolen"}, "annotations": {"a": "b"}},
        "imagePullPolicy": "Always",
        "imagePullSecret": [{"secretName": "pull"}],
        "activeDeadlineSeconds": "20",
        "emptyDirMounts": [{"volumeName": "scratch", "mountPath": "/scratch", "sizeLimit": "1Gi"}],
        "enabledSharedMemory": {"size": "64Mi"},
        "securityContext": {"runAsUser": "1000", "runAsNonRoot": True},
    }
    pod = build_pod(step(parts=platform(config, resolve)))
    spec, main = pod["spec"], pod["spec"]["containers"][0]
    assert [item["name"] for item in main["env"]] == ["V", "POD", "PYTHONUNBUFFERED"]
    assert main["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "s", "key": "k", "optional": True}
    assert [volume["name"] for volume in spec["volumes"]] == ["claim", "s2", "m", "scratch", "shm"]
    mounted = {item["name"]: item["mountPath"] for item in main["volumeMounts"]}
    assert mounted == {"claim": "/data", "s2": "/s", "m": "/m", "scratch": "/scratch", "shm": "/dev/shm"}
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["tolerations"] == [{"key": "k", "operator": "Exists"}, {"key": "j"}]
    assert set(spec["affinity"]) == {"nodeAffinity", "podAntiAffinity"}
    assert spec["activeDeadlineSeconds"] == 20
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert main["imagePullPolicy"] == "Always"
    assert main["securityContext"] == {
        "runAsUser": 1000,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["metadata"]["labels"]["team"] == "x"
    assert pod["metadata"]["labels"]["pipeline/runid"] == "run-1"
    assert claim_names(config, resolve) == ["claim"]


INIT = {"name": "first", "image": "busybox", "command": ["true"]}


def test_an_init_container_and_a_sidecar():
    config = {
        "initContainers": [
            {
                **INIT,
                "env": [{"name": "A", "value": "1"}],
                "volumeMounts": [{"volumeName": "v", "mountPath": "/v"}],
            },
            {**INIT, "name": "beside", "restartPolicy": "Always", "resources": {"limits": {"cpu": "1"}}},
        ]
    }
    first, beside = build_pod(step(parts=platform(config, resolve)))["spec"]["initContainers"]
    assert first["env"] == [{"name": "A", "value": "1"}]
    assert first["volumeMounts"] == [{"name": "v", "mountPath": "/v"}]
    assert first["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "restartPolicy" not in first
    assert beside["restartPolicy"] == "Always"
    assert beside["resources"] == {"limits": {"cpu": "1"}}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"initContainers": [{"name": "x"}]}, "a name and an image"),
        ({"initContainers": [{**INIT, "name": "main"}]}, "another container"),
        ({"initContainers": [INIT, INIT]}, "another container"),
        ({"initContainers": [{**INIT, "restartPolicy": "Never"}]}, "Always"),
        ({"initContainers": [{**INIT, "env": [{"value": "1"}]}]}, "has no name"),
        ({"initContainers": [{**INIT, "volumeMounts": [{"volumeName": "v", "mountPath": "v"}]}]}, "absolute"),
        ({"securityContext": {"runAsUser": 0, "runAsNonRoot": True}}, "runAsNonRoot"),
        ({"imagePullPolicy": "Sometimes"}, "imagePullPolicy"),
        ({"secretAsVolume": [{"secretName": "", "mountPath": "/s"}]}, "secretName"),
        ({"pvcMount": [{"constant": "claim"}]}, "mountPath"),
        ({"tolerations": [{"tolerationJson": constant("text")}]}, "toleration"),
        ({"nodeSelector": {"nodeSelectorJson": constant([1])}}, "node selector"),
    ],
)
def test_what_no_pod_can_be_made_of_is_named(config, words):
    with pytest.raises(StepError, match=words):
        platform(config, resolve)


def test_a_secret_and_a_config_map_of_one_name_are_two_volumes():
    config = {
        "secretAsVolume": [{"secretName": "same", "mountPath": "/s"}],
        "configMapAsVolume": [{"configMapName": "same", "mountPath": "/m"}],
    }
    spec = build_pod(step(parts=platform(config, resolve)))["spec"]
    assert {tuple(volume)[1]: volume["name"] for volume in spec["volumes"]} == {
        "secret": "same",
        "configMap": "same-configmap",
    }
    assert [mount["name"] for mount in spec["containers"][0]["volumeMounts"]] == ["same", "same-configmap"]


def test_what_is_passed_through_reaches_the_task_config_instead():
    container = Container("x", env=(("A", "1"),), resources={"resourceCpuLimit": "1"})
    made = step(
        container,
        passthroughs={"ENV": False, "RESOURCES": True},
        input_parameters={"config": Parameter(ParameterType.TASK_CONFIG)},
    )
    main = build_pod(made)["spec"]["containers"][0]
    assert [item["name"] for item in main["env"]] == ["PYTHONUNBUFFERED"]
    assert main["resources"] == {"limits": {"cpu": "1"}}
    assert task_config(made) == {"env": [{"name": "A", "value": "1"}], "resources": {"limits": {"cpu": "1"}}}


def pod(phase: str, state: dict | None = None, **status: object) -> dict:
    containers = [{"name": "main", "state": state}] if state else []
    return {"metadata": {"uid": "u"}, "status": {"phase": phase, "containerStatuses": containers, **status}}


@pytest.mark.parametrize(
    ("found", "end", "text"),
    [
        (pod("Succeeded", {"terminated": {"exitCode": 0}}), End.SUCCEEDED, ""),
        (pod("Failed", {"terminated": {"exitCode": 3, "reason": "Error"}}), End.FAILED, "exit code 3"),
        (pod("Failed", {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}), End.FAILED, "more memory"),
        (pod("Failed", reason="DeadlineExceeded", message="Pod was active"), End.FAILED, "timeout"),
        (pod("Failed", reason="Terminated", message="shutdown"), End.LOST, "shutdown"),
        (
            pod("Pending", {"waiting": {"reason": "ErrImagePull", "message": "no"}}),
            End.HOPELESS,
            "ErrImagePull: no",
        ),
    ],
)
def test_how_a_pod_ended(found, end, text):
    ended = pod_end(found)
    assert ended is not None
    assert ended.end is end
    if text:
        assert text in ended.explanation


def test_when_a_pod_was_given_a_node():
    scheduled = {"type": "PodScheduled", "lastTransitionTime": "2023-11-14T22:13:20Z"}
    for status, moment in (("True", 1_700_000_000_000_000), ("False", 0)):
        found = pod("Succeeded", {"terminated": {"exitCode": 0}})
        found["status"]["conditions"] = [{**scheduled, "status": status}]
        ended = pod_end(found)
        assert ended is not None
        assert ended.scheduled_at == moment


@pytest.mark.parametrize(
    "found",
    [
        pod("Running", {"running": {}}),
        pod("Pending"),
        pod("Pending", {"waiting": {"reason": "ContainerCreating"}}),
    ],
)
def test_a_pod_that_has_not_ended(found):
    assert pod_end(found) is None


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", ".", "", "a/b", "a\0b", "x" * 500])
def test_no_name_leads_out_of_the_runs_folder(tmp_path, name):
    files = LocalStepFiles(tmp_path)
    root = files.pipeline_root("", name, name)
    paths = files.layout(root, "run", f"root/{name}", 1, StepOutputs((name,), (name,)))
    for path in (paths.output_file, *paths.parameters.values(), *paths.artifacts.values()):
        assert path.startswith((f"{tmp_path}/artifacts/", f"{tmp_path}/pipelines/work/"))
        assert ".." not in path.split("/")


@pytest.mark.parametrize(
    ("requested", "root"),
    [
        ("", "HOME/artifacts/ns/p"),
        ("gs://bucket/some/root", "HOME/artifacts/gs/bucket/some/root"),
        ("minio://mlpipeline/v2/artifacts", "HOME/artifacts/minio/mlpipeline/v2/artifacts"),
        ("/data/root/", "/data/root"),
        ("file:///data/root", "/data/root"),
    ],
)
def test_the_pipeline_root(tmp_path, requested, root):
    assert LocalStepFiles(tmp_path).pipeline_root(requested, "ns", "p") == root.replace("HOME", str(tmp_path))
