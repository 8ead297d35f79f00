"""A language model's files go to its own container, whatever others are beside it."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

from sampan.components.serving.controller.language_models.files import ModelFiles


class Storage:
    """Shows a volume to `kserve-container`, as the storage of InferenceServices does."""

    async def add(self, component: Any, template: Any, namespace: str, config: Any) -> Any:
        made = copy.deepcopy(template)
        for each in made["spec"]["containers"]:
            if each["name"] == "kserve-container":
                each["volumeMounts"] = [{"name": "files", "mountPath": "/mnt/models"}]
        return made


def test_a_container_that_is_named_as_those_of_inference_services_stays_beside_it() -> None:
    files: Any = ModelFiles(Storage())  # type: ignore[arg-type]
    containers = [{"name": "kserve-container"}, {"name": "main"}, {"name": "sidecar"}]
    template = {"spec": {"containers": containers}}
    component = {"model": {"storageUri": "hf://a/b"}}
    made = asyncio.run(files.bring(template, component, "team", None))
    assert [each["name"] for each in made["spec"]["containers"]] == ["kserve-container", "main", "sidecar"]
    assert [bool(each.get("volumeMounts")) for each in made["spec"]["containers"]] == [False, True, False]
    assert containers == [{"name": "kserve-container"}, {"name": "main"}, {"name": "sidecar"}]
