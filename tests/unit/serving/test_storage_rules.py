"""What the pods of a user may fetch: rules of the settings, and whose keys of the platform's own S3 they are given."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from sampan.components import PodFiles
from sampan.components.serving.api.settings import ServingSettings
from sampan.components.serving.api.settings import check as check_settings
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.storage import OWN_S3_SECRET, own_rules, own_s3_secret
from sampan.components.serving.engine.storage.config import OwnRules, StorageConfig
from sampan.components.serving.engine.storage.credentials import needs_own_s3
from sampan.components.serving.engine.storage.injection import with_storage
from sampan.components.serving.engine.storage.reads import Reads
from sampan.components.serving.engine.storage.wanted import StorageUri, Wanted, wanted
from sampan.store.artifacts.objects import Bucket

HOME = Path("/home/me/.sampan")
BUCKET = Bucket("s3", "team", endpoint="http://127.0.0.1:9000", access_key="id", secret_key="hidden")


def around(settings=None, *, many=False, pod_files=None):
    nothing = None
    return Around(
        nothing, nothing, nothing, settings or ServingSettings(), HOME, "", pod_files, has_many_users=many
    )


def test_a_single_user_may_serve_and_reach_what_they_like():
    found = own_rules(around())
    assert found == OwnRules(True, f"{HOME}/cache/models", None, None)


def test_users_of_namespaces_may_only_what_is_said():
    found = own_rules(around(many=True))
    assert found.file_roots == (f"{HOME}/artifacts/{{namespace}}",)
    assert found.private_hosts == ()
    settings = ServingSettings(file_roots=("/srv/{namespace}",), private_hosts=("*.svc",))
    found = own_rules(around(settings, many=True))
    assert found.file_roots == (f"{HOME}/artifacts/{{namespace}}", "/srv/{namespace}")
    assert found.private_hosts == ("*.svc",)


def test_on_other_clusters_nothing_is_said():
    pod_files = PodFiles("http://me", "python:3.11", 1)
    assert own_rules(around(many=True, pod_files=pod_files)) == OwnRules()


@pytest.mark.parametrize("root", ["models", "../x", "/a/../b", ""])
def test_roots_are_whole_paths(root):
    with pytest.raises(ValueError, match=r"serving\.file_roots must be whole paths"):
        check_settings(ServingSettings(file_roots=(root,)))


def injected(uri, **reads):
    made = {"spec": {"containers": [{"name": "kserve-container"}]}}
    found = with_storage(
        made,
        wanted({"model": {"storageUri": uri}}),
        Reads("team", {"metadata": {"name": "default"}}, **reads),
        StorageConfig(),
    )
    return {each["name"]: each for each in found["spec"]["initContainers"][0]["env"]}


def test_the_platforms_own_s3_is_meant_where_nothing_says_another():
    secret = own_s3_secret("team", BUCKET)
    env = injected("s3://team/m", own_s3=secret)
    reference = {"secretKeyRef": {"name": OWN_S3_SECRET, "key": "AWS_SECRET_ACCESS_KEY"}}
    assert env["AWS_SECRET_ACCESS_KEY"]["valueFrom"] == reference
    assert env["AWS_ENDPOINT_URL"]["value"] == "http://127.0.0.1:9000"
    assert "hidden" not in json.dumps(env)
    assert base64.b64decode(secret["data"]["AWS_SECRET_ACCESS_KEY"]) == b"hidden"


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "awsAnonymousCredential"])
def test_what_is_said_counts_before_it(name):
    asked = Wanted((StorageUri("s3://b/m"),))
    assert needs_own_s3(asked)
    assert not needs_own_s3(asked, [{"name": name, "value": "x"}])


def test_other_stores_are_not_given_its_keys():
    assert "AWS_ACCESS_KEY_ID" not in injected("gs://b/m", own_s3=own_s3_secret("team", BUCKET))
