"""TensorFlow Serving's JSON: what is read, what is refused and in which words, what is written.

Source of the words: tensorflow/serving 2.19 tensorflow_serving/util/{json_tensor.cc,json_tensor_test.cc}.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from sampan.components.serving.engine.programs.modelserver.contract import Tensor
from sampan.components.serving.engine.programs.modelserver.tfserving import predict_json
from sampan.components.serving.engine.programs.modelserver.tfserving.errors import StatusError
from sampan.components.serving.engine.programs.modelserver.tfserving.json_documents import parsed

FLOAT, INT, LONG, TEXT, BOOL = "DT_FLOAT", "DT_INT32", "DT_INT64", "DT_STRING", "DT_BOOL"


def read(body: str, **types: str) -> dict[str, Any]:
    found, _ = predict_json.read(parsed(body.encode()), types)
    return {name: array.tolist() for name, array in found.items()}


@pytest.mark.parametrize(
    ("body", "types", "expected"),
    [
        ('{"instances": [1, 2.5, 5]}', {"x": FLOAT}, {"x": [1.0, 2.5, 5.0]}),
        ('{"instances": ["foo", "bär"]}', {"x": TEXT}, {"x": [b"foo", "bär".encode()]}),
        ('{"instances": [[[1, 2]], [[3, 4]]]}', {"x": INT}, {"x": [[[1, 2]], [[3, 4]]]}),
        ('{"instances": [{"x": [1, 2]}, {"x": [3, 4]}]}', {"x": FLOAT}, {"x": [[1, 2], [3, 4]]}),
        ('{"instances": [{"b64": "AP8="}, {"b64": "AA"}]}', {"x": TEXT}, {"x": [b"\0\xff", b"\0"]}),
        (
            '{"instances": [{"tag": "a", "n": 1}, {"n": 2, "tag": {"b64": "/w=="}}]}',
            {"tag": TEXT, "n": LONG},
            {"tag": [b"a", b"\xff"], "n": [1, 2]},
        ),
        ('{"inputs": 3}', {"x": FLOAT}, {"x": 3.0}),
        ('{"inputs": [[1], [2]]}', {"x": INT}, {"x": [[1], [2]]}),
        ('{"inputs": {"b64": "YQ=="}}', {"x": TEXT}, {"x": b"a"}),
        ('{"inputs": {"a": [1, 2], "b": [[true]]}}', {"a": LONG, "b": BOOL}, {"a": [1, 2], "b": [[True]]}),
        ('{"inputs": []}', {"x": FLOAT}, {"x": []}),
        ('{"inputs": [-Infinity, Infinity]}', {"x": FLOAT}, {"x": [-np.inf, np.inf]}),
        # Whole numbers of 64 bits, each exactly.
        ('{"inputs": [9223372036854775807, 1]}', {"x": LONG}, {"x": [2**63 - 1, 1]}),
        ('{"inputs": [18446744073709551615, 1]}', {"x": "DT_UINT64"}, {"x": [2**64 - 1, 1]}),
        # What comes after the document is not looked at.
        ('{"inputs": [1]} and more', {"x": INT}, {"x": [1]}),
    ],
)
def test_what_is_read(body: str, types: dict[str, str], expected: dict[str, Any]) -> None:
    assert read(body, **types) == expected


@pytest.mark.parametrize(
    ("body", "types", "words"),
    [
        ("", {"x": INT}, "JSON Parse error: The document is empty"),
        ("{", {"x": INT}, "JSON Parse error: Missing a name for object member. at offset: 1"),
        ("[1]", {"x": INT}, "JSON Value: [1] Is not object"),
        ("{}", {"x": INT}, "Missing 'inputs' or 'instances' key"),
        ('{"instances": 1}', {"x": INT}, "Expecting 'instances' to be an list/array"),
        ('{"instances": []}', {"x": INT}, "No values in 'instances' array"),
        (
            '{"instances": [1], "inputs": [1]}',
            {"x": INT},
            "Not formatted correctly expecting only one of 'inputs' or",
        ),
        (
            '{"instances": [1, [2]]}',
            {"x": INT},
            "Failed to process element: 1 of 'instances' list. "
            "Error: INVALID_ARGUMENT: Expecting shape [] but got: [1]",
        ),
        (
            '{"instances": [[1, 2], [3]]}',
            {"x": INT},
            "Failed to process element: 1 of 'instances' list. "
            "Error: INVALID_ARGUMENT: Expecting tensor size: 2 but got: 1",
        ),
        (
            '{"instances": [[1, [2]]]}',
            {"x": INT},
            "Failed to process element: 0 of 'instances' list. "
            "Error: INVALID_ARGUMENT: Encountered list at unexpected level: 1 expected < 1",
        ),
        (
            '{"inputs": [[1, 2], [3]]}',
            {"x": INT},
            "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
        ),
        (
            '{"inputs": [[1], 2]}',
            {"x": INT},
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        ('{"inputs": "a"}', {"x": FLOAT}, 'JSON Value: "a" Type: String is not of expected type: float'),
        ('{"inputs": [1.5]}', {"x": INT}, "JSON Value: 1.5 Type: Number is not of expected type: int32"),
        ('{"inputs": [2147483648]}', {"x": INT}, "JSON Value: 2147483648 Type: Number is not of expected"),
        ('{"inputs": [true]}', {"x": FLOAT}, "JSON Value: true Type: True is not of expected type: float"),
        ('{"inputs": [null]}', {"x": TEXT}, "JSON Value: null Type: Null is not of expected type: string"),
        ('{"inputs": {"b64": "!"}}', {"x": TEXT}, "Unable to base64 decode"),
        (
            '{"inputs": [{"b64": "AA", "more": 1}]}',
            {"x": TEXT},
            "not formatted correctly for base64 data",
        ),
        (
            '{"instances": [1]}',
            {"a": INT, "b": INT},
            "instances is a plain list, but expecting list of objects as multiple input tensors required",
        ),
        (
            '{"inputs": [1]}',
            {"a": INT, "b": INT},
            "inputs is a plain value/list, but expecting an object as multiple input tensors required",
        ),
        ('{"inputs": {"a": 1}}', {"a": INT, "b": INT}, "Missing named input: b in 'inputs' object."),
        ('{"instances": [{"a": 1}, 2]}', {"a": INT}, "Expecting object but got list at item 1 of input list"),
        (
            '{"instances": [1, {"a": 2}]}',
            {"a": INT},
            "Expecting value/list but got object at item 1 of input list",
        ),
        (
            '{"instances": [{"z": 1}]}',
            {"a": INT},
            "Failed to process element: 0 key: z of 'instances' list. Error: INVALID_ARGUMENT: "
            "JSON object: does not have named input: z",
        ),
        (
            '{"instances": [{"a": 1}]}',
            {"a": INT, "b": INT},
            "of 'instances' list. JSON object: {\n    \"a\": 1\n} keys must be equal to: a,b",
        ),
    ],
)
def test_what_is_refused(body: str, types: dict[str, str], words: str) -> None:
    with pytest.raises(StatusError) as refused:
        read(body, **types)
    assert words in refused.value.message
    assert refused.value.status == 400


def test_a_long_value_is_shown_in_part() -> None:
    with pytest.raises(StatusError) as refused:
        read(json.dumps({"instances": [], "more": list(range(10_000))}), x=INT)
    assert len(refused.value.message) < 400


DEEP = "[" * 50_000 + "]" * 50_000


def test_a_document_may_be_nested_to_any_depth() -> None:
    """As json_tensor_test.cc of tensorflow/serving 2.19 has it (DeeplyNestedWellFormed, DeeplyNestedMalformed)."""
    inputs = read(f'{{"instances": [1], "nested": {DEEP}}}', x=INT)
    assert inputs == {"x": [1]}
    mixed = '[{"a": ' * 2000 + "[1, {}, [2]]" + "}]" * 2000
    inputs = read(f'{{"nested": [{mixed}, 1, {mixed}], "instances": [1]}} and more [', x=INT)
    assert inputs == {"x": [1]}
    with pytest.raises(StatusError, match="'signature_name' key must be a string value") as refused:
        predict_json.signature_of(parsed(f'{{"signature_name":{DEEP}}}'.encode()))
    assert refused.value.message.startswith('JSON Value: {\n    "signature_name": [[[[')
    for inner in (DEEP, "[" * 900 + "1" + "]" * 900):
        with pytest.raises(StatusError, match="Encountered list at unexpected level"):
            read(f'{{"inputs": {inner}}}', x=INT)


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ("x", "Invalid value."),
        ("1 2", "Missing a comma or ] after an array element."),
        ('{"a": 1 "b"}', "Missing a comma or } after an object member."),
        ("{1}", "Missing a name for object member."),
        ('{"ä" 1}', "Missing a colon after a name of object member."),
        ('"', "Missing a closing quotation mark in string."),
    ],
)
@pytest.mark.parametrize("depth", [0, 255, 256, 257, 700, 5000])
def test_a_mistake_is_named_at_any_depth(inner: str, words: str, depth: int) -> None:
    """At the byte where RapidJSON finds it: what stands before it does not matter."""
    for before in ("", "[" * 600 + "]" * 600 + ","):
        start = f'{{"é": [{before}{"[" * depth}'
        shallow = refusal(f"[{inner}]")
        offset = int(shallow.rpartition(" ")[2]) - 1 + len(start.encode())
        told = refusal(f"{start}{inner}{']' * depth}]}}")
        assert told == f"JSON Parse error: {words} at offset: {offset}"


@pytest.mark.parametrize("end", ["", "]" * 100, "}" * 3000])
def test_a_deep_document_that_ends_too_early_is_refused(end: str) -> None:
    assert refusal(f'{{"inputs": {"[" * 3000}{end}').startswith("JSON Parse error: ")


def test_no_document_is_both_deep_and_long() -> None:
    # Python 3.14 reads as deep as the thread's stack goes.
    deep, spaces = "[" * 1_000_000 + "]" * 1_000_000, " " * (5 << 20)
    assert "nested too deeply" in refusal(f'{{"inputs": {deep}{spaces}}}')


def refusal(body: str) -> str:
    with pytest.raises(StatusError) as refused:
        parsed(body.encode())
    return refused.value.message


def test_a_signature_is_named_by_a_text() -> None:
    assert predict_json.signature_of({"signature_name": "a"}) == "a"
    with pytest.raises(StatusError, match="'signature_name' key must be a string value"):
        predict_json.signature_of({"signature_name": 1})


def output(name: str, values: Any, dtype: Any = np.float32) -> Tensor:
    return Tensor(name, np.array(values, dtype), "")


@pytest.mark.parametrize(
    ("outputs", "rows", "columns"),
    [
        ([output("y", [0.1, 2])], '{"predictions":[0.1,2.0]}', '{"outputs":[0.1,2.0]}'),
        (
            [output("a", [[1], [2]], np.int64), output("b", [b"x", b"y"], object)],
            '{"predictions":[{"a":[1],"b":"x"},{"a":[2],"b":"y"}]}',
            '{"outputs":{"a":[[1],[2]],"b":["x","y"]}}',
        ),
        (
            [output("y_bytes", [b"a"], object)],
            '{"predictions":[{"b64":"YQ=="}]}',
            '{"outputs":[{"b64":"YQ=="}]}',
        ),
        # What JSON itself has no sign for.
        (
            [output("y", [np.nan, -np.inf, 0.1])],
            '{"predictions": [NaN, -Infinity, 0.1]}',
            '{"outputs": [NaN, -Infinity, 0.1]}',
        ),
    ],
)
def test_what_is_written(outputs: list[Tensor], rows: str, columns: str) -> None:
    assert predict_json.write(outputs, as_rows=True).decode() == rows
    assert predict_json.write(outputs, as_rows=False).decode() == columns


def test_scalars_are_columns_only() -> None:
    assert predict_json.write([output("y", 0.1)], as_rows=False) == b'{"outputs":0.1}'
    with pytest.raises(StatusError, match="Tensor name: y has no shape information"):
        predict_json.write([output("y", 0.1)], as_rows=True)
    with pytest.raises(StatusError, match="Tensor name: b has inconsistent batch size: 1 expecting: 2"):
        predict_json.write([output("a", [1, 2]), output("b", [1])], as_rows=True)
