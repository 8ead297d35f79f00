"""The form for an endpoint: what it makes, and what it begins with."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from sampan.components.serving.ui import first_endpoint
from sampan.components.serving.ui.new_endpoint import building, checks, models_found, reading
from sampan.components.serving.ui.new_endpoint.wanted import CONTAINER, Beside, Size, Wanted

FULL = Wanted(
    name="iris",
    namespace="default",
    format="sklearn 1",
    uri="s3://models/iris",
    runtime="mine",
    protocol="v2",
    environment={"A": "b"},
    account="reader",
    canary_percent=10,
    mode="Standard",
    size=Size(0, 3, "rps", 50, "2", "1Gi", "1"),
    beside=Beside("img/t", "img/e", "http://sink", "request", 32, 100),
)


def test_everything_that_is_filled_in_comes_back() -> None:
    assert reading.wanted(building.service(FULL)) == FULL


def test_a_container_of_ones_own() -> None:
    wanted = Wanted(
        "own", "default", CONTAINER, "", "s3://m", image="me/model:1", command="serve --port '8 0'", port=9000
    )
    made = building.service(wanted)
    [container] = made["spec"]["predictor"]["containers"]
    assert container["command"] == ["serve", "--port", "8 0"]
    assert container["env"] == [{"name": "STORAGE_URI", "value": "s3://m"}]
    assert reading.wanted(made) == wanted


@pytest.mark.parametrize(
    "change",
    [
        {"predictor": {"nodeSelector": {"a": "b"}}},
        {"transformer": {"minReplicas": 3, "containers": [{"name": "kserve-container", "image": "x"}]}},
        {"predictor": {"model": {"args": ["--nthread=2"]}}},
        {"predictor": {"logger": {"mode": "all", "url": "http://x", "metadataHeaders": ["a"]}}},
    ],
)
def test_what_has_no_field_is_edited_as_it_is(change: dict[str, Any]) -> None:
    made = building.service(FULL)
    for part, fields in change.items():
        made["spec"].setdefault(part, {})
        for key, value in fields.items():
            held = made["spec"][part].get(key)
            made["spec"][part][key] = (
                {**held, **value} if isinstance(held, dict) and key == "model" else value
            )
    assert reading.wanted(made) is None


def test_a_variable_from_a_secret_is_not_lost() -> None:
    made = building.service(FULL)
    made["spec"]["predictor"]["model"]["env"].append(
        {"name": "K", "valueFrom": {"secretKeyRef": {"key": "k"}}}
    )
    assert reading.wanted(made) is None


def test_a_program_of_many_lines_comes_back() -> None:
    made = first_endpoint.endpoint("first", "default")
    assert reading.wanted(made) is None
    [container] = made["spec"]["predictor"]["containers"]
    del container["readinessProbe"]
    found = reading.wanted(made)
    assert found is not None
    assert building.service(found)["spec"]["predictor"]["containers"][0]["command"] == container["command"]


def test_limits_that_are_there_stay_and_are_never_below_what_is_asked_for() -> None:
    made = building.service(FULL)
    resources = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "2Gi"}}
    made["spec"]["predictor"]["model"]["resources"] = resources
    found = reading.wanted(made)
    assert found is not None
    more = replace(found, size=replace(found.size, cpu="4"))
    limits = building.service(more)["spec"]["predictor"]["model"]["resources"]["limits"]
    assert limits == {"cpu": "4", "memory": "2Gi"}
    only_asked = {"requests": {"cpu": "1"}}
    made["spec"]["predictor"]["model"]["resources"] = only_asked
    found = reading.wanted(made)
    assert found is not None
    assert building.service(found)["spec"]["predictor"]["model"]["resources"] == only_asked


def test_a_change_keeps_what_is_not_of_the_spec() -> None:
    original = building.service(FULL)
    original["metadata"] |= {"labels": {"a": "b"}, "resourceVersion": "7", "managedFields": [{}]}
    original["status"] = {"url": "http://x"}
    held = copy.deepcopy(original)
    made = building.changed(original, building.service(Wanted("iris", "default", uri="s3://other")))
    assert original == held
    assert made["metadata"]["labels"] == {"a": "b"}
    assert made["metadata"]["resourceVersion"] == "7"
    assert "status" not in made
    assert made["spec"]["predictor"]["model"]["storageUri"] == "s3://other"


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (checks.name, "iris-2", "Iris"),
        (checks.name, "a" * 40, "a" * 41),
        (checks.uri, "s3://bucket/model", "/home/me/model"),
        (checks.uri, "pvc://claim/a", "model.joblib"),
        (checks.web, "https://sink", "sink:80"),
        (checks.words, "a 'b c'", "a 'b"),
        (checks.port, 8080, 0),
        (checks.percent, 100, 101),
        (checks.count, 0, -1),
        (checks.amount, "500m", "much"),
        (checks.environment, {"MLSERVER_X": "1"}, {"1 x": "1"}),
    ],
)
def test_what_is_wrong_is_said(check: checks.Check, right: Any, wrong: Any) -> None:
    assert check(right) == ""
    assert check(wrong)


def test_models_of_runs_are_offered() -> None:
    artifacts = [
        {"type": "system.Model", "uri": "/a/model", "name": "model"},
        {"type": "system.Dataset", "uri": "file:///a/data", "name": "data"},
        {"type": "Model", "uri": "", "name": "empty"},
        {"type": "system.Model", "uri": "file:///a/model", "name": "again"},
    ]
    assert models_found.choices(artifacts) == [("file:///a/model", "model – file:///a/model")]


def test_the_first_endpoints_program_knows_flowers() -> None:
    made = first_endpoint.endpoint("first", "default")
    program = made["spec"]["predictor"]["containers"][0]["command"][2]
    before_serving = (
        program.partition("print(")[0] if "\nprint(" not in program else program.rpartition("\nprint(")[0]
    )
    scope: dict[str, Any] = {}
    exec(before_serving.replace('os.environ["MODEL_NAME"]', "'first'"), scope)
    assert [
        scope["kind"](row) for row in ([5.1, 3.5, 1.4, 0.2], [6.0, 2.9, 4.5, 1.5], [6.3, 3.3, 6.0, 2.5])
    ] == [
        "setosa",
        "versicolor",
        "virginica",
    ]
