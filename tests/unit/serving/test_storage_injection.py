"""What pods of InferenceServices are given for their models' files. Expectations follow kserve v0.20.0's webhook."""

from __future__ import annotations

import base64
import json

import pytest

from sampan.components.serving.engine.storage.config import OwnRules, StorageConfig
from sampan.components.serving.engine.storage.errors import StorageError
from sampan.components.serving.engine.storage.injection import with_storage
from sampan.components.serving.engine.storage.reads import Reads, secret_names
from sampan.components.serving.engine.storage.wanted import Wanted, wanted

CONFIG = StorageConfig()


def template(*names, annotations=None, **container):
    containers = [{"name": name, "image": "x", **container} for name in names or ("kserve-container",)]
    return {"metadata": {"annotations": annotations or {}}, "spec": {"containers": containers}}


def secret(name, annotations=None, **data):
    encoded = {key.replace("__", "-"): base64.b64encode(text.encode()).decode() for key, text in data.items()}
    return {"metadata": {"name": name, "annotations": annotations or {}}, "data": encoded}


def account(*secrets, annotations=None):
    return {
        "metadata": {"name": "default", "annotations": annotations or {}},
        "secrets": [{"name": name} for name in secrets],
    }


def storage_container(name="default", *, prefix="", regex="", container=None, **spec):
    formats = [{"prefix": prefix}] if prefix else [{"regex": regex}]
    own = {"name": "storage-initializer", "image": "mine:1", **(container or {})}
    return {
        "metadata": {"name": name},
        "spec": {"container": own, "supportedUriFormats": formats, "workloadType": "initContainer", **spec},
    }


def injected(component, made=None, *, config=CONFIG, secrets=(), sa=None, containers=(), namespace="team"):
    by_name = {each["metadata"]["name"]: each for each in secrets}
    reads = Reads(namespace, sa, by_name, containers)
    return with_storage(made or template(), wanted(component), reads, config)


def model(uri=None, **more):
    return {"model": {"modelFormat": {"name": "sklearn"}, **({"storageUri": uri} if uri else {}), **more}}


def initializer(made):
    (found,) = made["spec"]["initContainers"]
    return found


def env_of(container):
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def refers(name, key):
    return {"secretKeyRef": {"name": name, "key": key}}


def test_a_model_is_fetched_by_an_init_container_and_shown_read_only():
    original = template()
    made = injected(model("gs://foo/bar"), original)
    assert original == template(), "what was given stays as it is"
    found = initializer(made)
    assert found["name"] == "storage-initializer"
    assert found["image"] == CONFIG.image
    assert found["args"] == ["gs://foo/bar", "/mnt/models"]
    assert found["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert found["resources"] == {
        "limits": {"cpu": "1", "memory": "1Gi"},
        "requests": {"cpu": "100m", "memory": "100Mi"},
    }
    assert found["volumeMounts"] == [{"name": "kserve-provision-location", "mountPath": "/mnt/models"}]
    assert env_of(found) == {
        "HF_HUB_ENABLE_HF_TRANSFER": "1",
        "HF_XET_HIGH_PERFORMANCE": "1",
        "HF_XET_NUM_CONCURRENT_RANGE_GETS": "8",
    }
    spec = made["spec"]
    assert spec["volumes"] == [{"name": "kserve-provision-location", "emptyDir": {}}]
    assert spec["containers"][0]["volumeMounts"] == [
        {"name": "kserve-provision-location", "mountPath": "/mnt/models", "readOnly": True}
    ]


def test_an_annotation_makes_the_files_writable():
    made = injected(model("s3://b/m"), template(annotations={"storage.kserve.io/readonly": "false"}))
    assert "readOnly" not in made["spec"]["containers"][0]["volumeMounts"][0]


def test_without_a_uri_nothing_is_added():
    assert injected(model()) == template()
    assert wanted({"containers": [{"name": "kserve-container", "image": "x"}]}) == Wanted()


def test_a_pod_whose_agent_pulls_and_one_that_has_its_initializer_stay_as_they_are():
    pulling = template(annotations={"internal.serving.kserve.io/agent": "true"})
    assert injected(model("s3://b/m"), pulling) == pulling
    once = injected(model("s3://b/m"))
    assert injected(model("s3://b/m"), once) == once


