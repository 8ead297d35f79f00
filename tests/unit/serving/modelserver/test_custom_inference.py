"""InferRequest, InferResponse and their tensors, as models of kserve's use them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sampan.components.serving.engine.programs.modelserver import v2
from sampan.components.serving.engine.programs.modelserver.custom.inference import (
    InferInput,
    InferOutput,
    InferRequest,
    InferResponse,
    RequestedOutput,
    tensors_of,
)
from sampan.components.serving.engine.programs.modelserver.custom.payloads import (
    get_predict_input,
    get_predict_response,
)
from sampan.components.serving.engine.programs.modelserver.custom.problems import InferenceError, InvalidInput


def request(*, from_grpc: bool = False) -> InferRequest:
    document = {
        "id": "7",
        "parameters": {"a": 1},
        "inputs": [
            {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [[1, 2], [3, 4]]},
            {"name": "t", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]},
        ],
        "outputs": [{"name": "y", "parameters": {"binary_data": True}}],
    }
    inference = v2.read(json.dumps(document).encode(), None)
    inference.from_grpc = from_grpc
    return InferRequest.of("m", inference)


def test_inputs_are_seen_as_kserves_are() -> None:
    over_http, over_grpc = request(), request(from_grpc=True)
    x = over_http.inputs[0]
    assert (x.name, x.datatype, x.shape, x.data) == ("x", "FP32", [2, 2], [1, 2, 3, 4])
    assert x.as_numpy().dtype == np.float32
    texts = over_http.get_input_by_name("t")
    assert texts is not None
    assert (texts.data, texts.as_string()) == (["a", "b"], ["a", "b"])
    assert over_grpc.inputs[1].data == [b"a", b"b"]
    assert (over_http.id, over_http.parameters, over_http.request_outputs[0].binary_data) == (
        "7",
        {"a": 1},
        True,
    )  # type: ignore[index]
    with pytest.raises(InvalidInput):
        x.as_string()


def test_data_that_are_set_are_the_data() -> None:
    x = request().inputs[0]
    x.data = [5, 6, 7, 8]
    assert x.as_numpy().tolist() == [[5, 6], [7, 8]]
    x.set_data_from_numpy(np.ones((2, 2), dtype="float32"))
    assert x.parameters == {"binary_data_size": 16}
    assert x.to_tensor().data.tolist() == [[1, 1], [1, 1]]
    x.set_data_from_numpy(np.zeros((2, 2), dtype="float32"), binary_data=False)
    assert (x.parameters, x.data) == ({}, [0, 0, 0, 0])
    with pytest.raises(InferenceError, match="datatype FP64"):
        x.set_data_from_numpy(np.ones((2, 2)))
    with pytest.raises(InferenceError, match="shape"):
        x.set_data_from_numpy(np.ones(2, dtype="float32"))
    broken = InferInput("x", [3], "FP32", [1, 2])
    with pytest.raises(InvalidInput):
        broken.as_numpy()


def test_requests_travel_as_documents_and_in_binary() -> None:
    sent = request()
    document, length = sent.to_rest()
    assert isinstance(document, dict)
    assert length is None
    assert document["inputs"][1] == {"name": "t", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]}
    sent.inputs[0].set_data_from_numpy(np.arange(4, dtype="float32").reshape(2, 2))
    body, length = sent.to_rest()
    assert isinstance(body, bytes)
    read = v2.read(body, str(length))
    assert (read.id, read.parameters) == ("7", {"a": 1})
    assert [each.data.tolist() for each in read.inputs] == [[[0, 1], [2, 3]], [b"a", b"b"]]


def test_responses_are_read_in_both_forms() -> None:
    raw = np.arange(2, dtype="<f4").tobytes()
    head = json.dumps(
        {
            "id": "1",
            "model_name": "m",
            "outputs": [
                {"name": "a", "shape": [1], "datatype": "INT64", "data": [5]},
                {"name": "b", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
            ],
        }
    ).encode()
    response = InferResponse.from_bytes(head + raw, len(head))
    assert [each.data.tolist() for each in response.to_tensors()] == [[5], [0, 1]]
    assert response.to_rest()[0]["outputs"][1]["data"] == [0, 1]


def test_whatever_a_model_answers_becomes_tensors() -> None:
    output = InferOutput("y", [2], "FP32", [1.5, 2])
    [found] = tensors_of(InferResponse("1", "m", [output]))
    assert (found.datatype, found.data.dtype, found.data.tolist()) == ("FP32", np.float32, [1.5, 2])
    as_document = {"outputs": [{"name": "y", "shape": [1], "datatype": "BYTES", "data": ["ü"]}]}
    assert tensors_of(as_document)[0].data.tolist() == ["ü"]
    # As kserve's own example for gRPC answers.
    contents = {
        "outputs": [{"name": "y", "shape": [1], "datatype": "FP32", "contents": {"fp32_contents": [1]}}]
    }
    assert tensors_of(contents)[0].data.tolist() == [1]
    for wrong in ({"predictions": [1]}, [1], None):
        with pytest.raises(InferenceError, match="has no outputs"):
            tensors_of(wrong)


def test_payloads_to_arrays_and_back() -> None:
    assert get_predict_input({"instances": [[1, 2]]}).tolist() == [[1, 2]]
    assert get_predict_input({"instances": ["a"]}) == ["a"]
    assert get_predict_input(request()).tolist() == [[1, 2], [3, 4]]
    assert get_predict_response({}, np.array([1]), "m") == {"predictions": [1]}
    response = get_predict_response(request(), np.array([1.5]), "m")
    assert (response.id, response.outputs[0].data, response.outputs[0].datatype) == ("7", [1.5], "FP64")
    for wrong in (5, {"instances": 5}):
        with pytest.raises(InvalidInput):
            get_predict_input(wrong)


def test_what_a_model_takes_out_of_a_requests_parameters_counts_for_the_answer_still() -> None:
    asked = v2.Inference("1", [], {"binary_data_output": True, "mine": 1})
    request = InferRequest.of("m", asked)
    assert request.parameters is not None
    request.parameters.pop("binary_data_output")
    assert asked.parameters == {"binary_data_output": True, "mine": 1}


def test_requests_and_answers_that_say_the_same_are_equal() -> None:
    def request(value: int) -> InferRequest:
        inputs = [InferInput("x", [1], "INT32", [value])]
        return InferRequest("m", inputs, "1", request_outputs=[RequestedOutput("y", {"binary_data": True})])

    def response(value: int) -> InferResponse:
        return InferResponse("1", "m", [InferOutput("y", [1], "INT32", [value])])

    assert request(1) == request(1) != request(2)
    assert response(1) == response(1) != response(2)
    assert request(1) != response(1)
    assert response(1).to_dict()["outputs"][0]["data"] == [1]
