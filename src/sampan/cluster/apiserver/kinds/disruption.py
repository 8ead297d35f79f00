"""policy/v1 PodDisruptionBudget, and autoscaling/v2 HorizontalPodAutoscaler, on which nothing acts.

Source: kubernetes/pkg/apis/{policy,autoscaling}/{v1,v2}/defaults.go, pkg/apis/{policy,autoscaling}/validation,
pkg/registry/{policy,autoscaling}/*/strategy.go, pkg/printers/internalversion/printers.go, v1.34.
"""

from __future__ import annotations

from datetime import datetime

from sampan.cluster.apiserver.kinds.templates import read, validate_selector
from sampan.cluster.apiserver.strategy import Column, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import intstr, meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import HORIZONTAL_POD_AUTOSCALERS, POD_DISRUPTION_BUDGETS
from sampan.kube.meta import Object

_EVICTION_POLICIES = ("AlwaysAllow", "IfHealthyBudget")
_SELECT_POLICIES = ("Disabled", "Max", "Min")


def _prepare_budget(budget: Object) -> None:
    budget["status"] = {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}


def _default_budget(budget: Object) -> None:
    budget.setdefault("spec", {})


def _validate_budget(budget: Object, errors: FieldErrors) -> None:
    spec = budget["spec"]
    if "minAvailable" in spec and "maxUnavailable" in spec:
        errors.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for key in ("minAvailable", "maxUnavailable"):
        if key in spec:
            errors.each(f"spec.{key}", spec[key], intstr.problems(spec[key], at_most_all=True))
    if spec.get("selector"):
        validate_selector(spec["selector"], "spec.selector", errors)
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy and policy not in _EVICTION_POLICIES:
        errors.unsupported("spec.unhealthyPodEvictionPolicy", policy, _EVICTION_POLICIES)


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
    target = spec.get("scaleTargetRef") or {}
    for key in ("kind", "name"):
        if not target.get(key):
            errors.required(f"spec.scaleTargetRef.{key}")
    least, most = spec["minReplicas"], spec.get("maxReplicas") or 0
    if least < 1:
        errors.invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        errors.invalid("spec.maxReplicas", most, "must be greater than 0")
    elif most < least:
        errors.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    for direction in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(direction) or {}
        policy = rules.get("selectPolicy")
        if policy and policy not in _SELECT_POLICIES:
            errors.unsupported(f"spec.behavior.{direction}.selectPolicy", policy, _SELECT_POLICIES)


def _reference(autoscaler: Object, _: datetime) -> str:
    target = meta.spec(autoscaler)["scaleTargetRef"]
    return f"{target['kind']}/{target['name']}"


def _targets(autoscaler: Object, _: datetime) -> str:
    """The first three metrics; nobody measures, so that the current value is what the status says, if anything."""
    metrics = meta.spec(autoscaler).get("metrics") or []
    current = meta.status(autoscaler).get("currentMetrics") or []
    shown = [
        _target(metric, current[at] if at < len(current) else {}) for at, metric in enumerate(metrics[:3])
    ]
    more = f" + {len(metrics) - 3} more..." if len(metrics) > 3 else ""
    return ", ".join(shown) + more if shown else "<none>"


def _target(metric: Object, current: Object) -> str:
    kind = str(metric["type"])
    key = kind[:1].lower() + kind[1:]
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
"""Version v2, which is stored; `versions` adds v1."""
STRATEGIES = (
    Strategy(
        resource=POD_DISRUPTION_BUDGETS,
        default=_default_budget,
        prepare_create=_prepare_budget,
        validate=_validate_budget,
        generations=True,
        columns=(
            NAME,
            Column("Min Available", read("spec.minAvailable", "N/A")),
            Column("Max Unavailable", read("spec.maxUnavailable", "N/A")),
            Column("Allowed Disruptions", read("status.disruptionsAllowed"), type="integer"),
            AGE,
        ),
    ),
    AUTOSCALERS,
)