def test_a_claim_is_mounted_itself():
    made = injected(model("pvc://mypvc/some/path"), template("kserve-container", "transformer-container"))
    assert "initContainers" not in made["spec"]
    assert made["spec"]["volumes"] == [
        {"name": "kserve-pvc-source", "persistentVolumeClaim": {"claimName": "mypvc"}}
    ]
    mount = {
        "name": "kserve-pvc-source",
        "mountPath": "/mnt/models",
        "subPath": "some/path",
        "readOnly": True,
    }
    assert [each["volumeMounts"] for each in made["spec"]["containers"]] == [[mount], [mount]]
    root = injected(model("pvc://mypvc"))
    assert "subPath" not in root["spec"]["containers"][0]["volumeMounts"][0]


def test_a_transformer_in_the_same_pod_sees_the_files_too():
    made = injected(model("s3://b/m"), template("kserve-container", "transformer-container"))
    assert all(each["volumeMounts"] for each in made["spec"]["containers"])
    assert len(initializer(made)["volumeMounts"]) == 1


def test_a_custom_container_asks_by_its_variable_which_then_says_where():
    component = {
        "containers": [{"name": "kserve-container", "env": [{"name": "STORAGE_URI", "value": "s3://b/m"}]}]
    }
    made = injected(component, template(env=[{"name": "STORAGE_URI", "value": "s3://b/m"}]))
    assert made["spec"]["containers"][0]["env"] == [{"name": "STORAGE_URI", "value": "/mnt/models"}]
    assert initializer(made)["args"] == ["s3://b/m", "/mnt/models"]


def test_a_worker_is_served_where_there_is_no_server_and_nobody_else():
    assert injected(model("s3://b/m"), template("worker-container"))["spec"]["containers"][0]["volumeMounts"]
    with pytest.raises(StorageError, match="cannot find container: kserve-container"):
        injected(model("s3://b/m"), template("other"))


@pytest.mark.parametrize(
    "uri", ["/models/iris", "iris.joblib", "ftp://x/y", "s3:/x", "https://x.blob.core.windows.net/"]
)
def test_a_uri_that_no_initializer_takes_is_refused(uri):
    with pytest.raises(StorageError, match=r"StorageUri .* is not supported") as caught:
        wanted(model(uri))
    assert caught.value.reason == "InvalidStorageUri"


def test_a_path_without_a_scheme_is_told_what_to_write():
    with pytest.raises(StorageError, match="write file:///models/iris"):
        wanted(model("/models/iris"))


@pytest.mark.parametrize(
    "uri",
    [
        *("gs://a", "s3://a", "pvc://a", "file:///a", "https://a/b", "http://a/b", "hdfs://a", "webhdfs://a"),
        *("hf://a/b", "oci://a/b:1", "oci+native://a/b", "https://a.blob.core.windows.net/b/c"),
    ],
)
def test_uris_of_upstream_are_taken(uri):
    assert wanted(model(uri)).uris[0].uri == uri


