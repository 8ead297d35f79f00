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
READY = "Ready"
_TAKEN = ("conditions", "url", "address", "components", "modelStatus", "deploymentMode")


def rolled_out(service: Object) -> str:
    return text(meta.status(service).get(ROLLED_OUT))


def status(service: Object, mirror: Mirror, running: Object) -> dict[str, Any]:
    """`running`: KServe's as it is now."""
    theirs = meta.status(running)
    found: dict[str, Any] = {key: theirs[key] for key in _TAKEN if theirs.get(key) is not None}
    found["observedGeneration"] = meta.generation(service)
    before = rolled_out(service)
    now = mirror.default if _is_all_default(mirror, running) and is_ready(running) else before
    return {**found, **({ROLLED_OUT: now} if now else {})}


def refused(service: Object, reason: str, message: str, now: str) -> dict[str, Any]:
    """`now` as Kubernetes writes times."""
    known = {text(each.get("type")): each for each in mappings(meta.status(service).get("conditions"))}
    before = known.get(READY, {})
    since = text(before.get("lastTransitionTime")) if before.get("status") == "False" else ""
    said = {"type": READY, "status": "False", "reason": reason, "message": message}
    conditions = [{**said, "lastTransitionTime": since or now}]
    return {"conditions": conditions, "observedGeneration": meta.generation(service)}


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
