"""How the models of SeldonDeployments are brought where an init container of the user's own brings them."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from sampan.components.serving.controller.seldon.models import Models
from sampan.components.serving.controller.storage import ModelStorage
from sampan.components.serving.engine.seldon.desired import Fetch
from sampan.components.serving.engine.storage.config import StorageConfig


class Untouched:
    async def add(self, *_: object) -> Any:
        raise AssertionError("nothing is to be fetched")


def test_an_init_container_of_the_users_own_brings_the_model() -> None:
    template = {
        "spec": {
            "initContainers": [{"name": "classifier-model-initializer", "image": "rclone/rclone"}],
            "containers": [{"name": "classifier"}],
        }
    }
    fetch = Fetch("d", "classifier", "dummy value")
    made = asyncio.run(_bring(template, fetch))
    mount = {"name": "classifier-provision-location", "mountPath": "/mnt/models", "readOnly": True}
    assert made["spec"]["containers"] == [{"name": "classifier", "volumeMounts": [mount]}]
    assert "volumeMounts" not in template["spec"]["containers"][0]
    # What the user has mounted there stays.
    own = [{"name": "own", "mountPath": "/mnt/models"}]
    template["spec"]["containers"] = [{"name": "classifier", "volumeMounts": own}]
    made = asyncio.run(_bring(template, fetch))
    assert made["spec"]["containers"][0]["volumeMounts"] == own


async def _bring(template: Any, fetch: Fetch) -> Any:
    storage = cast("ModelStorage", Untouched())
    return await Models(storage).bring(template, fetch, "n", cast("StorageConfig", None))