class TestSeveralUris:
    uris = (
        {"uri": "s3://bucket/base", "mountPath": "/mnt/models/base"},
        {"uri": "hf://org/adapter", "mountPath": "/mnt/models/adapters/one"},
        {"uri": "pvc://claim/some/dir", "mountPath": "/mnt/pvc/model"},
    )

    def test_downloads_share_the_folder_that_they_have_in_common(self):
        made = injected({**model(), "storageUris": list(self.uris)})
        found = initializer(made)
        assert found["args"] == [
            *("s3://bucket/base", "/mnt/models/base"),
            *("hf://org/adapter", "/mnt/models/adapters/one"),
        ]
        assert found["volumeMounts"] == [{"name": "mnt-models", "mountPath": "/mnt/models"}]
        assert made["spec"]["containers"][0]["volumeMounts"] == [
            {"name": "mnt-pvc-model", "mountPath": "/mnt/pvc/model", "subPath": "some/dir", "readOnly": True},
            {"name": "mnt-models", "mountPath": "/mnt/models", "readOnly": True},
        ]
        assert [each["name"] for each in made["spec"]["volumes"]] == ["mnt-pvc-model", "mnt-models"]

    def test_one_alone_lies_at_its_own_path(self):
        made = injected({"storageUris": [{"uri": "s3://b/m"}]})
        assert initializer(made)["args"] == ["s3://b/m", "/mnt/models"]
        assert initializer(made)["volumeMounts"][0] == {"name": "mnt-models", "mountPath": "/mnt/models"}

    def test_paths_without_a_common_folder_are_refused(self):
        listed = [{"uri": "s3://b/m", "mountPath": "/a/m"}, {"uri": "s3://b/n", "mountPath": "/b/n"}]
        with pytest.raises(StorageError, match="common parent"):
            injected({"storageUris": listed})

    def test_a_container_that_takes_one_uri_only_is_refused(self):
        with pytest.raises(StorageError, match="does not support multi-model download"):
            injected({"storageUris": list(self.uris)}, containers=[storage_container(prefix="s3://")])
        able = storage_container(prefix="s3://", supportsMultiModelDownload=True)
        assert initializer(injected({"storageUris": list(self.uris)}, containers=[able]))["image"] == "mine:1"

    def test_a_claim_is_one_volume_however_often_it_is_seen(self):
        """Kubelets never mount a second one of the same claim."""
        listed = [
            {"uri": f"pvc://{claim}/{path}", "mountPath": f"/mnt/{path}"}
            for claim, path in (("c", "one"), ("c", "two"), ("d", "three"))
        ]
        spec = injected({"storageUris": listed})["spec"]
        assert [each["persistentVolumeClaim"]["claimName"] for each in spec["volumes"]] == ["c", "d"]
        assert [
            (each["name"], each["mountPath"], each["subPath"])
            for each in spec["containers"][0]["volumeMounts"]
        ] == [
            ("mnt-one", "/mnt/one", "one"),
            ("mnt-one", "/mnt/two", "two"),
            ("mnt-three", "/mnt/three", "three"),
        ]

    def test_names_of_volumes_are_names(self):
        listed = [{"uri": "pvc://c", "mountPath": "/mnt/My_Model.v1/" + "x" * 80}]
        (volume,) = injected({"storageUris": listed})["spec"]["volumes"]
        assert volume["name"].startswith("mnt-my-model-v1-xxx")
        assert len(volume["name"]) <= 63


