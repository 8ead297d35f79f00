"""Whether an InferenceService of KFServing's may be: what it becomes must be.

Source: kserve/kserve 0.5.1 (KFServing) pkg/apis/serving/v1alpha2/inferenceservice_validation.go.
"""

from __future__ import annotations

from dataclasses import replace

from sampan.components.serving.api.conversion import endpoints
from sampan.components.serving.api.reading import whole
from sampan.components.serving.engine.kfserving.mirroring import mirror
from sampan.components.serving.engine.validation import services
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object


def check(service: Object, _old: Object | None, around: Surroundings, errors: FieldErrors) -> None:
    spec, said = meta.spec(service), endpoints(service)
    is_old = "default" in spec
    percent = whole(spec.get("canaryTrafficPercent"))
    if percent is not None and not 0 <= percent <= 100:
        errors.invalid("spec.canaryTrafficPercent", percent, "TrafficPercent must be between [0, 100].")
    elif is_old and percent and said.canary is None:
        errors.required("spec.canary", "Canary must be specified when CanaryTrafficPercent > 0.")
    found = FieldErrors()
    services.check(mirror(service, around.config, "").service, None, around, found)
    _take(found, "spec.default." if is_old else "spec.", errors)
    if said.canary is not None:
        found = FieldErrors()
        canary = {**service, "spec": said.canary}
        services.check(mirror(canary, around.config, "").service, None, around, found)
        _take(found, "spec.canary.", errors)


def _take(found: FieldErrors, prefix: str, errors: FieldErrors) -> None:
    known = {(each.field, each.message) for each in errors.causes}
    for cause in found.causes:
        field = prefix + cause.field.removeprefix("spec.") if cause.field.startswith("spec.") else cause.field
        if (field, cause.message) not in known:
            errors.causes.append(replace(cause, field=field))
