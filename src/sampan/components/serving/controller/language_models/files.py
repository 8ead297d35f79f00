"""A model's files, and its adapters', brought to the pods of an LLMInferenceService as to those of InferenceServices.

Source: kserve/kserve 0.20 pkg/controller/v1alpha2/llmisvc/workload_storage.go. What a user says of the container
`storage-initializer` counts, but for its name, command and arguments.
"""

from __future__ import annotations

import copy
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.reading import mapping, mappings, text
from sampan.components.serving.controller.storage import ModelStorage
from sampan.components.serving.engine.language_models import merging, names
from sampan.components.serving.engine.storage.config import StorageConfig
from sampan.kube.meta import Object

_OURS = ("name", "command", "args")


class ModelFiles:
    def __init__(self, storage: ModelStorage) -> None:
        self._storage = storage

    async def bring(
        self, template: Object, component: Object, namespace: str, config: StorageConfig
    ) -> Object:
        """A copy of the pod template. Raises StorageError, MergeError, ApiError."""
        alone, own = _without_own(template)
        if not component:
            return alone
        _swap(alone)
        made = copy.deepcopy(await self._storage.add(component, alone, namespace, config))
        _swap(made)
        return _with_own(made, own)


def _without_own(template: Object) -> tuple[Object, Object]:
    """And what its author says of the initializer."""
    made = copy.deepcopy(template)
    spec: dict[str, Any] = made["spec"]
    found = mappings(spec.get("initContainers"))
    own = next((each for each in found if each.get("name") == labels.STORAGE_INITIALIZER), {})
    if own:
        spec["initContainers"] = [each for each in found if each is not own]
    return made, {key: value for key, value in own.items() if key not in _OURS}


def _with_own(made: Object, own: Object) -> Object:
    spec = mapping(made.get("spec"))
    if own:
        spec["initContainers"] = [
            merging.container(each, own) if each.get("name") == labels.STORAGE_INITIALIZER else each
            for each in mappings(spec.get("initContainers"))
        ]
    return made


def _swap(template: Object) -> None:
    """Names `main` as InferenceServices call it, and one that they would take for it the other way round."""
    other = {names.MAIN: labels.CONTAINER, labels.CONTAINER: names.MAIN}
    for each in mappings(mapping(template.get("spec")).get("containers")):
        each["name"] = other.get(text(each.get("name")), each.get("name"))