class TestServiceAccounts:
    def test_s3_keys_are_referred_to_and_the_rest_said(self):
        s3 = secret(
            "s3",
            {
                "serving.kserve.io/s3-endpoint": "minio.team:9000",
                "serving.kserve.io/s3-usehttps": "0",
                "serving.kserve.io/s3-region": "eu-west-1",
                "serving.kserve.io/s3-useanoncredential": "false",
                "serving.kserve.io/s3-verifyssl": "0",
            },
            AWS_ACCESS_KEY_ID="id",
            AWS_SECRET_ACCESS_KEY="hidden",
        )
        env = env_of(initializer(injected(model("s3://b/m"), secrets=[s3], sa=account("s3"))))
        assert env["AWS_ACCESS_KEY_ID"] == refers("s3", "AWS_ACCESS_KEY_ID")
        assert env["AWS_SECRET_ACCESS_KEY"] == refers("s3", "AWS_SECRET_ACCESS_KEY")
        assert env["AWS_ENDPOINT_URL"] == "http://minio.team:9000"
        assert (env["S3_ENDPOINT"], env["S3_USE_HTTPS"]) == ("minio.team:9000", "0")
        assert (env["AWS_DEFAULT_REGION"], env["S3_VERIFY_SSL"]) == ("eu-west-1", "0")
        assert env["awsAnonymousCredential"] == "false"
        assert "hidden" not in json.dumps(env)

    def test_a_secrets_keys_say_it_too_and_annotations_count_before_them(self):
        s3 = secret(
            "s3",
            {"serving.kserve.io/s3-region": "a"},
            AWS_SECRET_ACCESS_KEY="x",
            S3_ENDPOINT="https://s3.example",
            AWS_DEFAULT_REGION="b",
            S3_USER_VIRTUAL_BUCKET="true",
        )
        env = env_of(initializer(injected(model("s3://b/m"), secrets=[s3], sa=account("s3"))))
        assert (env["AWS_ENDPOINT_URL"], env["S3_ENDPOINT"]) == ("https://s3.example", "s3.example")
        assert (env["S3_USE_HTTPS"], env["AWS_DEFAULT_REGION"]) == ("1", "a")
        assert env["S3_USER_VIRTUAL_BUCKET"] == "true"

    def test_a_role_says_where_the_store_is_and_a_secret_counts_before_it(self):
        role = {"eks.amazonaws.com/role-arn": "arn:x", "serving.kserve.io/s3-endpoint": "one"}
        env = env_of(initializer(injected(model("s3://b/m"), sa=account(annotations=role))))
        assert env["AWS_ENDPOINT_URL"] == "https://one"
        s3 = secret("s3", {"serving.kserve.io/s3-endpoint": "two"}, AWS_SECRET_ACCESS_KEY="x")
        made = injected(model("s3://b/m"), secrets=[s3], sa=account("s3", annotations=role))
        names = [each["name"] for each in initializer(made)["env"]]
        assert len(names) == len(set(names))
        assert env_of(initializer(made))["AWS_ENDPOINT_URL"] == "https://two"

    def test_google(self):
        gcs = secret("gcs", **{"gcloud-application-credentials.json": "{}"})
        made = injected(model("gs://b/m"), secrets=[gcs], sa=account("gcs"))
        path = "/var/secrets/gcloud-application-credentials.json"
        assert env_of(initializer(made))["GOOGLE_APPLICATION_CREDENTIALS"] == path
        assert {"name": "user-gcp-sa", "secret": {"secretName": "gcs"}} in made["spec"]["volumes"]
        mount = {"name": "user-gcp-sa", "mountPath": "/var/secrets/", "readOnly": True}
        assert mount in initializer(made)["volumeMounts"]

    def test_azure_with_old_and_new_names(self):
        new = secret("az", AZURE_CLIENT_ID="i", AZURE_CLIENT_SECRET="s", AZURE_SUBSCRIPTION_ID="u")
        env = env_of(
            initializer(
                injected(model("https://a.blob.core.windows.net/b/c"), secrets=[new], sa=account("az"))
            )
        )
        assert env["AZURE_CLIENT_SECRET"] == refers("az", "AZURE_CLIENT_SECRET")
        assert env["AZURE_TENANT_ID"] == refers("az", "AZURE_TENANT_ID")
        assert "AZURE_STORAGE_ACCESS_KEY" not in env
        old = secret("az", AZ_CLIENT_ID="i", AZ_CLIENT_SECRET="s", AZ_TENANT_ID="t")
        env = env_of(initializer(injected(model("s3://b/m"), secrets=[old], sa=account("az"))))
        assert env["AZURE_TENANT_ID"] == refers("az", "AZ_TENANT_ID")
        key = secret("az", AZURE_STORAGE_ACCESS_KEY="k")
        env = env_of(initializer(injected(model("s3://b/m"), secrets=[key], sa=account("az"))))
        assert env["AZURE_STORAGE_ACCESS_KEY"] == refers("az", "AZURE_STORAGE_ACCESS_KEY")

    def test_headers_of_a_web_server_are_referred_to(self):
        web = secret("web", https__host="models.example", headers='{"Authorization": "hidden"}')
        env = env_of(
            initializer(injected(model("https://models.example/m"), secrets=[web], sa=account("web")))
        )
        assert env["models.example-headers"] == refers("web", "headers")

    def test_hdfs_and_hugging_face(self):
        hdfs = secret("hdfs", HDFS_NAMENODE="http://nn:9870")
        made = injected(model("hdfs://m"), secrets=[hdfs], sa=account("hdfs"))
        mount = {"name": "hdfs-secrets", "mountPath": "/var/secrets/kserve-hdfscreds", "readOnly": True}
        assert mount in initializer(made)["volumeMounts"]
        hub = secret("hf", HF_TOKEN="t")
        env = env_of(initializer(injected(model("hf://o/m"), secrets=[hub], sa=account("hf"))))
        assert env["HF_TOKEN"] == refers("hf", "HF_TOKEN")

    def test_of_several_secrets_each_counts_and_those_of_no_store_do_not(self):
        found = [
            secret("hf", HF_TOKEN="t"),
            secret("x", password="p"),
            secret("k", AZURE_STORAGE_ACCESS_KEY="k"),
        ]
        env = env_of(initializer(injected(model("hf://o/m"), secrets=found, sa=account("hf", "x", "k"))))
        assert {"HF_TOKEN", "AZURE_STORAGE_ACCESS_KEY"} <= set(env)
        assert "password" not in env

    def test_an_annotation_names_the_one_secret_that_counts(self):
        named = template(annotations={"serving.kserve.io/storageSecretName": "other"})
        assert secret_names(named, Wanted(), account("hf"), CONFIG) == ("other",)

    def test_a_secret_that_is_missing_is_named(self):
        with pytest.raises(StorageError, match='secrets "gone" not found in the namespace team') as caught:
            injected(model("s3://b/m"), sa=account("gone"))
        assert caught.value.reason == "StorageSecretNotUsable"

    def test_one_that_is_no_text_is_refused_without_being_shown(self):
        broken = {
            "metadata": {"name": "s3"},
            "data": {"AWS_SECRET_ACCESS_KEY": "eA==", "S3_ENDPOINT": "//79hidden"},
        }
        with pytest.raises(StorageError, match="the key S3_ENDPOINT of the Secret s3 is no text") as caught:
            injected(model("s3://b/m"), secrets=[broken], sa=account("s3"))
        assert "hidden" not in caught.value.message


