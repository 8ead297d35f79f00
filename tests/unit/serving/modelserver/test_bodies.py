"""V1 and V2 bodies to tensors and back: what they mean, and what is refused with which words."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from sampan.components.serving.engine.programs.modelserver import tensors, v1, v2
from sampan.components.serving.engine.programs.modelserver.contract import ModelError, Tensor
from sampan.components.serving.engine.programs.modelserver.errors import RequestError, told


def body(*inputs: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"inputs": list(inputs), **more}).encode()


def entry(**more: Any) -> dict[str, Any]:
    return {"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2], **more}


@pytest.mark.parametrize(
    ("datatype", "data", "dtype"),
    [
        ("BOOL", [True, False], "bool"),
        ("UINT8", [0, 255], "uint8"),
        ("UINT64", [0, 2**64 - 1], "uint64"),
        ("INT8", [-128, 127], "int8"),
        ("INT64", [-(2**63), 2**63 - 1], "int64"),
        ("FP16", [0.5, 1], "float16"),
        ("FP32", [0.1, 1], "float32"),
        ("FP64", [0.1, 1e300], "float64"),
        # As KServe's own server takes them.
        ("BOOL", [1, 0], "bool"),
        ("INT32", [1.0, -2.0], "int32"),
        ("int8", [1, 2.0], "int8"),
    ],
)
def test_numbers_have_their_datatype(datatype: str, data: list[Any], dtype: str) -> None:
    [found] = v2.read(body(entry(datatype=datatype, data=data)), None).inputs
    assert found.data.dtype == dtype
    assert found.data.tolist() == np.array(data, dtype=dtype).tolist()
    # Nested as the shape is, too.
    [nested] = v2.read(body(entry(datatype=datatype, shape=[1, 2], data=[data])), None).inputs
    assert nested.data.tolist() == [found.data.tolist()]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (entry(datatype="UINT8", data=[1, 256]), "does not fit its datatype UINT8"),
        (entry(datatype="UINT8", data=[1, -1]), "does not fit its datatype UINT8"),
        (entry(datatype="INT32", data=[1, 1.5]), "does not fit its datatype INT32"),
        (entry(datatype="INT64", data=[2**62 + 1, 1.0]), "does not fit its datatype INT64"),
        (entry(datatype="INT8", data=[300.0, 1.0]), "does not fit its datatype INT8"),
        (entry(datatype="BOOL", data=[1, 2]), "true and false"),
        (entry(datatype="BOOL", data=[1.0, 0.0]), "true and false"),
        (entry(data=["a", "b"]), "does not fit its datatype FP32"),
        (entry(data=[[1], [1, 2]]), "not rectangular"),
        (entry(datatype="BYTES", data=[1, 2]), "has to be texts"),
        (entry(shape=[3]), "has 2 elements, its shape [3] has 3"),
        (entry(shape=[-2]), "none below zero"),
        (entry(shape=[2.0]), "none below zero"),
        (entry(shape=[1] * 40), "at most 32 sizes"),
        (entry(shape=[0, 2**62, 2**62], data=[]), "is too large"),
        (entry(data=5), "has to be a list"),
        (entry(datatype="FP8"), "is none of BOOL"),
        (entry(name=""), "no name"),
        (entry(data=None), "neither data nor binary_data_size"),
        (entry(data=None, parameters={"binary_data_size": 8}), "beyond what follows"),
        (entry(parameters=[1]), "have to be an object"),
    ],
)
def test_an_input_that_cannot_be_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises((RequestError, ModelError), match=says.replace("[", r"\[").replace("]", r"\]")):
        v2.read(body(wrong), None)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", '{"inputs": {}}', '{"inputs": []}', '{"inputs": [1]}', '{"inputs":[],"id":1}'],
)
def test_a_body_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RequestError) as refused:
        v2.read(text.encode(), None)
    assert refused.value.status == 400


def test_depth_is_bounded() -> None:
    deep = b'{"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "data": ' + b"[" * 100_000
    with pytest.raises(RequestError):
        v2.read(deep, None)
    nested = b"[" * 500 + b'"a"' + b"]" * 500
    inputs = b'{"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "data": ' + nested + b"}]}"
    assert v2.read(inputs, None).inputs[0].data.tolist() == [b"a"]


def test_binary_data_follow_in_the_order_of_the_inputs() -> None:
    x, y = np.arange(6, dtype="<f4"), struct.pack("<I", 2) + b"hi" + struct.pack("<I", 0)
    head = json.dumps(
        {
            "id": "7",
            "inputs": [
                {"name": "x", "shape": [2, 3], "datatype": "FP32", "parameters": {"binary_data_size": 24}},
                {"name": "n", "shape": [1], "datatype": "INT8", "data": [5]},
                {"name": "y", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(y)}},
            ],
            "outputs": [{"name": "b", "parameters": {"binary_data": True}}, {"name": "a"}],
        }
    ).encode()
    read = v2.read(head + x.tobytes() + y, str(len(head)))
    assert [each.data.tolist() for each in read.inputs] == [[[0, 1, 2], [3, 4, 5]], [5], [b"hi", b""]]
    assert not read.inputs[0].parameters
    outputs = [
        Tensor("a", np.array([1.5]), "FP64"),
        Tensor("b", np.array([b"\xff", b""], dtype=object), "BYTES"),
    ]
    written, length = v2.write("m", "", read, outputs)
    assert length is not None
    document = json.loads(written[:length])
    assert [each["name"] for each in document["outputs"]] == ["b", "a"]
    assert document["outputs"][0]["parameters"] == {"binary_data_size": 9}
    assert document["outputs"][1]["data"] == [1.5]
    assert written[length:] == struct.pack("<I", 1) + b"\xff" + struct.pack("<I", 0)


@pytest.mark.parametrize("head_length", ["-1", "x", "99999", "1.5", ""])
def test_a_head_that_is_not_within_the_body_is_refused(head_length: str) -> None:
    with pytest.raises(RequestError, match="Inference-Header-Content-Length"):
        v2.read(body(entry()), head_length)


def test_what_no_input_counts_as_its_own_is_refused() -> None:
    head = body(entry())
    with pytest.raises(RequestError, match="4 bytes follow"):
        v2.read(head + b"abcd", str(len(head)))
    broken = entry(datatype="BYTES", data=None, shape=[1], parameters={"binary_data_size": 6})
    head = body(broken)
    with pytest.raises(RequestError, match="ends within an element"):
        v2.read(head + b"\xff\xff\xff\xffab", str(len(head)))


def test_answers_keep_id_and_shape_and_are_whole() -> None:
    request = v2.read(body(entry(), id="abc"), None)
    outputs = [
        Tensor("f", np.array([[1, 2], [3, 4]], dtype="float32"), "FP32"),
        Tensor("h", np.array([0.5], dtype="float16"), "FP16"),
        Tensor("t", np.array(["ä", b"b"], dtype=object), "BYTES", {"labels": "yes"}),
        Tensor("sliced", np.arange(10)[::2], "INT64"),
    ]
    written, length = v2.write("m", "2", request, outputs)
    document = json.loads(written)
    assert length is None
    assert (document["id"], document["model_name"], document["model_version"]) == ("abc", "m", "2")
    assert document["outputs"][0] == {"name": "f", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}
    assert [each["data"] for each in document["outputs"][1:]] == [[0.5], ["ä", "b"], [0, 2, 4, 6, 8]]
    assert document["outputs"][2]["parameters"] == {"labels": "yes"}
    request.outputs = [v2.Asked("none")]
    with pytest.raises(RequestError, match="Unexpected inference output 'none' for model 'm'"):
        v2.write("m", "", request, outputs)
    request.outputs = []
    request.parameters = {"binary_data_output": True}
    written, length = v2.write("m", "", request, outputs[:1])
    assert written[length:] == outputs[0].data.tobytes()
    told = json.loads(v2.write("m", "", request, [], {"a": 1})[0])
    assert told["parameters"] == {"a": 1}
    bytes_of_no_text = [Tensor("t", np.array([b"\xff"], dtype=object), "BYTES")]
    with pytest.raises(RequestError, match="binary_data"):
        v2.write("m", "", v2.read(body(entry()), None), bytes_of_no_text)


def test_foreign_byte_order_is_written_as_the_protocol_has_it() -> None:
    assert tensors.to_bytes(np.array([1], dtype=">i4")) == b"\x01\0\0\0"
    assert json.loads(v1.write({"p": np.array([1], dtype=">i4").astype(object)})) == {"p": [1]}


def test_v1_takes_documents_events_and_bytes() -> None:
    document = b'{"instances": [1]}'
    assert v1.read(document, {}) == ({"instances": [1]}, None)
    assert v1.read(document, {"content-type": "application/json; charset=utf-8"})[0] == {"instances": [1]}
    assert v1.read(document, {"content-type": "application/x-www-form-urlencoded"})[0] == {"instances": [1]}
    assert v1.read(b"\xff\xd8", {"content-type": "image/jpeg"}) == (b"\xff\xd8", None)
    for text in (b"", b"{", b"[" * 5000, b"\xff"):
        with pytest.raises(RequestError, match="Unrecognized request format"):
            v1.read(text, {})


def test_v1_events_are_answered_as_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "here", "ce-type": "t", "ce-own": "x"}
    document, event = v1.read(b'{"instances": [1]}', headers)
    assert document == {"instances": [1]}
    assert event is not None
    answered, kind, out = v1.answered(event, "iris", b'{"predictions":[1]}')
    assert (answered, kind) == (b'{"predictions":[1]}', "application/json")
    assert (out["ce-source"], out["ce-type"]) == ("io.kserve.inference.iris", "io.kserve.inference.response")
    assert out["ce-id"] != "1"
    assert "ce-own" not in out
    monkeypatch.setenv("CE_MERGE", "true")
    assert v1.answered(event, "iris", b"{}")[2]["ce-own"] == "x"
    # A part of an event's headers makes no event, as with upstream.
    assert v1.read(b"{}", {"ce-specversion": "1.0", "ce-id": "1"}) == ({}, None)
    with pytest.raises(RequestError, match="Found invalid specversion 9"):
        v1.read(b"{}", {**headers, "ce-specversion": "9"})
    for wrong, says in (
        (b"{", "unexpected end of data"),
        (b"0\x80", "'utf-8' codec can't decode byte 0x80 in position 1"),
    ):
        with pytest.raises(RequestError, match=f"parse binary json cloudevent: {says}"):
            v1.read(wrong, {**headers, "ce-content-type": "application/json"})
    # Bytes that say they are no JSON are the model's to read.
    assert v1.read(b"\xff", {**headers, "content-type": "application/avro"})[0] == b"\xff"
    of_all = {**headers, "content-type": "application/json", "ce-content-type": "application/avro"}
    assert v1.read(b"\xff", of_all)[0] == b"\xff"
    structured = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {"instances": [2]}}
    document, event = v1.read(
        json.dumps(structured).encode(), {"content-type": "application/cloudevents+json"}
    )
    assert document == {"instances": [2]}
    assert event is not None
    text, kind, out = v1.answered(event, "iris", b'{"predictions":[2]}')
    assert (kind, out) == ("application/cloudevents+json", {})
    assert json.loads(text)["data"] == {"predictions": [2]}


def test_v1_instances() -> None:
    assert v1.instances({"instances": [[1]]}) == [[1]]
    assert v1.instances({"inputs": {"a": [1]}}) == {"a": [1]}
    for wrong in ({"instances": 5}, {}, [1], "x", {"instances": None}):
        with pytest.raises(RequestError) as refused:
            v1.instances(wrong)
        assert refused.value.status == 400


def test_errors_say_nothing_of_the_machine() -> None:
    text = told(FileNotFoundError(2, "No such file or directory", "/home/someone/models/model.pkl"))
    assert text == "FileNotFoundError : [Errno 2] No such file or directory: '…'"
    assert (
        told(ValueError("object at 0x7f3a2b1c9d10 in 'C:\\Users\\me\\x.py'"))
        == "ValueError : object at … in '…'"
    )
    assert told(ValueError("a/b ratio of 1/2 at http://x")) == "ValueError : a/b ratio of 1/2 at http://x"
    assert "Traceback" not in told(ValueError("bad\nTraceback (most recent call last):\n  File x"))
