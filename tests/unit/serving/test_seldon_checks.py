"""What is refused of a SeldonDeployment: the cases of upstream's seldondeployment_webhook_test.go (1.18.2)."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.serving.engine.seldon.checks import check
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube.fielderrors import FieldErrors


def deployment(*predictors: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "m", "namespace": "n"}, "spec": {**spec, "predictors": list(predictors)}}


def predictor(name: str = "p", graph: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    containers = [{"name": "classifier", "image": "x:1"}]
    graph = graph if graph is not None else {"name": "classifier"}
    return {"name": name, "graph": graph, "componentSpecs": [{"spec": {"containers": containers}}], **more}


def told(sdep: dict[str, Any], *maps: dict[str, Any]) -> list[str]:
    errors = FieldErrors()
    check(sdep, None, Surroundings(all=lambda _kind, _namespace: maps), errors)
    return [f"{each.field}: {each.message}" for each in errors.causes]


def test_a_container_with_a_graph_of_its_name_is_right() -> None:
    assert told(deployment(predictor())) == []


@pytest.mark.parametrize(
    ("sdep", "part"),
    [
        (deployment(predictor(graph={"name": "other"})), "Can't find container for Predictive Unit"),
        (
            deployment(predictor(graph={"name": "s", "implementation": "SKLEARN_SERVER"})),
            "modelUri required",
        ),
        (
            deployment(predictor(graph={"name": "s", "implementation": "NO_SERVER", "modelUri": "s3://x"})),
            "No entry in predictors map for NO_SERVER",
        ),
        (
            deployment(
                predictor(graph={"name": "s", "implementation": "SKLEARN_SERVER", "modelUri": "s3://x"}),
                protocol="tensorflow",
            ),
            "does not handle tensorflow protocol SKLEARN_SERVER",
        ),
        (deployment(predictor(), protocol="soap"), "Invalid protocol"),
        (deployment(predictor(), transport="udp"), "Invalid transport"),
        (deployment(predictor(), serverType="mail"), "Invalid serverType"),
        (deployment(predictor(), serverType="kafka"), "KAFKA_BROKER"),
        (deployment(), "Graph contains no predictors"),
        (deployment(predictor("a", traffic=50), predictor("b", traffic=40)), "Traffic must sum to 100"),
        (deployment(predictor("a", traffic=40)), "Traffic must sum be 100 for a single predictor"),
        (deployment(predictor("a", traffic=50), predictor("a", traffic=50)), "Duplicate predictor name"),
        (deployment(predictor(shadow=True)), "Shadow can not exist as only predictor"),
        (
            deployment(predictor("a"), predictor("b", shadow=True), predictor("c", shadow=True)),
            "Multiple shadows are not allowed",
        ),
        (
            deployment(predictor("a"), predictor("b", shadow=True, traffic=101)),
            "shadow traffic is illegal",
        ),
        (
            deployment(predictor(graph={"name": "classifier", "logger": {"url": "http://x"}})),
            "No logger mode specified",
        ),
        (
            deployment(
                predictor(
                    graph={"name": "classifier", "children": [{"name": "classifier"}]},
                    annotations={"seldon.io/no-engine": "true"},
                )
            ),
            "Running without engine only valid for single element graphs",
        ),
        (
            deployment(
                predictor(graph={"name": "classifier", "endpoint": {"type": "GRPC"}}), transport="rest"
            ),
            "Mixed transport types found",
        ),
    ],
)
def test_what_is_refused(sdep: dict[str, Any], part: str) -> None:
    assert any(part in each for each in told(sdep)), told(sdep)


def test_a_shadow_counts_for_no_traffic() -> None:
    assert told(deployment(predictor("a"), predictor("b", shadow=True, traffic=20))) == []


def test_a_child_is_named_by_its_place() -> None:
    graph = {"name": "classifier", "children": [{"name": "gone"}]}
    assert told(deployment(predictor(graph=graph)))[0].startswith(
        'spec.predictors[0].graph[0]: Invalid value: "gone"'
    )


def test_a_graph_has_a_limit_of_depth() -> None:
    graph: dict[str, Any] = {"name": "classifier"}
    for _ in range(100):
        graph = {"name": "classifier", "children": [graph]}
    assert any("units deep" in each for each in told(deployment(predictor(graph=graph))))


def test_servers_of_ones_own_stand_in_the_config_map() -> None:
    graph = {"name": "s", "implementation": "OWN_SERVER", "modelUri": "s3://x"}
    servers = '{"OWN_SERVER": {"protocols": {"seldon": {"image": "own", "defaultImageVersion": "1"}}}}'
    config = {"metadata": {"name": "seldon-config"}, "data": {"predictor_servers": servers}}
    assert told(deployment(predictor(graph=graph)), config) == []
    assert told(deployment(predictor(graph=graph))) != []
