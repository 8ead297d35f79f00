"""What KEDA is told of a component. The figures are upstream's: keda_reconciler_test.go of kserve 0.20."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.serving.engine.inference_services.configured import configured
from sampan.components.serving.engine.inference_services.keda import Windows, scaled_object
from sampan.components.serving.engine.inference_services.spec import Component

METADATA = {"name": "iris-predictor", "namespace": "team", "labels": {"app": "x"}}


def made(windows: Windows | None = None, **spec: Any) -> dict[str, Any]:
    component = Component("predictor", spec, "iris-predictor")
    return scaled_object(component, METADATA, windows or Windows())["spec"]


def triggers(*metrics: dict[str, Any]) -> list[dict[str, Any]]:
    return list(made(autoScaling={"metrics": list(metrics)})["triggers"])


def resource(name: str, **target: Any) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": name, "target": target}}


@pytest.mark.parametrize(
    ("metric", "trigger"),
    [
        (resource("cpu", type="Utilization", averageUtilization=50), ("cpu", "Utilization", "50")),
        (resource("cpu", type="Utilization"), ("cpu", "Utilization", "80")),
        (resource("memory", type="Utilization", averageUtilization=50), ("memory", "Utilization", "50")),
        (resource("memory", type="AverageValue", averageValue="1Gi"), ("memory", "AverageValue", "1Gi")),
        (resource("memory", type="Value", value="200Mi"), ("memory", "Value", "200Mi")),
        (resource("memory", type="AverageValue"), ("memory", "AverageValue", "0")),
    ],
)
def test_resources(metric: dict[str, Any], trigger: tuple[str, str, str]) -> None:
    kind, metric_type, value = trigger
    assert triggers(metric) == [{"type": kind, "metricType": metric_type, "metadata": {"value": value}}]


def test_queries() -> None:
    where = {"backend": "prometheus", "serverAddress": "http://p:9090", "query": "rps", "namespace": "n"}
    access = {"authModes": "basic", "authenticationRef": {"name": "keys"}}
    target = {"type": "Value", "value": 50}
    external = {"metric": where, "target": target, "authentication": access}
    metadata = {"serverAddress": "http://p:9090", "query": "rps", "threshold": "50", "namespace": "n"}
    assert triggers({"type": "External", "external": external}) == [
        {
            "type": "prometheus",
            "metadata": {**metadata, "authModes": "basic"},
            "authenticationRef": {"name": "keys"},
        }
    ]
    external = {"metric": {**where, "backend": "graphite"}, "target": {"type": "Value"}}
    (found,) = triggers({"type": "External", "external": external})
    assert found == {
        "type": "graphite",
        "metadata": {"serverAddress": "http://p:9090", "query": "rps", "threshold": "0"},
    }


def test_what_needs_a_collector_is_refused() -> None:
    with pytest.raises(ValueError, match="need a collector, which is not made"):
        triggers({"type": "PodMetric", "podmetric": {}})


@pytest.mark.parametrize(
    ("spec", "counts"),
    [
        ({}, (1, 1)),
        ({"minReplicas": 0, "maxReplicas": 3}, (0, 3)),
        ({"minReplicas": 4, "maxReplicas": 2}, (4, 4)),
    ],
)
def test_counts(spec: dict[str, int], counts: tuple[int, int]) -> None:
    found = made(**spec)
    assert (found["minReplicaCount"], found["maxReplicaCount"]) == counts
    assert found["scaleTargetRef"] == {"name": "iris-predictor"}
    assert "advanced" not in found


def test_windows() -> None:
    told = {
        "autoscaler": '{"scaleUpStabilizationWindowSeconds": "0", "scaleDownStabilizationWindowSeconds": "300"}'
    }
    rules = configured(told, domain="x", port=80, deployment_mode="Standard").rules
    assert rules.windows == Windows(scale_down=300, scale_up=0)
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 60}}
    config = made(rules.windows, autoScaling={"behavior": behavior})["advanced"][
        "horizontalPodAutoscalerConfig"
    ]
    assert config["behavior"] == {
        "scaleDown": {"stabilizationWindowSeconds": 60},
        "scaleUp": {"stabilizationWindowSeconds": 0},
    }
