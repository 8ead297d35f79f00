"""What pages show of an endpoint, of whichever kind it is: read from its object. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api import labels, models
from sampan.components.serving.api.kinds import (
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    SELDON_DEPLOYMENTS,
    TRAINED_MODELS,
)
from sampan.components.serving.api.reading import child, mapping, mappings, text, whole
from sampan.components.serving.engine.inference_services import conditions as known
from sampan.components.serving.engine.inference_services import models as states
from sampan.components.serving.engine.inference_services import spec as reading
from sampan.components.serving.engine.inference_services import traffic as rollouts
from sampan.components.serving.engine.inference_services.traffic import Rollout
from sampan.kube import meta
from sampan.kube.meta import Object

_NO_ROLLOUT = Rollout()
_FAILED = (states.BLOCKED, states.INVALID_SPEC)


class State(enum.StrEnum):
    READY = "Ready"
    ASLEEP = "Asleep"
    """Ready, and without pods for want of requests: the next request wakes it."""
    STARTING = "Starting"
    FAILED = "Failed"
    STOPPED = "Stopped"
    DELETING = "Deleting"


@dataclass(frozen=True, slots=True)
class Endpoint:
    kind: str
    namespace: str
    name: str
    uid: str
    created: str
    state: State
    why: str = ""
    """Of one that is not ready: what it waits for, or what is wrong."""
    url: str = ""
    serves: str = ""
    """The model's format, or what else it is made of."""
    runtime: str = ""
    is_cluster_runtime: bool = False
    source: str = ""
    """Where the model is."""
    protocol: str = ""
    copies: int | None = None
    """Ready pods of the predictor; None where nothing tells."""
    rollout: Rollout = _NO_ROLLOUT
    canary_percent: int | None = None
    is_knative: bool = False
    components: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """A name is one endpoint's within its kind only."""
        return f"{self.kind}/{self.name}"


def summarise(obj: Object) -> Endpoint:
    """Of any of `places.KINDS`."""
    make = _BY_KIND.get(str(obj.get("kind")), _plain)
    return make(obj)


def _service(obj: Object) -> Endpoint:
    status = meta.status(obj)
    state, why = _state_of_service(obj)
    predictor = reading.predictor(obj)
    model: Object = dict(predictor.model or {})
    runtime = text(status.get("servingRuntimeName"))
    of_cluster = text(status.get("clusterServingRuntimeName"))
    is_knative = status.get("deploymentMode") == labels.KNATIVE
    part = child(status, "components", labels.PREDICTOR)
    return Endpoint(
        **_common(obj, state, why),
        url=text(status.get("url")),
        serves=_format(predictor.spec, model),
        runtime=runtime or of_cluster or text(model.get("runtime")),
        is_cluster_runtime=not runtime,
        source=reading.storage_uri(predictor),
        protocol=models.protocol(model),
        copies=whole(child(status, "modelStatus", "copies").get("totalCopies")),
        rollout=rollouts.before(part),
        canary_percent=whole(predictor.spec.get("canaryTrafficPercent")),
        is_knative=is_knative,
        components=tuple(each.kind for each in reading.components(obj)),
    )


def _format(predictor: Mapping[str, Any], model: Object) -> str:
    framework = models.framework(dict(predictor))
    if not framework:
        containers = mappings(predictor.get("containers"))
        return text(containers[0].get("image")) if containers else ""
    name = text(child(model, "modelFormat").get("name")) if framework == "model" else framework
    version = text(child(model, "modelFormat").get("version"))
    return f"{name} {version}".strip()


def _state_of_service(obj: Object) -> tuple[State, str]:
    status = meta.status(obj)
    if meta.is_deleting(obj):
        return State.DELETING, ""
    if reading.is_stopped(obj):
        return State.STOPPED, ""
    ready = known.find(status, known.READY)
    model = child(status, "modelStatus")
    if ready.get("status") == known.TRUE:
        asleep = child(model, "copies").get("totalCopies") == 0
        return (State.ASLEEP if asleep else State.READY), _newer(status, model)
    failure = child(model, "lastFailureInfo")
    if model.get("transitionStatus") in _FAILED:
        return State.FAILED, _joined(failure) or _joined(ready)
    return State.STARTING, _of_conditions(status)


