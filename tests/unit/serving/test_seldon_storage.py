"""Where models of SeldonDeployments come from: cases of seldon-core 1.18.2's model_initializer_injector_test.go and of
its packages credentials/{gcs,s3}; components/rclone-storage-initializer/readme.md."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.serving.engine.seldon.storage import keys_of, storage_config, uri_of
from sampan.components.serving.engine.storage import credentials
from sampan.components.serving.engine.storage.config import StorageConfig
from sampan.components.serving.engine.storage.reads import Reads
from sampan.components.serving.engine.storage.wanted import Wanted


@pytest.mark.parametrize(
    ("told", "uri", "remote"),
    [
        ("s3:sklearn/iris", "s3://sklearn/iris", "S3"),
        ("s3://sklearn/iris", "s3://sklearn/iris", "S3"),
        ("mys3:sklearn/iris", "s3://sklearn/iris", "MYS3"),
        ("minio://models", "s3://models", "MINIO"),
        ("gs:seldon-models/iris", "gs://seldon-models/iris", "S3"),
        ("gcs:seldon-models/iris", "gs://seldon-models/iris", "S3"),
        ("gs://seldon-models/iris", "gs://seldon-models/iris", "S3"),
        ("https://a/b:c", "https://a/b:c", "S3"),
        ("pvc://claim/a", "pvc://claim/a", "S3"),
        ("file:///a", "file:///a", "S3"),
        ("no-scheme", "no-scheme", "S3"),
    ],
)
def test_rclones_uris(told: str, uri: str, remote: str) -> None:
    assert uri_of(told) == uri
    assert keys_of(told)["AWS_ACCESS_KEY_ID"] == f"RCLONE_CONFIG_{remote}_ACCESS_KEY_ID"


def test_what_the_config_map_says_of_fetching() -> None:
    base = StorageConfig()
    said = {
        "storageInitializer": json.dumps(
            {"image": "mine:1", "cpuRequest": "1m", "memoryLimit": "2Gi", "cpuLimit": ""}
        ),
        "credentials": json.dumps(
            {"gcs": {"gcsCredentialFileName": "key.json"}, "s3": {"s3SecretAccessKeyName": "mine"}}
        ),
    }
    found = storage_config(base, said)
    assert (found.image, found.cpu_request, found.memory_limit) == ("mine:1", "1m", "2Gi")
    assert (found.cpu_limit, found.memory_request) == (base.cpu_limit, base.memory_request)
    assert (found.gcs_file_name, found.s3.secret_key_name) == ("key.json", "mine")
    assert storage_config(base, {}) == base
    assert storage_config(base, {"storageInitializer": "{", "credentials": "[]"}) == base


def variables(data: Any, annotations: Any = None) -> dict[str, Any]:
    secret = {
        "metadata": {"name": "s3", "annotations": annotations or {}},
        "data": dict.fromkeys(data, "YQ=="),
    }
    account = {"metadata": {"name": "default"}, "secrets": [{"name": "s3"}]}
    reads = Reads("team", account, {"s3": secret})
    found = credentials.of_account({}, Wanted(), reads, StorageConfig())
    return {each["name"]: each.get("value") or each["valueFrom"]["secretKeyRef"]["key"] for each in found.env}


@pytest.mark.parametrize("group", ["serving.kserve.io", "machinelearning.seldon.io", "serving.kubeflow.org"])
def test_secrets_of_every_project_are_read(group: str) -> None:
    said = {f"{group}/s3-endpoint": "minio:9000", f"{group}/s3-usehttps": "0"}
    found = variables(("awsAccessKeyID", "awsSecretAccessKey"), said)
    assert found["AWS_ACCESS_KEY_ID"] == "awsAccessKeyID"
    assert found["AWS_SECRET_ACCESS_KEY"] == "awsSecretAccessKey"
    assert found["AWS_ENDPOINT_URL"] == "http://minio:9000"
    found = variables(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    assert found["AWS_SECRET_ACCESS_KEY"] == "AWS_SECRET_ACCESS_KEY"
    assert variables(("other",)) == {}
