"""What is filled into an InferenceService. Cases of kserve's inference_service_defaults_test.go."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.serving.api.config import Config, unreadable
from sampan.components.serving.api.defaults import deployment_mode, with_defaults
from sampan.components.serving.api.runtimes import config_map

MODE = "serving.kserve.io/deploymentMode"
SHIPPED = Config.of(config_map("localhost", "Knative")["data"])


def service(predictor: Any, annotations: Any = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": "iris", "namespace": "team", **({"annotations": annotations} if annotations else {})}
    return {"metadata": metadata, "spec": {"predictor": predictor, **more}}


def predictor(found: Any, config: Config | None = None, old: Any = None) -> Any:
    return with_defaults(service(found), config or Config(), old and service(old))["spec"]["predictor"]


@pytest.mark.parametrize(
    ("framework", "protocol"),
    [
        ("sklearn", None),
        ("xgboost", None),
        ("tensorflow", None),
        ("pytorch", None),
        ("pmml", None),
        ("lightgbm", None),
        ("paddle", None),
        ("triton", "v2"),
        ("onnx", "v2"),
        ("huggingface", "v2"),
    ],
)
def test_a_framework_becomes_a_model(framework: str, protocol: str | None) -> None:
    said = {
        "storageUri": "s3://m",
        "args": ["--a"],
        "runtimeVersion": "2",
        "resources": {"limits": {"cpu": "1"}},
    }
    made = with_defaults(service({framework: said, "minReplicas": 0}), Config())
    expected: dict[str, Any] = {**said, "modelFormat": {"name": framework}}
    if protocol:
        expected["protocolVersion"] = protocol
    assert made["spec"]["predictor"] == {"model": expected, "minReplicas": 0}
    assert made["metadata"]["annotations"] == {"modelFormat": framework}
    own = predictor({framework: {**said, "protocolVersion": "v1"}})
    assert own["model"]["protocolVersion"] == "v1"


@pytest.mark.parametrize(
    ("name", "protocol"), [("triton", "v2"), ("vLLM", "v2"), ("onnx", None), ("sklearn", None)]
)
def test_a_model_of_some_formats_speaks_v2(name: str, protocol: str | None) -> None:
    assert predictor({"model": {"modelFormat": {"name": name}}})["model"].get("protocolVersion") == protocol


def test_what_an_apply_left_standing_gives_way_to_what_was_written() -> None:
    before = {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://old"}}
    merged = {**before, "sklearn": {"storageUri": "s3://new"}}
    assert predictor(merged, old=before) == {
        "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://new"}
    }
    # An apply on the server's side takes away what its manager had of it.
    part = {"model": {"modelFormat": {"name": "sklearn"}}, "sklearn": {"storageUri": "s3://new"}}
    assert predictor(part, old=before)["model"]["storageUri"] == "s3://new"
    other = {**before, "xgboost": {"storageUri": "s3://new"}}
    assert predictor(other, old=before)["model"]["modelFormat"] == {"name": "xgboost"}
    # Both written: which is meant cannot be told, and the check refuses it.
    assert predictor(merged) == merged
    changed = {"model": {"modelFormat": {"name": "onnx"}}, "sklearn": {}}
    assert predictor(changed, old=before) == changed
    two = {"sklearn": {}, "xgboost": {}}
    assert predictor(two) == two


def test_the_annotation_of_the_format_follows_it_and_a_users_own_stays() -> None:
    old = with_defaults(service({"sklearn": {}}), Config())
    new = with_defaults(service({"xgboost": {}}, old["metadata"]["annotations"]), Config(), old)
    assert new["metadata"]["annotations"] == {"modelFormat": "xgboost"}
    own = with_defaults(service({"sklearn": {}}, {"modelFormat": "mine"}), Config())
    assert own["metadata"]["annotations"] == {"modelFormat": "mine"}


@pytest.mark.parametrize(
    ("annotations", "default", "expected"),
    [
        ({MODE: "RawDeployment"}, "Knative", "Standard"),
        ({MODE: "Serverless"}, "Standard", "Knative"),
        ({MODE: "Standard"}, "Knative", "Standard"),
        ({MODE: "ModelMesh"}, "Knative", "ModelMesh"),
        (None, "Standard", "Standard"),
        (None, "Knative", None),
    ],
)
def test_the_mode_is_written_by_its_new_name(annotations: Any, default: str, expected: str | None) -> None:
    made = with_defaults(service({"containers": []}, annotations), Config(deployment_mode=default))
    assert (made["metadata"].get("annotations") or {}).get(MODE) == expected


def test_the_mode_that_counts_is_the_recorded_one_then_the_asked_for() -> None:
    recorded = {"status": {"deploymentMode": "Standard"}, "metadata": {"annotations": {MODE: "Knative"}}}
    assert deployment_mode(recorded, Config()) == "Standard"
    assert deployment_mode({"metadata": {"annotations": {MODE: "RawDeployment"}}}, Config()) == "Standard"
    assert deployment_mode({}, Config(deployment_mode="Standard")) == "Standard"
    assert deployment_mode({"metadata": {"annotations": {MODE: "nonsense"}}}, Config()) == "Knative"


RESOURCES = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "2Gi"}}


def test_the_container_that_serves_has_its_name_and_asks_for_something() -> None:
    made = with_defaults(
        service(
            {"containers": [{"image": "mine", "name": "whatever"}]},
            transformer={"containers": [{"image": "before", "name": "t"}, {"name": "more"}]},
            explainer={"containers": [{"image": "why"}]},
        ),
        SHIPPED,
    )["spec"]
    named = {"name": "kserve-container", "resources": RESOURCES}
    assert made["predictor"]["containers"] == [{"image": "mine", **named}]
    assert made["transformer"]["containers"] == [{"image": "before", **named}, {"name": "more"}]
    assert made["explainer"]["containers"] == [{"image": "why", **named}]
    pair = {"containers": [{"name": "kserve-container"}, {"name": "transformer-container"}]}
    assert [each["name"] for each in predictor(pair, SHIPPED)["containers"]] == [
        "kserve-container",
        "transformer-container",
    ]
    beside = {"sklearn": {}, "containers": [{"name": "transformer-container"}]}
    assert predictor(beside, SHIPPED)["containers"] == [{"name": "transformer-container"}]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, RESOURCES),
        (
            {"limits": {"cpu": "50m"}},
            {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "50m", "memory": "2Gi"}},
        ),
        (
            {"requests": {"cpu": "4", "memory": "8Gi"}},
            {"requests": {"cpu": "4", "memory": "8Gi"}, "limits": {"cpu": "4", "memory": "8Gi"}},
        ),
        (
            {"limits": {"nvidia.com/gpu": "1"}},
            {**RESOURCES, "limits": {**RESOURCES["limits"], "nvidia.com/gpu": "1"}},
        ),
    ],
)
def test_what_is_filled_in_fits_what_is_said(said: Any, expected: Any) -> None:
    (container,) = predictor({"containers": [{"name": "a", "resources": said}]}, SHIPPED)["containers"]
    assert container["resources"] == expected


def test_nothing_is_asked_for_where_the_config_map_says_nothing() -> None:
    (container,) = predictor({"containers": [{"name": "a"}]}, Config())["containers"]
    assert container == {"name": "kserve-container", "resources": {}}


def test_an_explainer_has_the_version_of_the_config_map() -> None:
    made = with_defaults(service({"sklearn": {}}, explainer={"art": {"type": "SquareAttack"}}), SHIPPED)[
        "spec"
    ]
    assert made["explainer"]["art"]["runtimeVersion"] == "v0.20.0"
    assert made["explainer"]["art"]["resources"] == RESOURCES


def test_a_logger_logs_all_and_tokens_are_kept_from_pods_where_that_is_said() -> None:
    secured = Config(mounts_tokens=False)
    made = with_defaults(
        service(
            {"sklearn": {}, "logger": {"url": "http://logs"}},
            transformer={"containers": [{}], "automountServiceAccountToken": True},
            canary=[{"predictor": {"name": "next", "sklearn": {}}, "trafficPercent": 1}],
        ),
        secured,
    )["spec"]
    assert made["predictor"]["logger"] == {"url": "http://logs", "mode": "all"}
    assert made["predictor"]["automountServiceAccountToken"] is False
    assert made["transformer"]["automountServiceAccountToken"] is True
    canary = made["canary"][0]["predictor"]
    assert (canary["model"]["modelFormat"], canary["automountServiceAccountToken"]) == (
        {"name": "sklearn"},
        False,
    )


def test_what_was_given_is_not_changed_and_a_second_time_changes_nothing() -> None:
    given = service({"sklearn": {"storageUri": "s3://m"}}, transformer={"containers": [{"name": "t"}]})
    kept = repr(given)
    once = with_defaults(given, SHIPPED)
    assert repr(given) == kept
    assert with_defaults(once, SHIPPED, once) == once


def test_sections_that_cannot_be_read_keep_their_defaults_and_are_told_of() -> None:
    data = {
        "deploy": "{",
        "inferenceService": '{"resource": {"cpuRequest": "much", "memoryLimit": "1Gi"}}',
        "security": "[]",
        "ingress": "{}",
        "_example": "# nothing",
    }
    found = Config.of(data, "Standard")
    assert found == Config("Standard", {"limits": {"memory": "1Gi"}})
    assert sorted(unreadable(data)) == ["deploy", "security"]
    assert unreadable({"deploy": '{"defaultDeploymentMode": "Fast"}'}) == {
        "deploy": "defaultDeploymentMode must be Knative or Standard, not Fast"
    }
    assert unreadable(config_map("localhost", "Knative")["data"]) == {}
    assert Config.of({"deploy": '{"defaultDeploymentMode": "RawDeployment"}'}).deployment_mode == "Standard"
    assert Config.of({"security": '{"autoMountServiceAccountToken": false}'}).mounts_tokens is False


def test_fractions_of_amounts_become_texts() -> None:
    resources = {"requests": {"cpu": 0.1, "memory": "1Gi"}, "limits": {"cpu": 1, "memory": 1.5}}
    alibi = {"alibi": {"type": "AnchorTabular", "resources": {"requests": {"cpu": 0.25}}}}
    found = with_defaults(
        service({"sklearn": {"storageUri": "gs://x", "resources": resources}}, explainer=alibi), Config()
    )
    said = found["spec"]["predictor"]["model"]["resources"]
    assert said == {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"cpu": 1, "memory": "1500m"}}
    assert found["spec"]["explainer"]["alibi"]["resources"]["requests"]["cpu"] == "250m"
