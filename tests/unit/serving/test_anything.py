"""No InferenceService, runtime or graph stops admission or selection, whatever it holds."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sampan.components.serving.api.config import Config, unreadable
from sampan.components.serving.api.defaults import deployment_mode, with_defaults
from sampan.components.serving.api.definitions import DEFINITIONS
from sampan.components.serving.api.runtimes import runtimes as shipped
from sampan.components.serving.engine.selection.choosing import UnselectableError, select
from sampan.components.serving.engine.selection.merging import merged
from sampan.components.serving.engine.validation import graphs, others, runtimes, services, trained_models
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube.fielderrors import FieldErrors

SHIPPED = shipped(is_embedded=True)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = [
    "name",
    "value",
    "env",
    "args",
    "image",
    "containers",
    "initContainers",
    "model",
    "modelFormat",
    "sklearn",
    "onnx",
    "triton",
    "storageUri",
    "storage",
    "storageUris",
    "uri",
    "mountPath",
    "protocolVersion",
    "runtime",
    "version",
    "resources",
    "limits",
    "requests",
    "cpu",
    "memory",
    "predictor",
    "transformer",
    "explainer",
    "art",
    "canary",
    "trafficPercent",
    "minReplicas",
    "maxReplicas",
    "scaleMetric",
    "scaleTarget",
    "autoScaling",
    "metrics",
    "type",
    "target",
    "logger",
    "mode",
    "batcher",
    "workerSpec",
    "pipelineParallelSize",
    "labels",
    "annotations",
    "confidential",
    "enabled",
    "volumes",
    "ports",
    "containerPort",
    "volumeMounts",
    "supportedModelFormats",
    "autoSelect",
    "priority",
    "disabled",
    "multiModel",
    "protocolVersions",
    "nodes",
    "steps",
    "nodeName",
    "serviceName",
    "weight",
    "routerType",
    "root",
    "spec",
    "metadata",
    "supportedUriFormats",
    "regex",
    "prefix",
    "container",
    "memory",
    "inferenceService",
    "valueFrom",
    "tolerations",
    "affinity",
]
WORDS = [
    "kserve-container",
    "transformer-container",
    "sklearn",
    "v1",
    "v2",
    "grpc-v1",
    "s3://m",
    "/m",
    "{{.Name}}",
    "{{",
    "{{.Labels.x}}",
    "cpu",
    "rps",
    "Splitter",
    "Sequence",
    "root",
    "Resource",
    "External",
    "all",
    "1Gi",
    "(",
    "Standard",
    "true",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 200)
    | st.floats(allow_nan=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=6)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=25,
)
MAPS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)
METADATA = st.fixed_dictionaries(
    {"name": st.sampled_from(("iris", "1", "")), "annotations": MAPS | st.none(), "labels": MAPS | st.none()}
)
SERVICES = st.fixed_dictionaries(
    {
        "metadata": METADATA,
        "spec": st.fixed_dictionaries({"predictor": MAPS}, optional={"canary": VALUES}) | MAPS,
    }
)


def by_schema(schema: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a structural schema, as the API server lets them through: what the definitions take must be read."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(0, 5) | st.sampled_from(("1Gi", "100m"))
    match schema.get("type"):
        case "string":
            return st.sampled_from(WORDS)
        case "integer":
            return st.integers(-1, 150)
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(by_schema(schema["items"], depth + 1), max_size=2)
        case _:
            properties = schema.get("properties") or {}
            if depth > 6 or not properties:
                return MAPS if schema.get("x-kubernetes-preserve-unknown-fields") else st.just({})
            fields = {key: by_schema(each, depth + 1) for key, each in properties.items()}
            required = {key: fields[key] for key in schema.get("required") or () if key in fields}
            chosen = st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True)
            return chosen.flatmap(
                lambda names: st.fixed_dictionaries({**required, **{key: fields[key] for key in names}})
            )


SCHEMAS = {
    (each["spec"]["group"], each["spec"]["names"]["kind"]): each["spec"]["versions"][0]["schema"][
        "openAPIV3Schema"
    ]["properties"]["spec"]
    for each in DEFINITIONS
}
BY_SCHEMA = st.fixed_dictionaries(
    {"metadata": METADATA, "spec": by_schema(SCHEMAS["serving.kserve.io", "InferenceService"])}
)


def served(service: Any, old: Any, more: Any) -> None:
    config = Config.of({"inferenceService": "{}", "deploy": '{"defaultDeploymentMode": "Standard"}'})
    deployment_mode(service, config)
    made = with_defaults(service, config, old)
    assert with_defaults(made, config) == made
    errors = FieldErrors()
    services.check(made, old, Surroundings(config, lambda _resource, _namespace: [more]), errors)
    predictor = made["spec"].get("predictor") if isinstance(made.get("spec"), dict) else None
    if not isinstance(predictor, dict):
        return
    for nearby in ([], [more]):
        try:
            selected = select(predictor, "iris", nearby, SHIPPED)
            pod = merged(selected, made, predictor).pod_spec
        except UnselectableError:
            continue
        assert any(each.get("name") == "kserve-container" for each in pod["containers"])


@QUICK
@given(SERVICES, SERVICES | st.none(), SERVICES)
def test_no_inference_service_stops_admission_or_selection(service: Any, old: Any, more: Any) -> None:
    served(service, old, more)


@QUICK
@given(BY_SCHEMA, BY_SCHEMA | st.none())
def test_none_that_the_definition_takes_does(service: Any, old: Any) -> None:
    served(service, old, {"metadata": {"name": "none"}, "spec": {}})


@QUICK
@given(st.fixed_dictionaries({"metadata": METADATA, "spec": MAPS}), SERVICES | st.none(), SERVICES)
def test_no_other_object_stops_its_check(obj: Any, old: Any, more: Any) -> None:
    around = Surroundings(all=lambda _resource, _namespace: [more])
    for check in (
        runtimes.check,
        graphs.check,
        trained_models.check,
        others.check_storage_container,
        others.check_cache,
    ):
        check(obj, old, around, FieldErrors())


@QUICK
@given(st.dictionaries(st.sampled_from(("deploy", "inferenceService", "security", "explainers")), SCALARS))
def test_no_config_map_does(data: Any) -> None:
    Config.of(data)
    unreadable(data)
