"""Rows as requests of V1 and V2, and answers as values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sampan.components.serving.sdk import payloads
from sampan.components.serving.sdk.errors import ServingError
from sampan.components.serving.sdk.payloads import Given

ONE = [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
TWO = [
    {"name": "age", "datatype": "INT64", "shape": [-1, 1]},
    {"name": "job", "datatype": "BYTES", "shape": [-1]},
]


def test_rows_become_instances_and_tensors() -> None:
    given = payloads.read("[[1, 2], [3, 4]]")
    assert payloads.request(given, "v1") == {"instances": [[1, 2], [3, 4]]}
    (tensor,) = payloads.request(given, "v2", ONE)["inputs"]
    assert tensor == {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1.0, 2.0, 3.0, 4.0]}
    (tensor,) = payloads.request(given, "v2")["inputs"]
    assert (tensor["name"], tensor["datatype"]) == ("input-0", "INT64")


def test_named_values_go_to_the_inputs_of_their_names() -> None:
    given = payloads.read('[{"age": 3, "job": "x"}, {"age": 4, "job": "y"}]')
    age, job = payloads.request(given, "v2", TWO)["inputs"]
    assert (age["shape"], age["data"], age["datatype"]) == ([2, 1], [3, 4], "INT64")
    assert (job["shape"], job["data"], job["datatype"]) == ([2], ["x", "y"], "BYTES")
    (tensor,) = payloads.request(payloads.read('[{"a": 1, "b": 2}]'), "v2", ONE)["inputs"]
    assert (tensor["name"], tensor["shape"]) == ("x", [1, 2])
    with pytest.raises(ServingError, match="age, job"):
        payloads.request(payloads.read("[[1, 2]]"), "v2", TWO)


@pytest.mark.parametrize(
    ("request_", "protocol"),
    [
        ({"instances": [1], "signature_name": "s"}, "v1"),
        ({"inputs": {"a": [1]}}, "v1"),
        ({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}, "v2"),
    ],
)
def test_a_whole_request_is_sent_as_it_is(request_: dict[str, Any], protocol: str) -> None:
    given = payloads.of_value(request_)
    assert given.protocol == protocol
    assert payloads.request(given, "v2") == request_
    with pytest.raises(ServingError, match="whole request"):
        list(payloads.batches(given, 2))


def test_answers_of_both_protocols_are_values() -> None:
    assert payloads.values({"predictions": [1, 2]}) == [1, 2]
    matrix = {"name": "p", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}
    assert payloads.values({"outputs": [matrix]}) == [[1, 2], [3, 4]]
    label = {"name": "l", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]}
    both = payloads.values({"outputs": [matrix, label]})
    assert both == {"p": [[1, 2], [3, 4]], "l": ["a", "b"]}
    assert payloads.rows_of(both) == [{"p": [1, 2], "l": "a"}, {"p": [3, 4], "l": "b"}]
    assert payloads.values({"outputs": [{**matrix, "shape": [9]}]}) == [1, 2, 3, 4]


def test_files(tmp_path: Path) -> None:
    def given(name: str, text: str) -> Given:
        (tmp_path / name).write_text(text)
        return payloads.read(f"@{tmp_path / name}")

    assert given("a.csv", "1,2\n3,4.5\n").rows == ([1, 2], [3, 4.5])
    assert given("b.csv", "x,y\n1,2\n\n3,4\n").rows == ([1, 2], [3, 4])
    assert given("c.csv", "age,job\n1,smith\n").rows == ({"age": 1, "job": "smith"},)
    assert given("d.tsv", "1\t2\n").rows == ([1, 2],)
    assert given("e.jsonl", "[1]\n\n[2]\n").rows == ([1], [2])
    assert given("f.json", '{"instances": [1]}').request == {"instances": [1]}
    (tmp_path / "g.png").write_bytes(b"\x89PNG")
    assert payloads.read(f"@{tmp_path / 'g.png'}").rows == ({"b64": "iVBORw=="},)
    for name, text, says in [
        ("h.csv", "x,y\n1,2\n3\n", "line 3 has 1 values"),
        ("i.jsonl", "[1]\n[2\n", "line 2"),
        ("j.json", "nonsense", "is no JSON"),
    ]:
        with pytest.raises(ServingError, match=says):
            given(name, text)
    with pytest.raises(ServingError, match="No such file"):
        payloads.read(f"@{tmp_path / 'missing.json'}")


def test_batches_have_so_many_rows() -> None:
    parts = [each.rows for each in payloads.batches(Given((1, 2, 3)), 2)]
    assert parts == [(1, 2), (3,)]


def test_arrays_and_bytes_are_written_as_json_has_them() -> None:
    given = payloads.of_value(np.array([[1.5, 2], [3, 4]]))
    assert json.dumps(payloads.request(given, "v1")) == '{"instances": [[1.5, 2.0], [3.0, 4.0]]}'
    assert payloads.of_value([b"\x00"]).rows == ({"b64": "AA=="},)
    assert payloads.of_value([np.int64(3)]).rows == (3,)


def test_rows_of_different_lengths_are_no_tensor() -> None:
    with pytest.raises(ServingError, match="same length"):
        payloads.request(payloads.read("[[1, 2], [3]]"), "v2")
    with pytest.raises(ServingError, match="no row"):
        payloads.request(payloads.read("[]"), "v1")


def test_an_example_has_the_shape_that_the_model_takes() -> None:
    assert payloads.example(ONE, "v1") == {"instances": [[0.0, 0.0]]}
    (tensor,) = payloads.example(ONE, "v2")["inputs"]
    assert tensor == {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0.0, 0.0]}
