"""Models kept on nodes: which InferenceServices take theirs from a cache, and what is made for it.

Tables follow kserve v0.20.0: pkg/apis/serving/v1alpha1/local_model_cache_types_test.go,
pkg/apis/serving/v1beta1/inference_service_defaults_test.go, pkg/controller/v1alpha1/localmodelnode.
"""

from __future__ import annotations

import os

import pytest

from sampan.components.serving.controller.local_models import folders
from sampan.components.serving.engine.local_models import jobs, matching, models, nodes, volumes
from sampan.components.serving.engine.local_models.config import LocalModelConfig
from sampan.components.serving.engine.local_models.jobs import Download
from sampan.components.serving.engine.programs.initializer import local
from sampan.components.serving.engine.programs.initializer.items import Patterns
from sampan.components.serving.engine.storage.config import OwnRules, StorageConfig
from sampan.components.serving.engine.storage.errors import StorageError
from sampan.components.serving.engine.storage.reads import Reads
from sampan.components.serving.engine.storage.wanted import wanted

SOURCE = "s3://mybucket/mymodel"
PREFIX = "internal.serving.kserve.io"
CONFIG = LocalModelConfig(is_enabled=True, fs_group=1000)


def cache(name="iris", namespace="", uri=SOURCE, groups=("gpu",), **spec):
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    told = {"sourceModelUri": uri, "modelSize": "1Gi", "nodeGroups": list(groups), **spec}
    return {"metadata": metadata, "spec": told}


def isvc(uri=SOURCE, namespace="team", annotations=None, labels=None):
    model = {"modelFormat": {"name": "sklearn"}, **({"storageUri": uri} if uri else {})}
    metadata = {"name": "mine", "namespace": namespace, "annotations": annotations or {}}
    return {"metadata": {**metadata, "labels": labels or {}}, "spec": {"predictor": {"model": model}}}


def group(name="gpu", path="/models", kind="local", **affinity):
    terms = [{"matchExpressions": [{"key": "kind", "operator": "In", "values": [name]}]}]
    volume = {
        kind: {"path": path},
        "accessModes": ["ReadWriteOnce"],
        "nodeAffinity": {"required": {"nodeSelectorTerms": terms, **affinity}},
    }
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {
        "metadata": {"name": name},
        "spec": {"storageLimit": "1Gi", "persistentVolumeSpec": volume, "persistentVolumeClaimSpec": claim},
    }


@pytest.mark.parametrize(
    ("cached", "asked", "is_match"),
    [
        ("gs://bucket/model", "gs://bucket/model", True),
        ("gs://bucket/model", "gs://bucket/model/", True),
        ("gs://bucket/model/", "gs://bucket/model", True),
        ("gs://bucket/model", "gs://bucket/model/modelfiles/", True),
        ("gs://bucket/model", "gs://bucket/model/modelfiles/model.pt", True),
        ("gs://bucket/model", "gs://bucket/model2", False),
        ("gs://bucket/model", "gs://bucket/foo", False),
        ("gs://bucket/model/in", "gs://bucket/model", False),
        ("foo:bar:baz", "foo:bar:baz", True),
        ("foo:bar:baz", "foo:bar:bazzzz", False),
    ],
)
def test_what_is_in_a_cached_folder_is_cached(cached, asked, is_match):
    assert models.matches(cached, asked) is is_match


def test_the_folder_of_a_model_is_called_by_its_uri():
    assert models.storage_key("gs://bucket/model") == models.storage_key("gs://bucket/model")
    assert models.storage_key("gs://bucket/model1") != models.storage_key("gs://bucket/model2")
    # By sha256sum: its first quarter.
    assert models.storage_key(SOURCE) == "89da10faf446bbf1"


def said(found):
    its = found["metadata"]
    return {
        key.removeprefix(f"{PREFIX}/"): value
        for name in ("labels", "annotations")
        for key, value in its.get(name, {}).items()
        if key.startswith(PREFIX)
    }


