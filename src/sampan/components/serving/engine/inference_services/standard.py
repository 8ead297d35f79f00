"""Mode Standard: Deployment, Service and HorizontalPodAutoscaler of a component, plain Kubernetes. Pure.

Source: kserve/kserve 0.20 pkg/controller/v1beta1/inferenceservice/reconcilers/{deployment,service,raw}.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.components.serving.api.labels import PREDICTOR
from sampan.components.serving.engine.inference_services import keda, names, pods, scaling
from sampan.components.serving.engine.inference_services.keda import Windows
from sampan.components.serving.engine.inference_services.spec import Component
from sampan.kube import meta
from sampan.kube.kinds import DEPLOYMENTS, SERVICES
from sampan.kube.meta import Object

_ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
_HISTORY, _PROGRESS_SECONDS = 10, 600
DIGEST = "sampan.dev/template"
"""An annotation of pods: of which template they are."""
_OF_SCALING = ("maxReplicas", "scaleTarget", "scaleMetric", "scaleMetricType", "autoScaling")


@dataclass(frozen=True, slots=True)
class Rules:
    """What `inferenceservice-config` says of mode Standard."""

    is_headless: bool = False
    """Whether Services have no address of their own."""
    max_surge: str = ""
    max_unavailable: str = ""
    windows: Windows = field(default_factory=Windows)


@dataclass(frozen=True, slots=True)
class Wanted:
    deployment: Object
    service: Object
    autoscaler: Object | None
    scaled_object: Object | None
    """KEDA's."""
    replicas: int | None
    """None where an autoscaler decides."""


def canaries(isvc: Object, stable: Component) -> tuple[Component, ...]:
    """Of `spec.canary`: what each says overrides the predictor's, at a fixed number of replicas."""
    found = []
    for each in meta.spec(isvc).get("canary") or ():
        told = each.get("predictor") if isinstance(each, Mapping) else None
        variant = str(told.get("name") or "") if isinstance(told, Mapping) else ""
        if isinstance(told, Mapping) and variant:
            merged = _overridden(stable.spec, told)
            for key in _OF_SCALING:
                merged.pop(key, None)
            merged["minReplicas"] = canary_replicas(stable, each)
            name = names.component_name(meta.name(isvc), PREDICTOR, variant)
            found.append(Component(PREDICTOR, merged, name, canary=variant))
    return tuple(found)


def canary_replicas(stable: Component, canary: Mapping[str, Any]) -> int:
    told = (canary.get("predictor") or {}).get("minReplicas")
    if told is not None:
        return int(told)
    least = stable.spec.get("minReplicas")
    return math.ceil((1 if least is None else int(least)) * int(canary.get("trafficPercent") or 0) / 100)


def beside_canaries(stable: Component, found: tuple[Component, ...]) -> Component:
    """The predictor with as many replicas less as its canaries have."""
    least = stable.spec.get("minReplicas")
    if not found or least is None:
        return stable
    rest = int(least) - sum(int(each.spec["minReplicas"]) for each in found)
    return Component(stable.kind, {**stable.spec, "minReplicas": max(rest, 1)}, stable.name, stable.canary)


def objects(isvc: Object, component: Component, injected: Object, rules: Rules) -> Wanted:
    """`injected` is the component's template as pods get it. Raises ValueError for an autoscaler that there is not."""
    annotations = meta.annotations(injected)
    class_ = scaling.NONE if component.canary else scaling.autoscaler_class(annotations)
    held = {"app": names.app_label(component.name), **meta.labels(injected)}
    held["app"] = names.app_label(component.name)
    metadata = {
        "name": component.name,
        "namespace": meta.namespace(isvc),
        "labels": held,
        "annotations": annotations,
    }
    least = component.spec.get("minReplicas")
    replicas = (1 if least is None else int(least)) if class_ == scaling.NONE else None
    autoscaler = scaling.autoscaler(component, metadata) if class_ == scaling.HPA else None
    by_keda = keda.scaled_object(component, metadata, rules.windows) if class_ == scaling.KEDA else None
    return Wanted(
        _deployment(component, metadata, injected, rules),
        _service(component, metadata, meta.spec(injected), rules),
        autoscaler,
        by_keda,
        replicas,
    )


def _deployment(component: Component, metadata: Mapping[str, Any], injected: Object, rules: Rules) -> Object:
    strategy = component.spec.get("deploymentStrategy") or _strategy(rules)
    return {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": copy.deepcopy(dict(metadata)),
        "spec": {
            "selector": {"matchLabels": {"app": metadata["labels"]["app"]}},
            "strategy": strategy,
            "revisionHistoryLimit": _HISTORY,
            "progressDeadlineSeconds": _PROGRESS_SECONDS,
            "template": {
                "metadata": {
                    "labels": dict(metadata["labels"]),
                    "annotations": {**metadata["annotations"], DIGEST: _digest(metadata, injected)},
                },
                "spec": meta.spec(injected),
            },
        },
    }


def _digest(metadata: Mapping[str, Any], injected: Object) -> str:
    told = [metadata["labels"], metadata["annotations"], meta.spec(injected)]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _strategy(rules: Rules) -> dict[str, Any]:
    rolling: Any = copy.deepcopy(_ROLLING)
    if rules.max_surge:
        rolling["rollingUpdate"]["maxSurge"] = rules.max_surge
    if rules.max_unavailable:
        rolling["rollingUpdate"]["maxUnavailable"] = rules.max_unavailable
    return dict(rolling)


def _service(
    component: Component, metadata: Mapping[str, Any], spec: Mapping[str, Any], rules: Rules
) -> Object:
    wanted: dict[str, Any] = {
        "selector": {"app": metadata["labels"]["app"]},
        "ports": pods.ports(component, pods.main_container(spec), component.name),
    }
    if rules.is_headless:
        wanted["clusterIP"] = "None"
    return {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": copy.deepcopy(dict(metadata)),
        "spec": wanted,
    }


def _overridden(stable: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Maps are merged, anything else is replaced (dario.cat/mergo, WithOverride)."""
    merged = copy.deepcopy(dict(stable))
    for key, value in told.items():
        held = merged.get(key)
        if isinstance(held, dict) and isinstance(value, Mapping):
            merged[key] = _overridden(held, value)
        elif value not in (None, "", [], {}):
            merged[key] = copy.deepcopy(value)
    return merged
