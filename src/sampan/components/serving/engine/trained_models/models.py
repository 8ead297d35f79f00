"""Which models a service serves, and the list by which its agent knows them.

Source: kserve/kserve v0.20.0 pkg/modelconfig/configmap.go, pkg/controller/v1beta1/inferenceservice/utils/utils.go
(IsMMSPredictor, IsMemoryResourceAvailable), pkg/controller/v1alpha1/trainedmodel/controller.go (updateConditions).
Unlike there, who has room follows from all models of the service, the older ones first, whatever order they are looked
at in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import KFSERVING_GROUP
from sampan.components.serving.api.reading import child, mapping, mappings, text
from sampan.components.serving.engine.inference_services import spec as reading
from sampan.components.serving.engine.inference_services.pods import model_config_name
from sampan.kube import meta, quantities
from sampan.kube.meta import Object

ALLOCATED = "serving.kserve.io/trainedmodel-allocated"
"""A label: the service that has room for the model."""
PARENT = "inferenceservice"
"""A label: the service."""
FILE = "models.json"


def service_name(model: Object) -> str:
    return text(meta.spec(model).get("inferenceService"))


def is_multi_model(isvc: Object) -> bool:
    return reading.is_multi_model(reading.predictor(isvc))


def memory_limit(isvc: Object) -> Decimal | None:
    """Of the predictor; None where its spec sets none."""
    predictor = reading.predictor(isvc)
    holders = [predictor.model] if predictor.model is not None else predictor.containers[:1]
    for holder in holders:
        limits = child(mapping(holder), "resources", "limits")
        if "memory" in limits:
            return amount(limits["memory"])
    return None


def amount(value: Any) -> Decimal:
    """What is no quantity counts as nothing."""
    try:
        return quantities.parse(value)
    except (ValueError, TypeError):
        return Decimal(0)


def placed(isvc: Object, models: Sequence[Object]) -> frozenset[str]:
    """The names of the models that the predictor's memory has room for."""
    limit = memory_limit(isvc)
    taken, names = Decimal(0), set()
    for each in sorted(models, key=_turn):
        wanted = Decimal(0) if _is_kfservings(each) else amount(child(each, "spec", "model").get("memory"))
        if limit is None or taken + wanted <= limit:
            taken += wanted
            names.add(meta.name(each))
    return frozenset(names)


def _is_kfservings(model: Object) -> bool:
    """Whose memory nobody counts.

    Source: kserve/kserve 0.5.1 (KFServing) pkg/controller/v1alpha1/trainedmodel/controller.go, docs/samples.
    """
    owners = mappings(meta.metadata(model).get("ownerReferences"))
    return any(text(each.get("apiVersion")).startswith(f"{KFSERVING_GROUP}/") for each in owners)


def config_map(isvc: Object, models: Sequence[Object]) -> Object:
    """The list of models that the service's agent reads."""
    names = placed(isvc, models)
    listed = [
        {"modelName": meta.name(each), "modelSpec": _listed(child(each, "spec", "model"))}
        for each in sorted(models, key=meta.name)
        if meta.name(each) in names
    ]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": model_config_name(meta.name(isvc)),
            "namespace": meta.namespace(isvc),
            "labels": {**meta.labels(isvc), labels.INFERENCE_SERVICE: meta.name(isvc)},
        },
        "data": {FILE: json.dumps(listed)},
    }


def _listed(model: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(model.get(key) or "") for key in ("storageUri", "framework", "memory")}


def _turn(model: Object) -> tuple[bool, str, str]:
    """Who has a place keeps it; then the older ones come first."""
    has_place = meta.labels(model).get(ALLOCATED) == service_name(model)
    return not has_place, str(meta.metadata(model).get("creationTimestamp") or ""), meta.name(model)
