"""How the models of SeldonDeployments are brought: rclone's names of places, and init containers of the user's own."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from sampan.components.serving.controller.seldon import models
from sampan.components.serving.controller.seldon.models import Models
from sampan.components.serving.controller.storage import ModelStorage
from sampan.components.serving.engine.seldon.desired import Fetch
from sampan.components.serving.engine.storage.config import StorageConfig


@pytest.mark.parametrize(
    ("told", "secret", "uri", "remote"),
    [
        ("gs://models/iris", "", "gs://models/iris", "S3"),
        ("s3://models/iris", "keys", "s3://models/iris", "S3"),
        ("s3:models/iris", "keys", "s3://models/iris", "S3"),
        ("gcs:models/iris", "", "gs://models/iris", "GCS"),
        ("mys3:sklearn/iris", "keys", "s3://sklearn/iris", "MYS3"),
        ("cluster-minio:/sklearn/iris", "keys", "s3://sklearn/iris", "CLUSTER_MINIO"),
        # Without a Secret nobody says what the remote is.
        ("mys3:sklearn/iris", "", "mys3:sklearn/iris", "MYS3"),
        ("models/iris", "keys", "models/iris", "S3"),
    ],
)
def test_a_place_in_rclones_words(told: str, secret: str, uri: str, remote: str) -> None:
    fetch = Fetch("d", "classifier", told, secret=secret)
    assert models.uri(fetch) == uri
    assert models.remote(fetch) == remote


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
