"""LLMInferenceServices where they are written: their defaults, and from one version to the other.

Called by our API server. v1alpha1 says how critical a model is: what v1alpha2 cannot say is kept in annotations, as
upstream keeps it, so that nothing is lost on the way there and back. Source: kserve/kserve 0.20
pkg/apis/serving/v1alpha1/llm_inference_service_conversion.go, v1alpha2/llm_inference_service_defaults.go.
"""

from __future__ import annotations

import json
from typing import Any

from sampan.components.serving.api import inference_pools
from sampan.components.serving.api.kinds import GROUP
from sampan.components.serving.api.reading import child, mapping, mappings, text
from sampan.kube import meta
from sampan.kube.meta import Object

V1ALPHA1, V1ALPHA2 = f"{GROUP}/v1alpha1", f"{GROUP}/v1alpha2"
MODEL = "internal.serving.kserve.io/model-criticality"
ADAPTERS = "internal.serving.kserve.io/lora-criticalities"
GROUP_LABEL = "serving.kserve.io/routing-group"
_FIELD = "criticality"


def with_defaults(obj: Object) -> Object:
    """A model has the object's name where it has none of its own, and a routing group is a label too."""
    spec = meta.spec(obj)
    labels = {key: value for key, value in meta.labels(obj).items() if key != GROUP_LABEL}
    if group := text(child(spec, "router", "route").get("group")):
        labels[GROUP_LABEL] = group
    model = {**child(spec, "model")}
    if not model.get("name"):
        model["name"] = meta.name(obj)
    metadata = {**meta.metadata(obj), **({"labels": labels} if labels or meta.labels(obj) else {})}
    return {**obj, "metadata": metadata, "spec": {**spec, "model": model}}


def converted(obj: Object, api_version: str) -> Object:
    spec, annotations = dict(meta.spec(obj)), dict(meta.annotations(obj))
    model = dict(mapping(spec.get("model")))
    adapters = [dict(each) for each in mappings(child(model, "lora").get("adapters"))]
    if api_version == V1ALPHA2:
        _keep(model, adapters, annotations)
    else:
        _restore(model, adapters, annotations)
    if adapters:
        model["lora"] = {**mapping(model.get("lora")), "adapters": adapters}
    if "model" in spec:
        spec["model"] = model
    if pool := child(spec, "router", "scheduler", "pool", "spec"):
        made = inference_pools.to_v1 if api_version == V1ALPHA2 else inference_pools.to_v1alpha2
        spec["router"] = _with_pool(spec["router"], made(pool))
    metadata = {**meta.metadata(obj), "annotations": annotations}
    if not annotations:
        metadata.pop("annotations")
    return {**obj, "apiVersion": api_version, "metadata": metadata, "spec": spec}


def _with_pool(router: Object, pool: Object) -> Object:
    scheduler = router["scheduler"]
    return {**router, "scheduler": {**scheduler, "pool": {**scheduler["pool"], "spec": pool}}}


def _keep(model: dict[str, Any], adapters: list[dict[str, Any]], annotations: dict[str, Any]) -> None:
    if told := text(model.pop(_FIELD, None)):
        annotations[MODEL] = told
    by_place = {str(place): text(each.pop(_FIELD, None)) for place, each in enumerate(adapters)}
    if kept := {place: told for place, told in by_place.items() if told}:
        annotations[ADAPTERS] = json.dumps(kept, sort_keys=True)


def _restore(model: dict[str, Any], adapters: list[dict[str, Any]], annotations: dict[str, Any]) -> None:
    if told := text(annotations.pop(MODEL, None)):
        model[_FIELD] = told
    try:
        kept = mapping(json.loads(annotations.pop(ADAPTERS, None) or "{}"))
    except ValueError:
        kept = {}
    for place, each in enumerate(adapters):
        if told := text(kept.get(str(place))):
            each[_FIELD] = told
