"""kserve's inference clients against the model server: kserve_inference.py HTTP_URL GRPC_ADDRESS.

The model is that of `runtimes/linear.py`.
"""

from __future__ import annotations

import asyncio
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

X = np.array([[1, 2, 3, 4], [1, 1, 1, 1]], dtype=np.float64)


def request(*, binary: bool, outputs: bool = False) -> InferRequest:
    made = InferInput("x", list(X.shape), "FP64")
    made.set_data_from_numpy(X, binary_data=binary)
    asked = [RequestedOutput("y", {"binary_data": binary})] if outputs else None
    return InferRequest("lin", [made], request_id="7", request_outputs=asked)


async def rest(url: str) -> None:
    first = InferenceRESTClient(RESTConfig(protocol="v1"))
    assert await first.is_server_live(url)
    assert await first.is_model_ready(url, "lin")
    assert await first.infer(url, {"instances": X.tolist()}, model_name="lin") == {"predictions": [30, 10]}
    second = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await second.is_server_live(url)
    assert await second.is_server_ready(url)
    assert await second.is_model_ready(url, "lin")
    for binary in (True, False):
        for outputs in (True, False):
            headers: dict[str, str] = {}
            found = await second.infer(
                url, request(binary=binary, outputs=outputs), "lin", response_headers=headers
            )
            assert found.get_output_by_name("y").as_numpy().tolist() == [30, 10], (binary, outputs, found)
            assert found.id == "7"
    await first.close()
    await second.close()


async def rpc(address: str) -> None:
    client = InferenceGRPCClient(address)
    assert await client.is_server_live()
    assert await client.is_server_ready()
    assert await client.is_model_ready("lin")
    for binary in (True, False):
        found = await client.infer(request(binary=binary))
        assert found.get_output_by_name("y").as_numpy().tolist() == [30, 10]
    await client.close()


if __name__ == "__main__":
    asyncio.run(rest(sys.argv[1]))
    asyncio.run(rpc(sys.argv[2]))
    print("the journey of kserve's inference clients is over")
