"""The InferenceService that runs what a user's Service of Knative's says, and that Service's status out of its own.

Its container is a predictor of the user's own; scale annotations become `minReplicas` and `maxReplicas`, of which
Knative's minimum is 0. Source: knative.dev/serving 1.22 pkg/apis/serving/v1/{service_types,revision_types}.go,
pkg/apis/autoscaling/register.go, pkg/reconciler/revision/resources/deploy.go (PORT, K_SERVICE and those beside it).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sampan.components.serving.api.kinds import GROUP, INFERENCE_SERVICES
from sampan.components.serving.api.labels import CONFIGURATION, CONTAINER, PREDICTOR, REVISION
from sampan.components.serving.api.reading import by_text, child, mappings, text, whole
from sampan.kube import meta, owners
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

READY = "Ready"
DIGEST = "serving.sampan.dev/knative-service"
"""An annotation of the InferenceService: what it was made of, so that what is no longer said is seen to be missing."""
_CONDITIONS = {
    "ConfigurationsReady": "PredictorConfigurationReady",
    "RoutesReady": "PredictorRouteReady",
    READY: READY,
}
"""And which of the InferenceService's says it."""
_PREFIX = "autoscaling.knative.dev/"
_LEAST, _MOST = (f"{_PREFIX}min-scale", f"{_PREFIX}minScale"), (f"{_PREFIX}max-scale", f"{_PREFIX}maxScale")
_NOT_PASSED = ("kubectl.kubernetes.io/last-applied-configuration", *_LEAST, *_MOST)
_OF_THE_REVISION = ("timeoutSeconds", "responseStartTimeoutSeconds", "idleTimeoutSeconds")
"""Beside the pod's fields, as `containerConcurrency`, which the predictor has by the same name."""
_PORT = 8080
_TAKEN = ("url", "address")
_REVISIONS = {
    "latestCreatedRevision": "latestCreatedRevisionName",
    "latestReadyRevision": "latestReadyRevisionName",
}


def is_users(service: Object) -> bool:
    """Not one that shows a component."""
    owner = owners.controller_of(service) or {}
    return text(owner.get("apiVersion")).partition("/")[0] != GROUP


def check(service: Object, errors: FieldErrors) -> None:
    """Adds what no pod can be made of."""
    at = "spec.template.spec.containers"
    containers = mappings(child(service, "spec", "template", "spec").get("containers"))
    if not containers:
        errors.required(at)
    for index, each in enumerate(containers):
        if not text(each.get("image")):
            errors.required(f"{at}[{index}].image")


def mirror(service: Object) -> Object:
    """With the Service's name."""
    template = child(service, "spec", "template")
    pod, annotations = child(template, "spec"), by_text(child(template, "metadata").get("annotations"))
    predictor: Object = {key: value for key, value in pod.items() if key not in _OF_THE_REVISION}
    predictor["containers"] = _containers(service, mappings(pod.get("containers")))
    predictor["minReplicas"] = _number(annotations, _LEAST) or 0
    if most := _number(annotations, _MOST):
        predictor["maxReplicas"] = most
    if (seconds := whole(pod.get("timeoutSeconds"))) is not None:
        predictor["timeout"] = seconds
    if (share := _share(service)) is not None:
        predictor["canaryTrafficPercent"] = share
    if labels := by_text(child(template, "metadata").get("labels")):
        predictor["labels"] = labels
    passed = {**by_text(meta.metadata(service).get("annotations")), **annotations}
    passed = {key: value for key, value in passed.items() if key not in _NOT_PASSED}
    metadata: Object = {"name": meta.name(service), "namespace": meta.namespace(service)}
    if of_service := by_text(meta.metadata(service).get("labels")):
        metadata["labels"] = of_service
    digest = hashlib.sha256(json.dumps([metadata, predictor, passed], sort_keys=True).encode()).hexdigest()
    return {
        "apiVersion": INFERENCE_SERVICES.api_version,
        "kind": INFERENCE_SERVICES.kind,
        "metadata": {**metadata, "annotations": {**passed, DIGEST: digest[:16]}},
        "spec": {PREDICTOR: predictor},
    }


def _containers(service: Object, containers: list[Object]) -> list[Object]:
    """The one with a port is asked, or the first; the others stand beside it."""
    asked = next((each for each in containers if each.get("ports")), containers[0] if containers else {})
    ports = mappings(asked.get("ports"))
    port = (whole(ports[0].get("containerPort")) if ports else None) or _PORT
    told = {text(each.get("name")) for each in mappings(asked.get("env"))}
    more: list[Object] = [
        {"name": "PORT", "value": str(port)},
        {"name": "K_SERVICE", "value": meta.name(service)},
        *(
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{label}']"}}}
            for name, label in (("K_CONFIGURATION", CONFIGURATION), ("K_REVISION", REVISION))
        ),
    ]
    env = [*mappings(asked.get("env")), *(each for each in more if each["name"] not in told)]
    serving = {**asked, "name": CONTAINER, "ports": ports or [{"containerPort": port}], "env": env}
    return [serving, *(each for each in containers if each is not asked)]


def _number(annotations: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    said = next((annotations[name] for name in names if name in annotations), "")
    return int(said) if said.isdecimal() else None


def _share(service: Object) -> int | None:
    """Of the newest revision; None where it has all."""
    traffic = mappings(child(service, "spec").get("traffic"))
    if not traffic:
        return None
    newest = [each for each in traffic if not each.get("revisionName")]
    share = sum(whole(each.get("percent")) or 0 for each in newest)
    return share if share < 100 else None


def status(service: Object, running: Object, now: str) -> dict[str, Any]:
    """`running` is as it is now; `now` as Kubernetes writes times."""
    theirs = meta.status(running)
    is_current = whole(theirs.get("observedGeneration")) == meta.generation(running)
    known = {text(each.get("type")): each for each in mappings(theirs.get("conditions"))}
    found: dict[str, Any] = {key: theirs[key] for key in _TAKEN if theirs.get(key)}
    predictor = child(theirs, "components", PREDICTOR)
    found |= {ours: predictor[name] for name, ours in _REVISIONS.items() if predictor.get(name)}
    if traffic := mappings(predictor.get("traffic")):
        found["traffic"] = traffic
    found["conditions"] = [
        _condition(service, kind, known.get(name, {}) if is_current else {}, now)
        for kind, name in _CONDITIONS.items()
    ]
    return {**found, "observedGeneration": meta.generation(service)}


def refused(service: Object, reason: str, message: str, now: str) -> dict[str, Any]:
    said = {"status": "False", "reason": reason, "message": message}
    return {
        "conditions": [_condition(service, READY, said, now)],
        "observedGeneration": meta.generation(service),
    }


def _condition(service: Object, kind: str, said: Mapping[str, Any], now: str) -> dict[str, Any]:
    """With the time since when it has been so."""
    known = {text(each.get("type")): each for each in mappings(meta.status(service).get("conditions"))}
    before, value = known.get(kind, {}), text(said.get("status")) or "Unknown"
    since = text(before.get("lastTransitionTime")) if before.get("status") == value else ""
    told = {key: said[key] for key in ("reason", "message") if said.get(key)}
    return {"type": kind, "status": value, "lastTransitionTime": since or now, **told}
