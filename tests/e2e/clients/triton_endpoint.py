"""tritonclient to a model behind the gateway: triton_endpoint.py KUBECONFIG URL MODELS.

By path over HTTP, by the name as authority over gRPC, on the platform's one port.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from typing import Any

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from tritonclient.utils import InferenceServerException

SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
ROWS = np.array([[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]], dtype=np.float32)


def call(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def served(url: str, models: str) -> str:
    """The host of a service with the model."""
    resources = {"requests": {"cpu": "10m", "memory": "64Mi"}}
    model = {
        "modelFormat": {"name": "sklearn"},
        "protocolVersion": "v2",
        "runtime": "kserve-sklearnserver",
        "storageUri": f"{models}/iris",
        "resources": resources,
    }
    body = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "tensors"},
        "spec": {"predictor": {"minReplicas": 1, "model": model}},
    }
    call(url + SERVICES, body)
    deadline = time.monotonic() + 120
    while True:
        status = call(f"{url}{SERVICES}/tensors").get("status", {})
        if {"Ready": "True"}.items() <= {
            each["type"]: each["status"] for each in status.get("conditions", ())
        }.items():
            return str(status["url"]).removeprefix("http://")
        assert time.monotonic() < deadline, status
        time.sleep(0.2)


def inputs(kind: Any, **more: Any) -> list[Any]:
    made = kind.InferInput("input-0", list(ROWS.shape), "FP32")
    made.set_data_from_numpy(ROWS, **more)
    return [made]


def http(address: str) -> None:
    with over_http.InferenceServerClient(f"{address}/serving/default/tensors", concurrency=4) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("tensors")
        assert client.get_model_metadata("tensors")["name"] == "tensors"
        for is_binary in (True, False):
            for packed in (None, "gzip"):
                found = client.infer(
                    "tensors",
                    inputs(over_http, binary_data=is_binary),
                    request_id="7",
                    request_compression_algorithm=packed,
                    response_compression_algorithm=packed,
                )
                (output,) = found.get_response()["outputs"]
                assert found.as_numpy(output["name"]).tolist() == [1, 1]
                assert found.get_response()["id"] == "7"
        pending = [client.async_infer("tensors", inputs(over_http)) for _ in range(16)]
        assert all(each.get_result().get_response()["outputs"] for each in pending)
        refused(lambda: client.infer("none", inputs(over_http)))
        refused(lambda: client.register_system_shared_memory("region", "/region", 64))


def rpc(address: str, host: str) -> None:
    options = [("grpc.default_authority", host)]
    with over_grpc.InferenceServerClient(address, channel_args=options) as client:
        assert client.is_server_live()
        assert client.is_model_ready("tensors")
        assert client.get_model_metadata("tensors").name == "tensors"
        found = client.infer("tensors", inputs(over_grpc), request_id="7")
        (output,) = found.get_response().outputs
        assert found.as_numpy(output.name).tolist() == [1, 1]
        refused(lambda: client.infer("none", inputs(over_grpc)))
        refused(lambda: client.register_system_shared_memory("region", "/region", 64))


def refused(asked: Any) -> None:
    try:
        asked()
    except InferenceServerException as error:
        assert error.message(), error
    else:
        raise AssertionError("it was not refused")


if __name__ == "__main__":
    _, _, platform, folder = sys.argv
    name = served(platform, folder)
    http(platform.removeprefix("http://"))
    rpc(platform.removeprefix("http://"), name)
    print("the journey of tritonclient is over")
