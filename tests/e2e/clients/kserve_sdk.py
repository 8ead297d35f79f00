"""kserve's KServeClient and inference clients, against the platform: kserve_sdk.py KUBECONFIG URL MODELS.

MODELS is a folder of models of scikit-learn: `iris` answers [1, 1] to what upstream's tests ask.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from kserve import (
    InferenceGRPCClient,
    InferenceRESTClient,
    InferInput,
    InferRequest,
    KServeClient,
    RESTConfig,
    V1alpha1InferenceGraph,
    V1alpha1InferenceGraphSpec,
    V1alpha1InferenceRouter,
    V1alpha1InferenceStep,
    V1alpha1ModelSpec,
    V1alpha1TrainedModel,
    V1alpha1TrainedModelSpec,
    V1beta1InferenceService,
    V1beta1InferenceServiceSpec,
    V1beta1PredictorSpec,
    V1beta1SKLearnSpec,
)
from kubernetes.client import V1Container, V1ObjectMeta, V1ResourceRequirements

NAMESPACE = "default"
ROWS = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]
SMALL = V1ResourceRequirements(requests={"cpu": "10m", "memory": "64Mi"})
V1BETA1, V1ALPHA1 = "serving.kserve.io/v1beta1", "serving.kserve.io/v1alpha1"


def service(name: str, predictor: V1beta1PredictorSpec) -> V1beta1InferenceService:
    return V1beta1InferenceService(
        api_version=V1BETA1,
        kind="InferenceService",
        metadata=V1ObjectMeta(name=name, namespace=NAMESPACE),
        spec=V1beta1InferenceServiceSpec(predictor=predictor),
    )


def of_sklearn(uri: str | None, **more: Any) -> V1beta1PredictorSpec:
    sklearn = V1beta1SKLearnSpec(storage_uri=uri, resources=SMALL, **more)
    return V1beta1PredictorSpec(min_replicas=1, sklearn=sklearn)


def services(client: KServeClient, models: str) -> None:
    made = client.create(service("iris", of_sklearn(f"{models}/iris")))
    assert made["spec"]["predictor"]["model"]["modelFormat"]["name"] == "sklearn"
    refused(lambda: client.create(service("iris", of_sklearn(f"{models}/iris"))), "AlreadyExists")
    client.wait_isvc_ready("iris", namespace=NAMESPACE, timeout_seconds=120, polling_interval=1)
    assert client.is_isvc_ready("iris", namespace=NAMESPACE)
    assert [each["metadata"]["name"] for each in client.get(namespace=NAMESPACE)["items"]] == ["iris"]
    told = io.StringIO()
    with redirect_stdout(told):
        client.get("iris", namespace=NAMESPACE, watch=True, timeout_seconds=20)
    words = told.getvalue().split()
    assert words[:7] == ["NAME", "READY", "PREV", "LATEST", "URL", "iris", "True"], words
    assert words[7:9] == ["0", "100"], words

    canary = of_sklearn(f"{models}/other")
    canary.canary_traffic_percent = 20
    patched = client.patch("iris", service("iris", canary), namespace=NAMESPACE)
    generation = patched["metadata"]["generation"]
    client.wait_isvc_ready(
        "iris",
        namespace=NAMESPACE,
        timeout_seconds=120,
        polling_interval=1,
        expected_generation=generation,
    )
    traffic = client.get("iris", namespace=NAMESPACE)["status"]["components"]["predictor"]["traffic"]
    assert [(each["percent"], each.get("latestRevision", False)) for each in traffic] == [
        (20, True),
        (80, False),
    ]

    back = service("iris", of_sklearn(f"{models}/iris"))
    back.metadata.resource_version = client.get("iris", namespace=NAMESPACE)["metadata"]["resourceVersion"]
    replaced = client.replace("iris", back, namespace=NAMESPACE)
    assert "canaryTrafficPercent" not in replaced["spec"]["predictor"]
    client.wait_isvc_ready(
        "iris",
        namespace=NAMESPACE,
        timeout_seconds=120,
        polling_interval=1,
        expected_generation=replaced["metadata"]["generation"],
    )
    refused(lambda: client.get("none", namespace=NAMESPACE), "NotFound")
    refused(lambda: client.create(service("Not a name", of_sklearn(f"{models}/iris"))), "Not a name")


async def inference(client: KServeClient, address: str) -> None:
    """As test/e2e/common/utils.py does: the address of the ingress, and the service's name as Host; then by the path,
    which needs no names: not every machine's resolver knows what is below `localhost`."""
    url = client.get("iris", namespace=NAMESPACE)["status"]["url"]
    headers = {"Host": url.removeprefix("http://"), "Content-Type": "application/json"}
    tensor = InferInput("input-0", [2, 4], "FP32", [value for row in ROWS for value in row])
    for base, sent in ((f"http://{address}", headers), (f"http://{address}/serving/{NAMESPACE}/iris", None)):
        first = InferenceRESTClient(RESTConfig(protocol="v1"))
        assert await first.infer(base, {"instances": ROWS}, model_name="iris", headers=sent) == {
            "predictions": [1, 1]
        }
        assert await first.is_model_ready(base, "iris", headers=sent)
        second = InferenceRESTClient(RESTConfig(protocol="v2"))
        assert await second.is_server_ready(base, headers=sent)
        request = InferRequest("iris", [tensor])
        answer = await second.infer(base, request, model_name="iris", headers=sent)
        assert answer.outputs[0].data == [1, 1], answer
        await first.close()
        await second.close()
    name = [("grpc.default_authority", headers["Host"]), ("grpc.ssl_target_name_override", headers["Host"])]
    over_grpc = InferenceGRPCClient(address, channel_args=name, timeout=60)
    answer = await over_grpc.infer(InferRequest("iris", [tensor]))
    assert answer.outputs[0].data == [1, 1], answer
    assert await over_grpc.is_model_ready("iris")
    await over_grpc.close()