class TestStorageSpec:
    def entry(self, **told):
        return json.dumps({"type": "s3", "access_key_id": "i", "secret_access_key": "hidden", **told})

    def test_an_entry_says_what_store_it_is(self):
        store = secret("storage-config", minio=self.entry(bucket="models"))
        made = injected(model(storage={"key": "minio", "path": "sklearn/iris"}), secrets=[store])
        assert initializer(made)["args"] == ["s3://models/sklearn/iris", "/mnt/models"]
        assert env_of(initializer(made))["STORAGE_CONFIG"] == refers("storage-config", "minio")
        assert "hidden" not in json.dumps(made)

    def test_parameters_count_before_it_and_are_handed_on(self):
        store = secret("storage-config", minio=self.entry(bucket="models"))
        parameters = {"type": "s3", "bucket": "mine"}
        made = injected(
            model(storage={"key": "minio", "path": "/p", "parameters": parameters}), secrets=[store]
        )
        assert initializer(made)["args"][0] == "s3://mine/p"
        assert env_of(initializer(made))["STORAGE_OVERRIDE_CONFIG"] == '{"bucket":"mine","type":"s3"}'

    def test_without_a_key_the_default_entry_counts_if_there_is_one(self):
        store = secret("storage-config", default_s3="{}", default=self.entry(bucket="b"))
        made = injected(
            model(storage={"path": "p", "parameters": {"type": "s3", "bucket": "x"}}), secrets=[store]
        )
        assert env_of(initializer(made))["STORAGE_CONFIG"] == refers("storage-config", "default_s3")
        made = injected(model(storage={"path": "p"}), secrets=[store])
        assert initializer(made)["args"][0] == "s3://b/p"
        made = injected(model(storage={"path": "p", "parameters": {"type": "webhdfs"}}))
        assert initializer(made)["args"][0] == "webhdfs://p"
        assert "STORAGE_CONFIG" not in env_of(initializer(made))

    def test_a_uri_may_stand_beside_it(self):
        store = secret("storage-config", minio=self.entry())
        made = injected(model("s3://other/m", storage={"key": "minio"}), secrets=[store])
        assert initializer(made)["args"][0] == "s3://other/m"

    def test_certificates_are_named_by_it(self):
        store = secret("storage-config", minio=self.entry(bucket="b", cabundle_configmap="roots"))
        made = injected(model(storage={"key": "minio", "path": "p"}), secrets=[store])
        assert {"name": "cabundle-cert", "configMap": {"name": "roots"}} in made["spec"]["volumes"]

    @pytest.mark.parametrize(
        ("storage", "said"),
        [
            (
                {"key": "gone", "path": "p"},
                "specified storage key gone not found in storage secret storage-config",
            ),
            ({"key": "text", "path": "p"}, "invalid json encountered in key text"),
            ({"key": "gcs", "path": "p"}, r"must be one of \[s3, hdfs, webhdfs\]. storage type \[gcs\]"),
            ({"key": "bare", "path": "p"}, r"format \[s3\] requires a bucket"),
            ({"path": "p"}, "unable to determine storage type"),
        ],
    )
    def test_what_is_wrong_is_said(self, storage, said):
        store = secret("storage-config", text="{hidden", gcs='{"type": "gcs"}', bare=self.entry())
        with pytest.raises(StorageError, match=said) as caught:
            injected(model(storage=storage), secrets=[store])
        assert "hidden" not in caught.value.message

    def test_a_key_needs_its_secret(self):
        with pytest.raises(StorageError, match="can't read storage secret storage-config"):
            injected(model(storage={"key": "x", "path": "p"}))

    def test_path_and_uri_exclude_each_other(self):
        with pytest.raises(StorageError, match=r"only one of storageUri and storage\.path"):
            wanted(model("s3://b/m", storage={"path": "p"}))


