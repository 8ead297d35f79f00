"""The InferenceService of KServe's that runs what one of KFServing's says.

A canary becomes the newest revision, with its share, once the default has been rolled out; in mode Standard it is a
canary of KServe's own. Source: kserve/kserve 0.5.1 (KFServing) docs/samples/v1alpha2/rollouts,
pkg/apis/serving/v1beta1; kserve/kserve 0.20 pkg/apis/serving/v1beta1.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api.config import Config
from sampan.components.serving.api.conversion import FRAMEWORKS, KEPT, Endpoints, endpoints
from sampan.components.serving.api.defaults import deployment_mode, with_defaults
from sampan.components.serving.api.kinds import INFERENCE_SERVICES
from sampan.components.serving.api.labels import (
    CONTAINER,
    EXPLAINER,
    PREDICTOR,
    STANDARD,
    TRANSFORMER,
)
from sampan.components.serving.api.reading import by_text, mapping, mappings, text
from sampan.kube import meta
from sampan.kube.meta import Object

_OLD_PREFIX, _NEW_PREFIX = "serving.kubeflow.org/", "serving.kserve.io/"
_OLD_CONTAINER = "kfserving-container"
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_NOT_PASSED = (KEPT, _APPLIED)
_FIELD_ARGUMENTS = (("modelClassName", "--model_class_name"), ("nthread", "--nthread"))
"""Fields that KServe has no more, and the arguments of its servers that say the same."""
_CANARY = "canary"
_FRAMEWORKS = (*FRAMEWORKS, "alibi", "aix", "art")


@dataclass(frozen=True, slots=True)
class Mirror:
    service: Object
    """With its defaults filled in."""
    default: str
    """By which the default's components are told from others."""
    is_waiting: bool
    """Whether the canary waits for the default to be rolled out."""


def mirror(service: Object, config: Config, rolled_out: str) -> Mirror:
    """`rolled_out`: the `default` of the Mirror that last was ready."""
    said = endpoints(service)
    its = metadata(service)
    default = _digest(said.default)
    is_waiting = False
    if said.canary is None:
        spec = _components(said.default)
    elif deployment_mode({"metadata": its}, config) == STANDARD:
        spec = _beside(said)
    elif rolled_out == default:
        spec = _newest(said)
    else:
        spec, is_waiting = _components(said.default), True
    made = {
        "apiVersion": INFERENCE_SERVICES.api_version,
        "kind": INFERENCE_SERVICES.kind,
        "metadata": its,
        "spec": spec,
    }
    return Mirror(with_defaults(made, config), default, is_waiting)


def _newest(said: Endpoints) -> Object:
    """The canary's components as the newest revisions; what it does not have is the default's."""
    assert said.canary is not None
    share = {"canaryTrafficPercent": said.percent}
    return {
        **_components(said.default),
        **{name: {**each, **share} for name, each in _components(said.canary).items()},
    }


def _beside(said: Endpoints) -> Object:
    assert said.canary is not None
    predictor = {**_components(said.canary)[PREDICTOR], "name": _CANARY}
    for field in ("maxReplicas", "canaryTrafficPercent"):
        predictor.pop(field, None)
    return {
        **_components(said.default),
        "canary": [{PREDICTOR: predictor, "trafficPercent": said.percent}],
    }


def _components(spec: Object) -> Object:
    return {
        name: _component(spec[name])
        for name in (PREDICTOR, TRANSFORMER, EXPLAINER)
        if isinstance(spec.get(name), dict)
    }


def _component(component: Object) -> Object:
    found: Object = {}
    for key, value in component.items():
        if key == "containers":
            found[key] = [_container(each) for each in mappings(value)]
        elif key in _FRAMEWORKS and isinstance(value, dict):
            found[key] = _framework(value)
        else:
            found[key] = value
    return found


def _framework(framework: Object) -> Object:
    # A framework's container had a name of its own choice.
    known = {"name", *(field for field, _argument in _FIELD_ARGUMENTS)}
    found = {key: value for key, value in framework.items() if key not in known}
    told = [f"{argument}={framework[field]}" for field, argument in _FIELD_ARGUMENTS if framework.get(field)]
    if told:
        args = found.get("args")
        found["args"] = [*(args if isinstance(args, list) else ()), *told]
    return _with_amounts(found)


def _container(container: Object) -> Object:
    found = _with_amounts(container)
    name = text(found.get("name"))
    return {**found, "name": CONTAINER if name in ("", _OLD_CONTAINER) else name}


def _with_amounts(container: Object) -> Object:
    if not isinstance(container.get("resources"), dict):
        return container
    return {**container, "resources": _as_text(container["resources"])}


def _as_text(value: Any) -> Any:
    """KFServing's clients write `cpu: 0.1`, which KServe's definition refuses."""
    if isinstance(value, dict):
        return {key: _as_text(each) for key, each in value.items()}
    return f"{value:g}" if isinstance(value, float) else value


def metadata(service: Object) -> Object:
    said = meta.metadata(service)
    annotations = {
        key.replace(_OLD_PREFIX, _NEW_PREFIX, 1) if key.startswith(_OLD_PREFIX) else key: value
        for key, value in by_text(said.get("annotations")).items()
        if key not in _NOT_PASSED
    }
    found: Object = {"name": meta.name(service), "namespace": meta.namespace(service)}
    if labels := by_text(said.get("labels")):
        found["labels"] = labels
    return {**found, "annotations": annotations} if annotations else found


def _digest(spec: Object) -> str:
    return hashlib.sha256(json.dumps(mapping(spec), sort_keys=True).encode()).hexdigest()[:16]
