"""autoscaling/v2 HorizontalPodAutoscaler. Version v2 is stored; `versions` adds v1. Acted on by `workloads.hpa`.

Source: kubernetes/pkg/apis/autoscaling/v2/defaults.go, pkg/apis/autoscaling/validation/validation.go,
pkg/registry/autoscaling/horizontalpodautoscaler/strategy.go, pkg/printers/internalversion/printers.go, v1.34.
"""

from __future__ import annotations

from datetime import datetime

from sampan.cluster.apiserver.kinds.templates import read
from sampan.cluster.apiserver.strategy import Column, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import meta, names, quantities
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import HORIZONTAL_POD_AUTOSCALERS
from sampan.kube.meta import Object

_SELECT_POLICIES = ("Disabled", "Max", "Min")
_POLICIES = ("Percent", "Pods")
_LONGEST_WINDOW, _LONGEST_PERIOD = 3600, 1800
_SOURCES = ("ContainerResource", "External", "Object", "Pods", "Resource")
_OF_RESOURCES = (
    ("averageUtilization", "averageValue"),
    "must set either a target raw value or a target utilization",
    "may not set both a target raw value and a target utilization",
)
_TARGETS = {
    "Resource": _OF_RESOURCES,
    "ContainerResource": _OF_RESOURCES,
    "Pods": (("averageValue",), "must specify a positive target averageValue", ""),
    "Object": (("averageValue", "value"), "must set either a target value or averageValue", ""),
    "External": (
        ("averageValue", "value"),
        "must set either a target value for metric or a per-pod target",
        "may not set both a target value for metric and a per-pod target",
    ),
}
"""What of a target must be there, why, and why not more than one of them."""


def _default_autoscaler(autoscaler: Object) -> None:
    spec = autoscaler.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is None:
        return
    up, down = behavior.setdefault("scaleUp", {}), behavior.setdefault("scaleDown", {})
    up.setdefault("stabilizationWindowSeconds", 0)
    for rules in (up, down):
        rules.setdefault("selectPolicy", "Max")
    if not up.get("policies"):
        up["policies"] = [
            {"type": "Pods", "value": 4, "periodSeconds": 15},
            {"type": "Percent", "value": 100, "periodSeconds": 15},
        ]
    if not down.get("policies"):
        down["policies"] = [{"type": "Percent", "value": 100, "periodSeconds": 15}]


def _prepare_autoscaler(autoscaler: Object) -> None:
    autoscaler["status"] = {"desiredReplicas": 0}


def _validate_autoscaler(autoscaler: Object, errors: FieldErrors) -> None:
    spec = autoscaler["spec"]
    _validate_reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef", errors)
    least, most = spec["minReplicas"], spec.get("maxReplicas") or 0
    if least < 1:
        errors.invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        errors.invalid("spec.maxReplicas", most, "must be greater than 0")
    elif most < least:
        errors.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    for at, metric in enumerate(spec.get("metrics") or ()):
        _validate_metric(metric, f"spec.metrics[{at}]", errors)
    for direction in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(direction)
        if rules is not None:
            _validate_rules(rules, f"spec.behavior.{direction}", errors)


def _validate_reference(reference: Object, path: str, errors: FieldErrors) -> None:
    for key in ("kind", "name"):
        _validate_segment(reference, key, path, "", errors)


def _validate_segment(holder: Object, key: str, path: str, why: str, errors: FieldErrors) -> None:
    name = holder.get(key)
    if not name or not isinstance(name, str):
        errors.required(f"{path}.{key}", why)
    else:
        errors.each(f"{path}.{key}", name, names.path_segment(name))


def _validate_metric(metric: Object, path: str, errors: FieldErrors) -> None:
    kind = str(metric.get("type") or "")
    if not kind:
        errors.required(f"{path}.type", "must specify a metric source type")
    if kind not in _SOURCES:
        errors.unsupported(f"{path}.type", kind, tuple(_SOURCES))
    expected = _field(kind)
    present = [key for key in (_field(each) for each in _SOURCES) if metric.get(key) is not None]
    if kind in _SOURCES and expected not in present:
        errors.required(f"{path}.{expected}", "must populate information for the given metric source")
    for key in present:
        if key != expected and len(present) > 1:
            errors.forbidden(f"{path}.{key}", "must populate the given metric source only")
    if expected in present and kind in _SOURCES:
        _validate_source(_part(metric, expected), kind, f"{path}.{expected}", errors)


def _validate_source(source: Object, kind: str, path: str, errors: FieldErrors) -> None:
    if kind in ("Resource", "ContainerResource"):
        if not source.get("name") or not isinstance(source["name"], str):
            errors.required(f"{path}.name", "must specify a resource name")
        if kind == "ContainerResource" and not isinstance(source.get("container") or 0, str):
            errors.required(f"{path}.container", "must specify a container")
    else:
        _validate_segment(
            _part(source, "metric"), "name", f"{path}.metric", "must specify a metric name", errors
        )
        if kind == "Object":
            _validate_reference(_part(source, "describedObject"), f"{path}.describedObject", errors)
    target = _part(source, "target")
    _validate_target(target, f"{path}.target", errors)
    given = {key for key in ("value", "averageValue", "averageUtilization") if target.get(key) is not None}
    needed, why, both = _TARGETS[kind]
    if not given & set(needed):
        errors.required(f"{path}.target.{needed[0]}", why)
    elif both and given >= set(needed):
        errors.forbidden(f"{path}.target.{needed[1]}", both)


