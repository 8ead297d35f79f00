"""PodGroups, of whose pods all start or none: the coscheduling plugin's and Volcano's. `cluster.scheduler` acts.

Source: kubernetes-sigs/scheduler-plugins apis/scheduling/v1alpha1/types.go, v0.32; volcano-sh/apis
pkg/apis/scheduling/v1beta1/types.go and its custom resource definition, v1.12.
"""

from __future__ import annotations

from sampan.cluster.apiserver.kinds.templates import read
from sampan.cluster.apiserver.strategy import Column, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import quantities
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import POD_GROUPS, VOLCANO_POD_GROUPS
from sampan.kube.meta import Object


def _default(group: Object) -> None:
    group.setdefault("spec", {})


def _default_volcano(group: Object) -> None:
    spec = group.setdefault("spec", {})
    spec.setdefault("queue", "default")
    spec.setdefault("minMember", 1)


def _prepare(group: Object) -> None:
    group["status"] = {}


def _prepare_volcano(group: Object) -> None:
    group["status"] = {"phase": "Pending"}


def _validate(group: Object, errors: FieldErrors) -> None:
    spec = group["spec"]
    least = spec.get("minMember")
    if least is not None and least < 1:
        errors.invalid("spec.minMember", least, "spec.minMember in body should be greater than or equal to 1")
    _validate_resources(spec, errors)


def _validate_resources(spec: Object, errors: FieldErrors) -> None:
    for name, quantity in (spec.get("minResources") or {}).items():
        try:
            quantities.parse(quantity)
        except ValueError as error:
            errors.invalid(f"spec.minResources.{name}", quantity, str(error))


def _validate_volcano(group: Object, errors: FieldErrors) -> None:
    _validate_resources(group["spec"], errors)


STRATEGIES = (
    Strategy(
        resource=POD_GROUPS,
        default=_default,
        prepare_create=_prepare,
        validate=_validate,
        generations=True,
        columns=(
            NAME,
            Column("Phase", read("status.phase", "")),
            Column("MinMember", read("spec.minMember", ""), type="integer"),
            Column("Running", read("status.running", ""), type="integer"),
            Column("Succeeded", read("status.succeeded", ""), type="integer"),
            Column("Failed", read("status.failed", ""), type="integer"),
            AGE,
        ),
    ),
    Strategy(
        resource=VOLCANO_POD_GROUPS,
        default=_default_volcano,
        prepare_create=_prepare_volcano,
        validate=_validate_volcano,
        generations=True,
        columns=(
            NAME,
            Column("STATUS", read("status.phase", "")),
            Column("minMember", read("spec.minMember", ""), type="integer"),
            Column("RUNNINGS", read("status.running", ""), type="integer"),
            AGE,
            Column("QUEUE", read("spec.queue", ""), priority=1),
        ),
    ),
)
