"""How much there is to be of a component: annotations for the autoscaler, and HorizontalPodAutoscalers.

Source: kserve/kserve 0.20 pkg/controller/v1alpha1/utils (SetAutoScalingAnnotations),
pkg/controller/v1beta1/inferenceservice/reconcilers/{hpa,autoscaler}; knative.dev/serving 1.22
pkg/reconciler/autoscaling/hpa/resources/hpa.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.engine.inference_services.spec import Component
from sampan.components.serving.engine.scaling.configuration import DEFAULTS
from sampan.components.serving.engine.scaling.validation import problems
from sampan.kube.kinds import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS
from sampan.kube.meta import Object

HPA, KPA, EXTERNAL, KEDA, NONE = "hpa", "kpa", "external", "keda", "none"
_CLASSES = (HPA, EXTERNAL, KEDA, NONE)
_CPU_UTILIZATION = 80
_ANY_INITIAL_SCALE = replace(DEFAULTS, allow_zero_initial_scale=True)
_DEFAULT_TARGETS = {"cpu": 80, "memory": 80}


def knative_annotations(of: Component, held: Mapping[str, str], *, zero_at_first: bool) -> dict[str, str]:
    """What the pods of a revision are annotated with: the spec's words come before those of `held`, but for the class.

    An initial scale that is no number, or 0 where that is not allowed (`zero_at_first`), is left out, as upstream does
    it. Raises ValueError for other annotations that Knative would refuse.
    """
    spec = of.spec
    if labels.INITIAL_SCALE in held:
        number = _whole(held, labels.INITIAL_SCALE, -1)
        if number < 0 or (number == 0 and not zero_at_first):
            held = {key: value for key, value in held.items() if key != labels.INITIAL_SCALE}
    least = spec.get("minReplicas")
    found = {
        labels.SCALING_CLASS: held.get(labels.SCALING_CLASS) or labels.KPA,
        labels.MIN_SCALE: "1" if least is None else str(least),
    }
    if spec.get("scaleTarget") is not None:
        found[labels.SCALING_TARGET] = str(spec["scaleTarget"])
    if spec.get("scaleMetric") is not None:
        found[labels.SCALING_METRIC] = str(spec["scaleMetric"])
    if spec.get("maxReplicas"):
        found[labels.MAX_SCALE] = str(spec["maxReplicas"])
    annotations = {**held, **found}
    if wrong := problems(annotations, _ANY_INITIAL_SCALE):
        raise ValueError("; ".join(wrong))
    return annotations


def first_replicas(annotations: Mapping[str, str]) -> int:
    """With how many pods a revision begins. Afterwards its autoscaler decides."""
    initial, least = _whole(annotations, labels.INITIAL_SCALE, 1), _whole(annotations, labels.MIN_SCALE, 0)
    return max(initial, least)


def needed_replicas(annotations: Mapping[str, str]) -> int:
    """Ready pods with which a new revision counts as ready."""
    return 1 if first_replicas(annotations) else 0


def autoscaler_class(annotations: Mapping[str, str]) -> str:
    """In mode Standard. Raises ValueError for one that there is not."""
    wanted = annotations.get(labels.AUTOSCALER_CLASS) or HPA
    if wanted not in _CLASSES:
        raise ValueError(f"annotation {labels.AUTOSCALER_CLASS}: {wanted!r} is none of {', '.join(_CLASSES)}")
    return wanted


def autoscaler(of: Component, metadata: Mapping[str, Any]) -> Object:
    """Of a Deployment of the component's own name."""
    least = max(int(of.spec.get("minReplicas") or 0), 1)
    spec = {
        "scaleTargetRef": {
            "apiVersion": DEPLOYMENTS.api_version,
            "kind": DEPLOYMENTS.kind,
            "name": metadata["name"],
        },
        "minReplicas": least,
        "maxReplicas": max(int(of.spec.get("maxReplicas") or 0), least),
        "metrics": _metrics(of.spec),
        # Said or not, so that the API fills it in, as it does for upstream's.
        "behavior": (of.spec.get("autoScaling") or {}).get("behavior") or {},
    }
    return _object(metadata, spec)


def revision_autoscaler(
    annotations: Mapping[str, str], metadata: Mapping[str, Any], deployment: str
) -> Object:
    """Of a revision whose class is Kubernetes' own autoscaler."""
    least = max(_whole(annotations, labels.MIN_SCALE, 1), 1)
    metric = annotations.get(labels.SCALING_METRIC) or "cpu"
    spec: dict[str, Any] = {
        "scaleTargetRef": {
            "apiVersion": DEPLOYMENTS.api_version,
            "kind": DEPLOYMENTS.kind,
            "name": deployment,
        },
        "minReplicas": least,
        "maxReplicas": max(_whole(annotations, labels.MAX_SCALE, 0) or 2**31 - 1, least),
    }
    target = _whole(annotations, labels.SCALING_TARGET, _DEFAULT_TARGETS.get(metric, 0))
    if metric == "memory":
        aim = {"type": "AverageValue", "averageValue": f"{target}Mi"}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": metric, "target": aim}}]
    elif metric == "cpu":
        spec["metrics"] = [_utilization(metric, target)]
    return _object(metadata, spec)


def _object(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Object:
    return {
        "apiVersion": HORIZONTAL_POD_AUTOSCALERS.api_version,
        "kind": HORIZONTAL_POD_AUTOSCALERS.kind,
        "metadata": dict(metadata),
        "spec": dict(spec),
    }


def _metrics(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    told = spec.get("autoScaling")
    if isinstance(told, Mapping):
        found = [each.get("resource") for each in told.get("metrics") or () if isinstance(each, Mapping)]
        return [
            _metric(each)
            for each in found
            if isinstance(each, Mapping) and each.get("name") in _DEFAULT_TARGETS
        ]
    name, target = str(spec.get("scaleMetric") or "cpu"), spec.get("scaleTarget")
    if name == "cpu":
        return [_utilization(name, _CPU_UTILIZATION if target is None else int(target))]
    if name == "memory" and target is not None:
        return [_utilization(name, int(target))]
    return []


def _metric(resource: Mapping[str, Any]) -> dict[str, Any]:
    name, target = str(resource.get("name") or ""), resource.get("target") or {}
    if name == "cpu" or target.get("type") == "Utilization":
        aim = target.get("averageUtilization")
        return _utilization(name, _CPU_UTILIZATION if aim is None else int(aim))
    value = {"type": "AverageValue", "averageValue": str(target.get("averageValue") or "0")}
    return {"type": "Resource", "resource": {"name": name, "target": value}}


def _utilization(name: str, percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": name, "target": target}}


def _whole(annotations: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(annotations[name])
    except (KeyError, ValueError):
        return default
