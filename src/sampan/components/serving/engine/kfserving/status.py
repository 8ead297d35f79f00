"""The status of an InferenceService of KFServing's, out of that of the one that runs in its place.

It is kept as v1beta1 has it, which KServe's status says more than; read as v1alpha2 it is converted (`api.conversion`).
Source: kserve/kserve 0.5.1 (KFServing) pkg/apis/serving/v1beta1/inference_service_status.go.
"""

from __future__ import annotations

from typing import Any

from sampan.components.serving.api.reading import child, mappings, text, whole
from sampan.components.serving.engine.kfserving.mirroring import Mirror
from sampan.kube import meta
from sampan.kube.meta import Object

ROLLED_OUT = "rolledOutDefault"
"""A field of the status: which default was ready last."""
READY, CANARY_READY = "Ready", "CanaryPredictorReady"
_WAITING = {
    "reason": "WaitingForDefault",
    "message": "the canary gets its share of the requests once the default is ready",
}
_TAKEN = ("conditions", "url", "address", "components", "modelStatus", "deploymentMode")


def rolled_out(service: Object) -> str:
    return text(meta.status(service).get(ROLLED_OUT))


def status(service: Object, mirror: Mirror, running: Object, now: str) -> dict[str, Any]:
    """`running`: KServe's as it is now; `now` as Kubernetes writes times."""
    theirs = meta.status(running)
    found: dict[str, Any] = {key: theirs[key] for key in _TAKEN if theirs.get(key) is not None}
    if mirror.is_waiting:
        told = _condition(service, CANARY_READY, "Unknown", now) | {"severity": "Info", **_WAITING}
        found["conditions"] = [*mappings(found.get("conditions")), told]
    found["observedGeneration"] = meta.generation(service)
    has_been = _is_all_default(mirror, running) and is_ready(running)
    default = mirror.default if has_been else rolled_out(service)
    return {**found, **({ROLLED_OUT: default} if default else {})}


def refused(service: Object, reason: str, message: str, now: str) -> dict[str, Any]:
    said = _condition(service, READY, "False", now) | {"reason": reason, "message": message}
    return {"conditions": [said], "observedGeneration": meta.generation(service)}


def _condition(service: Object, kind: str, value: str, now: str) -> dict[str, Any]:
    """With the time since when it has been so."""
    known = {text(each.get("type")): each for each in mappings(meta.status(service).get("conditions"))}
    before = known.get(kind, {})
    since = text(before.get("lastTransitionTime")) if before.get("status") == value else ""
    return {"type": kind, "status": value, "lastTransitionTime": since or now}


def is_ready(running: Object) -> bool:
    """As it is written now."""
    if whole(meta.status(running).get("observedGeneration")) != meta.generation(running):
        return False
    conditions = mappings(meta.status(running).get("conditions"))
    return any(each.get("type") == READY and each.get("status") == "True" for each in conditions)


def _is_all_default(mirror: Mirror, running: Object) -> bool:
    """Whether nothing but the default is in what runs."""
    spec = meta.spec(running)
    wanted = meta.spec(mirror.service)
    is_canary = child(wanted, "predictor").get("canaryTrafficPercent") is not None
    return (mirror.is_waiting or not is_canary) and child(spec, "predictor") == child(wanted, "predictor")