class TestStorageContainers:
    def test_the_first_that_takes_the_uri_is_merged_over(self):
        own = {
            "env": [{"name": "A", "value": "1"}, {"name": "HF_HUB_ENABLE_HF_TRANSFER", "value": "0"}],
            "resources": {"limits": {"memory": "8Gi"}},
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        }
        found = initializer(
            injected(
                model("custom://x") | {"model": {"storageUri": "s3://x"}},
                containers=[
                    storage_container("b", regex="^nothing"),
                    storage_container("c", regex="s3://", container=own),
                ],
            )
        )
        assert found["image"] == "mine:1"
        assert found["resources"]["limits"] == {"cpu": "1", "memory": "8Gi"}
        assert env_of(found)["HF_HUB_ENABLE_HF_TRANSFER"] == "0"
        assert {each["mountPath"] for each in found["volumeMounts"]} == {"/mnt/models", "/tmp"}
        assert found["args"] == ["s3://x", "/mnt/models"]

    def test_disabled_ones_and_those_of_jobs_are_passed_over(self):
        job = storage_container("a", prefix="s3://", workloadType="localModelDownloadJob")
        off = {**storage_container("b", prefix="s3://"), "disabled": True}
        assert initializer(injected(model("s3://x"), containers=[job, off]))["image"] == CONFIG.image

    @pytest.mark.parametrize(
        ("container", "said"),
        [
            (storage_container("other", prefix="s3://"), '"one" not found'),
            ({**storage_container("one", prefix="s3://"), "disabled": True}, "is disabled"),
            (
                storage_container("one", prefix="s3://", workloadType="localModelDownloadJob"),
                "has workloadType",
            ),
            (storage_container("one", prefix="gs://"), 'does not support storageUri "s3://x"'),
            (storage_container("one", regex="("), "error checking storage container one"),
        ],
    )
    def test_one_that_is_named_must_be_usable(self, container, said):
        with pytest.raises(StorageError, match=said) as caught:
            injected({**model("s3://x"), "storageContainerName": "one"}, containers=[container])
        assert caught.value.reason == "StorageContainerNotUsable"

    def test_a_variable_is_a_value_or_a_reference(self):
        web = secret("hf", HF_TOKEN="t")
        own = storage_container(prefix="hf://", container={"env": [{"name": "HF_TOKEN", "value": "own"}]})
        found = initializer(injected(model("hf://o/m"), secrets=[web], sa=account("hf"), containers=[own]))
        assert {"name": "HF_TOKEN", "value": "own"} in found["env"]


