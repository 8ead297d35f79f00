"""apps/v1: Deployment, ReplicaSet, StatefulSet, DaemonSet, ControllerRevision.

Source: kubernetes/pkg/apis/apps/v1/defaults.go, pkg/apis/apps/validation/validation.go,
pkg/registry/apps/*/strategy.go, pkg/printers/internalversion/printers.go, v1.33.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sampan.cluster.apiserver.kinds.templates import (
    SELECTOR,
    WIDE,
    count,
    default_template,
    non_negative,
    read,
    validate_always,
    validate_set,
)
from sampan.cluster.apiserver.strategy import Column, ScalePaths, SelectableField, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import intstr, kinds, meta, owners
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

ROLLING_UPDATE, RECREATE, ON_DELETE = "RollingUpdate", "Recreate", "OnDelete"
_SCALE = ScalePaths(selector="spec.selector")
_IMMUTABLE = "field is immutable"


def _default_common(obj: Object, **defaults: Any) -> Object:
    spec: Object = obj.setdefault("spec", {})
    for key, value in defaults.items():
        if spec.get(key) is None:
            spec[key] = value
    default_template(spec)
    return spec


def _default_deployment(obj: Object) -> None:
    spec = _default_common(obj, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec.setdefault("strategy", {})
    strategy["type"] = strategy.get("type") or ROLLING_UPDATE
    if strategy["type"] == ROLLING_UPDATE:
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")


def _default_replica_set(obj: Object) -> None:
    spec = _default_common(obj, replicas=1)
    # Where no labels are given, those of the template count.
    if not meta.labels(obj) and (labels := meta.labels(spec["template"])):
        obj["metadata"]["labels"] = dict(labels)


def _default_stateful_set(obj: Object) -> None:
    spec = _default_common(obj, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    strategy["type"] = strategy.get("type") or ROLLING_UPDATE
    if strategy["type"] == ROLLING_UPDATE:
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    for key in ("whenDeleted", "whenScaled"):
        retention[key] = retention.get(key) or "Retain"
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
        claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
        claim.setdefault("status", {"phase": "Pending"})


def _default_daemon_set(obj: Object) -> None:
    spec = _default_common(obj, revisionHistoryLimit=10)
    strategy = spec.setdefault("updateStrategy", {})
    strategy["type"] = strategy.get("type") or ROLLING_UPDATE
    if strategy["type"] == ROLLING_UPDATE:
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)


def _count_annotations(new: Object, old: Object, _now: str) -> None:
    """Annotations of a Deployment reach its ReplicaSets: they count as a change of what is wanted."""
    if meta.annotations(new) != meta.annotations(old):
        new["metadata"]["generation"] = meta.generation(old) + 1


def _status(**first: int) -> Any:
    def prepare(obj: Object) -> None:
        obj["status"] = dict(first)

    return prepare


def _validate_deployment(obj: Object, errors: FieldErrors) -> None:
    spec = obj["spec"]
    keys = ("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    non_negative(spec, keys, "spec", errors)
    validate_set(spec, "empty selector is invalid for deployment", errors)
    validate_always(spec["template"], "activeDeadlineSeconds in ReplicaSet is not Supported", errors)
    _validate_deployment_strategy(spec["strategy"], errors)
    deadline = spec["progressDeadlineSeconds"]
    if deadline <= (spec.get("minReadySeconds") or 0):
        errors.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def _validate_deployment_strategy(strategy: Object, errors: FieldErrors) -> None:
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] == RECREATE:
        if rolling is not None:
            detail = f"may not be specified when strategy `type` is '{RECREATE}'"
            errors.forbidden("spec.strategy.rollingUpdate", detail)
    elif strategy["type"] == ROLLING_UPDATE:
        _validate_rolling(rolling, "spec.strategy.rollingUpdate", errors)
    else:
        errors.unsupported("spec.strategy", strategy, (RECREATE, ROLLING_UPDATE))


def _validate_rolling(rolling: Any, path: str, errors: FieldErrors) -> None:
    unavailable, surge = rolling["maxUnavailable"], rolling["maxSurge"]
    errors.each(f"{path}.maxUnavailable", unavailable, intstr.problems(unavailable, at_most_all=True))
    errors.each(f"{path}.maxSurge", surge, intstr.problems(surge))
    if _is_zero(unavailable) and _is_zero(surge):
        errors.invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")


def _is_zero(value: Any) -> bool:
    return value == 0 or intstr.percentage(value) == 0


def _validate_replica_set(obj: Object, errors: FieldErrors) -> None:
    spec = obj["spec"]
    non_negative(spec, ("replicas", "minReadySeconds"), "spec", errors)
    validate_set(spec, "empty selector is invalid for deployment", errors)
    validate_always(spec["template"], "activeDeadlineSeconds in ReplicaSet is not Supported", errors)


def _same_selector(new: Object, old: Object, errors: FieldErrors) -> None:
    if new["spec"].get("selector") != old["spec"].get("selector"):
        errors.invalid("spec.selector", new["spec"].get("selector"), _IMMUTABLE)


_POLICIES = ("OrderedReady", "Parallel")
_RETENTIONS = ("Delete", "Retain")
_CHANGEABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def _validate_stateful_set(obj: Object, errors: FieldErrors) -> None:
    spec = obj["spec"]
    if spec["podManagementPolicy"] not in _POLICIES:
        detail = "must be 'OrderedReady' or 'Parallel'"
        errors.invalid("spec.podManagementPolicy", spec["podManagementPolicy"], detail)
    _validate_set_strategy(spec["updateStrategy"], errors)
    for key, value in spec["persistentVolumeClaimRetentionPolicy"].items():
        if value not in _RETENTIONS:
            errors.unsupported(f"spec.persistentVolumeClaimRetentionPolicy.{key}", value, _RETENTIONS)
    non_negative(spec, ("replicas", "minReadySeconds", "revisionHistoryLimit"), "spec", errors)
    non_negative(spec.get("ordinals") or {}, ("start",), "spec.ordinals", errors)
    # The claims' volumes are there by the time the pods are.
    template = spec["template"]
    claims = [
        {"name": meta.name(claim), "persistentVolumeClaim": {"claimName": "claim"}}
        for claim in spec.get("volumeClaimTemplates") or ()
    ]
    given = {each["name"] for each in claims}
    volumes = [each for each in template["spec"].get("volumes") or () if each.get("name") not in given]
    filled = {**template, "spec": {**template["spec"], "volumes": [*volumes, *claims]}}
    validate_set({**spec, "template": filled}, "empty selector is invalid for statefulset", errors)
    validate_always(template, "activeDeadlineSeconds in StatefulSet is not Supported", errors)


def _validate_set_strategy(strategy: Object, errors: FieldErrors) -> None:
    path = "spec.updateStrategy"
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] == ON_DELETE:
        if rolling is not None:
            detail = f"only allowed for updateStrategy '{ROLLING_UPDATE}'"
            errors.invalid(f"{path}.rollingUpdate", rolling, detail)
    elif strategy["type"] == ROLLING_UPDATE:
        non_negative(rolling or {}, ("partition",), f"{path}.rollingUpdate", errors)
    else:
        errors.invalid(path, strategy, f"must be '{ROLLING_UPDATE}' or '{ON_DELETE}'")


def _validate_stateful_set_update(new: Object, old: Object, errors: FieldErrors) -> None:
    if any(
        new["spec"].get(key) != old["spec"].get(key)
        for key in new["spec"].keys() | old["spec"].keys()
        if key not in _CHANGEABLE
    ):
        listed = ", ".join(f"'{key}'" for key in _CHANGEABLE[:-1])
        errors.forbidden(
            "spec",
            f"updates to statefulset spec for fields other than {listed} and '{_CHANGEABLE[-1]}' are forbidden",
        )


def _validate_daemon_set(obj: Object, errors: FieldErrors) -> None:
    spec = obj["spec"]
    validate_set(spec, "empty selector is invalid for daemonset", errors)
    validate_always(spec["template"], "activeDeadlineSeconds in DaemonSet is not Supported", errors)
    non_negative(spec, ("minReadySeconds", "revisionHistoryLimit"), "spec", errors)
    strategy, path = spec["updateStrategy"], "spec.updateStrategy"
    if strategy["type"] == ROLLING_UPDATE:
        rolling = strategy["rollingUpdate"]
        for key in ("maxUnavailable", "maxSurge"):
            problems = intstr.problems(rolling[key], at_most_all=True)
            errors.each(f"{path}.rollingUpdate.{key}", rolling[key], problems)
        unavailable, surge = rolling["maxUnavailable"], rolling["maxSurge"]
        if not _is_zero(unavailable) and not _is_zero(surge):
            detail = "may not be set when maxUnavailable is non-zero"
            errors.invalid(f"{path}.rollingUpdate.maxSurge", surge, detail)
        elif _is_zero(unavailable) and _is_zero(surge):
            detail = "cannot be 0 when maxSurge is 0"
            errors.invalid(f"{path}.rollingUpdate.maxUnavailable", unavailable, detail)
    elif strategy["type"] != ON_DELETE:
        errors.unsupported(f"{path}.type", strategy["type"], (ROLLING_UPDATE, ON_DELETE))


def _validate_revision(obj: Object, errors: FieldErrors) -> None:
    if obj.get("data") is None:
        errors.required("data", "data is mandatory")
    non_negative(obj, ("revision",), "", errors)


def _validate_revision_update(new: Object, old: Object, errors: FieldErrors) -> None:
    if new.get("data") != old.get("data"):
        errors.invalid("data", new.get("data"), _IMMUTABLE)


def _ready(obj: Object, _: datetime) -> str:
    return f"{meta.status(obj).get('readyReplicas', 0)}/{meta.spec(obj).get('replicas', 0)}"


def _node_selector(obj: Object, _: datetime) -> str:
    selector = meta.lookup(obj, "spec.template.spec.nodeSelector") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items())) or "<none>"


def _owner(obj: Object, _: datetime) -> str:
    owner = owners.controller_of(obj)
    if owner is None:
        return "<none>"
    group = str(owner["apiVersion"]).rpartition("/")[0]
    kind = str(owner["kind"]).lower()
    return f"{kind}.{group}/{owner['name']}" if group else f"{kind}/{owner['name']}"


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        resource=kinds.DEPLOYMENTS,
        default=_default_deployment,
        prepare_create=_status(),
        prepare_update=_count_annotations,
        validate=_validate_deployment,
        validate_update=_same_selector,
        generations=True,
        scale=_SCALE,
        columns=(
            NAME,
            Column("Ready", _ready),
            count("Up-to-date", "status.updatedReplicas"),
            count("Available", "status.availableReplicas"),
            AGE,
            *WIDE,
            SELECTOR,
        ),
    ),
    Strategy(
        resource=kinds.REPLICA_SETS,
        default=_default_replica_set,
        prepare_create=_status(replicas=0),
        validate=_validate_replica_set,
        validate_update=_same_selector,
        generations=True,
        scale=_SCALE,
        fields={"status.replicas": SelectableField("status.replicas", "0")},
        columns=(
            NAME,
            Column("Desired", read("spec.replicas"), type="integer"),
            Column("Current", read("status.replicas"), type="integer"),
            Column("Ready", read("status.readyReplicas"), type="integer"),
            AGE,
            *WIDE,
            SELECTOR,
        ),
    ),
    Strategy(
        resource=kinds.STATEFUL_SETS,
        default=_default_stateful_set,
        prepare_create=_status(replicas=0, availableReplicas=0),
        validate=_validate_stateful_set,
        validate_update=_validate_stateful_set_update,
        generations=True,
        scale=_SCALE,
        columns=(NAME, Column("Ready", _ready), AGE, *WIDE),
    ),
    Strategy(
        resource=kinds.DAEMON_SETS,
        default=_default_daemon_set,
        prepare_create=_status(
            currentNumberScheduled=0, numberMisscheduled=0, desiredNumberScheduled=0, numberReady=0
        ),
        validate=_validate_daemon_set,
        validate_update=_same_selector,
        generations=True,
        columns=(
            NAME,
            Column("Desired", read("status.desiredNumberScheduled"), type="integer"),
            Column("Current", read("status.currentNumberScheduled"), type="integer"),
            Column("Ready", read("status.numberReady"), type="integer"),
            Column("Up-to-date", read("status.updatedNumberScheduled"), type="integer"),
            Column("Available", read("status.numberAvailable"), type="integer"),
            Column("Node Selector", _node_selector),
            AGE,
            *WIDE,
            SELECTOR,
        ),
    ),
    Strategy(
        resource=kinds.CONTROLLER_REVISIONS,
        validate=_validate_revision,
        validate_update=_validate_revision_update,
        columns=(
            NAME,
            Column("Controller", _owner),
            Column("Revision", read("revision"), type="integer"),
            AGE,
        ),
    ),
)