def _newer(status: Object, model: Object) -> str:
    """Of one that is ready: why its newest revision is not."""
    if model.get("transitionStatus") not in _FAILED:
        return ""
    told = _joined(child(model, "lastFailureInfo"))
    part = child(status, "components", labels.PREDICTOR)
    revision = text(part.get("latestCreatedRevision"))
    return f"The newest revision {revision} does not start: {told}" if revision else told


def _of_conditions(status: Object) -> str:
    """The most telling of those that are not met."""
    found = [each for each in mappings(status.get("conditions")) if each.get("status") != known.TRUE]
    found = [each for each in found if each.get("type") != known.STOPPED]
    first = [known.PREDICTOR_READY, *known.COMPONENT_READY.values(), known.READY]
    found.sort(key=lambda each: first.index(each["type"]) if each.get("type") in first else len(first))
    return next((said for each in found if (said := text(each.get("message")))), "") or next(
        (said for each in found if (said := text(each.get("reason")))), ""
    )


def _joined(told: Mapping[str, Any]) -> str:
    reason, message = text(told.get("reason")), text(told.get("message"))
    return f"{reason}: {message}" if reason and message else message or reason


def _state_by_conditions(obj: Object) -> tuple[State, str]:
    if meta.is_deleting(obj):
        return State.DELETING, ""
    if reading.is_stopped(obj):
        return State.STOPPED, ""
    ready = known.find(meta.status(obj), known.READY)
    if ready.get("status") == known.TRUE:
        return State.READY, ""
    return State.STARTING, _of_conditions(meta.status(obj))


def _graph(obj: Object) -> Endpoint:
    nodes = mapping(meta.spec(obj).get("nodes"))
    state, why = _state_by_conditions(obj)
    kinds = sorted({text(mapping(each).get("routerType")) for each in nodes.values()} - {""})
    return Endpoint(
        **_common(obj, state, why),
        url=text(meta.status(obj).get("url")),
        serves=", ".join(kinds),
        is_knative=meta.status(obj).get("deploymentMode") == labels.KNATIVE,
    )


def _seldon(obj: Object) -> Endpoint:
    status, spec = meta.status(obj), meta.spec(obj)
    states_ = {"Available": State.READY, "Failed": State.FAILED}
    state = states_.get(text(status.get("state")), State.STARTING)
    if meta.is_deleting(obj):
        state = State.DELETING
    why = "" if state == State.READY else text(status.get("description")) or text(status.get("reason"))
    servers = [child(each, "graph") for each in mappings(spec.get("predictors"))]
    names = dict.fromkeys(text(each.get("implementation")) or text(each.get("type")) for each in servers)
    deployments = mapping(status.get("deploymentStatus")).values()
    counts = [whole(mapping(each).get("availableReplicas")) for each in deployments]
    return Endpoint(
        **_common(obj, state, why),
        url=text(child(status, "address").get("url")),
        serves=", ".join(each for each in names if each),
        source=next((found for each in servers if (found := text(each.get("modelUri")))), ""),
        protocol=text(spec.get("protocol")) or "seldon",
        copies=sum(each or 0 for each in counts) if counts else None,
    )


def _trained_model(obj: Object) -> Endpoint:
    model = child(meta.spec(obj), "model")
    state, why = _state_by_conditions(obj)
    return Endpoint(
        **_common(obj, state, why),
        url=text(meta.status(obj).get("url")),
        serves=text(model.get("framework")),
        source=text(model.get("storageUri")),
        runtime=text(meta.spec(obj).get("inferenceService")),
    )


def _plain(obj: Object) -> Endpoint:
    return Endpoint(**_common(obj, *_state_by_conditions(obj)))


def _common(obj: Object, state: State, why: str) -> dict[str, Any]:
    return {
        "kind": str(obj.get("kind") or ""),
        "namespace": meta.namespace(obj),
        "name": meta.name(obj),
        "uid": meta.uid(obj),
        "created": text(meta.metadata(obj).get("creationTimestamp")),
        "state": state,
        "why": why,
    }


_BY_KIND = {
    INFERENCE_SERVICES.kind: _service,
    INFERENCE_GRAPHS.kind: _graph,
    SELDON_DEPLOYMENTS.kind: _seldon,
    TRAINED_MODELS.kind: _trained_model,
}
