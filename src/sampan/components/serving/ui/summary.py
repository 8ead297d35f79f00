"""What pages show of an endpoint, of whichever kind it is: read from its object. Pure.

What an InferenceService is at is read by `api.summary`, as for commands and programs; here is what the pages add.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api import labels, language_summary, models
from sampan.components.serving.api import summary as read
from sampan.components.serving.api.kinds import (
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    LLM_INFERENCE_SERVICES,
    SELDON_DEPLOYMENTS,
    TRAINED_MODELS,
)
from sampan.components.serving.api.reading import child, mapping, mappings, text, whole
from sampan.components.serving.api.summary import State
from sampan.components.serving.engine.inference_services import spec as reading
from sampan.components.serving.engine.inference_services import traffic as rollouts
from sampan.components.serving.engine.inference_services.traffic import Rollout
from sampan.kube import meta
from sampan.kube.meta import Object

_NO_ROLLOUT = Rollout()


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
    model: str = ""
    """By which its server knows the model."""
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
    found = read.summarise(obj)
    status = meta.status(obj)
    return Endpoint(
        **_common(obj, found.state, found.why),
        url=found.url,
        serves=found.format,
        runtime=found.runtime,
        is_cluster_runtime=not text(status.get("servingRuntimeName")),
        source=found.source,
        model=read.model_name(obj),
        protocol=found.protocol,
        copies=found.copies,
        rollout=rollouts.before(child(status, "components", labels.PREDICTOR)),
        canary_percent=found.canary_percent,
        is_knative=found.mode == labels.KNATIVE,
        components=tuple(each.kind for each in reading.components(obj)),
    )


def _language_model(obj: Object) -> Endpoint:
    found = language_summary.summarise(obj)
    return Endpoint(
        **_common(obj, found.state, found.why),
        url=found.url,
        serves=found.format,
        source=found.source,
        model=language_summary.model_name(obj),
        protocol=found.protocol,
        copies=found.copies,
    )


def _state_by_conditions(obj: Object) -> tuple[State, str]:
    if meta.is_deleting(obj):
        return State.DELETING, ""
    if reading.is_stopped(obj):
        return State.STOPPED, ""
    ready = read.condition(meta.status(obj), "Ready")
    if ready.get("status") == "True":
        return State.READY, ""
    return State.STARTING, read.waiting(meta.status(obj))


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
    url = text(meta.status(obj).get("url"))
    return Endpoint(
        **_common(obj, state, why),
        url=url,
        serves=text(model.get("framework")),
        source=text(model.get("storageUri")),
        runtime=text(meta.spec(obj).get("inferenceService")),
        protocol=models.V2 if "/v2/models/" in url else models.V1,
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
    LLM_INFERENCE_SERVICES.kind: _language_model,
    INFERENCE_GRAPHS.kind: _graph,
    SELDON_DEPLOYMENTS.kind: _seldon,
    TRAINED_MODELS.kind: _trained_model,
}
