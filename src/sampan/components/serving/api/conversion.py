"""KFServing's InferenceService from one version to the other: v1alpha2 has a default and a canary, v1beta1 has neither.

Called by our API server, and by whoever reads such an object where nobody converts. What the other version cannot say
is kept in an annotation, so that nothing is lost on the way there and back.

Source: kserve/kserve 0.5.1 (KFServing) pkg/apis/serving/v1alpha2/inferenceservice_conversion.go. Not so here: a canary
is kept (upstream drops it, and refuses its share in v1alpha2), accounts and loggers of transformers and explainers too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sampan.components.serving.api.kinds import KFSERVING_GROUP
from sampan.components.serving.api.labels import EXPLAINER, PREDICTOR, TRANSFORMER
from sampan.components.serving.api.reading import by_text, child, mapping, mappings, text, whole
from sampan.kube import meta
from sampan.kube.meta import Object

V1ALPHA2, V1BETA1 = f"{KFSERVING_GROUP}/v1alpha2", f"{KFSERVING_GROUP}/v1beta1"
KEPT = "serving.sampan.dev/other-version"
"""An annotation: the spec as the other version had it, JSON."""
FRAMEWORKS = ("tensorflow", "sklearn", "pmml", "xgboost", "lightgbm", "triton", "onnx", "pytorch")
_EXPLAINERS = ("alibi", "aix")
_COMPONENTS = (PREDICTOR, TRANSFORMER, EXPLAINER)
_ALIKE = ("minReplicas", "maxReplicas", "batcher", "logger", "serviceAccountName")
_OF_FRAMEWORKS = ("storageUri", "runtimeVersion", "resources", "nthread", "modelClassName", "type", "config")
_OF_STATUS = ("conditions", "url", "address", "observedGeneration")


def converted(obj: Object, api_version: str) -> Object:
    """May change what it is given."""
    to, back = (to_v1alpha2, to_v1beta1) if api_version == V1ALPHA2 else (to_v1beta1, to_v1alpha2)
    spec, kept = meta.spec(obj), _kept(obj)
    is_way_back = kept is not None and _is_old(kept) is (api_version == V1ALPHA2) and back(kept) == spec
    made = kept if kept is not None and is_way_back else to(spec)
    annotations = {key: value for key, value in meta.annotations(obj).items() if key != KEPT}
    if back(made) != spec:
        annotations[KEPT] = _json(spec)
    metadata = {**meta.metadata(obj), "annotations": annotations or None}
    found = {**obj, "apiVersion": api_version, "metadata": metadata, "spec": made}
    if status := mapping(obj.get("status")):
        to_status = status_in_v1alpha2 if api_version == V1ALPHA2 else status_in_v1beta1
        found["status"] = to_status(status)
    return found


@dataclass(frozen=True, slots=True)
class Endpoints:
    default: Object
    """Its components, as v1beta1 has them."""
    canary: Object | None
    percent: int
    """How much of the requests the canary gets."""


def endpoints(obj: Object) -> Endpoints:
    """Of an object of any version, wherever it was stored."""
    spec, kept = meta.spec(obj), _kept(obj)
    old = spec if _is_old(spec) else None
    if old is None and kept is not None and _is_old(kept) and to_v1beta1(kept) == spec:
        old = kept
    if old is None:
        return Endpoints(spec, None, 0)
    default = to_v1beta1({"default": old.get("default")})
    if not isinstance(old.get("canary"), dict):
        return Endpoints(default, None, 0)
    return Endpoints(
        default, to_v1beta1({"default": old["canary"]}), whole(old.get("canaryTrafficPercent")) or 0
    )


def to_v1beta1(spec: Object) -> Object:
    default = child(spec, "default")
    predictor = _component(child(default, PREDICTOR), FRAMEWORKS)
    if spec.get("canaryTrafficPercent") is not None:
        predictor["canaryTrafficPercent"] = spec["canaryTrafficPercent"]
    found: Object = {PREDICTOR: predictor}
    for name, known in ((TRANSFORMER, ()), (EXPLAINER, _EXPLAINERS)):
        if isinstance(default.get(name), dict):
            found[name] = _component(default[name], known)
    return found


def to_v1alpha2(spec: Object) -> Object:
    predictor = child(spec, PREDICTOR)
    default: Object = {PREDICTOR: _deployment(predictor, FRAMEWORKS)}
    for name, known in ((TRANSFORMER, ()), (EXPLAINER, _EXPLAINERS)):
        if isinstance(spec.get(name), dict):
            default[name] = _deployment(spec[name], known)
    found: Object = {"default": default}
    if predictor.get("canaryTrafficPercent") is not None:
        found["canaryTrafficPercent"] = predictor["canaryTrafficPercent"]
    return found


def _component(endpoint: Object, known: Sequence[str]) -> Object:
    """Of v1beta1."""
    found: Object = {key: endpoint[key] for key in _ALIKE if endpoint.get(key) is not None}
    if parallelism := endpoint.get("parallelism"):
        found["containerConcurrency"] = parallelism
    framework = next((each for each in known if isinstance(endpoint.get(each), dict)), None)
    if framework is not None:
        found[framework] = _without_empty(endpoint[framework])
    elif isinstance(child(endpoint, "custom").get("container"), dict):
        found["containers"] = [endpoint["custom"]["container"]]
    return found


def _deployment(component: Object, known: Sequence[str]) -> Object:
    """Of v1alpha2."""
    found: Object = {key: component[key] for key in _ALIKE if component.get(key) is not None}
    if concurrency := component.get("containerConcurrency"):
        found["parallelism"] = concurrency
    framework = next((each for each in known if isinstance(component.get(each), dict)), None)
    containers = mappings(component.get("containers"))
    if framework is not None:
        its = component[framework]
        found[framework] = {key: its[key] for key in _OF_FRAMEWORKS if its.get(key) is not None}
    elif containers:
        found["custom"] = {"container": containers[0]}
    return found


def _without_empty(framework: Object) -> Object:
    """Go writes texts that are not set as empty ones."""
    return {key: value for key, value in framework.items() if value not in ("", None)}


def status_in_v1alpha2(status: Object) -> Object:
    """What v1alpha2 cannot say is kept in an annotation of the status."""
    found = _status_in_v1alpha2(status)
    annotations = {key: each for key, each in by_text(status.get("annotations")).items() if key != KEPT}
    if rest := {key: each for key, each in status.items() if key not in (*_OF_STATUS, "annotations")}:
        annotations[KEPT] = _json(rest)
    return {**found, "annotations": annotations} if annotations else found


def _status_in_v1alpha2(status: Object) -> Object:
    found = {key: status[key] for key in _OF_STATUS if status.get(key) is not None}
    components = child(status, "components")
    default: Object = {}
    canary: Object = {}
    for name in _COMPONENTS:
        its = mapping(components.get(name))
        if not its:
            continue
        host = urlsplit(text(its.get("url"))).netloc
        latest = text(its.get("latestCreatedRevision"))
        previous = next(
            (text(each.get("revisionName")) for each in mappings(its.get("traffic")) if not _is_latest(each)),
            "",
        )
        default[name] = _revision(previous or latest, host)
        if previous:
            canary[name] = _revision(latest, host)
    if default:
        found["default"] = default
        of_latest = [
            whole(each.get("percent")) or 0
            for each in mappings(child(components, PREDICTOR).get("traffic"))
            if _is_latest(each)
        ]
        share = of_latest[0] if canary and of_latest else 0
        found |= {"traffic": 100 - share, **({"canaryTraffic": share, "canary": canary} if canary else {})}
    return found


def status_in_v1beta1(status: Object) -> Object:
    said = by_text(status.get("annotations"))
    annotations = {key: each for key, each in said.items() if key != KEPT}
    found = {key: status[key] for key in _OF_STATUS if status.get(key) is not None}
    found |= {"annotations": annotations} if annotations else {}
    if (rest := _read(said.get(KEPT))) is not None:
        return {**rest, **found}
    components = {
        name: {
            key: value
            for key, value in (
                ("latestCreatedRevision", text(each.get("name"))),
                ("url", f"http://{text(each.get('host'))}" if each.get("host") else ""),
            )
            if value
        }
        for name, each in child(status, "default").items()
        if isinstance(each, dict)
    }
    return {**found, "components": components} if components else found


def _revision(name: str, host: str) -> Object:
    return {key: value for key, value in (("name", name), ("host", host)) if value}


def _is_latest(target: Mapping[str, Any]) -> bool:
    return target.get("latestRevision") is True


def _is_old(spec: Object) -> bool:
    return "default" in spec


def _kept(obj: Object) -> Object | None:
    """What the annotation holds; None where it holds nothing that can be read."""
    return _read(meta.annotations(obj).get(KEPT))


def _json(value: Object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _read(said: Any) -> Object | None:
    try:
        found = json.loads(said) if isinstance(said, str) else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
