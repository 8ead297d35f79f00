"""By what a component may be scaled, in which mode. For `services`.

Source: kserve/kserve 0.20 pkg/apis/serving/v1beta1/inference_service_validation.go (validateAutoScalingCompExtension
and below).
"""

from __future__ import annotations

from collections.abc import Mapping

from sampan.components.serving.api.labels import (
    AUTOSCALER_CLASS,
    DEPLOYMENT_MODE,
    HPA,
    SCALING_CLASS,
    STANDARD,
)
from sampan.components.serving.api.reading import child, mappings, text, whole
from sampan.kube import quantities
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_UTILIZATION = "the target utilization percentage should be a [1-100] integer"
_VALUES = {"Utilization": "averageUtilization", "AverageValue": "averageValue", "Value": "value"}
_MEBIBYTE = "1Mi"


def check(component: Object, annotations: Mapping[str, str], at: str, errors: FieldErrors) -> None:
    if annotations.get(DEPLOYMENT_MODE) == STANDARD:
        match annotations.get(AUTOSCALER_CLASS):
            case "hpa":
                _check_hpa(component, at, errors)
            case "keda":
                _check_keda(component, at, errors)
    elif annotations.get(SCALING_CLASS) == HPA:
        _check_hpa(component, at, errors)
    else:
        _check_kpa(component, at, errors)


def _check_kpa(component: Object, at: str, errors: FieldErrors) -> None:
    if component.get("deploymentStrategy") is not None:
        errors.forbidden(
            f"{at}.deploymentStrategy",
            "customizing deploymentStrategy is only supported for raw deployment mode: annotate the InferenceService"
            f" with {DEPLOYMENT_MODE}: {STANDARD}",
        )
    metric = component.get("scaleMetric")
    if metric is not None and metric not in ("concurrency", "rps"):
        errors.invalid(
            f"{at}.scaleMetric",
            metric,
            f"[{metric}] is not a supported metric: in this mode take concurrency or rps, or annotate the"
            f" InferenceService with {SCALING_CLASS}: {HPA}",
        )
    target = whole(component.get("scaleTarget"))
    if metric == "rps" and target is not None and target < 1:
        errors.invalid(f"{at}.scaleTarget", target, "the target for rps should be greater than 1")


def _check_hpa(component: Object, at: str, errors: FieldErrors) -> None:
    metric = component.get("scaleMetric")
    if metric is not None and metric not in ("cpu", "memory"):
        errors.invalid(
            f"{at}.scaleMetric", metric, f"[{metric}] is not a supported metric: take cpu or memory"
        )
    target = whole(component.get("scaleTarget"))
    if target is not None:
        if target > 100 or (metric in (None, "cpu") and target < 1):
            errors.invalid(f"{at}.scaleTarget", target, _UTILIZATION)
        elif metric == "memory" and target < 1:
            errors.invalid(f"{at}.scaleTarget", target, "the target memory should be greater than 1 MiB")
    for index, each in enumerate(mappings(child(component, "autoScaling").get("metrics"))):
        here = f"{at}.autoScaling.metrics[{index}]"
        if each.get("type") != "Resource":
            errors.invalid(
                f"{here}.type",
                each.get("type"),
                f"invalid HPA metric source type with value [{text(each.get('type'))}],valid metric source types are"
                " Resource",
            )
        elif not isinstance(each.get("resource"), dict):
            errors.required(
                f"{here}.resource", "metricSpec.Resource is not set for resource metric source type"
            )


def _check_keda(component: Object, at: str, errors: FieldErrors) -> None:
    if component.get("scaleMetric") is not None:
        errors.forbidden(
            f"{at}.scaleMetric", "ScaleMetric is not supported for KEDA: write autoScaling.metrics"
        )
    for index, each in enumerate(mappings(child(component, "autoScaling").get("metrics"))):
        here = f"{at}.autoScaling.metrics[{index}]"
        match each.get("type"):
            case "Resource":
                _check_resource(each.get("resource"), f"{here}.resource", errors)
            case "External":
                _check_queried(each.get("external"), f"{here}.external", "External", errors)
            case "PodMetric":
                _check_queried(each.get("podmetric"), f"{here}.podmetric", "PodMetric", errors)
            case other:
                errors.invalid(
                    f"{here}.type",
                    other,
                    f"unknown KEDA metric type with value [{text(other)}].Valid types are Resource,External,PodMetric",
                )


def _check_resource(resource: object, at: str, errors: FieldErrors) -> None:
    if not isinstance(resource, dict):
        errors.required(at, "metricSpec.Resource is not set for resource metric source type")
        return
    target = child(resource, "target")
    kind, name = target.get("type"), resource.get("name")
    if name == "cpu" and kind != "Utilization":
        errors.invalid(f"{at}.target.type", kind, "the cpu target value type should be Utilization")
    elif name == "memory" and kind not in ("AverageValue", "Utilization"):
        errors.invalid(
            f"{at}.target.type", kind, "the memory target value type should be AverageValue or Utilization"
        )
    elif name == "memory" and kind == "AverageValue" and _is_below(target.get("averageValue"), _MEBIBYTE):
        errors.invalid(
            f"{at}.target.averageValue",
            target.get("averageValue"),
            "the memory target value should be greater than 1 MiB",
        )
    elif name not in ("cpu", "memory"):
        errors.invalid(f"{at}.name", name, f"resource type {text(name)} is not supported")
    _check_target(target, f"{at}.target", errors)


def _check_queried(source: object, at: str, kind: str, errors: FieldErrors) -> None:
    if not isinstance(source, dict):
        errors.required(at, f"metricSpec.{kind} is not set for {kind.lower()} metric source type")
        return
    if not text(child(source, "metric").get("query")):
        errors.required(f"{at}.metric.query", "the query should not be empty")
    target = child(source, "target")
    if target.get("value") is None:
        errors.required(f"{at}.target.value", "the target threshold value should not be empty")
    _check_target(target, f"{at}.target", errors)


def _check_target(target: Object, at: str, errors: FieldErrors) -> None:
    kind = text(target.get("type"))
    field = _VALUES.get(kind)
    if field is None:
        return
    if target.get(field) is None:
        errors.required(f"{at}.{field}", f"the {field[0].upper()}{field[1:]} type should be set")
        return
    percent = whole(target.get(field))
    if kind == "Utilization" and percent is not None and not 1 <= percent <= 100:
        errors.invalid(f"{at}.{field}", percent, _UTILIZATION)


def _is_below(amount: object, limit: str) -> bool:
    try:
        return isinstance(amount, (str, int)) and quantities.compare(amount, limit) < 0
    except ValueError:
        return False
