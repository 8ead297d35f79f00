"""The TrainedModel of KServe's that is served for one of KFServing's, whose fields are the same.

Source: kserve/kserve 0.5.1 (KFServing) pkg/apis/serving/v1alpha1/trained_model.go, trainedmodel_webhook.go.
"""

from __future__ import annotations

import re
from typing import Any

from sampan.components.serving.api.kinds import TRAINED_MODELS
from sampan.components.serving.engine.kfserving.mirroring import metadata
from sampan.components.serving.engine.validation import trained_models
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_NAME = re.compile("[a-z]([-a-z0-9]*[a-z0-9])?")


def check(model: Object, old: Object | None, around: Surroundings, errors: FieldErrors) -> None:
    name = meta.name(model)
    if not _NAME.fullmatch(name):
        errors.invalid(
            "metadata.name",
            name,
            f'the Trained Model "{name}" is invalid: a Trained Model name must consist of lower case alphanumeric'
            ' characters or \'-\', and must start with alphabetical character. (e.g. "my-name" or "abc-123", regex'
            f" used for validation is '^{_NAME.pattern}$')",
        )
        return
    trained_models.check(model, old, around, errors)


def mirror(model: Object) -> Object:
    return {
        "apiVersion": TRAINED_MODELS.api_version,
        "kind": TRAINED_MODELS.kind,
        "metadata": metadata(model),
        "spec": meta.spec(model),
    }


def status(model: Object, running: Object) -> dict[str, Any]:
    """`running`: KServe's as it is now."""
    return {**meta.status(running), "observedGeneration": meta.generation(model)}
