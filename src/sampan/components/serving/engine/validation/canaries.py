"""`spec.canary`: further predictors, each with its share of the requests. For `services`.

Source: kserve/kserve 0.20 pkg/apis/serving/v1beta1/inference_service_validation.go (validateCanarySpecs).
"""

from __future__ import annotations

from sampan.components.serving.api import models
from sampan.components.serving.api.labels import DEPLOYMENT_MODE, PREDICTOR, STANDARD
from sampan.components.serving.api.reading import by_text, child, mappings, text, whole
from sampan.components.serving.engine.validation import components
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_OF_SCALING = ("maxReplicas", "scaleTarget", "scaleMetric", "autoScaling")


def check(service: Object, errors: FieldErrors) -> None:
    spec = meta.spec(service)
    canaries = mappings(spec.get("canary"))
    if not canaries:
        return
    mode = by_text(meta.annotations(service)).get(DEPLOYMENT_MODE)
    if mode != STANDARD:
        errors.forbidden(
            "spec.canary",
            f"canary is only supported in {STANDARD} deployment mode: annotate the InferenceService with"
            f" {DEPLOYMENT_MODE}: {STANDARD}, or take spec.predictor.canaryTrafficPercent",
        )
    stable = child(spec, PREDICTOR)
    if not components.storage_uri(stable) and not models.framework(stable):
        errors.invalid_as_a_whole(
            "spec.predictor",
            "canary requires a stable predictor with a model (multi-model serving is not supported with canary)",
        )
    names: set[str] = set()
    for index, each in enumerate(canaries):
        _check_one(each, stable, index, names, errors)
    total = sum(whole(each.get("trafficPercent")) or 0 for each in canaries)
    if total > 100:
        errors.invalid("spec.canary", total, f"sum of canary trafficPercent values ({total}) must be <= 100")


def _check_one(canary: Object, stable: Object, index: int, names: set[str], errors: FieldErrors) -> None:
    at = f"spec.canary[{index}]"
    predictor = child(canary, PREDICTOR)
    name = text(predictor.get("name"))
    if not name:
        errors.required(f"{at}.predictor.name", f"canary[{index}] predictor.name is required")
        return
    if name in names:
        errors.invalid(f"{at}.predictor.name", name, f'canary predictor.name "{name}" is duplicated')
    names.add(name)
    if name == text(stable.get("name")):
        errors.invalid(
            f"{at}.predictor.name",
            name,
            f'canary predictor.name "{name}" conflicts with stable predictor name',
        )
    percent = whole(canary.get("trafficPercent"))
    if percent is not None and not 0 <= percent <= 100:
        errors.invalid(
            f"{at}.trafficPercent",
            percent,
            f'canary "{name}" trafficPercent must be between 0 and 100, got {percent}',
        )
    components.check(PREDICTOR, predictor, f"{at}.predictor", errors)
    components.check_variables(predictor, f"{at}.predictor", errors)
    _check_fixed(predictor, stable, name, f"{at}.predictor", errors)


def _check_fixed(predictor: Object, stable: Object, name: str, at: str, errors: FieldErrors) -> None:
    if predictor.get("workerSpec") is not None:
        errors.forbidden(
            f"{at}.workerSpec",
            f'canary "{name}" must not set workerSpec (multi-node is not yet supported for canary)',
        )
    for field in _OF_SCALING:
        if predictor.get(field):
            errors.forbidden(
                f"{at}.{field}", f'canary "{name}" must not set {field} (canary uses fixed replicas)'
            )
    least, most = whole(predictor.get("minReplicas")), whole(stable.get("minReplicas"))
    most = 1 if most is None else most
    if least is not None and least > most:
        errors.invalid(
            f"{at}.minReplicas",
            least,
            f'canary "{name}" minReplicas ({least}) must not exceed stable predictor minReplicas ({most})',
        )
