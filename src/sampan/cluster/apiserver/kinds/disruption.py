"""policy/v1 PodDisruptionBudget.

Source: kubernetes/pkg/apis/policy/v1/defaults.go, pkg/apis/policy/validation, pkg/registry/policy/*/strategy.go,
pkg/printers/internalversion/printers.go, v1.34.
"""

from __future__ import annotations

from sampan.cluster.apiserver.kinds.templates import read, validate_selector
from sampan.cluster.apiserver.strategy import Column, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import intstr
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import POD_DISRUPTION_BUDGETS
from sampan.kube.meta import Object

_EVICTION_POLICIES = ("AlwaysAllow", "IfHealthyBudget")


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
)
