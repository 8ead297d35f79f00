"""Each framework's models answer over V1, V2 in JSON, V2 in binary and gRPC what the library itself answers.

The models are made, and the library is asked, by programs of `cases/` in the environment of the image that serves them.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from sampan.cluster.node.environments.programs import package_folder
from sampan.components.serving.engine.programs.modelserver.grpc_messages import SERVICE, message
from sampan.testing.model_servers import Served, serving

KINDS = {"BOOL": "bool", "UINT8": "u1", "INT8": "i1", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4",
         "FP64": "<f8"}  # fmt: skip
CONTENTS = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "INT8": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
MODULE = "sampan_serving.modelserver"


FRAMEWORKS = (
    *("sklearn", "xgboost", "lightgbm", "onnx", "pytorch", "torchserve", "shap"),
    *("tensorflow", "pmml", "paddle", "mlflow"),
)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_answers_are_the_librarys(name: str, made: Callable[[str], Any], tmp_path: Path) -> None:
    found = made(name)
    package = package_folder(tmp_path / "programs", "serving")
    assert found.cases
    for case in found.cases:
        played(case, python=found.python, module=MODULE, environ={"PYTHONPATH": str(package)})


def test_scikit_learns_answers_are_its_own(made: Callable[[str], Any]) -> None:
    """What of it needs no environment."""
    for case in made("here").cases:
        played(case)


def played(folder: Path, **how: Any) -> None:
    case = json.loads((folder / "case.json").read_text())
    assert case["v1"] or case["v2"] or case["explain"]
    words = [f"--runtime={case['runtime']}", "--model_name=m", f"--model_dir={folder / 'model'}"]
    environ = {**how.pop("environ", {}), **case["options"]}
    with serving(folder, *words, environ=environ, **how) as server:
        # More than once: what is shown about a model may change how it is asked.
        for _ in range(3):
            for each in case["v1"]:
                # By name it is TensorFlow Serving's columnar format.
                key = "inputs" if isinstance(each["instances"], dict) else "instances"
                status, answer = server.post("/v1/models/m:predict", {key: each["instances"]})
                assert status == 200, (folder.name, each["instances"], answer)
                assert same(answer["predictions"], each["predictions"]), (folder.name, answer, each)
        for each in case["explain"]:
            status, answer = server.post("/v1/models/m:explain", {"instances": each["instances"]})
            assert status == 200, answer
            assert same(answer["explanations"], each["explanations"]), (folder.name, answer, each)
        for each in case["v2"]:
            for found in over_v2(server, each):
                assert_outputs(folder.name, found, each["outputs"])
        metadata = server.get("/v2/models/m")[1]
        silent = case["runtime"] in ("mlflow", "torchserve", "shap")
        assert silent or metadata["outputs"], metadata


def over_v2(server: Served, request: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """The outputs, in JSON's form, by each way there is."""
    document = {"inputs": request["inputs"], "parameters": request["parameters"]}
    status, answer = server.post("/v2/models/m/infer", document)
    assert status == 200, answer
    yield answer["outputs"]
    yield binary(server, request)
    yield over_grpc(server, request, is_raw=True)
    if not any(each["datatype"] == "FP16" for each in request["inputs"]):
        yield over_grpc(server, request, is_raw=False)


def over_grpc(server: Served, request: dict[str, Any], *, is_raw: bool) -> list[dict[str, Any]]:
    inputs = [{key: each[key] for key in ("name", "shape", "datatype")} for each in request["inputs"]]
    if not is_raw:
        for one, told in zip(inputs, request["inputs"], strict=True):
            values = [raw(each) for each in told["data"]] if told["datatype"] == "BYTES" else told["data"]
            one["contents"] = message("InferTensorContents")(**{CONTENTS[told["datatype"]]: values})
    tensors = [message("ModelInferRequest.InferInputTensor")(**each) for each in inputs]
    parameters = {
        key: message("InferParameter")(string_param=value) for key, value in request["parameters"].items()
    }
    tails = [encoded(each) for each in request["inputs"]] if is_raw else []
    asked = message("ModelInferRequest")(
        model_name="m", inputs=tensors, raw_input_contents=tails, parameters=parameters
    )
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        answer = message("ModelInferResponse").FromString
        call = channel.unary_unary(f"/{SERVICE}/ModelInfer", lambda each: each.SerializeToString(), answer)
        told = call(asked, timeout=60)
    found = [
        {"name": each.name, "shape": list(each.shape), "datatype": each.datatype} for each in told.outputs
    ]
    for place, (one, each) in enumerate(zip(found, told.outputs, strict=True)):
        if told.raw_output_contents:
            one["data"] = decoded(each.datatype, told.raw_output_contents[place])
        else:
            values = list(getattr(each.contents, CONTENTS[each.datatype]))
            one["data"] = [value.decode() for value in values] if each.datatype == "BYTES" else values
    return found


def binary(server: Served, request: dict[str, Any]) -> list[dict[str, Any]]:
    tails = [encoded(each) for each in request["inputs"]]
    inputs = [
        {
            **{key: each[key] for key in ("name", "shape", "datatype")},
            "parameters": {"binary_data_size": len(tail)},
        }
        for each, tail in zip(request["inputs"], tails, strict=True)
    ]
    parameters = {**request["parameters"], "binary_data_output": True}
    head = json.dumps({"inputs": inputs, "parameters": parameters}).encode()
    length = {"Inference-Header-Content-Length": str(len(head))}
    status, body = server.send("POST", "/v2/models/m/infer", b"".join([head, *tails]), length)
    assert status == 200, body
    size = int(server.headers["inference-header-content-length"])
    found, position = json.loads(body[:size])["outputs"], size
    for each in found:
        end = position + each.pop("parameters")["binary_data_size"]
        each["data"] = decoded(each["datatype"], body[position:end])
        position = end
    assert position == len(body)
    return found


def encoded(tensor: dict[str, Any]) -> bytes:
    if tensor["datatype"] != "BYTES":
        return np.array(tensor["data"], dtype=KINDS[tensor["datatype"]]).tobytes()
    texts = [raw(each) for each in tensor["data"]]
    return b"".join(len(each).to_bytes(4, "little") + each for each in texts)


def decoded(datatype: str, data: bytes) -> list[Any]:
    if datatype != "BYTES":
        return np.frombuffer(data, dtype=KINDS[datatype]).tolist()
    found = []
    while data:
        size = int.from_bytes(data[:4], "little")
        found.append(data[4 : 4 + size].decode())
        data = data[4 + size :]
    return found


def raw(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else base64.b64decode(value["b64"])


def assert_outputs(name: str, found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    said = (name, found, expected)
    for key in ("name", "datatype", "shape"):
        assert [each[key] for each in found] == [each[key] for each in expected], said
    for one, other in zip(found, expected, strict=True):
        assert same(one["data"], other["data"], 1e-3 if one["datatype"] == "FP16" else 1e-6), said


def same(one: Any, other: Any, tolerance: float = 1e-6) -> bool:
    """Whole numbers and texts just so; fractions but for the rounding of sums in another order."""
    if isinstance(other, dict):
        return (
            isinstance(one, dict)
            and one.keys() == other.keys()
            and all(same(one[key], other[key], tolerance) for key in other)
        )
    if isinstance(other, list):
        return (
            isinstance(one, list)
            and len(one) == len(other)
            and all(same(a, b, tolerance) for a, b in zip(one, other, strict=True))
        )
    if isinstance(other, float):
        return isinstance(one, (int, float)) and math.isclose(one, other, rel_tol=tolerance, abs_tol=1e-7)
    return bool(one == other)
