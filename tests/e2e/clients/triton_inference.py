"""tritonclient against the model server: triton_inference.py HTTP_ADDRESS GRPC_ADDRESS.

The model is that of `runtimes/linear.py`.
"""

from __future__ import annotations

import queue
import sys
from typing import Any

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from tritonclient.utils import InferenceServerException

X = np.array([[1, 2, 3, 4], [1, 1, 1, 1]], dtype=np.float64)


def inputs(kind: Any, **more: Any) -> list[Any]:
    made = kind.InferInput("x", list(X.shape), "FP64")
    made.set_data_from_numpy(X, **more)
    return [made]


def management(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("lin")
    assert client.is_model_ready("lin", "1")
    client.load_model("lin")


def http(address: str) -> None:
    with over_http.InferenceServerClient(address, concurrency=4) as client:
        management(client)
        assert not client.is_model_ready("none")
        assert client.get_server_metadata()["name"] == "sampan"
        assert client.get_model_metadata("lin")["inputs"][0]["datatype"] == "FP64"
        assert client.get_model_repository_index()[0]["state"] == "READY"
        for sends in (True, False):
            for wants in (True, False):
                outputs = [over_http.InferRequestedOutput(name, binary_data=wants) for name in ("y", "who")]
                found = client.infer(
                    "lin", inputs(over_http, binary_data=sends), outputs=outputs, request_id="7"
                )
                assert found.as_numpy("y").tolist() == [30, 10], found.get_response()
                assert found.as_numpy("who")[0].startswith(b"pid " if wants else "pid ")
                assert found.get_response()["id"] == "7"
        # With no outputs named, tritonclient asks for all in binary.
        found = client.infer("lin", inputs(over_http), parameters={"factor": 2})
        assert found.as_numpy("y").tolist() == [60, 20]
        for packed in ("gzip", "deflate"):
            found = client.infer(
                "lin",
                inputs(over_http),
                request_compression_algorithm=packed,
                response_compression_algorithm=packed,
            )
            assert found.as_numpy("y").tolist() == [30, 10]
        pending = [client.async_infer("lin", inputs(over_http)) for _ in range(16)]
        assert all(each.get_result().as_numpy("y").tolist() == [30, 10] for each in pending)
        stats = client.get_inference_statistics("lin")["model_stats"][0]
        assert stats["inference_stats"]["success"]["count"] >= 20
        refused(lambda: client.infer("none", inputs(over_http)), "does not exist")
        refused(
            lambda: client.infer("lin", inputs(over_http), outputs=[over_http.InferRequestedOutput("z")]),
            "Unexpected inference output 'z'",
        )
        refused(lambda: client.unload_model("none"), "does not exist")


def rpc(address: str) -> None:
    with over_grpc.InferenceServerClient(address) as client:
        management(client)
        assert client.get_model_metadata("lin").inputs[0].datatype == "FP64"
        assert client.get_model_repository_index(as_json=True)["models"][0]["state"] == "READY"
        outputs = [over_grpc.InferRequestedOutput("y"), over_grpc.InferRequestedOutput("who")]
        found = client.infer(
            "lin", inputs(over_grpc), outputs=outputs, request_id="7", parameters={"factor": 2}
        )
        assert (found.as_numpy("y").tolist(), found.get_response().id) == ([60, 20], "7")
        assert found.as_numpy("who")[0].startswith(b"pid ")
        assert int(client.get_inference_statistics("lin").model_stats[0].inference_count) > 0
        answers: queue.Queue[Any] = queue.Queue()
        client.start_stream(lambda result, error: answers.put((result, error)))
        for name in ("lin", "none", "lin"):
            client.async_stream_infer(name, inputs(over_grpc), request_id=name)
        found = [answers.get(timeout=60) for _ in range(3)]
        client.stop_stream()
        assert [error is None for _, error in found] == [True, False, True]
        assert found[2][0].as_numpy("y").tolist() == [30, 10]
        big = over_grpc.InferInput("x", [300_000, 4], "FP64")
        big.set_data_from_numpy(np.ones((300_000, 4)))
        assert client.infer("lin", [big]).as_numpy("y").sum() == 3_000_000
        refused(lambda: client.infer("none", inputs(over_grpc)), "does not exist")


def refused(call: Any, says: str) -> None:
    try:
        call()
    except InferenceServerException as error:
        assert says in error.message(), error.message()
    else:
        raise AssertionError(f"{says}: it was not refused")


if __name__ == "__main__":
    http(sys.argv[1])
    rpc(sys.argv[2])
    print("the journey of tritonclient is over")
