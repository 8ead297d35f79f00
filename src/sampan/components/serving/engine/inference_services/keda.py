"""KEDA's ScaledObject of a component in mode Standard whose autoscaler class is `keda`. Pure; called by `standard`.

Source: kserve/kserve 0.20 pkg/controller/v1beta1/inferenceservice/reconcilers/keda/keda_reconciler.go. Not so here:
metrics by way of OpenTelemetry are refused, as nobody makes the collector that they need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api.kinds import SCALED_OBJECTS
from sampan.components.serving.engine.inference_services.spec import Component
from sampan.kube.meta import Object

_CPU_UTILIZATION = 80
_TARGETS = {"Utilization": "averageUtilization", "AverageValue": "averageValue", "Value": "value"}
_DIRECTIONS = ("scaleDown", "scaleUp")


@dataclass(frozen=True, slots=True)
class Windows:
    """For how long KEDA looks back, in seconds, where a component says nothing of it."""

    scale_down: int | None = None
    scale_up: int | None = None


def scaled_object(of: Component, metadata: Mapping[str, Any], windows: Windows) -> Object:
    """Of a Deployment of the component's own name. Raises ValueError for a metric that it cannot be scaled by."""
    told = of.spec.get("autoScaling")
    scaling = told if isinstance(told, Mapping) else {}
    least = of.spec.get("minReplicas")
    least = 1 if least is None else int(least)
    metrics = [each for each in scaling.get("metrics") or () if isinstance(each, Mapping)]
    spec: dict[str, Any] = {
        "scaleTargetRef": {"name": metadata["name"]},
        "triggers": [_trigger(each) for each in metrics],
        "minReplicaCount": least,
        "maxReplicaCount": max(int(of.spec.get("maxReplicas") or 0), least),
    }
    if behavior := _behavior(scaling, windows):
        spec["advanced"] = {"horizontalPodAutoscalerConfig": {"behavior": behavior}}
    return {
        "apiVersion": SCALED_OBJECTS.api_version,
        "kind": SCALED_OBJECTS.kind,
        "metadata": dict(metadata),
        "spec": spec,
    }


def _behavior(scaling: Mapping[str, Any], windows: Windows) -> dict[str, Any]:
    found = {}
    for direction, default in zip(_DIRECTIONS, (windows.scale_down, windows.scale_up), strict=True):
        rules = (scaling.get("behavior") or {}).get(direction) or {}
        told = rules.get("stabilizationWindowSeconds")
        if (seconds := default if told is None else int(told)) is not None:
            found[direction] = {"stabilizationWindowSeconds": seconds}
    return found


def _trigger(metric: Mapping[str, Any]) -> dict[str, Any]:
    match metric.get("type"):
        case "Resource":
            return _of_resource(metric.get("resource") or {})
        case "External":
            return _of_external(metric.get("external") or {})
        case other:
            raise ValueError(
                f"autoScaling.metrics: {other!r}: metrics by way of OpenTelemetry need a collector, which is not made; "
                "take Resource or External"
            )


def _of_resource(resource: Mapping[str, Any]) -> dict[str, Any]:
    name, target = str(resource.get("name") or ""), resource.get("target") or {}
    kind = str(target.get("type") or "")
    value = target.get(_TARGETS.get(kind, ""))
    if value is None and (name, kind) == ("cpu", "Utilization"):
        value = _CPU_UTILIZATION
    return {"type": name, "metricType": kind, "metadata": {"value": str(0 if value is None else value)}}


def _of_external(external: Mapping[str, Any]) -> dict[str, Any]:
    metric, target = external.get("metric") or {}, external.get("target") or {}
    access = external.get("authentication") or {}
    backend, value = str(metric.get("backend") or ""), target.get("value")
    metadata = {
        "serverAddress": str(metric.get("serverAddress") or ""),
        "query": str(metric.get("query") or ""),
        "threshold": str(0 if value is None else value),
    }
    if backend == "prometheus" and metric.get("namespace"):
        metadata["namespace"] = str(metric["namespace"])
    if access.get("authModes"):
        metadata["authModes"] = str(access["authModes"])
    trigger: dict[str, Any] = {"type": backend, "metadata": metadata}
    if name := (access.get("authenticationRef") or {}).get("name"):
        trigger["authenticationRef"] = {"name": str(name)}
    return trigger