class TestImages:
    def test_where_containers_run_an_image_stands_beside_the_server(self):
        made = injected(
            model("oci://reg/models/iris:1"), template("kserve-container", "transformer-container")
        )
        spec = made["spec"]
        assert [each["name"] for each in spec["containers"]] == [
            *("kserve-container", "transformer-container", "modelcar")
        ]
        assert [each["name"] for each in spec["initContainers"]] == ["modelcar-init"]
        car = spec["containers"][2]
        assert car["image"] == "reg/models/iris:1"
        assert car["args"][2] == "ln -sf /proc/$$$$/root/models /mnt/models && sleep infinity"
        assert spec["shareProcessNamespace"] is True
        assert spec["volumes"] == [{"name": "kserve-provision-location", "emptyDir": {}}]
        for each in spec["containers"][:2]:
            assert each["volumeMounts"] == [{"name": "kserve-provision-location", "mountPath": "/mnt"}]
            assert {"name": "MODEL_INIT_MODE", "value": "async"} in each["env"]
            assert each["securityContext"] == {"runAsUser": 1010}

    def test_native_images_are_volumes(self):
        made = injected(model("oci+native://reg/iris:1"))
        assert made["spec"]["volumes"] == [
            {"name": "mnt-models", "image": {"reference": "reg/iris:1", "pullPolicy": "IfNotPresent"}}
        ]
        assert made["spec"]["containers"][0]["volumeMounts"] == [
            {"name": "mnt-models", "mountPath": "/mnt/models", "subPath": "models", "readOnly": True}
        ]

    def test_several_images_may_not_hide_one_another(self):
        listed = [{"uri": "oci://a", "mountPath": "/mnt/a/x"}, {"uri": "oci://b", "mountPath": "/mnt/a/y"}]
        with pytest.raises(StorageError, match="distinct parent directories"):
            injected({"storageUris": listed})
        listed[1]["mountPath"] = "/mnt/b/y"
        names = [each["name"] for each in injected({"storageUris": listed})["spec"]["containers"]]
        assert names == ["kserve-container", "modelcar", "modelcar-1"]
        many = [{"uri": f"oci+native://a{n}", "mountPath": f"/m/{n}"} for n in range(11)]
        with pytest.raises(StorageError, match=r"too many OCI sources \(11\); maximum is 10"):
            injected({"storageUris": many})

    def test_switched_off_they_are_refused_with_the_setting(self):
        off = StorageConfig.of({"storageInitializer": '{"image": "x"}'})
        with pytest.raises(StorageError, match="enableModelcar"):
            injected(model("oci://reg/iris"), config=off)

    def test_where_pods_are_processes_the_initializer_takes_the_files_out(self):
        made = injected(model("oci://reg/iris:1"), config=StorageConfig(own=OwnRules(is_embedded=True)))
        assert initializer(made)["args"] == ["oci://reg/iris:1", "/mnt/models"]
        assert len(made["spec"]["containers"]) == 1


class TestConfig:
    def test_the_config_maps_words_count(self):
        data = {
            "storageInitializer": json.dumps(
                {"image": "i", "cpuLimit": "2", "memoryLimit": "nonsense", "caBundleConfigMapName": "roots"}
            ),
            "credentials": json.dumps(
                {"storageSpecSecretName": "s", "s3": {"s3SecretAccessKeyName": "k", "s3Endpoint": "e"}}
            ),
        }
        config = StorageConfig.of(data)
        assert (config.image, config.cpu_limit, config.memory_limit) == ("i", "2", "1Gi")
        assert (config.secret_name, config.s3.secret_key_name, config.s3.endpoint) == ("s", "k", "e")
        assert config.secret_annotation == "serving.kserve.io/storageSecretName"

    @pytest.mark.parametrize("text", ["", "[", "[]", "7", "null"])
    def test_what_is_no_section_counts_as_not_said(self, text):
        assert StorageConfig.of({"storageInitializer": text, "credentials": text}) == StorageConfig()

    def test_certificates_of_the_whole_cluster(self):
        config = StorageConfig(ca_bundle_config_map="roots")
        made = injected(model("s3://b/m"), config=config)
        assert {"name": "cabundle-cert", "configMap": {"name": "global-ca-bundle"}} in made["spec"]["volumes"]
        env = env_of(initializer(made))
        assert env["CA_BUNDLE_CONFIGMAP_NAME"] == "global-ca-bundle"
        assert env["CA_BUNDLE_VOLUME_MOUNT_POINT"] == "/etc/ssl/custom-certs"
        made = injected(model("s3://b/m"), config=config, namespace="kserve")
        assert {"name": "cabundle-cert", "configMap": {"name": "roots"}} in made["spec"]["volumes"]

    def test_our_own_program_is_told_its_rules(self):
        own = OwnRules(
            True, "/home/cache/models", ("/home/artifacts/{namespace}", "/models"), ("10.0.0.0/8",)
        )
        config = StorageConfig(own=own)
        env = env_of(initializer(injected(model("s3://b/m"), config=config)))
        assert env["SAMPAN_MODEL_CACHE"] == "/home/cache/models"
        assert json.loads(env["SAMPAN_FILE_ROOTS"]) == ["/home/artifacts/team", "/models"]
        assert json.loads(env["SAMPAN_PRIVATE_HOSTS"]) == ["10.0.0.0/8"]
        assert "SAMPAN_MODEL_WRITABLE" not in env
        writable = template(annotations={"storage.kserve.io/readonly": "false"})
        assert env_of(initializer(injected(model("s3://b/m"), writable, config=config)))[
            "SAMPAN_MODEL_WRITABLE"
        ]

    def test_no_container_of_others_takes_a_rule_away(self):
        loose = {"env": [{"name": "SAMPAN_FILE_ROOTS", "value": '["/"]'}]}
        config = StorageConfig(own=OwnRules(True, file_roots=()))
        made = injected(
            model("file:///m"), config=config, containers=[storage_container(prefix="file", container=loose)]
        )
        assert env_of(initializer(made))["SAMPAN_FILE_ROOTS"] == "[]"

    @pytest.mark.parametrize(
        ("uri", "shown"),
        [
            ("file:///tmp/m", True),
            ("file:///srv/../tmp/m", True),
            ("file:///srv/m", False),
            ("file:///tmpx", False),
        ],
    )
    def test_the_machines_tmp_is_shown_for_what_lies_in_it(self, uri, shown):
        made = injected(model(uri), config=StorageConfig(own=OwnRules(is_embedded=True)))
        names = [each["name"] for each in made["spec"]["volumes"]]
        assert ("machine-tmp" in names) is shown
        assert ("SAMPAN_MACHINE_TMP" in env_of(initializer(made))) is shown
        assert all(each["name"] != "machine-tmp" for each in made["spec"]["containers"][0]["volumeMounts"])

    def test_elsewhere_it_is_told_nothing(self):
        env = env_of(initializer(injected(model("file:///tmp/m"))))
        assert not [name for name in env if name.startswith("SAMPAN_")]

    def test_confidential_models_are_said_to_the_initializer(self):
        asked = {
            "internal.serving.kserve.io/confidential-enabled": "true",
            "internal.serving.kserve.io/confidential-resource-id": "kbs:///a",
        }
        env = env_of(initializer(injected(model("s3://b/m"), template(annotations=asked))))
        assert (env["CONFIDENTIAL_ENABLED"], env["CONFIDENTIAL_RESOURCE_ID"]) == ("true", "kbs:///a")