def credentials(client: KServeClient) -> None:
    """Of S3 and Azure it takes what is encoded already."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "credentials"
        file.write_text("[default]\naws_access_key_id = a2V5\naws_secret_access_key = c2VjcmV0\n")
        client.set_credentials(
            "S3",
            namespace=NAMESPACE,
            service_account="of-s3",
            credentials_file=str(file),
            s3_endpoint="s3.here",
            s3_use_https="0",
        )
        file.write_text(json.dumps({"type": "service_account", "project_id": "p"}))
        client.set_credentials(
            "GCS", namespace=NAMESPACE, service_account="of-s3", credentials_file=str(file)
        )
        file.write_text(
            json.dumps(dict.fromkeys(("clientId", "clientSecret", "subscriptionId", "tenantId"), "eA=="))
        )
        client.set_credentials(
            "Azure", namespace=NAMESPACE, service_account="of-azure", credentials_file=str(file)
        )
    core = client.core_api
    secrets = [
        core.read_namespaced_secret(each.name, NAMESPACE)
        for account in ("of-s3", "of-azure")
        for each in core.read_namespaced_service_account(account, NAMESPACE).secrets
    ]
    keys = [
        base64.b64decode(each.data["AWS_ACCESS_KEY_ID"])
        for each in secrets
        if "AWS_ACCESS_KEY_ID" in each.data
    ]
    assert keys == [b"key"]
    assert len(secrets) == 3
    places = [(each.metadata.annotations or {}).get("serving.kserve.io/s3-endpoint") for each in secrets]
    assert "s3.here" in places, places


def many_models(client: KServeClient, address: str, models: str) -> None:
    client.create(service("many", of_sklearn(None, protocol_version="v1")))
    client.wait_isvc_ready("many", namespace=NAMESPACE, timeout_seconds=120, polling_interval=1)
    model = V1alpha1TrainedModel(
        api_version=V1ALPHA1,
        kind="TrainedModel",
        metadata=V1ObjectMeta(name="one", namespace=NAMESPACE),
        spec=V1alpha1TrainedModelSpec(
            inference_service="many",
            model=V1alpha1ModelSpec(storage_uri=f"{models}/iris", memory="32Mi", framework="sklearn"),
        ),
    )
    client.create_trained_model(model, NAMESPACE)
    client.wait_model_ready(
        "many", "one", isvc_namespace=NAMESPACE, cluster_ip=address, timeout_seconds=120, polling_interval=1
    )
    url = f"http://{address}/serving/{NAMESPACE}/many"
    asked = InferenceRESTClient(RESTConfig(protocol="v1"))
    found = asyncio.run(asked.infer(url, {"instances": ROWS}, model_name="one"))
    assert found == {"predictions": [1, 1]}
    client.delete_trained_model("one", NAMESPACE)
    client.delete("many", NAMESPACE)


def graphs(client: KServeClient, address: str) -> None:
    container = V1Container(
        name="kserve-container",
        image="kserve/success-200-isvc:latest",
        args=["--model_name", "node"],
        resources=SMALL,
    )
    client.create(service("node", V1beta1PredictorSpec(min_replicas=1, containers=[container])))
    client.wait_isvc_ready("node", namespace=NAMESPACE, timeout_seconds=120, polling_interval=1)
    steps = [V1alpha1InferenceStep(service_name="node", data=data) for data in ("$request", "$response")]
    graph = V1alpha1InferenceGraph(
        api_version=V1ALPHA1,
        kind="InferenceGraph",
        metadata=V1ObjectMeta(name="chain", namespace=NAMESPACE),
        spec=V1alpha1InferenceGraphSpec(
            nodes={"root": V1alpha1InferenceRouter(router_type="Sequence", steps=steps)}
        ),
    )
    client.create_inference_graph(graph, namespace=NAMESPACE)
    client.wait_ig_ready("chain", namespace=NAMESPACE, timeout_seconds=120)
    assert client.is_ig_ready("chain", namespace=NAMESPACE)
    found = client.get_inference_graph("chain", namespace=NAMESPACE)
    asked = InferenceRESTClient(RESTConfig(protocol="v1"))
    host = {"Host": found["status"]["url"].removeprefix("http://")}
    answer = asyncio.run(
        asked.infer(f"http://{address}", {"instances": [1]}, headers=host, is_graph_endpoint=True)
    )
    assert answer == {"predictions": [{"message": "SUCCESS"}]}, answer
    client.delete_inference_graph("chain", NAMESPACE)
    client.delete("node", NAMESPACE)


def refused(call: Any, says: str) -> None:
    try:
        call()
    except RuntimeError as error:
        assert says in str(error), error
    else:
        raise AssertionError(f"{says}: it was not refused")


def main(kubeconfig: str, url: str, models: str) -> None:
    address = url.removeprefix("http://")
    client = KServeClient(config_file=kubeconfig)
    services(client, models)
    asyncio.run(inference(client, address))
    client.delete("iris", NAMESPACE)
    refused(lambda: client.get("iris", namespace=NAMESPACE), "NotFound")
    credentials(client)
    graphs(client, address)
    many_models(client, address, models)
    print("the journey of kserve's SDK is over")


if __name__ == "__main__":
    main(*sys.argv[1:4])
