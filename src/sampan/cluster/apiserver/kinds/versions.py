"""Built-in kinds that are served in a second version: events.k8s.io/v1 Events, autoscaling/v1 HorizontalPodAutoscalers.

What is stored is the other version; a `Conversion` turns each request's object. Source:
kubernetes/pkg/apis/{events/v1,core/v1,autoscaling/v1}/conversion.go, pkg/apis/core/validation/events.go, v1.34.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from sampan.cluster.apiserver.kinds import autoscalers, events
from sampan.cluster.apiserver.kinds.templates import read
from sampan.cluster.apiserver.strategy import Column, Conversion, Strategy, selectable
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import meta, names
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import EVENTS, Resource
from sampan.kube.meta import Object

NEW_EVENTS = Resource(
    "events.k8s.io",
    "v1",
    "Event",
    "events",
    singular="event",
    short_names=("ev",),
    subresources=(),
    stored_as=EVENTS.key,
)
# The name in the core group: the name in events.k8s.io.
_EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_NOTE_LIMIT = 1024
_ANNOTATION = "autoscaling.alpha.kubernetes.io/"


def _renamed(event: Object, fields: dict[str, str], api_version: str) -> Object:
    found = {fields.get(key, key): value for key, value in event.items()}
    found["apiVersion"] = api_version
    return found


def _to_new(event: Object) -> Object:
    found = _renamed(event, _EVENT_FIELDS, NEW_EVENTS.api_version)
    found.setdefault("eventTime", None)
    return found


def _to_core(event: Object) -> Object:
    found = _renamed(event, {new: old for old, new in _EVENT_FIELDS.items()}, EVENTS.api_version)
    if found.get("eventTime") is None:
        found.pop("eventTime", None)
    # Strict clients read these as required.
    found.setdefault("involvedObject", {})
    found.setdefault("source", {})
    return found


def _default_event(event: Object) -> None:
    event.setdefault("type", "Normal")


def _validate_event(event: Object, errors: FieldErrors) -> None:
    namespace = (event.get("regarding") or {}).get("namespace") or "default"
    if namespace != meta.namespace(event):
        errors.invalid("regarding.namespace", namespace, "does not match event.namespace")


def _validate_new_event(event: Object, errors: FieldErrors) -> None:
    """The group asks for more than the core group does."""
    if not event.get("eventTime"):
        errors.required("eventTime")
    controller = event.get("reportingController") or ""
    if not controller:
        errors.required("reportingController")
    else:
        errors.each("reportingController", controller, names.qualified_name(controller))
    for key in ("reportingInstance", "action", "reason"):
        if not event.get(key):
            errors.required(key)
        elif len(event[key]) > 128:
            errors.invalid(key, "", "can have at most 128 characters")
    if event.get("type") not in ("Normal", "Warning"):
        errors.invalid("type", "", f"has invalid value: {event.get('type')}")
    if len((event.get("note") or "").encode()) > _NOTE_LIMIT:
        errors.invalid("note", "", f"can have at most {_NOTE_LIMIT} characters")
    for key in ("deprecatedFirstTimestamp", "deprecatedLastTimestamp", "deprecatedCount"):
        if event.get(key):
            errors.invalid(key, "", "needs to be unset")


def _core_column(column: Column) -> Column:
    def value(event: Object, now: datetime) -> Any:
        return column.value(_to_core(event), now)

    return replace(column, value=value)


def _to_v1(autoscaler: Object) -> Object:
    """What v1 has no field for goes into annotations."""
    spec, status = dict(meta.spec(autoscaler)), dict(meta.status(autoscaler))
    annotations = dict(meta.annotations(autoscaler))
    others = []
    for metric in spec.pop("metrics", None) or ():
        percentage = meta.lookup(metric, "resource.target.averageUtilization")
        cpu = meta.lookup(metric, "resource.name") == "cpu" and percentage is not None
        if cpu and "targetCPUUtilizationPercentage" not in spec:
            spec["targetCPUUtilizationPercentage"] = percentage
        else:
            others.append(metric)
    behavior = spec.pop("behavior", None)
    for key, value in (
        ("metrics", others),
        ("behavior", behavior),
        ("conditions", status.pop("conditions", None)),
    ):
        if value:
            annotations[_ANNOTATION + key] = json.dumps(value, separators=(",", ":"))
    for metric in status.pop("currentMetrics", None) or ():
        seen = meta.lookup(metric, "resource.current.averageUtilization")
        if meta.lookup(metric, "resource.name") == "cpu" and seen is not None:
            status["currentCPUUtilizationPercentage"] = seen
    status.setdefault("currentReplicas", 0)
    status.setdefault("desiredReplicas", 0)
    return _autoscaler(autoscaler, "autoscaling/v1", spec, status, annotations)


def _to_v2(autoscaler: Object) -> Object:
    spec, status = dict(meta.spec(autoscaler)), dict(meta.status(autoscaler))
    annotations = dict(meta.annotations(autoscaler))
    kept = {key: _taken(annotations, key) for key in ("metrics", "behavior", "conditions")}
    metrics = [each for each in kept["metrics"] or () if isinstance(each, dict)]
    percentage = spec.pop("targetCPUUtilizationPercentage", None)
    if percentage is not None:
        target = {"type": "Utilization", "averageUtilization": percentage}
        metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}, *metrics]
    if metrics:
        spec["metrics"] = metrics
    if kept["behavior"]:
        spec["behavior"] = {key: each for key, each in kept["behavior"].items() if isinstance(each, dict)}
    if kept["conditions"]:
        status["conditions"] = [each for each in kept["conditions"] if isinstance(each, dict)]
    current = status.pop("currentCPUUtilizationPercentage", None)
    if current is not None:
        seen = {"name": "cpu", "current": {"averageUtilization": current}}
        status["currentMetrics"] = [{"type": "Resource", "resource": seen}]
    found = _autoscaler(autoscaler, "autoscaling/v2", spec, status, annotations)
    autoscalers.AUTOSCALERS.default(found)
    return found


def _taken(annotations: dict[str, str], key: str) -> Any:
    text = annotations.pop(_ANNOTATION + key, None)
    try:
        found = None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict if key == "behavior" else list) else None


def _autoscaler(old: Object, api_version: str, spec: Object, status: Object, annotations: Object) -> Object:
    metadata = {key: value for key, value in old["metadata"].items() if key != "annotations"}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "kind": old["kind"],
        "apiVersion": api_version,
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


def _default_v1(autoscaler: Object) -> None:
    autoscaler.setdefault("spec", {}).setdefault("minReplicas", 1)


def _prepare_v1(autoscaler: Object) -> None:
    autoscaler["status"] = {"currentReplicas": 0, "desiredReplicas": 0}


def _validate_v1(autoscaler: Object, errors: FieldErrors) -> None:
    autoscalers.AUTOSCALERS.validate(_to_v2(autoscaler), errors)
    percentage = autoscaler["spec"].get("targetCPUUtilizationPercentage")
    if percentage is not None and percentage < 1:
        errors.invalid("spec.targetCPUUtilizationPercentage", percentage, "must be greater than 0")


def _v1_target(autoscaler: Object, _: datetime) -> str:
    wanted = meta.spec(autoscaler).get("targetCPUUtilizationPercentage")
    seen = meta.status(autoscaler).get("currentCPUUtilizationPercentage")
    if wanted is None:
        return "<none>"
    return f"cpu: {'<unknown>' if seen is None else f'{seen}%'}/{wanted}%"


STRATEGIES = (
    Strategy(
        resource=NEW_EVENTS,
        default=_default_event,
        validate=_validate_event,
        validate_create=_validate_new_event,
        conversion=Conversion(_to_new, _to_core),
        fields=selectable(
            *(
                f"regarding.{key}"
                for key in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
            ),
            "reason",
            "reportingController",
            "type",
        ),
        columns=tuple(_core_column(each) for each in events.STRATEGY.columns),
    ),
    Strategy(
        resource=replace(autoscalers.AUTOSCALERS.resource, version="v1"),
        default=_default_v1,
        prepare_create=_prepare_v1,
        validate=_validate_v1,
        conversion=Conversion(_to_v1, _to_v2),
        columns=(
            NAME,
            Column(
                "Reference",
                lambda obj, _: "{kind}/{name}".format(**meta.spec(obj)["scaleTargetRef"]),
            ),
            Column("Targets", _v1_target),
            Column("MinPods", read("spec.minReplicas", "<unset>")),
            Column("MaxPods", read("spec.maxReplicas"), type="integer"),
            Column("Replicas", read("status.currentReplicas"), type="integer"),
            AGE,
        ),
    ),
)
