"""Steps that name an InferenceService, with its address in the cluster in their place.

Called by the reconciler. Source: kserve/kserve v0.20.0 pkg/controller/v1alpha1/inferencegraph/controller.go,
pkg/controller/v1beta1/inferenceservice/utils/utils.go (GetPredictorEndpoint, GetModelName, getModelNameFromArgs).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api import models
from sampan.components.serving.api.reading import child, mapping, mappings, text, texts
from sampan.components.serving.engine.inference_services import spec as services
from sampan.kube import meta
from sampan.kube.meta import Object

NOT_FOUND, NOT_READY, UNUSABLE = "ServiceNotFound", "ServiceNotReady", "ServiceNotUsable"
_MOST_TOLD = 5
_PREDICT = {models.V1: "/v1/models/{}:predict", models.V2: "/v2/models/{}/infer"}
_MODEL_NAME = "--model_name"
_PROTOCOL_VARIABLE, _MLSERVER_NAME = "PROTOCOL", "MLSERVER_MODEL_NAME"

Find = Callable[[str], Object | None]
"""An object of the graph's namespace, by name."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """`graph_json` is what the router is given; empty where a service is missing."""

    graph_json: str = ""
    reason: str = ""
    message: str = ""


def named_services(graph: Object) -> frozenset[str]:
    """All InferenceServices that steps name."""
    return frozenset(
        name
        for step in _steps(graph)
        if (name := text(step.get("serviceName"))) and not step.get("serviceUrl")
    )


def resolve(graph: Object, service: Find, runtimes: Callable[[str], Sequence[str]]) -> Resolved:
    """`runtimes` says which protocols the runtime of a name speaks."""
    addresses: dict[str, str] = {}
    missing: list[tuple[str, str]] = []
    for name in sorted(named_services(graph)):
        found = service(name)
        if found is None:
            missing.append(
                (NOT_FOUND, f"Failed to find graph service {name}: there is no InferenceService of that name")
            )
            continue
        at = text(child(meta.status(found), "address").get("url"))
        if not at:
            missing.append((NOT_READY, f"service {name} is not ready: it has no address yet"))
            continue
        path = _path(found, runtimes)
        if path is None:
            missing.append(
                (UNUSABLE, f"service {name}: its runtime speaks neither V1 nor V2, so no graph can ask it")
            )
            continue
        addresses[name] = at + path
    if missing:
        return Resolved(reason=missing[0][0], message=_told(missing))
    return Resolved(_written(graph, addresses))


def _told(missing: Sequence[tuple[str, str]]) -> str:
    more = f"; and {len(missing) - _MOST_TOLD} more" if len(missing) > _MOST_TOLD else ""
    return "; ".join(message for _, message in missing[:_MOST_TOLD]) + more


def _written(graph: Object, addresses: Mapping[str, str]) -> str:
    """The same text for the same graph: what changes it is a new router."""
    spec = meta.spec(graph)
    nodes = {
        name: {
            **mapping(node),
            "steps": [_resolved(step, addresses) for step in mappings(mapping(node).get("steps"))],
        }
        for name, node in mapping(spec.get("nodes")).items()
    }
    told: dict[str, Any] = {"nodes": nodes}
    if mapping(spec.get("routerTimeouts")):
        told["routerTimeouts"] = spec["routerTimeouts"]
    return json.dumps(told, sort_keys=True, separators=(",", ":"))


def _resolved(step: Object, addresses: Mapping[str, str]) -> Object:
    name = text(step.get("serviceName"))
    return step if not name or step.get("serviceUrl") else {**step, "serviceUrl": addresses[name]}


def _steps(graph: Object) -> Iterable[Object]:
    for node in mapping(meta.spec(graph).get("nodes")).values():
        yield from mappings(mapping(node).get("steps"))


def _path(isvc: Object, runtimes: Callable[[str], Sequence[str]]) -> str | None:
    """By the protocol of whoever answers; empty for one that no path is known of, None for one that cannot be asked."""
    spec = meta.spec(isvc)
    transformer, predictor = mapping(spec.get("transformer")), mapping(spec.get("predictor"))
    if transformer:
        protocol = _of_containers(transformer)
    elif services.is_multi_model(services.predictor(isvc)):
        return ""
    elif models.framework(predictor):
        model = models.model(predictor)
        protocol = text(model.get("protocolVersion")) or _default(predictor)
        if runtime := text(model.get("runtime")):
            spoken = runtimes(runtime)
            if spoken:
                protocol = next((each for each in spoken if each in _PREDICT), "")
                if not protocol:
                    return None
    else:
        protocol = _of_containers(predictor)
    return _PREDICT.get(protocol, "").format(_model_name(isvc, transformer, predictor))


def _default(predictor: Object) -> str:
    return models.V2 if models.framework(predictor) == "huggingface" else models.V1


def _of_containers(component: Object) -> str:
    """What the variable PROTOCOL says: of the transformer, where it shares the predictor's pod."""
    containers = mappings(component.get("containers"))
    chosen = next((each for each in containers if each.get("name") == "transformer-container"), None)
    for each in mappings((chosen or next(iter(containers), {})).get("env")):
        if each.get("name") == _PROTOCOL_VARIABLE:
            return text(each.get("value")) or models.V1
    return models.V1


def _model_name(isvc: Object, transformer: Object, predictor: Object) -> str:
    for container in mappings(transformer.get("containers"))[:1]:
        if name := _from_args(container):
            return name
    if models.framework(predictor):
        model = models.model(predictor)
        if name := services.env_value(model, _MLSERVER_NAME):
            return name
        return _from_args(model) or meta.name(isvc)
    for container in mappings(predictor.get("containers"))[:1]:
        if name := _from_args(container):
            return name
    return meta.name(isvc)


def _from_args(container: Object) -> str:
    """The last of `--model_name NAME` and `--model_name=NAME`."""
    args, name = texts(container.get("args")), ""
    for at, argument in enumerate(args):
        if argument.startswith(_MODEL_NAME):
            told = argument.split("=")
            name = told[1] if len(told) == 2 else name
            if len(told) == 1 and at + 1 < len(args) and not args[at + 1].startswith("--"):
                name = args[at + 1]
    return name
