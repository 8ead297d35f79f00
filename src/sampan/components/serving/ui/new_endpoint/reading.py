"""What the form begins with for an InferenceService that is there: only where it loses nothing of it. Pure."""

from __future__ import annotations

import shlex
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.reading import child, mapping, mappings, text, texts, whole
from sampan.components.serving.ui.new_endpoint import building
from sampan.components.serving.ui.new_endpoint.wanted import CONTAINER, MODEL, Beside, Size, Wanted
from sampan.kube import meta
from sampan.kube.meta import Object

_STORAGE = "STORAGE_URI"


def wanted(obj: Object) -> Wanted | None:
    """None where the form has no field for something in it."""
    found = _read(obj)
    return found if _plain(building.service(found)["spec"]) == _plain(meta.spec(obj)) else None


def _read(obj: Object) -> Wanted:
    spec = meta.spec(obj)
    predictor = child(spec, "predictor")
    model = child(predictor, "model")
    containers = mappings(predictor.get("containers"))
    container = model or (containers[0] if containers else {})
    environment = {text(each.get("name")): text(each.get("value")) for each in mappings(container.get("env"))}
    uri = text(model.get("storageUri")) if model else environment.pop(_STORAGE, "")
    ports = mappings(container.get("ports"))
    kind = child(model, "modelFormat")
    return Wanted(
        name=meta.name(obj),
        namespace=meta.namespace(obj),
        source=MODEL if model else CONTAINER,
        format=f"{text(kind.get('name'))} {text(kind.get('version'))}".strip(),
        uri=uri,
        runtime=text(model.get("runtime")),
        protocol=text(model.get("protocolVersion")),
        image="" if model else text(container.get("image")),
        command="" if model else shlex.join(texts(container.get("command"))),
        port=None if model or not ports else whole(ports[0].get("containerPort")),
        environment=environment,
        account=text(predictor.get("serviceAccountName")),
        canary_percent=whole(predictor.get("canaryTrafficPercent")),
        mode=meta.annotations(obj).get(labels.DEPLOYMENT_MODE, ""),
        size=_size(predictor, container),
        beside=_beside(spec, predictor),
    )


def _size(predictor: Object, container: Object) -> Size:
    requests = child(container, "resources", "requests")
    limits = child(container, "resources", "limits")
    return Size(
        least=whole(predictor.get("minReplicas")),
        most=whole(predictor.get("maxReplicas")),
        metric=text(predictor.get("scaleMetric")),
        target=whole(predictor.get("scaleTarget")),
        cpu=str(requests.get("cpu") or ""),
        memory=str(requests.get("memory") or ""),
        gpu=str(requests.get("nvidia.com/gpu") or ""),
        limits=None if limits == requests else {key: str(each) for key, each in limits.items()},
    )


def _beside(spec: Object, predictor: Object) -> Beside:
    logger, batcher = child(predictor, "logger"), child(predictor, "batcher")
    return Beside(
        transformer=_image(spec.get("transformer")),
        explainer=_image(spec.get("explainer")),
        logger=text(logger.get("url")),
        logger_mode=text(logger.get("mode")) or "all",
        batch_size=whole(batcher.get("maxBatchSize")),
        batch_milliseconds=whole(batcher.get("maxLatency")),
    )


def _image(part: Any) -> str:
    containers = mappings(mapping(part).get("containers"))
    return text(containers[0].get("image")) if containers else ""


def _plain(value: Any) -> Any:
    """Without what says nothing: empty maps, lists and texts, and a port's usual protocol."""
    if isinstance(value, dict):
        made = {key: _plain(each) for key, each in value.items()}
        return {
            key: each
            for key, each in made.items()
            if each not in ({}, [], "", None) and (key, each) != ("protocol", "TCP")
        }
    return [_plain(each) for each in value] if isinstance(value, list) else value