EMBEDDED = StorageConfig(own=OwnRules(is_embedded=True))


def pull_secrets(made):
    volumes = made["spec"].get("volumes") or ()
    return [each["secret"]["secretName"] for each in volumes if each["name"].startswith("pull-secret-")]


def test_models_in_images_are_fetched_with_the_pull_secrets_of_the_pod_or_its_account():
    uri, of_account = model("oci://registry.example/team/iris:1"), account()
    of_account["imagePullSecrets"] = [{"name": "of-account"}]
    made = injected(uri, config=EMBEDDED, sa=of_account)
    assert pull_secrets(made) == ["of-account"]
    (mount,) = [each for each in initializer(made)["volumeMounts"] if each["name"] == "pull-secret-0"]
    assert mount["readOnly"] is True
    assert env_of(initializer(made))["SAMPAN_PULL_SECRETS"] == json.dumps([mount["mountPath"]])
    # The server itself sees none of them.
    assert all(each["name"] != "pull-secret-0" for each in made["spec"]["containers"][0]["volumeMounts"])
    pod = template()
    pod["spec"]["imagePullSecrets"] = [{"name": "a"}, {"name": "b"}, {"name": "a"}, {}]
    assert pull_secrets(injected(uri, pod, config=EMBEDDED, sa=of_account)) == ["a", "b"]
    assert pull_secrets(injected(model("s3://x"), pod, config=EMBEDDED, sa=of_account)) == []
    assert pull_secrets(injected(uri, pod, sa=of_account)) == []


@pytest.mark.parametrize(
    ("uri", "place", "path"),
    [
        ("pvc://claim/iris/model.joblib", "/mnt/models/model.joblib", "iris/model.joblib"),
        ("pvc://claim/MODEL.ONNX", "/mnt/models/MODEL.ONNX", "MODEL.ONNX"),
        ("pvc://claim/iris/v1.2", "/mnt/models", "iris/v1.2"),
        ("pvc://claim/iris.joblib/", "/mnt/models", "iris.joblib/"),
        ("pvc://claim", "/mnt/models", None),
    ],
)
def test_a_file_of_a_claim_keeps_its_name(uri, place, path):
    (mount,) = injected(model(uri))["spec"]["containers"][0]["volumeMounts"]
    assert (mount["mountPath"], mount.get("subPath")) == (place, path)