ALL = {"localmodel": "iris", "localmodel-sourceuri": SOURCE, "localmodel-pvc-name": "iris-gpu"}
OF_TEAM = {**ALL, "localmodel": "own", "localmodel-namespace": "team", "localmodel-pvc-name": "own-gpu"}
STALE = {f"{PREFIX}/localmodel": "old", f"{PREFIX}/localmodel-namespace": "team", "mine": "1"}


@pytest.mark.parametrize(
    ("service", "of_namespace", "of_cluster", "expected"),
    [
        (isvc(), [], [cache()], ALL),
        (isvc(f"{SOURCE}/sub/file"), [], [cache()], ALL),
        (isvc("s3://mybucket/other"), [], [cache()], {}),
        (isvc(), [cache("own", "team")], [cache()], OF_TEAM),
        (isvc(), [], [cache(uri="s3://other"), cache("second")], {**ALL, "localmodel": "second",
                                                                  "localmodel-pvc-name": "second-gpu"}),
        (isvc(annotations={"serving.kserve.io/nodegroup": "b"}), [], [cache(groups=("a", "b"))],
         {**ALL, "localmodel-pvc-name": "iris-b"}),
        (isvc(annotations={"serving.kserve.io/nodegroup": "c"}), [], [cache(groups=("a", "b"))], {}),
        (isvc(annotations={"serving.kserve.io/nodegroup": "b"}), [cache("own", "team")],
         [cache(groups=("a", "b"))], {**ALL, "localmodel-pvc-name": "iris-b"}),
        (isvc(labels=STALE), [], [], {}),
        (isvc(labels=STALE), [], [cache()], ALL),
        (isvc(None, labels=STALE), [], [cache()], {}),
    ],
)  # fmt: skip
def test_a_service_is_labelled_with_its_cache(service, of_namespace, of_cluster, expected):
    found = matching.labelled(service, of_namespace, of_cluster)
    assert said(found) == expected
    kept = {key: value for key, value in service["metadata"]["labels"].items() if PREFIX not in key}
    assert kept.items() <= found["metadata"].get("labels", {}).items()


def test_one_that_nothing_is_said_of_is_left_as_it_is():
    service = isvc("s3://mybucket/other")
    assert matching.labelled(service, [], [cache()]) is service
    going = cache()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert said(matching.labelled(isvc(), [], [going])) == {}


def test_only_services_of_its_namespace_use_a_cache_of_one():
    mine = matching.labelled(isvc(), [cache("own", "team")], [])
    assert matching.uses(mine, cache("own", "team"))
    assert not matching.uses(mine, cache("own"))
    forged = isvc(namespace="other", labels=mine["metadata"]["labels"])
    assert not matching.uses(forged, cache("own", "team"))
    assert matching.uses(matching.labelled(isvc(namespace="other"), [], [cache()]), cache())


def of_pod(service):
    return {"metadata": service["metadata"], "spec": {"containers": []}}


def test_pods_find_the_model_in_the_claim():
    service = matching.labelled(isvc(f"{SOURCE}/sub/file"), [], [cache()])
    found = matching.claimed(wanted(service["spec"]["predictor"]), of_pod(service))
    assert found.uris[0].uri == f"pvc://iris-gpu/models/{models.storage_key(SOURCE)}/sub/file"
    whole = matching.labelled(isvc(), [], [cache()])
    found = matching.claimed(wanted(whole["spec"]["predictor"]), of_pod(whole))
    assert found.uris[0].uri == f"pvc://iris-gpu/models/{models.storage_key(SOURCE)}"
    # What else one of its components fetches, and several at once, are fetched as ever.
    other = wanted({"model": {"modelFormat": {"name": "x"}, "storageUri": "s3://mybucket/other"}})
    assert matching.claimed(other, of_pod(whole)) == other
    several = wanted({"storageUris": [{"uri": SOURCE}], "model": {"modelFormat": {"name": "x"}}})
    assert matching.claimed(several, of_pod(whole)) == several


