"""The ConfigMap kfp-launcher and the settings: which store a URI means, and with which credentials."""

from __future__ import annotations

import asyncio
import base64

import pytest

from sampan.components.pipelines.api.artifact_settings import ArtifactSettings
from sampan.components.pipelines.engine.artifact_stores import ArtifactStores, bucket_of
from sampan.components.pipelines.engine.launcher_config import read
from sampan.kube.errors import NotFoundError
from sampan.store.artifacts.objects import Bucket
from sampan.store.artifacts.protocol import StoreUnusableError
from sampan.store.artifacts.uris import file_name, parse

PROVIDERS = """
s3:
  default:
    endpoint: s3.example.org
    disableSSL: false
    region: eu-1
    credentials:
      fromEnv: false
      secretRef: {secretName: keys, accessKeyKey: id, secretKeyKey: key}
  overrides:
    - bucketName: special
      keyPrefix: a/b
      endpoint: http://other:9000
      forcePathStyle: false
      credentials: {fromEnv: true}
minio:
  default:
    endpoint: minio-service.kubeflow:9000
    disableSSL: true
    region: minio
    credentials:
      fromEnv: false
      secretRef: {secretName: mlpipeline-minio-artifact, accessKeyKey: accesskey, secretKeyKey: secretkey}
"""
SECRETS = {
    "keys": {"id": "AKEY", "key": "hidden"},
    "mlpipeline-minio-artifact": {"accesskey": "A", "secretkey": "S"},
}


class Client:
    """The API's objects, as the engine asks for them."""

    def __init__(self, data=None, secrets=SECRETS):
        self.data, self.secrets = data, secrets

    async def get(self, resource, name, namespace):
        found = self.data if resource.plural == "configmaps" else self.secrets.get(name)
        if found is None:
            raise NotFoundError("none")
        if resource.plural == "secrets":
            found = {key: base64.b64encode(value.encode()).decode() for key, value in found.items()}
        return {"data": found}


def stores(settings=None, data=None, embedded=None, environ=None, secrets=SECRETS):
    made = ArtifactStores(settings or ArtifactSettings(), embedded, environ or {})
    asyncio.run(made.refresh(Client(data, secrets), "ns"))
    return made


def bucket(made, uri):
    return made._configured(parse(uri), "ns") or made._tried(parse(uri))


def own(name):
    return Bucket("s3", name, "http://127.0.0.1:1", access_key="own", secret_key="own")


def test_the_launchers_default_and_its_overrides():
    made = stores(data={"providers": PROVIDERS, "defaultPipelineRoot": "s3://team/x?region=y"})
    found = bucket(made, "s3://team/key")
    assert (found.endpoint, found.region, found.path_style) == ("https://s3.example.org", "eu-1", True)
    assert (found.access_key, found.secret_key) == ("AKEY", "hidden")
    special = bucket(made, "s3://special/a/b/c")
    assert (special.endpoint, special.anonymous, special.path_style) == ("http://other:9000", True, False)
    assert bucket(made, "s3://special/else").endpoint == "https://s3.example.org"
    minio = bucket(made, "minio://mlpipeline/x")
    assert (minio.endpoint, minio.access_key) == ("http://minio-service.kubeflow:9000", "A")
    assert made.default_root("ns", "p") == "s3://team/x/p"
    assert made.serves("s3://team/x", "ns")
    assert not made.serves("gs://team/x", "ns")
    assert not made.serves("s3://team/x", "another")


def test_our_own_minio_is_reached_directly():
    made = stores(data={"providers": PROVIDERS}, embedded=own)
    assert bucket(made, "minio://mlpipeline/x").access_key == "own"
    assert bucket(made, "s3://x/y").access_key == "AKEY"


@pytest.mark.parametrize(
    ("providers", "words"),
    [
        ("s3: {default: {endpoint: x}}", "gives no credentials"),
        ("s3: {default: {credentials: {fromEnv: false}}}", "names no secret"),
        ("s3: [", "providers cannot be read"),
        (PROVIDERS.replace("keys", "gone"), "the Secret gone has no key id, key"),
    ],
)
def test_what_is_configured_wrongly_is_said_and_not_passed_by(providers, words):
    made = stores(data={"providers": providers}, embedded=own)
    assert made.serves("s3://b/k", "ns")
    with pytest.raises(StoreUnusableError) as told:
        made.open("s3://b/k", "ns")
    assert words in told.value.message
    assert "hidden" not in told.value.message


