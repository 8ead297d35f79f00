"""What of an InferenceService is refused, and in which words. Cases of kserve 0.20's validation tests."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.serving.api.config import Config
from sampan.components.serving.api.defaults import with_defaults
from sampan.components.serving.engine.validation import services
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube.fielderrors import FieldErrors

STANDARD = {"serving.kserve.io/deploymentMode": "Standard"}
HPA = {**STANDARD, "serving.kserve.io/autoscalerClass": "hpa"}
KEDA = {**STANDARD, "serving.kserve.io/autoscalerClass": "keda"}
KNATIVE_HPA = {"autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev"}
PREDICTOR: dict[str, Any] = {
    "tensorflow": {"storageUri": "gs://testbucket/testmodel", "runtimeVersion": "0.14.0"}
}
SKLEARN = {"sklearn": {"storageUri": "s3://m"}}
SERVES = {"name": "kserve-container"}


def service(spec: Any, annotations: Any = None, name: str = "foo", status: Any = None) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "annotations": annotations or {}}
    return {"metadata": metadata, "spec": spec, **({"status": status} if status else {})}


def problems(obj: Any, old: Any = None, around: Surroundings | None = None) -> dict[str, str]:
    errors = FieldErrors()
    services.check(with_defaults(obj, Config(), old), old, around or Surroundings(), errors)
    return {cause.field: cause.message for cause in errors.causes}


def of(predictor: Any, annotations: Any = None, **more: Any) -> dict[str, str]:
    return problems(service({"predictor": predictor, **more}, annotations))


GOOD: list[tuple[Any, Any, dict[str, Any]]] = [
    (PREDICTOR, None, {}),
    ({**PREDICTOR, "serviceAccountName": "test"}, None, {}),
    ({**PREDICTOR, "minReplicas": 0, "maxReplicas": 0}, None, {}),
    ({**PREDICTOR, "canaryTrafficPercent": 0}, None, {}),
    ({"containers": [{"image": "a"}]}, None, {}),
    ({"containers": [SERVES, {"name": "transformer-container"}]}, None, {}),
    ({**SKLEARN, "containers": [{"name": "transformer-container"}]}, None, {}),
    ({"model": {"modelFormat": {"name": "huggingface"}}}, None, {}),
    (PREDICTOR, None, {"explainer": {"art": {"storageUri": "gs://a/b"}}}),
    (PREDICTOR, None, {"transformer": {"containers": [{"image": "a"}]}}),
    ({**PREDICTOR, "logger": {"mode": "request", "url": "http://a"}}, None, {}),
    ({**PREDICTOR, "logger": {"url": "http://a"}}, None, {}),
    ({**PREDICTOR, "deploymentStrategy": {"type": "Recreate"}}, STANDARD, {}),
    ({**PREDICTOR, "scaleMetric": "cpu", "scaleTarget": 80}, HPA, {}),
    ({**PREDICTOR, "scaleMetric": "memory", "scaleTarget": 50}, KNATIVE_HPA, {}),
    ({**PREDICTOR, "scaleMetric": "rps", "scaleTarget": 200}, None, {}),
    ({**PREDICTOR, "scaleMetric": "rps"}, STANDARD, {}),
    ({"sklearn": {"storageUri": "custom://thing"}}, None, {}),
    ({"sklearn": {}, "storageUris": [{"uri": "gs://a/b"}]}, None, {}),
]


@pytest.mark.parametrize(("predictor", "annotations", "more"), GOOD)
def test_what_is_right_is_taken(predictor: Any, annotations: Any, more: dict[str, Any]) -> None:
    assert of(predictor, annotations, **more) == {}


@pytest.mark.parametrize(
    ("predictor", "field", "words"),
    [
        ({}, "spec.predictor", "exactly one of [Name, SKLearn, XGBoost, Tensorflow, PyTorch, Triton, ONNX"),
        (
            {**PREDICTOR, "xgboost": {}},
            "spec.predictor",
            "must be specified in PredictorSpec: there is xgboost and",
        ),
        ({"model": {"modelFormat": {"name": "a"}}, "sklearn": {}}, "spec.predictor", "sklearn and model"),
        ({**SKLEARN, "containers": [SERVES]}, "spec.predictor", "there is model and containers"),
        (
            {"containers": [{"name": "a"}, {"name": "b"}]},
            "spec.predictor.containers",
            "named kserve-container",
        ),
        (
            {"sklearn": {"name": "mine", "storageUri": "s3://m"}},
            "spec.predictor.model.name",
            "the 'name' field is not allowed in standard predictor",
        ),
        (
            {**PREDICTOR, "minReplicas": -1},
            "spec.predictor.minReplicas",
            "'MinReplicas' cannot be less than 0",
        ),
        (
            {**PREDICTOR, "maxReplicas": -1},
            "spec.predictor.maxReplicas",
            "'MaxReplicas' cannot be less than 0",
        ),
        (
            {**PREDICTOR, "minReplicas": 2, "maxReplicas": 1},
            "spec.predictor.minReplicas",
            "'MinReplicas' cannot be greater than MaxReplicas",
        ),
        (
            {**PREDICTOR, "containerConcurrency": -1},
            "spec.predictor.containerConcurrency",
            "parallelism cannot be less than 0",
        ),
        ({**PREDICTOR, "timeout": -1}, "spec.predictor.timeout", "greater than or equal to 0"),
        (
            {**PREDICTOR, "canaryTrafficPercent": 101},
            "spec.predictor.canaryTrafficPercent",
            "between 0 and 100",
        ),
        (
            {**PREDICTOR, "canaryTrafficPercent": -1},
            "spec.predictor.canaryTrafficPercent",
            "between 0 and 100",
        ),
        ({**PREDICTOR, "logger": {"mode": "nothing"}}, "spec.predictor.logger.mode", "invalid logger type"),
        (
            {**PREDICTOR, "logger": {"mode": "all", "storage": {"path": "a"}}},
            "spec.predictor.logger.storage",
            "invalid logger storage configuration",
        ),
        (
            {**PREDICTOR, "batcher": {"maxBatchSize": -1}},
            "spec.predictor.batcher.maxBatchSize",
            "greater than",
        ),
        (
            {"sklearn": {"protocolVersion": "v7", "storageUri": "s3://m"}},
            "spec.predictor.model.protocolVersion",
            'supported values: "v1", "v2", "grpc-v1", "grpc-v2"',
        ),
        (
            {"containers": [{"env": [{"name": "PROTOCOL", "value": "v9"}]}]},
            "spec.predictor.containers",
            "invalid protocol v9. Must be one of [v1, v2]",
        ),
        (
            {**PREDICTOR, "deploymentStrategy": {"type": "Recreate"}},
            "spec.predictor.deploymentStrategy",
            "customizing deploymentStrategy is only supported for raw deployment mode",
        ),
        (
            {"sklearn": {"storageUri": "s3://m", "env": [{"name": "PYTHONPATH", "value": "/tmp"}]}},
            "spec.predictor.model.env",
            'setting PYTHONPATH in container "model" is not allowed for security reasons',
        ),
        (
            {**SKLEARN, "initContainers": [{"name": "i", "env": [{"name": "PYTHONPATH"}]}]},
            "spec.predictor.initContainers[0].env",
            'setting PYTHONPATH in container "i"',
        ),
        (
            {**SKLEARN, "containers": [{"name": "transformer-container", "env": [{"name": "STORAGE_URI"}]}]},
            "spec.predictor.containers",
            "storage uri should not be specified in transformer container",
        ),
    ],
)
def test_what_is_wrong_is_told_in_upstreams_words(predictor: Any, field: str, words: str) -> None:
    found = of(predictor)
    assert words in found.get(field, ""), found


def test_every_component_is_checked() -> None:
    found = of(PREDICTOR, transformer={"minReplicas": -1}, explainer={})
    assert "must be specified in TransformerSpec" in found["spec.transformer"]
    assert "exactly one of [ART, PodSpec, ComponentExtensionSpec]" in found["spec.explainer"]
    assert "spec.transformer.minReplicas" in found


@pytest.mark.parametrize("name", ["1abcde", "abc.de", "Abc", "abc-", "a_b", "a" * 50])
def test_a_name_of_which_no_service_can_be_made_is_refused(name: str) -> None:
    assert "metadata.name" in problems(service({"predictor": PREDICTOR}, name=name))
    assert problems(service({"predictor": PREDICTOR}, name="abc-123")) == {}
    assert problems(service({"predictor": PREDICTOR}, name="a" * 47)) == {}


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("/models/iris", "write file:///models/iris"),
        ("models/iris", "write where it is in full"),
        ("s3:/a", "names no"),
    ],
)
def test_a_uri_without_a_scheme_is_refused_with_what_to_write(uri: str, hint: str) -> None:
    found = of({"sklearn": {"storageUri": uri}})["spec.predictor.model.storageUri"]
    assert f"StorageUri [{uri}] is not supported" in found
    assert hint in found
    custom = {"containers": [{"env": [{"name": "STORAGE_URI", "value": uri}]}]}
    assert "is not supported" in of(custom)["spec.predictor.containers"]
    several = {"sklearn": {}, "storageUris": [{"uri": uri}]}
    assert "is not supported" in of(several)["spec.predictor.storageUris[0].uri"]


def test_a_uri_that_somebody_fetches_is_taken() -> None:
    container = {"metadata": {"name": "mine"}, "spec": {"supportedUriFormats": [{"prefix": "shelf:"}]}}
    around = Surroundings(all=lambda _resource, _namespace: [container])
    asked = service({"predictor": {"sklearn": {"storageUri": "shelf:7"}}})
    assert problems(asked, around=around) == {}
    assert problems(asked) != {}


@pytest.mark.parametrize(
    ("several", "words"),
    [
        ([{"uri": "gs://a", "mountPath": "/"}], "storage path cannot be empty"),
        ([{"uri": "", "mountPath": "/mnt/models"}], "storage URI cannot be empty"),
        ([{"uri": "gs://a", "mountPath": "mnt/models"}], "storage path must be absolute: mnt/models"),
        (
            [{"uri": "gs://a", "mountPath": "/mnt/../etc"}],
            "storage path cannot contain '..' for security reasons",
        ),
        (
            [{"uri": "gs://a", "mountPath": "/mnt/models"}, {"uri": "s3://b", "mountPath": "/opt/models"}],
            "storage paths must have a common parent directory",
        ),
        (
            [{"uri": "pvc://a", "mountPath": "/mnt/a"}, {"uri": "pvc://b", "mountPath": "/mnt/a"}],
            "PVC storage paths must be unique",
        ),
    ],
)
def test_several_models_have_folders_that_go_together(several: Any, words: str) -> None:
    found = of({"sklearn": {}, "storageUris": several})
    assert any(words in each for each in found.values()), found


def test_one_place_for_a_model() -> None:
    both = {"sklearn": {"storageUri": "s3://m", "storage": {"path": "a"}}}
    assert "must provide only one of storageUri and storage.path" in str(of(both))
    assert "Setting both StorageURI and StorageURIs" in str(
        of({**SKLEARN, "storageUris": [{"uri": "s3://a"}]})
    )


@pytest.mark.parametrize(
    ("confidential", "uri", "words"),
    [
        ({"enabled": True}, None, "confidential model serving requires storageUri to be set"),
        ({"enabled": True, "resourceId": "kbs://a"}, "s3://m", "kbs:///<repo>/<type>/<tag>"),
    ],
)
def test_confidential_models(confidential: Any, uri: str | None, words: str) -> None:
    said = {"confidential": confidential, **({"storageUri": uri} if uri else {})}
    assert words in str(of({"sklearn": said}))
    good = {"enabled": True, "resourceId": "kbs:///default/key/1"}
    assert of({"sklearn": {"confidential": good, "storageUri": "s3://m"}}) == {}


@pytest.mark.parametrize(
    ("annotations", "scaling", "words"),
    [
        (
            {"serving.kserve.io/autoscalerClass": "test"},
            {},
            "[test] is not a supported autoscaler class type",
        ),
        (None, {"scaleMetric": "cpu"}, "[cpu] is not a supported metric"),
        (None, {"scaleMetric": "rps", "scaleTarget": 0}, "the target for rps should be greater than 1"),
        (HPA, {"scaleMetric": "concurrency"}, "[concurrency] is not a supported metric"),
        (KNATIVE_HPA, {"scaleMetric": "rps"}, "[rps] is not a supported metric"),
        (HPA, {"scaleTarget": 0}, "the target utilization percentage should be a [1-100] integer"),
        (HPA, {"scaleTarget": 101}, "the target utilization percentage should be a [1-100] integer"),
        (HPA, {"scaleMetric": "memory", "scaleTarget": 0}, "the target memory should be greater than 1 MiB"),
        (HPA, {"autoScaling": {"metrics": [{"type": "External"}]}}, "valid metric source types are Resource"),
        (HPA, {"autoScaling": {"metrics": [{"type": "Resource"}]}}, "metricSpec.Resource is not set"),
        (KEDA, {"scaleMetric": "cpu"}, "ScaleMetric is not supported for KEDA"),
    ],
)
def test_what_cannot_be_scaled_by(annotations: Any, scaling: Any, words: str) -> None:
    assert words in str(of({**PREDICTOR, **scaling}, annotations))


def keda(**metric: Any) -> str:
    return str(of({**PREDICTOR, "autoScaling": {"metrics": [metric]}}, KEDA))


def test_kedas_metrics() -> None:
    def resource(name: str, **target: Any) -> str:
        return keda(type="Resource", resource={"name": name, "target": target})

    assert resource("cpu", type="Utilization", averageUtilization=50) == "{}"
    assert resource("memory", type="AverageValue", averageValue="2Mi") == "{}"
    assert "the cpu target value type should be Utilization" in resource("cpu", type="Value", value="1")
    assert "should be AverageValue or Utilization" in resource("memory", type="Value", value="1")
    assert "greater than 1 MiB" in resource("memory", type="AverageValue", averageValue="1k")
    assert "resource type disk is not supported" in resource("disk", type="Value", value="1")
    assert "should be a [1-100] integer" in resource("cpu", type="Utilization", averageUtilization=500)
    assert "the AverageUtilization type should be set" in resource("cpu", type="Utilization")
    good = {"metric": {"query": "q"}, "target": {"type": "Value", "value": "1"}}
    assert keda(type="External", external=good) == keda(type="PodMetric", podmetric=good) == "{}"
    assert "the query should not be empty" in keda(type="External", external={**good, "metric": {}})
    assert "the target threshold value should not be empty" in keda(
        type="External", external={**good, "target": {}}
    )
    assert "metricSpec.PodMetric is not set" in keda(type="PodMetric")
    assert "unknown KEDA metric type with value [Pods]" in keda(type="Pods")


MANY = {"serving.kserve.io/autoscalerClass": "none"}


def many(annotations: Any = MANY, model: Any = None, **workers: Any) -> str:
    said = {"modelFormat": {"name": "huggingface"}, "storageUri": "pvc://m/a", **(model or {})}
    return str(of({"model": said, "workerSpec": workers}, annotations))


def test_predictors_of_several_pods() -> None:
    assert many() == "{}"
    assert many(model={"resources": {"limits": {"nvidia.com/gpu": 1}}}) == "{}"
    assert "autoscaler(hpa)" in many(HPA)
    assert "setting multiple containers in workerSpec is not allowed" in many(containers=[{"name": "a"}] * 2)
    assert "WorkerSpec.PipelineParallelSize cannot be less than 1(0)" in many(pipelineParallelSize=0)
    assert "WorkerSpec.TensorParallelSize cannot be less than 1(-1)" in many(tensorParallelSize=-1)
    assert "StorageURI must be set for multinode enabled" in many(model={"storageUri": None})
    assert "Storage Protocol(s3)" in many(model={"storageUri": "s3://a"})
    variable = {"env": [{"name": "TENSOR_PARALLEL_SIZE", "value": "1"}]}
    assert "setting TENSOR_PARALLEL_SIZE in environment variables is not allowed" in many(model=variable)
    unknown = {"resources": {"limits": {"custom.com/gpu": 1}}}
    assert "Unknown GPU resource type" in many(model=unknown)
    assert "Unknown GPU resource type" in many(containers=[{"name": "a", **unknown}])
    named = {**MANY, "serving.kserve.io/gpu-resource-types": '["custom.com/gpu"]'}
    assert many(named, model=unknown) == "{}"
    broken = {**MANY, "serving.kserve.io/gpu-resource-types": '[""]'}
    assert "must be a valid JSON array" in many(broken)


def canaries(*found: Any, stable: Any = None, annotations: Any = STANDARD) -> str:
    return str(of({**SKLEARN, **(stable or {})}, annotations, canary=list(found)))


def canary(name: str = "next", percent: int = 10, **predictor: Any) -> dict[str, Any]:
    said = {"sklearn": {"storageUri": "s3://next"}, **({"name": name} if name else {}), **predictor}
    return {"predictor": said, "trafficPercent": percent}


def test_canaries() -> None:
    assert canaries(canary(), canary("third", 90)) == "{}"
    assert "canary is only supported in Standard deployment mode" in canaries(canary(), annotations=None)
    assert "canary[0] predictor.name is required" in canaries(canary(""))
    assert 'predictor.name "next" is duplicated' in canaries(canary(), canary())
    assert "conflicts with stable predictor name" in canaries(canary(), stable={"name": "next"})
    assert "sum of canary trafficPercent values (110) must be <= 100" in canaries(canary(), canary("b", 100))
    assert "must be between 0 and 100, got -1" in canaries(canary(percent=-1))
    assert "must be specified in PredictorSpec" in canaries(canary(xgboost={}))
    assert "must not set workerSpec" in canaries(canary(workerSpec={}))
    for field, value in (
        ("maxReplicas", 2),
        ("scaleTarget", 1),
        ("scaleMetric", "cpu"),
        ("autoScaling", {"a": 1}),
    ):
        assert f"must not set {field} (canary uses fixed replicas)" in canaries(canary(**{field: value}))
    assert "minReplicas (2) must not exceed stable predictor minReplicas (1)" in canaries(
        canary(minReplicas=2)
    )
    assert canaries(canary(minReplicas=2), stable={"minReplicas": 3}) == "{}"


@pytest.mark.parametrize(
    ("recorded", "asked", "is_taken"),
    [
        ("Standard", "Standard", True),
        ("RawDeployment", "Standard", True),
        ("Standard", "RawDeployment", True),
        ("Standard", None, True),
        ("", "Standard", True),
        ("Knative", "Standard", False),
        ("Serverless", "RawDeployment", False),
        ("Standard", "Knative", False),
    ],
)
def test_the_mode_stays_as_recorded(recorded: str, asked: str | None, is_taken: bool) -> None:
    annotations = {"serving.kserve.io/deploymentMode": asked} if asked else {}
    old = service({"predictor": SKLEARN}, status={"deploymentMode": recorded})
    found = problems(service({"predictor": SKLEARN}, annotations), old)
    assert (found == {}) is is_taken, found
    if not is_taken:
        assert "update rejected: deploymentMode cannot be changed from" in str(found)


def test_a_predictors_name_changes_with_its_model_only() -> None:
    old = with_defaults(service({"predictor": SKLEARN}), Config())
    same = service({"predictor": {**SKLEARN, "name": "next"}})
    assert "predictor.name change requires a model change" in str(problems(same, old))
    assert problems(service({"predictor": {"sklearn": {"storageUri": "s3://n"}, "name": "next"}}), old) == {}