def _validate_target(target: Object, path: str, errors: FieldErrors) -> None:
    kind = target.get("type")
    if not kind:
        errors.required(f"{path}.type", "must specify a metric target type")
    elif kind not in ("Utilization", "Value", "AverageValue"):
        errors.invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue")
    for key in ("value", "averageValue"):
        if target.get(key) is not None and not _is_positive(target[key]):
            errors.invalid(f"{path}.{key}", target[key], "must be positive")
    utilization = target.get("averageUtilization")
    if utilization is not None and _whole(utilization) < 1:
        errors.invalid(f"{path}.averageUtilization", utilization, "must be greater than 0")


def _is_positive(quantity: str | int | float, *, zero: bool = False) -> bool:
    try:
        value = quantities.parse(quantity)
        return value > 0 or (zero and value == 0)
    except ValueError:
        return False


def _validate_rules(rules: Object, path: str, errors: FieldErrors) -> None:
    window = _whole(rules.get("stabilizationWindowSeconds") or 0)
    if window < 0:
        errors.invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window > _LONGEST_WINDOW:
        text = f"must be less than or equal to {_LONGEST_WINDOW}"
        errors.invalid(f"{path}.stabilizationWindowSeconds", window, text)
    choice = rules.get("selectPolicy")
    if choice and choice not in _SELECT_POLICIES:
        errors.unsupported(f"{path}.selectPolicy", choice, _SELECT_POLICIES)
    tolerance = rules.get("tolerance")
    if tolerance is not None and not _is_positive(tolerance, zero=True):
        errors.invalid(f"{path}.tolerance", tolerance, "must be greater than or equal to 0")
    policies = rules.get("policies")
    if not isinstance(policies, list):
        errors.required(f"{path}.policies", "must specify at least one Policy")
        return
    for at, policy in enumerate(policies):
        _validate_policy(policy if isinstance(policy, dict) else {}, f"{path}.policies[{at}]", errors)


def _validate_policy(policy: Object, path: str, errors: FieldErrors) -> None:
    if policy.get("type") not in _POLICIES:
        errors.unsupported(f"{path}.type", policy.get("type") or "", _POLICIES)
    for key in ("value", "periodSeconds"):
        if _whole(policy.get(key)) <= 0:
            errors.invalid(f"{path}.{key}", policy.get(key) or 0, "must be greater than zero")
    if _whole(policy.get("periodSeconds")) > _LONGEST_PERIOD:
        text = f"must be less than or equal to {_LONGEST_PERIOD}"
        errors.invalid(f"{path}.periodSeconds", policy["periodSeconds"], text)


def _part(holder: Object, key: str) -> Object:
    """What stood in an annotation of v1 may be anything."""
    value = holder.get(key)
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _field(kind: str) -> str:
    return kind[:1].lower() + kind[1:]


def _reference(autoscaler: Object, _: datetime) -> str:
    target = meta.spec(autoscaler)["scaleTargetRef"]
    return f"{target['kind']}/{target['name']}"


def _targets(autoscaler: Object, _: datetime) -> str:
    """The first three metrics, as they were and as they are to be."""
    metrics = meta.spec(autoscaler).get("metrics") or []
    current = meta.status(autoscaler).get("currentMetrics") or []
    shown = [
        _target(metric, current[at] if at < len(current) else {}) for at, metric in enumerate(metrics[:3])
    ]
    more = f" + {len(metrics) - 3} more..." if len(metrics) > 3 else ""
    return ", ".join(shown) + more if shown else "<none>"


def _target(metric: Object, current: Object) -> str:
    kind = str(metric["type"])
    key = _field(kind)
    wanted, found = metric[key], current.get(key) or {}
    target, value = wanted["target"], found.get("current") or {}
    if "averageUtilization" in target:
        seen = value.get("averageUtilization")
        text = f"{'<unknown>' if seen is None else f'{seen}%'}/{target['averageUtilization']}%"
    elif "averageValue" in target:
        text = f"{value.get('averageValue', '<unknown>')}/{target['averageValue']}"
        if kind in ("External", "Object"):
            text += " (avg)"
    else:
        text = f"{value.get('value', '<unknown>')}/{target.get('value')}"
    return f"{wanted['name']}: {text}" if kind in ("Resource", "ContainerResource") else text


AUTOSCALERS = Strategy(
    resource=HORIZONTAL_POD_AUTOSCALERS,
    default=_default_autoscaler,
    prepare_create=_prepare_autoscaler,
    validate=_validate_autoscaler,
    columns=(
        NAME,
        Column("Reference", _reference),
        Column("Targets", _targets),
        Column("MinPods", read("spec.minReplicas", "<unset>")),
        Column("MaxPods", read("spec.maxReplicas"), type="integer"),
        Column("Replicas", read("status.currentReplicas"), type="integer"),
        AGE,
    ),
)
