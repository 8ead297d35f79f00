"""The pod of a runtime and a predictor. Cases of kserve's utils_test.go and container_merge_test.go."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.serving.api.runtimes import runtimes as shipped
from sampan.components.serving.engine.selection.choosing import UnselectableError, select
from sampan.components.serving.engine.selection.merging import Merged, merged
from sampan.components.serving.engine.selection.placeholders import PlaceholderError, replaced

SHIPPED = shipped(is_embedded=False)
METADATA = {
    "name": "iris",
    "namespace": "team",
    "uid": "u1",
    "labels": {"a": "b"},
    "annotations": {"x.io/y": "z"},
}


def pod(predictor: Any, *nearby: Any) -> Merged:
    service = {"metadata": METADATA, "spec": {"predictor": predictor}}
    return merged(select(predictor, "iris", nearby, SHIPPED), service, predictor)


def model(**more: Any) -> dict[str, Any]:
    return {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/iris", **more}


def runtime(*containers: Any, **spec: Any) -> Any:
    formats = [{"name": "sklearn", "autoSelect": True}]
    return {
        "metadata": {"name": "mine"},
        "spec": {"supportedModelFormats": formats, "containers": list(containers), **spec},
    }


def serving(**fields: Any) -> dict[str, Any]:
    return {"name": "kserve-container", "image": "server:1", **fields}


def test_the_container_is_the_runtimes_with_the_models_say() -> None:
    wanted = model(
        args=["--workers=2"],
        env=[{"name": "A", "value": "1"}],
        resources={"limits": {"memory": "4Gi"}},
        readinessProbe={"httpGet": {"path": "/v1/models/iris"}},
    )
    found = pod({"model": wanted})
    (container,) = found.pod_spec["containers"]
    assert container["name"] == "kserve-container"
    assert container["image"] == "kserve/sklearnserver:v0.20.0"
    assert container["args"] == [
        "--model_name=iris",
        "--model_dir=/mnt/models",
        "--http_port=8080",
        "--workers=2",
    ]
    assert container["env"] == [{"name": "A", "value": "1"}]
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "4Gi"}
    assert container["resources"]["requests"] == {"cpu": "1", "memory": "2Gi"}
    assert container["readinessProbe"] == {"httpGet": {"path": "/v1/models/iris"}}
    assert not {"storageUri", "modelFormat", "runtime", "protocolVersion"} & set(container)
    assert found.annotations["prometheus.kserve.io/port"] == "8080"


def test_lists_merge_by_their_keys() -> None:
    base = serving(
        command=["serve"],
        args=["--a"],
        env=[{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}],
        ports=[{"containerPort": 8080, "name": "h1"}],
        volumeMounts=[{"mountPath": "/dev/shm", "name": "shm"}],
    )
    wanted = model(
        command=["mine"],
        env=[
            {"name": "B", "value": "2"},
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "C", "value": "3"},
        ],
        ports=[{"containerPort": 9000, "name": "h2c"}, {"containerPort": 8080, "protocol": "TCP"}],
        volumeMounts=[{"mountPath": "/dev/shm", "name": "other"}],
    )
    (container,) = pod({"model": wanted}, runtime(base)).pod_spec["containers"]
    assert container["command"] == ["mine"]
    assert container["args"] == ["--a"]
    assert container["env"] == [
        {"name": "B", "value": "2"},
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "C", "value": "3"},
    ]
    # The predictor's come first, as a strategic merge has it.
    assert container["ports"] == [
        {"containerPort": 9000, "name": "h2c"},
        {"containerPort": 8080, "name": "h1", "protocol": "TCP"},
    ]
    assert container["volumeMounts"] == [{"mountPath": "/dev/shm", "name": "other"}]


def test_the_pod_is_the_runtimes_with_the_predictors_say() -> None:
    mine = runtime(
        serving(),
        volumes=[{"name": "shm", "emptyDir": {}}, {"name": "kept", "emptyDir": {}}],
        nodeSelector={"a": "1", "b": "1"},
        tolerations=[{"key": "gpu"}],
        imagePullSecrets=[{"name": "one"}],
        schedulerName="theirs",
        hostIPC=True,
        labels={"l": "1"},
        annotations={"n": "1"},
    )
    predictor = {
        "model": model(),
        "volumes": [
            {"name": "shm", "persistentVolumeClaim": {"claimName": "c"}},
            {"name": "new", "emptyDir": {}},
        ],
        "nodeSelector": {"b": "2"},
        "imagePullSecrets": [{"name": "two"}],
        "serviceAccountName": "models",
        "minReplicas": 0,
        "scaleMetric": "rps",
        "logger": {"mode": "all"},
        "labels": {"x": "y"},
    }
    found = pod(predictor, mine)
    assert found.pod_spec == {
        "containers": [serving()],
        "volumes": [
            {"name": "kept", "emptyDir": {}},
            {"name": "shm", "persistentVolumeClaim": {"claimName": "c"}},
            {"name": "new", "emptyDir": {}},
        ],
        "nodeSelector": {"a": "1", "b": "2"},
        "tolerations": [{"key": "gpu"}],
        "imagePullSecrets": [{"name": "two"}, {"name": "one"}],
        "schedulerName": "theirs",
        "serviceAccountName": "models",
    }
    assert (found.labels, found.annotations) == ({"l": "1"}, {"n": "1"})


def test_containers_stand_in_upstreams_order() -> None:
    mine = runtime(
        {"name": "of-runtime"},
        {"name": "transformer-container", "image": "t", "args": ["--for={{.Name}}"]},
        serving(),
    )
    predictor = {
        "model": model(),
        "containers": [{"name": "own"}, {"name": "transformer-container", "args": ["--mine={{.Namespace}}"]}],
    }
    containers = pod(predictor, mine).pod_spec["containers"]
    assert [each["name"] for each in containers] == [
        "kserve-container",
        "transformer-container",
        "of-runtime",
        "own",
    ]
    assert containers[1] == {
        "name": "transformer-container",
        "image": "t",
        "args": ["--for=iris", "--mine=team"],
    }
    only = pod({"model": model(), "containers": [{"name": "transformer-container", "image": "own"}]})
    assert only.pod_spec["containers"][1] == {"name": "transformer-container", "image": "own"}


def test_a_named_template_reads_what_the_server_wants() -> None:
    (container,) = pod({"model": model(runtime="kserve-mlserver")}).pod_spec["containers"]
    values = {each["name"]: each["value"] for each in container["env"]}
    assert values["MLSERVER_MODEL_IMPLEMENTATION"] == "mlserver_sklearn.SKLearnModel"
    assert values["MLSERVER_MODEL_NAME"] == "iris"


@pytest.mark.parametrize(
    ("image", "server", "more", "expected"),
    [
        ("a/server:1", "", {"runtimeVersion": "2"}, "a/server:2"),
        ("a/server", "", {"runtimeVersion": "2"}, "a/server:2"),
        ("host:5000/a/server", "", {"runtimeVersion": "2"}, "host:5000/a/server:2"),
        ("a/server@sha256:0123", "", {"runtimeVersion": "2"}, "a/server@sha256:0123"),
        ("tf:1", "tensorflow-serving", {"resources": {"limits": {"nvidia.com/gpu": 1}}}, "tf:1-gpu"),
        ("tf:1-gpu", "tensorflow-serving", {"resources": {"limits": {"nvidia.com/gpu": 1}}}, "tf:1-gpu"),
        ("tf:1", "huggingfaceserver", {"resources": {"limits": {"nvidia.com/mig-1g.5gb": 1}}}, "tf:1-gpu"),
        ("tf:1", "sklearnserver", {"resources": {"limits": {"nvidia.com/gpu": 1}}}, "tf:1"),
        ("vllm/vllm-openai:latest", "vllmserver", {}, "vllm/vllm-openai-cpu:latest"),
        ("vllm/vllm-openai-cpu:latest", "vllmserver", {}, "vllm/vllm-openai-cpu:latest"),
        ("v:1", "vllmserver", {"resources": {"limits": {"nvidia.com/gpu": 1}}}, "v:1"),
    ],
)
def test_the_tag_follows_version_and_machine(image: str, server: str, more: Any, expected: str) -> None:
    mine = runtime(serving(image=image))
    mine["metadata"]["annotations"] = {"serving.kserve.io/server-type": server} if server else {}
    (container,) = pod({"model": model(**more)}, mine).pod_spec["containers"]
    assert container["image"] == expected


@pytest.mark.parametrize(
    ("containers", "message"),
    [
        ([], "no container configuration found in selected serving runtime"),
        ([{"name": "other"}], "failed to find kserve-container in ServingRuntime containers"),
        ([serving(args=["{{.Nme}}"])], "failed to replace placeholders in serving runtime mine"),
        ([serving(args=["{{.Name"])], "failed to replace placeholders in serving runtime mine"),
        ([serving(env=[{"value": "1"}])], "failed to merge container"),
    ],
)
def test_a_runtime_of_which_no_pod_can_be_made_says_why(containers: Any, message: str) -> None:
    own = model(env=[{"value": "2"}]) if message.startswith("failed to merge") else model()
    with pytest.raises(UnselectableError, match=message) as error:
        pod({"model": own}, runtime(*containers))
    assert error.value.reason == "InvalidPredictorSpec"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--name={{.Name}}", "--name=iris"),
        ("{{ .Name }}-{{.Namespace}}/{{.UID}}", "iris-team/u1"),
        ("{{.Labels.a}}|{{.Labels.none}}|{{ .Annotations.none }}", "b|<no value>|<no value>"),
        ('{{ index .Annotations "x.io/y" }}', "z"),
        ("{{ index .Annotations `x.io/y` }}{{index .Labels `none`}}", "z"),
        ("a {{- .Name -}} b", "airisb"),
        ("a {{- .Labels.a }} c", "ab c"),
        ('{{"{{"}} item }}', "{{ item }}"),
        ("{{/* nothing */}}x", "x"),
        ("no braces } {", "no braces } {"),
    ],
)
def test_placeholders(text: str, expected: str) -> None:
    assert replaced(text, METADATA) == expected


@pytest.mark.parametrize(
    "text", ["{{.Spec}}", "{{range .Labels}}", "{{.Name | quote}}", "{{.Name.x}}", "{{", "{{}}"]
)
def test_placeholders_that_are_not_known_are_told_of(text: str) -> None:
    with pytest.raises(PlaceholderError):
        replaced({"args": [text]}, METADATA)


def test_values_stay_one_text() -> None:
    hostile = {**METADATA, "labels": {"a": '"}], "image": "evil'}}
    assert replaced({"args": ["{{.Labels.a}}"]}, hostile) == {"args": ['"}], "image": "evil']}
    assert replaced("{{.Labels.a}}", {**METADATA, "labels": {"a": "{{.Name}}"}}) == "{{.Name}}"