def test_settings_name_variables_and_files(tmp_path):
    (tmp_path / "key").write_text("secret\n")
    settings = ArtifactSettings(
        s3_endpoint="http://store", s3_access_key_env="ID", s3_secret_key_file=str(tmp_path / "key")
    )
    found = bucket(stores(settings, environ={"ID": "id"}), "s3://b/k")
    assert (found.access_key, found.secret_key, found.endpoint) == ("id", "secret", "http://store")
    with pytest.raises(StoreUnusableError, match="variable ID"):
        stores(settings).open("s3://b/k", "ns")
    (tmp_path / "key").unlink()
    with pytest.raises(StoreUnusableError, match="cannot be read"):
        stores(settings, environ={"ID": "id"}).open("s3://b/k", "ns")


def test_without_configuration_the_environments_credentials_are_tried():
    made = stores(environ={"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_REGION": "eu"})
    assert not made.serves("s3://b/k", "ns")
    assert made.default_root("ns", "p") == ""
    found = bucket(made, "s3://b/k")
    assert (found.access_key, found.region, found.anonymous) == ("id", "eu", False)
    assert bucket(stores(), "s3://b/k").anonymous
    assert bucket(stores(), "gs://b/k").anonymous
    with pytest.raises(StoreUnusableError, match="sampan up --s3"):
        stores().open("minio://b/k", "ns")


@pytest.mark.parametrize(
    "uri",
    [
        "s3://other/artifacts/x",
        "minio://other/x",
        "s3://teamx/y",
        "s3://team/../other/x",
        "s3://mlpipeline/x",
    ],
)
def test_with_many_users_our_own_keys_open_a_namespace_its_own_bucket_only(uri):
    made = ArtifactStores(ArtifactSettings(), own, {"AWS_ACCESS_KEY_ID": "the servers"}, isolated=True)
    assert made.open("s3://team/artifacts/p/x", "team").is_configured
    assert made.open("minio://team/x", "team").is_configured
    with pytest.raises(StoreUnusableError, match="not the namespace's"):
        made.open(uri, "team")
    shared = ArtifactStores(
        ArtifactSettings(root="s3://b/x/{namespace}", s3_endpoint="http://s"), isolated=True
    )
    assert shared.open("s3://b/x/ns/p", "ns").is_configured
    for elsewhere in ("s3://b/x/nsother/p", "s3://b/x/other", "s3://b/x", "s3://c/x/ns"):
        with pytest.raises(StoreUnusableError):
            shared.open(elsewhere, "ns")


def test_with_many_users_nobody_uses_the_servers_own_credentials():
    environ = {"AWS_ACCESS_KEY_ID": "the servers", "GOOGLE_APPLICATION_CREDENTIALS": "/key.json"}
    made = ArtifactStores(ArtifactSettings(), None, environ, isolated=True)
    asyncio.run(made.refresh(Client({"providers": "s3: {default: {credentials: {fromEnv: true}}}"}), "ns"))
    assert bucket(made, "s3://b/k").anonymous
    assert bucket(made, "gs://b/k").anonymous


def test_roots_of_namespaces():
    assert stores(embedded=own).default_root("team-a", "p") == "s3://team-a/artifacts/p"
    assert stores(ArtifactSettings(root="s3://b/{namespace}")).default_root("ns", "p") == "s3://b/ns/p"
    assert bucket_of("ab") == "ns.ab"
    assert read(None).root == ""


@pytest.mark.parametrize("name", ["../x", "a/../b", "/a", "a//b", "a/.", "\0", "x" * 256, ""])
def test_names_of_objects_that_cannot_be_files(name):
    with pytest.raises(StoreUnusableError):
        file_name(name)


def test_uris():
    assert str(parse("S3://b/k/")) == "s3://b/k"
    assert parse("s3://b/k?region=x").key == "k"
    assert parse("/plain/path").scheme == ""
    with pytest.raises(StoreUnusableError):
        parse("s3:///k")
