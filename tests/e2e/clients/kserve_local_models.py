"""kserve's KServeClient keeps models on the node: kserve_local_models.py KUBECONFIG URL MODELS.

After upstream's test/e2e/modelcache (kserve v0.20.0), of which there are no clusters with three nodes here.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kserve import (
    KServeClient,
    V1beta1InferenceService,
    V1beta1InferenceServiceSpec,
    V1beta1ModelFormat,
    V1beta1ModelSpec,
    V1beta1PredictorSpec,
)
from kserve.models.v1alpha1_local_model_cache import V1alpha1LocalModelCache
from kserve.models.v1alpha1_local_model_cache_spec import V1alpha1LocalModelCacheSpec
from kserve.models.v1alpha1_local_model_namespace_cache import V1alpha1LocalModelNamespaceCache
from kserve.models.v1alpha1_local_model_namespace_cache_spec import V1alpha1LocalModelNamespaceCacheSpec
from kserve.models.v1alpha1_local_model_node_group import V1alpha1LocalModelNodeGroup
from kserve.models.v1alpha1_local_model_node_group_spec import V1alpha1LocalModelNodeGroupSpec
from kubernetes import client as kubernetes
from kubernetes.client.exceptions import ApiException

NAMESPACE = "default"
V1ALPHA1, V1BETA1 = "serving.kserve.io/v1alpha1", "serving.kserve.io/v1beta1"
ROWS = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]
PREFIX = "internal.serving.kserve.io/localmodel"


def node_group(path: str, node: str) -> V1alpha1LocalModelNodeGroup:
    host = kubernetes.V1NodeSelectorRequirement(key="kubernetes.io/hostname", operator="In", values=[node])
    required = kubernetes.V1NodeSelector(
        node_selector_terms=[kubernetes.V1NodeSelectorTerm(match_expressions=[host])]
    )
    volume = kubernetes.V1PersistentVolumeSpec(
        access_modes=["ReadWriteOnce"],
        storage_class_name="standard",
        capacity={"storage": "1Gi"},
        local=kubernetes.V1LocalVolumeSource(path=path),
        persistent_volume_reclaim_policy="Delete",
        node_affinity=kubernetes.V1VolumeNodeAffinity(required=required),
    )
    claim = kubernetes.V1PersistentVolumeClaimSpec(
        access_modes=["ReadWriteOnce"],
        resources=kubernetes.V1ResourceRequirements(requests={"storage": "1Gi"}),
        storage_class_name="standard",
    )
    return V1alpha1LocalModelNodeGroup(
        api_version=V1ALPHA1,
        kind="LocalModelNodeGroup",
        metadata=kubernetes.V1ObjectMeta(name="workers"),
        spec=V1alpha1LocalModelNodeGroupSpec(
            storage_limit="1Gi", persistent_volume_spec=volume, persistent_volume_claim_spec=claim
        ),
    )


def service(name: str, uri: str) -> V1beta1InferenceService:
    model = V1beta1ModelSpec(
        model_format=V1beta1ModelFormat(name="sklearn"),
        storage_uri=uri,
        resources=kubernetes.V1ResourceRequirements(requests={"cpu": "10m", "memory": "64Mi"}),
    )
    return V1beta1InferenceService(
        api_version=V1BETA1,
        kind="InferenceService",
        metadata=kubernetes.V1ObjectMeta(name=name, namespace=NAMESPACE),
        spec=V1beta1InferenceServiceSpec(predictor=V1beta1PredictorSpec(min_replicas=1, model=model)),
    )


def predictions(url: str, client: KServeClient, name: str) -> Any:
    host = client.get(name, namespace=NAMESPACE)["status"]["url"].removeprefix("http://")
    body = json.dumps({"instances": ROWS}).encode()
    headers = {"Host": host, "content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/models/{name}:predict", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())["predictions"]
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{name} at {host}: {error.code} {error.read().decode()}") from error


def eventually(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


def deleted(call: Callable[[], Any]) -> bool:
    """Once nobody uses it."""
    try:
        call()
    except RuntimeError as error:
        assert "is being used by" in str(error), error
        return False
    return True


def is_gone(call: Callable[[], Any]) -> bool:
    try:
        call()
    except ApiException as error:
        assert error.status == 404, error
        return True
    return False


def main(kubeconfig: str, url: str, models: str) -> None:
    client = KServeClient(config_file=kubeconfig)
    core = kubernetes.CoreV1Api()
    node = core.list_node().items[0].metadata.name
    disk, source = tempfile.mkdtemp(), tempfile.mkdtemp()
    shutil.copytree(models.removeprefix("file://"), source, dirs_exist_ok=True)
    uri = f"file://{source}/iris"
    client.create_local_model_node_group(node_group(disk, node))
    spec = V1alpha1LocalModelCacheSpec(model_size="10Mi", node_groups=["workers"], source_model_uri=uri)
    cache = V1alpha1LocalModelCache(
        api_version=V1ALPHA1, kind="LocalModelCache", metadata=kubernetes.V1ObjectMeta(name="iris"), spec=spec
    )
    client.create_local_model_cache(cache)
    client.wait_local_model_cache_ready("iris", nodes=[node], timeout_seconds=120, polling_interval=1)
    # What is kept outlives its source.
    shutil.rmtree(source)
    made = client.create(service("kept", uri))
    assert made["metadata"]["labels"][PREFIX] == "iris", made["metadata"]
    client.wait_isvc_ready("kept", namespace=NAMESPACE, timeout_seconds=240, polling_interval=1)
    assert predictions(url, client, "kept") == [1, 1]
    told = client.api_instance.get_cluster_custom_object(
        "serving.kserve.io", "v1alpha1", "localmodelnodes", node
    )
    assert told["status"]["modelStatus"] == {"iris": "ModelDownloaded"}, told
    assert not deleted(lambda: client.delete_local_model_cache("iris"))
    own = V1alpha1LocalModelNamespaceCache(
        api_version=V1ALPHA1,
        kind="LocalModelNamespaceCache",
        metadata=kubernetes.V1ObjectMeta(name="own", namespace=NAMESPACE),
        spec=V1alpha1LocalModelNamespaceCacheSpec(
            model_size="10Mi", node_groups=["workers"], source_model_uri=uri
        ),
    )
    client.create_local_model_namespace_cache(own)
    again = client.create(service("again", f"{uri}/model.joblib"))
    assert again["metadata"]["labels"][f"{PREFIX}-namespace"] == NAMESPACE, again["metadata"]
    client.wait_isvc_ready("again", namespace=NAMESPACE, timeout_seconds=240, polling_interval=1)
    assert predictions(url, client, "again") == [1, 1]
    for name in ("kept", "again"):
        client.delete(name, NAMESPACE)
    eventually(lambda: deleted(lambda: client.delete_local_model_cache("iris")), "the cache is still in use")
    assert (Path(disk) / "models").exists()
    eventually(
        lambda: deleted(lambda: client.delete_local_model_namespace_cache("own", NAMESPACE)),
        "the cache of the namespace is still in use",
    )
    for volume in ("iris-workers-default", "iris-workers-download", "own-workers-default"):
        eventually(lambda volume=volume: is_gone(lambda: core.read_persistent_volume(volume)), volume)
    for claim in ("iris-workers", "own-workers"):
        eventually(
            lambda claim=claim: is_gone(
                lambda: core.read_namespaced_persistent_volume_claim(claim, NAMESPACE)
            ),
            claim,
        )
    eventually(lambda: not list((Path(disk) / "models").iterdir()), "the model's files are still there")
    client.delete_local_model_node_group("workers")
    shutil.rmtree(disk)
    print("the journey of kserve's local models is over")


if __name__ == "__main__":
    main(*sys.argv[1:4])
