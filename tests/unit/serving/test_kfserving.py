"""KFServing's InferenceServices: between their versions, and what they are followed by."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.components.serving.api.config import Config
from sampan.components.serving.api.conversion import KEPT, V1ALPHA2, V1BETA1, converted, endpoints
from sampan.components.serving.engine.kfserving import checking
from sampan.components.serving.engine.kfserving import status as telling
from sampan.components.serving.engine.kfserving.mirroring import mirror
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors

STANDARD = {"serving.kserve.io/deploymentMode": "RawDeployment"}


def service(spec: Any, api_version: str = V1ALPHA2, **more: Any) -> dict[str, Any]:
    metadata = {"name": "flowers", "namespace": "team", "annotations": more.pop("annotations", {})}
    return {"apiVersion": api_version, "kind": "InferenceService", "metadata": metadata, "spec": spec, **more}


def as_v1beta1(spec: Any) -> Any:
    return converted(service(copy.deepcopy(spec)), V1BETA1)


TF = {"tensorflow": {"storageUri": "gs://flowers", "runtimeVersion": "1.14.0"}}


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        ({"predictor": TF}, {"predictor": TF}),
        (
            {
                "predictor": {
                    "sklearn": {"storageUri": "s3://m", "runtimeVersion": "", "resources": {"limits": {}}}
                }
            },
            {"predictor": {"sklearn": {"storageUri": "s3://m", "resources": {"limits": {}}}}},
        ),
        (
            {
                "predictor": {
                    **TF,
                    "minReplicas": 0,
                    "maxReplicas": 3,
                    "parallelism": 4,
                    "serviceAccountName": "sa",
                    "logger": {"url": "http://l", "mode": "all"},
                    "batcher": {"maxBatchSize": 8},
                }
            },
            {
                "predictor": {
                    **TF,
                    "minReplicas": 0,
                    "maxReplicas": 3,
                    "containerConcurrency": 4,
                    "serviceAccountName": "sa",
                    "logger": {"url": "http://l", "mode": "all"},
                    "batcher": {"maxBatchSize": 8},
                }
            },
        ),
        (
            {
                "predictor": {"custom": {"container": {"image": "mine"}}},
                "transformer": {"custom": {"container": {"image": "before"}}, "parallelism": 0},
                "explainer": {"alibi": {"type": "AnchorTabular", "storageUri": "gs://e"}, "minReplicas": 1},
            },
            {
                "predictor": {"containers": [{"image": "mine"}]},
                "transformer": {"containers": [{"image": "before"}]},
                "explainer": {"alibi": {"type": "AnchorTabular", "storageUri": "gs://e"}, "minReplicas": 1},
            },
        ),
    ],
)
def test_v1alpha2_becomes_v1beta1_as_upstream_converts(default: Any, expected: Any) -> None:
    assert as_v1beta1({"default": default})["spec"] == expected


def test_the_share_goes_to_the_predictor_and_the_canary_is_kept() -> None:
    spec = {"default": {"predictor": TF}, "canary": {"predictor": {"onnx": {"storageUri": "s3://n"}}}}
    made = as_v1beta1({**spec, "canaryTrafficPercent": 10})
    assert made["spec"] == {"predictor": {**TF, "canaryTrafficPercent": 10}}
    said = endpoints(made)
    assert said.default == {"predictor": TF}
    assert (said.canary, said.percent) == ({"predictor": {"onnx": {"storageUri": "s3://n"}}}, 10)
    # Who then writes v1beta1 means what he writes.
    made["spec"]["predictor"]["canaryTrafficPercent"] = 20
    assert endpoints(made).canary is None
    # A server that does not convert leaves the old form under the new name.
    assert endpoints(service({**spec, "canaryTrafficPercent": 10}, V1BETA1)) == said


def texts(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names), st.sampled_from(("", "a", "b")), max_size=3)


PREDICTORS = st.fixed_dictionaries(
    {},
    optional={
        "tensorflow": texts("storageUri", "runtimeVersion"),
        "pytorch": texts("storageUri", "modelClassName"),
        "custom": st.just({"container": {"image": "a"}}),
        "parallelism": st.integers(0, 2),
        "minReplicas": st.integers(0, 2),
        "serviceAccountName": st.just("sa"),
    },
)
ENDPOINTS = st.fixed_dictionaries(
    {"predictor": PREDICTORS}, optional={"transformer": PREDICTORS, "explainer": PREDICTORS}
)
OLD = st.fixed_dictionaries(
    {"default": ENDPOINTS}, optional={"canary": ENDPOINTS, "canaryTrafficPercent": st.integers(0, 100)}
)
COMPONENTS = st.fixed_dictionaries(
    {},
    optional={
        "tensorflow": texts("storageUri", "protocolVersion", "name"),
        "containers": st.lists(st.just({"image": "a"}), max_size=2),
        "containerConcurrency": st.integers(0, 2),
        "canaryTrafficPercent": st.integers(0, 100),
        "nodeSelector": st.just({"a": "b"}),
    },
)
NEW = st.fixed_dictionaries(
    {"predictor": COMPONENTS}, optional={"transformer": COMPONENTS, "explainer": COMPONENTS}
)


@settings(max_examples=80, deadline=None)
@given(OLD | NEW)
def test_nothing_is_lost_on_the_way_there_and_back(spec: Any) -> None:
    here, there = (V1ALPHA2, V1BETA1) if "default" in spec else (V1BETA1, V1ALPHA2)
    original = service(spec, here, annotations={"mine": "kept"})
    back = converted(converted(copy.deepcopy(original), there), here)
    assert back["spec"] == spec
    assert meta.annotations(back) == {"mine": "kept"}


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(("default", "canary", "canaryTrafficPercent", "predictor", "transformer")),
        st.none()
        | st.integers()
        | st.text(max_size=3)
        | st.lists(st.integers(), max_size=1)
        | ENDPOINTS
        | COMPONENTS,
    ),
    st.none() | st.sampled_from(("", "{", "[]", '{"default": 1}', '{"canary": {}}')),
)
def test_no_spec_stops_conversion_mirror_or_check(spec: Any, kept: str | None) -> None:
    for api_version in (V1ALPHA2, V1BETA1):
        obj = service(spec, api_version, annotations={KEPT: kept} if kept is not None else {})
        for other in (V1ALPHA2, V1BETA1):
            converted(copy.deepcopy(obj), other)
        mirror(obj, Config(), "")
        checking.check(obj, None, Surroundings(), FieldErrors())


def spec_of(obj: Any, config: Config | None = None, rolled_out: str = "") -> Any:
    return mirror(obj, config or Config(), rolled_out).service["spec"]


def test_the_mirror_has_the_defaults_of_kserve() -> None:
    made = mirror(
        service({"default": {"predictor": TF}}, annotations={"serving.kubeflow.org/a": "b", KEPT: "{}"}),
        Config(),
        "",
    ).service
    assert made["apiVersion"] == "serving.kserve.io/v1beta1"
    assert made["spec"]["predictor"] == {"model": {**TF["tensorflow"], "modelFormat": {"name": "tensorflow"}}}
    assert made["metadata"]["annotations"] == {"serving.kserve.io/a": "b", "modelFormat": "tensorflow"}


def test_what_kserve_has_no_field_for_is_an_argument_and_amounts_are_texts() -> None:
    pytorch = {
        "storageUri": "gs://m",
        "modelClassName": "Net",
        "args": ["--a"],
        "resources": {"limits": {"cpu": 0.1, "memory": "1Gi"}},
    }
    model = spec_of(service({"predictor": {"pytorch": pytorch}}, V1BETA1))["predictor"]["model"]
    assert model["args"] == ["--a", "--model_class_name=Net"]
    assert model["resources"] == {"limits": {"cpu": "0.1", "memory": "1Gi"}}
    assert "modelClassName" not in model
    boost = spec_of(service({"default": {"predictor": {"xgboost": {"storageUri": "s3://m", "nthread": 4}}}}))
    assert boost["predictor"]["model"]["args"] == ["--nthread=4"]
    custom = {"containers": [{"name": "kfserving-container", "image": "a"}, {"name": "b"}]}
    names = [
        each["name"] for each in spec_of(service({"predictor": custom}, V1BETA1))["predictor"]["containers"]
    ]
    assert names == ["kserve-container", "b"]


CANARY = {
    "default": {"predictor": TF, "transformer": {"custom": {"container": {"image": "before"}}}},
    "canary": {"predictor": {"tensorflow": {"storageUri": "gs://flowers-2"}}},
    "canaryTrafficPercent": 10,
}


def test_a_canary_waits_for_the_default_and_becomes_the_newest_revision() -> None:
    obj = as_v1beta1(CANARY)
    first = mirror(obj, Config(), "")
    assert first.is_waiting
    assert first.service["spec"]["predictor"]["model"]["storageUri"] == "gs://flowers"
    assert "canaryTrafficPercent" not in first.service["spec"]["predictor"]
    second = mirror(obj, Config(), first.default)
    assert not second.is_waiting
    predictor = second.service["spec"]["predictor"]
    assert predictor["model"]["storageUri"] == "gs://flowers-2"
    assert predictor["canaryTrafficPercent"] == 10
    assert second.service["spec"]["transformer"]["containers"][0]["image"] == "before"
    promoted = as_v1beta1({"default": {**CANARY["default"], "predictor": CANARY["canary"]["predictor"]}})
    third = mirror(promoted, Config(), first.default).service["spec"]["predictor"]
    assert third == {key: value for key, value in predictor.items() if key != "canaryTrafficPercent"}
    changed = copy.deepcopy(CANARY)
    changed["default"]["predictor"]["tensorflow"]["storageUri"] = "gs://flowers-3"
    assert mirror(as_v1beta1(changed), Config(), first.default).is_waiting


def test_in_mode_standard_a_canary_stands_beside() -> None:
    obj = service(CANARY, annotations=STANDARD)
    made = mirror(obj, Config(), "")
    assert not made.is_waiting
    (canary,) = made.service["spec"]["canary"]
    assert canary["trafficPercent"] == 10
    assert canary["predictor"]["name"] == "canary"
    assert canary["predictor"]["model"]["storageUri"] == "gs://flowers-2"
    assert made.service["spec"]["predictor"]["model"]["storageUri"] == "gs://flowers"


def status(obj: Any, made: Any, now_running: Any) -> dict[str, Any]:
    return telling.status(obj, made, now_running, "2026-01-01T00:00:00Z")


def running(made: Any, **status_fields: Any) -> dict[str, Any]:
    ready = [{"type": "Ready", "status": "True"}]
    found = {
        "observedGeneration": 1,
        "conditions": ready,
        "url": "http://flowers-team.localhost:1",
        **status_fields,
    }
    metadata = {**made.service["metadata"], "generation": 1}
    return {**made.service, "metadata": metadata, "status": found}


def test_the_default_counts_as_rolled_out_when_it_was_ready_alone() -> None:
    obj = as_v1beta1(CANARY)
    first = mirror(obj, Config(), "")
    assert "rolledOutDefault" not in status(obj, first, running(first, observedGeneration=0))
    said = status(obj, first, running(first))
    assert said["rolledOutDefault"] == first.default
    assert (said["url"], said["conditions"][0]["status"]) == ("http://flowers-team.localhost:1", "True")
    told = said["conditions"][1]
    assert (told["type"], told["reason"]) == ("CanaryPredictorReady", "WaitingForDefault")
    obj["status"] = said
    again = telling.status(obj, first, running(first), "2027-01-01T00:00:00Z")
    assert again == said
    second = mirror(obj, Config(), first.default)
    # What still runs is the default, whatever is wanted by now; and a canary that is ready is not the default.
    assert status(obj, second, running(second))["rolledOutDefault"] == first.default
    other = copy.deepcopy(CANARY)
    other["default"]["predictor"]["tensorflow"]["storageUri"] = "gs://flowers-3"
    changed = as_v1beta1(other)
    changed["status"] = said
    waiting = mirror(changed, Config(), first.default)
    assert status(changed, waiting, running(second))["rolledOutDefault"] == first.default
    assert status(changed, waiting, running(waiting))["rolledOutDefault"] == waiting.default


def test_the_status_comes_in_the_shape_of_the_version_asked_for() -> None:
    traffic = [
        {"latestRevision": True, "percent": 10, "revisionName": "flowers-predictor-00002"},
        {"percent": 90, "revisionName": "flowers-predictor-00001", "tag": "prev"},
    ]
    component = {
        "url": "http://flowers-predictor-team.localhost:1",
        "latestCreatedRevision": "flowers-predictor-00002",
        "traffic": traffic,
    }
    stored = service(
        {"predictor": TF},
        V1BETA1,
        status={
            "url": "http://f",
            "conditions": [],
            "components": {"predictor": component},
            "rolledOutDefault": "x",
        },
    )
    host = "flowers-predictor-team.localhost:1"
    shown = converted(copy.deepcopy(stored), V1ALPHA2)
    assert converted(copy.deepcopy(shown), V1BETA1)["status"] == stored["status"]
    assert shown["status"].pop("annotations").keys() == {KEPT}
    assert shown["status"] == {
        "url": "http://f",
        "conditions": [],
        "traffic": 90,
        "canaryTraffic": 10,
        "default": {"predictor": {"name": "flowers-predictor-00001", "host": host}},
        "canary": {"predictor": {"name": "flowers-predictor-00002", "host": host}},
    }
    component["traffic"] = [
        {"latestRevision": True, "percent": 100, "revisionName": "flowers-predictor-00002"}
    ]
    found = converted(copy.deepcopy(stored), V1ALPHA2)["status"]
    assert (found["traffic"], "canary" in found) == (100, False)
    assert found["default"]["predictor"]["name"] == "flowers-predictor-00002"


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"default": {"predictor": {}}}, "spec.default.predictor", "exactly one of"),
        ({"default": {}}, "spec.default.predictor", "exactly one of"),
        (
            {"default": {"predictor": {"sklearn": {"storageUri": "/m"}}}},
            "spec.default.predictor.model.storageUri",
            "scheme",
        ),
        ({**CANARY, "canary": {"predictor": {}}}, "spec.canary.predictor", "exactly one of"),
        ({**CANARY, "canaryTrafficPercent": 101}, "spec.canaryTrafficPercent", "between [0, 100]"),
        (
            {"default": CANARY["default"], "canaryTrafficPercent": 1},
            "spec.canary",
            "Canary must be specified",
        ),
        ({"predictor": {**TF, "minReplicas": -1}}, "spec.predictor.minReplicas", "cannot be less than 0"),
        ({}, "spec.predictor", "exactly one of"),
    ],
)
def test_what_could_not_run_is_refused_where_it_stands(spec: Any, field: str, words: str) -> None:
    errors = FieldErrors()
    checking.check(service(spec), None, Surroundings(), errors)
    found = {each.field: each.message for each in errors.causes}
    assert words in found.get(field, ""), found


def test_what_can_run_is_taken() -> None:
    for spec in (CANARY, {"default": CANARY["default"], "canaryTrafficPercent": 0}, {"predictor": TF}):
        errors = FieldErrors()
        checking.check(service(spec), None, Surroundings(), errors)
        assert not errors.causes, errors.causes
