"""Whether an InferenceService may be. With its defaults filled in (`api.defaults`).

Source: kserve/kserve 0.20 pkg/apis/serving/v1beta1/inference_service_validation.go.
"""

from __future__ import annotations

import re

from sampan.components.serving.api.labels import (
    AUTOSCALER_CLASS,
    DEPLOYMENT_MODE,
    EXPLAINER,
    MODES,
    PREDICTOR,
    TRANSFORMER,
    TRANSFORMER_CONTAINER,
)
from sampan.components.serving.api.reading import by_text, child, mappings, named, text
from sampan.components.serving.engine.validation import canaries, components, scaling, storage, workers
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LONGEST_SERVICE = 63
_REVISION = "-00001"
_AUTOSCALERS = ("hpa", "external", "keda", "none")


def check(service: Object, old: Object | None, around: Surroundings, errors: FieldErrors) -> None:
    spec, annotations = meta.spec(service), by_text(meta.annotations(service))
    _check_name(service, errors)
    _check_mode(service, old, errors)
    wanted = annotations.get(AUTOSCALER_CLASS)
    if wanted is not None and wanted not in _AUTOSCALERS:
        errors.invalid(
            f"metadata.annotations[{AUTOSCALER_CLASS}]",
            wanted,
            f"[{wanted}] is not a supported autoscaler class type: take one of {', '.join(_AUTOSCALERS)}",
        )
    for name in (PREDICTOR, TRANSFORMER, EXPLAINER):
        if name == PREDICTOR or isinstance(spec.get(name), dict):
            at, component = f"spec.{name}", child(spec, name)
            components.check(name, component, at, errors)
            components.check_variables(component, at, errors)
            scaling.check(component, annotations, at, errors)
            storage.check(component, at, around, errors)
    predictor = child(spec, PREDICTOR)
    _check_collocated(predictor, errors)
    workers.check(predictor, annotations, errors)
    canaries.check(service, errors)
    if old is not None:
        _check_predictor_name(predictor, child(old, "spec", PREDICTOR), errors)


def _check_name(service: Object, errors: FieldErrors) -> None:
    name = meta.name(service)
    if not _NAME.fullmatch(name):
        errors.invalid(
            "metadata.name",
            name,
            "a InferenceService name must consist of lower case alphanumeric characters or '-', and must start with"
            ' alphabetical character. (e.g. "my-name" or "abc-123", regex used for validation is'
            f" '{_NAME.pattern}')",
        )
        return
    present = [
        each for each in (PREDICTOR, TRANSFORMER, EXPLAINER) if meta.spec(service).get(each) is not None
    ]
    longest = max((len(each) for each in present), default=len(PREDICTOR))
    room = _LONGEST_SERVICE - len(_REVISION) - longest - 1
    if len(name) > room:
        errors.invalid(
            "metadata.name",
            name,
            f"may have no more than {room} characters, for Services are named after it: {name}-{PREDICTOR}{_REVISION}",
        )


def _check_mode(service: Object, old: Object | None, errors: FieldErrors) -> None:
    recorded = text(meta.status(old or {}).get("deploymentMode"))
    if not recorded:
        return
    before = MODES.get(recorded, recorded)
    asked = by_text(meta.annotations(service)).get(DEPLOYMENT_MODE)
    if asked is not None and MODES.get(asked, asked) != before:
        errors.invalid(
            f"metadata.annotations[{DEPLOYMENT_MODE}]",
            asked,
            f"update rejected: deploymentMode cannot be changed from '{before}' to '{asked}': delete the"
            " InferenceService and make it anew",
        )


def _check_collocated(predictor: Object, errors: FieldErrors) -> None:
    transformer = named(predictor.get("containers"), TRANSFORMER_CONTAINER) or {}
    if any(each.get("name") == "STORAGE_URI" for each in mappings(transformer.get("env"))):
        errors.forbidden(
            "spec.predictor.containers",
            "storage uri should not be specified in transformer container: the predictor's container has the model",
        )


def _check_predictor_name(predictor: Object, before: Object, errors: FieldErrors) -> None:
    name = text(predictor.get("name"))
    if name == text(before.get("name")):
        return
    if components.storage_uri(predictor) == components.storage_uri(before):
        errors.invalid(
            "spec.predictor.name",
            name,
            "predictor.name change requires a model change (e.g. storageUri)",
        )
