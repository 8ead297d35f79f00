"""Events of the core group.

Source: kubernetes/pkg/registry/core/event/strategy.go, pkg/printers/internalversion/printers.go, v1.31.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType

from sampan.cluster.apiserver.strategy import Column, SelectableField, Strategy, selectable
from sampan.cluster.apiserver.tables import age
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import EVENTS
from sampan.kube.meta import Object


def _default(event: Object) -> None:
    # Strict clients read these as required.
    event.setdefault("involvedObject", {})
    event.setdefault("source", {})
    event.setdefault("type", "Normal")


def _validate(event: Object, errors: FieldErrors) -> None:
    namespace = event["involvedObject"].get("namespace") or "default"
    if namespace != meta.namespace(event):
        errors.invalid("involvedObject.namespace", namespace, "does not match event.namespace")


def _last_seen(event: Object, now: datetime) -> str:
    series = event.get("series") or {}
    moment = (
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event.get("firstTimestamp")
        or meta.metadata(event).get("creationTimestamp")
    )
    return age(moment, now)


def _involved(event: Object, _: datetime) -> str:
    involved = event["involvedObject"]
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"


STRATEGY = Strategy(
    resource=EVENTS,
    default=_default,
    validate=_validate,
    fields=MappingProxyType(
        {
            **selectable(
                "involvedObject.kind",
                "involvedObject.namespace",
                "involvedObject.name",
                "involvedObject.uid",
                "involvedObject.apiVersion",
                "involvedObject.resourceVersion",
                "involvedObject.fieldPath",
                "reason",
                "reportingComponent",
                "type",
            ),
            "source": SelectableField("source.component"),
        }
    ),
    columns=(
        Column("Last Seen", _last_seen),
        Column("Type", lambda event, _: event.get("type")),
        Column("Reason", lambda event, _: event.get("reason")),
        Column("Object", _involved),
        Column("Subobject", lambda event, _: event["involvedObject"].get("fieldPath", ""), priority=1),
        Column("Source", lambda event, _: event["source"].get("component", ""), priority=1),
        Column("Message", lambda event, _: str(event.get("message", "")).strip()),
        Column("First Seen", lambda event, now: age(event.get("firstTimestamp"), now), priority=1),
        Column("Count", lambda event, _: str(event.get("count", 1)), priority=1),
        Column("Name", lambda event, _: meta.name(event), format="name", priority=1),
    ),
)
