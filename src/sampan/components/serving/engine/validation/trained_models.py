"""Whether a TrainedModel may be.

Source: kserve/kserve 0.20 pkg/apis/serving/v1alpha1/trainedmodel_webhook.go, pkg/agent/storage.
"""

from __future__ import annotations

import re
from typing import Any

from sampan.components.serving.api.reading import child, text
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube import meta, quantities
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_PREFIXES = ("s3://", "gs://", "https://", "http://")
_MORE_PREFIXES = ("hf://", "pvc://", "file://")
"""That our puller takes beside upstream's."""


def check(model: Object, old: Object | None, _around: Surroundings, errors: FieldErrors) -> None:
    name, its = meta.name(model), child(model, "spec", "model")
    if not _NAME.fullmatch(name):
        errors.invalid(
            "metadata.name",
            name,
            "a Trained Model name must consist of alphanumeric characters, '_', or '-'. (e.g. \"my-Name\" or"
            f" \"abc_123\", regex used for validation is '^{_NAME.pattern}$')",
        )
    uri = text(its.get("storageUri"))
    known = (*_PREFIXES, *_MORE_PREFIXES)
    if not uri.startswith(known):
        errors.invalid(
            "spec.model.storageUri",
            uri,
            f'the Trained Model "{name}" storageUri field is invalid. The storage uri must start with one of the'
            f' prefixes: {", ".join(known)}. (the storage uri given is "{uri}")',
        )
    memory = its.get("memory")
    if old is not None:
        before = child(old, "spec", "model").get("memory")
        if before is not None and not _is_same(before, memory):
            errors.forbidden(
                "spec.model.memory",
                f'the Trained Model "{name}" memory field is immutable. The memory was "{before}" but it is updated'
                f' to "{memory}"',
            )


def _is_same(left: Any, right: Any) -> bool:
    try:
        return quantities.compare(left, right) == 0
    except (ValueError, TypeError):
        return bool(left == right)