def test_status_counts_nodes_and_names_users():
    states = {"b": "NodeDownloaded", "a": "NodeDownloadError", "c": "NodeNotReady"}
    found = models.status(cache(), states, [isvc(namespace="z"), isvc(namespace="a")])
    assert found == {
        "nodeStatus": dict(sorted(states.items())),
        "copies": {"total": 3, "available": 1, "failed": 1},
        "inferenceServices": [{"namespace": "a", "name": "mine"}, {"namespace": "z", "name": "mine"}],
    }
    assert models.status(cache(), {}, []) == {"copies": {}}


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"succeeded": 1, "failed": 2}, "ModelDownloaded"),
        ({"failed": 1, "ready": 1}, "ModelDownloadError"),
        ({"ready": 1}, "ModelDownloading"),
        ({"active": 1, "ready": 0}, "ModelDownloadPending"),
        ({}, "ModelDownloadPending"),
    ],
)
def test_what_a_job_tells_of_its_model(told, state):
    assert jobs.status({"metadata": {}, "status": told}) == state


def test_what_a_node_tells_of_a_model_is_under_its_namespace():
    node = {"metadata": {}, "status": {"modelStatus": {"iris": "ModelDownloaded", "team/iris": "Nonsense"}}}
    assert models.of_node(node, cache()) == "NodeDownloaded"
    assert models.of_node(node, cache(namespace="team")) == "NodeDownloadPending"
    assert models.of_node(None, cache()) == "NodeDownloadPending"


def node(name="worker", **labels):
    return {"metadata": {"name": name, "labels": labels}}


@pytest.mark.parametrize(
    ("required", "is_in"),
    [
        ({"nodeSelectorTerms": [{"matchExpressions": [{"key": "kind", "operator": "Exists"}]}]}, True),
        ({"nodeSelectorTerms": [{"matchExpressions": [{"key": "kind", "operator": "DoesNotExist"}]}]}, False),
        ({"nodeSelectorTerms": [{"matchFields": [
            {"key": "metadata.name", "operator": "In", "values": ["worker"]}]}]}, True),
        ({"nodeSelectorTerms": [{}, {"matchExpressions": [
            {"key": "kind", "operator": "NotIn", "values": ["cpu"]}]}]}, True),
        ({"nodeSelectorTerms": [{}]}, False),
        ({"nodeSelectorTerms": []}, False),
        (None, False),
    ],
)  # fmt: skip
def test_nodes_of_a_group_are_those_that_its_volume_may_be_on(required, is_in):
    found = group()
    found["spec"]["persistentVolumeSpec"]["nodeAffinity"] = {"required": required}
    assert nodes.is_in(node(kind="gpu"), found) is is_in


def test_volumes_are_of_the_groups_spec_and_named_as_upstream_names_them():
    assert volumes.download_names("iris", "gpu", "") == ("iris-gpu-download", "iris-gpu")
    both = ("iris-gpu-team-download", "iris-gpu-team-download")
    assert volumes.download_names("iris", "gpu", "team") == both
    made = volumes.volume("iris-gpu-team", group())
    assert made["spec"] == group()["spec"]["persistentVolumeSpec"]
    claim = volumes.claim("iris-gpu", "iris-gpu-team", group(), "team")
    assert claim["spec"]["volumeName"] == "iris-gpu-team"
    assert volumes.folder(group(path="/srv/x/")) == "/srv/x/models"
    assert volumes.folder(group(kind="hostPath")) == "/models/models"
    assert volumes.folder(group(kind="nfs")) == ""
    assert volumes.folder(group(path="relative")) == ""


def test_where_users_are_apart_so_are_their_files():
    """Neither of two namespaces, nor who may have what all may have, has a volume with another's files in it."""
    roots = [volumes.folder(group(), each, apart=True) for each in ("", "a", "b")]
    paths = [
        volumes.volume("v", group(), each, apart=True)["spec"]["local"]["path"] for each in ("", "a", "b")
    ]
    assert roots == [f"{each}/models" for each in paths]
    for one in paths:
        assert not any(other != one and other.startswith(f"{one}/") for other in paths)


