"""What is taken, and whoever writes it should know of: in upstream's words. Pure.

Source: kserve/kserve 0.20 pkg/validation/confidential.go, pkg/apis/serving/v1alpha2/llm_inference_service_{,config_}
validation.go. Not warned of: a model in an image, which our own initializer refuses if it is to be confidential.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.serving.api import language_presets, models
from sampan.components.serving.api.kinds import (
    INFERENCE_SERVICES,
    LLM_INFERENCE_SERVICE_CONFIGS,
    LLM_INFERENCE_SERVICES,
)
from sampan.components.serving.api.labels import NAMESPACE
from sampan.components.serving.api.reading import child, mappings, text
from sampan.components.serving.engine.validation.components import storage_uri
from sampan.kube import meta
from sampan.kube.meta import Object

_CLAIM = "pvc://"
_NO_EFFECT = (
    "confidential has no effect with PVC URIs; the storage-initializer is not injected for PVC volumes"
)


def of(obj: Object, old: Object | None) -> Sequence[str]:
    """Of an object that nothing refuses."""
    kind = obj.get("kind")
    if kind == INFERENCE_SERVICES.kind:
        predictor = child(obj, "spec", "predictor")
        return _of_model(models.model(predictor), storage_uri(predictor))
    if kind == LLM_INFERENCE_SERVICES.kind:
        model = child(obj, "spec", "model")
        return [*_of_parents(child(obj, "spec", "router")), *_of_model(model, text(model.get("uri")))]
    if kind == LLM_INFERENCE_SERVICE_CONFIGS.kind and old is not None:
        return _of_config(obj, old)
    return ()


def _of_model(model: Object, uri: str) -> Sequence[str]:
    is_secret = child(model, "confidential").get("enabled") is True
    return [_NO_EFFECT] if is_secret and uri.startswith(_CLAIM) else []


def _of_parents(router: Object) -> Sequence[str]:
    parents = mappings(child(router, "route", "http", "spec").get("parentRefs"))
    if not parents or not mappings(child(router, "gateway").get("refs")):
        return []
    return [
        "spec.router.route.http.spec.parentRefs can be omitted when spec.router.gateway.refs is set; parentRefs will "
        "be derived automatically from gateway refs"
    ]


def _of_config(config: Object, old: Object) -> Sequence[str]:
    name = meta.name(config)
    is_own = meta.namespace(config) == NAMESPACE and language_presets.is_well_known(name)
    if not is_own or meta.spec(config) == meta.spec(old):
        return []
    return [
        f"modifying well-known config {NAMESPACE}/{name} is not recommended. Consider creating a custom config "
        "instead"
    ]
