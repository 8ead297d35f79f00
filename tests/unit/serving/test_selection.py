"""Which runtime serves a model, and why none does. Cases of kserve's predictor_model_test.go and predictor_test.go."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.serving.api.runtimes import runtimes as shipped
from sampan.components.serving.engine.selection.choosing import Selected, UnselectableError, select

SHIPPED = shipped(is_embedded=True)


def runtime(name: str, *formats: dict[str, Any], created: str = "2026-01-01T00:00:00Z", **spec: Any) -> Any:
    containers = [{"name": "kserve-container", "image": name}]
    return {
        "metadata": {"name": name, "creationTimestamp": created},
        "spec": {"supportedModelFormats": list(formats), "containers": containers, **spec},
    }


def serves(name: str = "sklearn", version: str | None = "1", **more: Any) -> dict[str, Any]:
    return {"name": name, "autoSelect": True, **({"version": version} if version else {}), **more}


def predictor(name: str = "sklearn", version: str | None = None, **more: Any) -> dict[str, Any]:
    found = {"name": name, **({"version": version} if version else {})}
    return {"model": {"modelFormat": found, "storageUri": "s3://models/iris", **more}}


def chosen(wanted: Any, nearby: Any = (), further: Any = ()) -> Selected:
    return select(wanted, "iris", nearby, further)


def refused(wanted: Any, nearby: Any = (), further: Any = ()) -> UnselectableError:
    with pytest.raises(UnselectableError) as error:
        select(wanted, "iris", nearby, further)
    return error.value


@pytest.mark.parametrize(
    ("wanted", "name", "protocol"),
    [
        (predictor("sklearn"), "kserve-sklearnserver", "v1"),
        (predictor("sklearn", protocolVersion="v2"), "kserve-mlserver", "v2"),
        (predictor("sklearn", "0", protocolVersion="v2"), "kserve-mlserver", "v2"),
        (predictor("xgboost"), "kserve-xgbserver", "v1"),
        (predictor("lightgbm", "4"), "kserve-lgbserver", "v1"),
        (predictor("lightgbm", "3", protocolVersion="v2"), "kserve-mlserver", "v2"),
        (predictor("mlflow", protocolVersion="v2"), "kserve-mlserver", "v2"),
        (predictor("tensorflow"), "kserve-tensorflow-serving", "v1"),
        (predictor("tensorflow", protocolVersion="v2"), "kserve-tritonserver", "v2"),
        (predictor("tensorflow", protocolVersion="grpc-v1"), "kserve-tensorflow-serving", "grpc-v1"),
        (predictor("pytorch"), "kserve-torchserve", "v1"),
        (predictor("onnx", protocolVersion="v2"), "kserve-tritonserver", "v2"),
        (predictor("triton", protocolVersion="grpc-v2"), "kserve-tritonserver", "grpc-v2"),
        (predictor("pmml"), "kserve-pmmlserver", "v1"),
        (predictor("paddle"), "kserve-paddleserver", "v1"),
        (predictor("huggingface", protocolVersion="v2"), "kserve-huggingfaceserver", "v2"),
        (predictor("vLLM", protocolVersion="v2"), "kserve-vllmserver", "v2"),
        ({"sklearn": {"storageUri": "s3://a"}}, "kserve-sklearnserver", "v1"),
        (predictor("sklearn", runtime="kserve-mlserver"), "kserve-mlserver", "v2"),
        (predictor("sklearn", runtime="kserve-predictiveserver"), "kserve-predictiveserver", "v1"),
        (predictor("pytorch", runtime="kserve-tritonserver"), "kserve-tritonserver", "v2"),
    ],
)
def test_upstreams_runtimes_are_taken_as_upstream_takes_them(wanted: Any, name: str, protocol: str) -> None:
    found = chosen(wanted, (), SHIPPED)
    assert (found.runtime.name, found.protocol, found.runtime.is_cluster) == (name, protocol, True)


def test_a_runtime_of_the_namespace_comes_first_whatever_its_priority() -> None:
    nearby = [runtime("mine", serves(priority=1))]
    found = chosen(predictor(), nearby, [runtime("theirs", serves(priority=9)), *SHIPPED])
    assert (found.runtime.name, found.runtime.is_cluster) == ("mine", False)


def test_priority_then_protocol_then_age_then_name() -> None:
    both = ["v1", "v2"]
    candidates = [
        runtime("without", serves(), protocolVersions=["v1"]),
        runtime("b", serves(priority=2), protocolVersions=both),
        runtime("a", serves(priority=2), protocolVersions=both),
        runtime("new", serves(priority=2), created="2026-02-01T00:00:00Z", protocolVersions=both),
        runtime("newest-without-protocol", serves(priority=2), created="2026-03-01T00:00:00Z"),
        runtime("high", serves(priority=3), protocolVersions=["v2"]),
    ]
    order = []
    asked = predictor(protocolVersion="v2")
    while candidates:
        try:
            name = chosen(asked, candidates).runtime.name
        except UnselectableError:
            break
        order.append(name)
        candidates = [each for each in candidates if each["metadata"]["name"] != name]
    assert order == ["high", "new", "a", "b", "newest-without-protocol"]
    assert [each["metadata"]["name"] for each in candidates] == ["without"]


def test_the_priority_is_that_of_the_first_format_of_the_name() -> None:
    low_first = runtime("low-first", serves(version="0", priority=1), serves(version="1", priority=9))
    assert (
        chosen(predictor(version="1"), [low_first, runtime("two", serves(priority=2))]).runtime.name == "two"
    )


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"disabled": True}, predictor()),
        ({"multiModel": True}, predictor()),
        ({"workerSpec": {"containers": []}}, predictor()),
        ({"protocolVersions": ["v2"]}, predictor()),
        ({}, predictor(version="2")),
        ({}, predictor("xgboost")),
        ({}, {**predictor(), "workerSpec": {}}),
        ({"supportedModelFormats": [serves(autoSelect=False)]}, predictor()),
        ({"supportedModelFormats": [{"name": "sklearn"}]}, predictor()),
    ],
)
def test_what_does_not_fit_is_not_taken(changes: Any, wanted: Any) -> None:
    assert chosen(predictor(), [runtime("mine", serves())]).runtime.name == "mine"
    error = refused(wanted, [runtime("mine", serves(), **changes)])
    assert error.reason == "NoSupportingRuntime"


def test_it_is_said_what_was_looked_at_and_why_each_does_not_fit() -> None:
    looked_at = [
        runtime("off", serves(), disabled=True),
        runtime("shy", serves(autoSelect=False)),
        runtime("other-version", serves(version="0")),
        runtime("grpc", serves(), protocolVersions=["grpc-v1"]),
        runtime("boost", serves("xgboost")),
    ]
    message = refused(predictor(version="1"), looked_at).message
    assert message.startswith("No runtime found to support specified framework/version: sklearn version 1")
    for part in (
        "off: it is disabled",
        "shy: it is only taken when it is named (no autoSelect)",
        "other-version: it serves sklearn 0",
        "grpc: it speaks grpc-v1, not v1",
    ):
        assert part in message
    assert "boost" not in message
    assert "they serve xgboost" in refused(predictor("torch"), looked_at[-1:]).message
    assert "no ClusterServingRuntime at all" in refused(predictor()).message


@pytest.mark.parametrize(
    ("wanted", "reason", "message"),
    [
        (predictor(runtime="nobody"), "RuntimeNotRecognized", "'nobody'"),
        (predictor(runtime="off"), "RuntimeDisabled", "Specified runtime is disabled"),
        (
            predictor(runtime="on", protocolVersion="grpc-v2"),
            "NoSupportingRuntime",
            "Specified runtime does not support specified protocol version: on speaks v1, not grpc-v2",
        ),
        (
            predictor("xgboost", runtime="on"),
            "NoSupportingRuntime",
            "Specified runtime does not support specified framework/version: on serves sklearn 1, not xgboost",
        ),
        (predictor(version="2", runtime="on"), "NoSupportingRuntime", "not sklearn version 2"),
        ({**predictor(runtime="on"), "workerSpec": {}}, "InvalidPredictorSpec", "WorkerSpec"),
        ({}, "InvalidPredictorSpec", "neither a framework nor a model"),
    ],
)
def test_a_runtime_that_is_named_is_checked(wanted: Any, reason: str, message: str) -> None:
    known = [runtime("on", serves(), protocolVersions=["v1"]), runtime("off", serves(), disabled=True)]
    error = refused(wanted, known)
    assert error.reason == reason
    assert message in error.message


def test_a_runtime_that_is_named_needs_no_auto_select_and_the_nearer_is_meant() -> None:
    shy = {"name": "sklearn", "version": "1"}
    nearby, further = [runtime("same", shy)], [runtime("same", shy)]
    assert not chosen(predictor(runtime="same"), nearby, further).runtime.is_cluster
    assert chosen(predictor(runtime="same"), (), further).runtime.is_cluster


def env(found: Selected) -> dict[str, str]:
    return {each["name"]: each["value"] for each in found.model.get("env") or ()}


def test_mlserver_gets_its_variables_and_the_class_of_the_model() -> None:
    found = chosen(
        predictor("xgboost", runtime="kserve-mlserver", env=[{"name": "A", "value": "1"}]), (), SHIPPED
    )
    assert env(found) == {"A": "1", "MLSERVER_MODEL_NAME": "iris", "MLSERVER_MODEL_URI": "/mnt/models"}
    assert found.labels == {"modelClass": "mlserver_xgboost.XGBoostModel"}
    own = [{"name": "MLSERVER_MODEL_NAME", "value": "mine"}]
    assert (
        env(chosen(predictor(runtime="kserve-mlserver", env=own), (), SHIPPED))["MLSERVER_MODEL_NAME"]
        == "mine"
    )
    without = {"model": {"modelFormat": {"name": "sklearn"}, "runtime": "kserve-mlserver"}}
    assert env(chosen(without, (), SHIPPED)) == {"MLSERVER_LOAD_MODELS_AT_STARTUP": "false"}
    renamed = runtime("mine", serves())
    renamed["metadata"]["annotations"] = {"serving.kserve.io/server-type": "mlserver"}
    assert chosen(predictor(), [renamed]).labels == {"modelClass": "mlserver_sklearn.SKLearnModel"}


@pytest.mark.parametrize(
    ("protocol", "envelope"),
    [(None, "kserve"), ("v1", "kserve"), ("v2", "kservev2"), ("grpc-v2", "kservev2")],
)
def test_torchserve_gets_its_envelope(protocol: str | None, envelope: str) -> None:
    asked = predictor("pytorch", **({"protocolVersion": protocol} if protocol else {}))
    found = chosen(asked, (), SHIPPED)
    assert found.labels == {"serviceEnvelope": envelope}
    assert env(found) == {"PROTOCOL_VERSION": protocol or "v1"}


def test_triton_without_a_model_loads_what_it_is_told() -> None:
    bare = {"model": {"modelFormat": {"name": "triton"}, "protocolVersion": "v2", "args": ["--a"]}}
    assert chosen(bare, (), SHIPPED).model["args"] == ["--a", "--model-control-mode=explicit"]
    assert "args" not in chosen(predictor("triton", protocolVersion="v2"), (), SHIPPED).model


def test_a_runtime_that_names_no_protocol_speaks_v1() -> None:
    asked = {"model": {"modelFormat": {"name": "sklearn"}, "runtime": "mine"}}
    assert chosen(asked, [runtime("mine", serves())]).protocol == "v1"
    assert chosen(asked, [runtime("mine", serves(), protocolVersions=["v7"])]).protocol == "v1"