def download(**entry):
    told = {"sourceModelUri": SOURCE, "modelName": "iris", "nodeGroup": "gpu", **entry}
    return Download(told, "worker", "gpu")


def job(it, earlier=(), reads=None, config=None):
    reads = reads or Reads("kserve-localmodel-jobs", {})
    return jobs.job(it, earlier, reads, config or StorageConfig(), CONFIG)


def test_a_job_downloads_into_the_folder_of_the_uri():
    made = job(download())
    assert made["metadata"]["namespace"] == "kserve-localmodel-jobs"
    assert made["metadata"]["labels"] == {"model": "iris", "node": "worker"}
    assert made["spec"]["ttlSecondsAfterFinished"] == 3600
    pod = made["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"kubernetes.io/hostname": "worker"}
    assert pod["restartPolicy"] == "Never"
    assert pod["securityContext"] == {"fsGroup": 1000}
    assert pod["volumes"] == [
        {"name": "kserve-pvc-source", "persistentVolumeClaim": {"claimName": "iris-gpu"}}
    ]
    (container,) = pod["containers"]
    assert container["name"] == "kserve-localmodel-download"
    assert container["args"] == [SOURCE, "/mnt/models"]
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert container["volumeMounts"] == [
        {
            "name": "kserve-pvc-source",
            "mountPath": "/mnt/models",
            "subPath": f"models/{models.storage_key(SOURCE)}",
        }
    ]
    of_team = job(download(namespace="team"))
    assert of_team["metadata"]["labels"]["modelNamespace"] == "team"
    (volume,) = of_team["spec"]["template"]["spec"]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == "iris-gpu-team-download"


def test_jobs_have_names_of_their_own_and_are_found_again():
    first, second = job(download()), job(download(), [{}])
    team = job(download(namespace="team"))
    assert len({each["metadata"]["name"] for each in (first, second, team)}) == 3
    assert len(job(download(modelName="m" * 63))["metadata"]["name"]) <= 63
    assert jobs.of([second, team, first], download()) != []
    assert jobs.of([team], download()) == []
    assert jobs.of([first, team], download(namespace="team")) == [team]
    assert [jobs.key_of(each) for each in (first, team)] == ["iris", "team/iris"]


def test_a_storage_container_for_such_jobs_is_taken_and_no_other():
    def own(name, workload, **more):
        container = {"name": name, "image": f"{name}:1", "args": ["no"], "env": [{"name": "A", "value": "1"}]}
        spec = {
            "container": container,
            "supportedUriFormats": [{"prefix": "s3://"}],
            "workloadType": workload,
        }
        return {"metadata": {"name": name}, "spec": spec, **more}

    off = own("a-off", "localModelDownloadJob", disabled=True)
    there = [own("init", "initContainer"), own("mine", "localModelDownloadJob"), off]
    made = job(download(), reads=Reads("jobs", {}, containers=there))
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert (container["name"], container["image"]) == ("mine", "mine:1")
    assert container["args"] == [SOURCE, "/mnt/models"]
    assert {"name": "A", "value": "1"} in container["env"]
    made = job(download(sourceModelUri="gs://x"), reads=Reads("jobs", {}, containers=there))
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["name"] == "kserve-localmodel-download"


def test_credentials_are_those_of_the_account_or_of_the_entry():
    import base64

    def secret(name, **data):
        told = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        return {"metadata": {"name": name}, "data": told}

    assert jobs.account(download()) == ""
    assert jobs.account(download(storage={"parameters": {}})) == "default"
    assert jobs.account(download(serviceAccountName="puller", storage={})) == "puller"
    keys = secret("keys", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
    reads = Reads("jobs", {"metadata": {"name": "puller"}, "secrets": [{"name": "keys"}]}, {"keys": keys})
    made = job(download(serviceAccountName="puller"), reads=reads)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert {"name": "AWS_ACCESS_KEY_ID", "valueFrom": {"secretKeyRef": {"name": "keys",
            "key": "AWS_ACCESS_KEY_ID"}}} in container["env"]  # fmt: skip
    stores = secret("storage-config", mine='{"type": "s3", "bucket": "mybucket"}')
    reads = Reads("jobs", {}, {"storage-config": stores})
    made = job(download(storage={"key": "mine"}), reads=reads)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert any(each["name"] == "STORAGE_CONFIG" for each in container["env"])
    with pytest.raises(StorageError, match="nothing"):
        job(download(storage={"key": "nothing"}), reads=reads)


@pytest.mark.parametrize(
    "more", [{"serviceAccountName": "puller"}, {"storage": {"key": "mine"}}, {"storage": {}}]
)
def test_where_users_are_apart_none_has_the_secrets_of_the_downloads(more):
    entry = download(namespace="team", **more).entry
    with pytest.raises(StorageError, match="with many users"):
        jobs.wanted(Download(entry, "worker", "gpu", apart=True))
    assert jobs.wanted(Download(entry, "worker", "gpu"))
    of_cluster = download(**more).entry
    assert jobs.wanted(Download(of_cluster, "worker", "gpu", apart=True))


def test_in_the_embedded_cluster_what_is_kept_outlives_its_source_and_shares_nothing_with_users():
    config = StorageConfig(own=OwnRules(is_embedded=True, cache="/cache", file_roots=("/a/{namespace}",)))
    reads = Reads("jobs", {}, owner="team")

    def variables(it):
        (container,) = job(it, reads=reads, config=config)["spec"]["template"]["spec"]["containers"]
        return {each["name"]: each.get("value") for each in container["env"]}

    found = variables(download(namespace="team"))
    assert found["SAMPAN_MODEL_KEPT"] == "true"
    assert found["SAMPAN_FILE_ROOTS"] == '["/a/team"]'
    assert "SAMPAN_MODEL_WRITABLE" not in found
    apart = Download(download(namespace="team").entry, "worker", "gpu", apart=True)
    assert variables(apart)["SAMPAN_MODEL_WRITABLE"] == "true"


def test_what_is_to_be_kept_is_copied(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "in").mkdir(parents=True)
    (source / "in" / "model.bin").write_bytes(b"1")
    target.mkdir()
    environ = {local.KEPT_VARIABLE: "true"}
    local.bring(f"file://{source}", target, environ, Patterns.of(environ))
    assert not (target / "in").is_symlink()
    assert (target / "in" / "model.bin").read_bytes() == b"1"


def test_only_folders_of_models_that_nobody_wants_go(tmp_path):
    root, other = tmp_path / "models", tmp_path / "elsewhere"
    kept, left = models.storage_key("a"), models.storage_key("b")
    for name in (kept, left, "not-a-key", left.upper()):
        (root / name).mkdir(parents=True)
    other.mkdir()
    (other / "data").write_text("mine")
    linked = models.storage_key("c")
    os.symlink(other, root / linked)
    (root / left / "inner").symlink_to(other)
    alias = tmp_path / "alias"
    alias.symlink_to(root)
    # By two names it is one folder: what is wanted by the one is not evicted by the other.
    gone = folders.evict([str(root), str(alias), str(tmp_path / "none")], {(str(alias), kept)})
    assert gone == [str(root / left)]
    assert sorted(each.name for each in root.iterdir()) == sorted((kept, "not-a-key", left.upper(), linked))
    assert (other / "data").read_text() == "mine"


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"enabled": "yes", "jobNamespace": 3}'])
def test_a_configuration_that_cannot_be_read_is_none(text):
    assert LocalModelConfig.of({"localModel": text}) == LocalModelConfig()


def test_the_configuration_is_upstreams():
    text = (
        '{"enabled": true, "jobNamespace": "jobs", "fsGroup": 7, "jobTTLSecondsAfterFinished": 5,'
        ' "reconcilationFrequencyInSecs": 0, "disableVolumeManagement": true}'
    )
    found = LocalModelConfig.of({"localModel": text})
    assert found == LocalModelConfig(True, "jobs", 7, 5, 1, manages_volumes=False)
