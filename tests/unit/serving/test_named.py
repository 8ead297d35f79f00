"""Requests for models of tensors: by name, by place, in the model's datatypes."""

from __future__ import annotations

import numpy as np
import pytest

from sampan.components.serving.engine.programs.modelserver.contract import ModelError, Tensor, TensorSpec
from sampan.components.serving.engine.programs.modelserver.runtimes import named, rows

X = TensorSpec("x", "FP32", (-1, 2))
WORD = TensorSpec("word", "BYTES", (-1, 1))
COUNT = TensorSpec("count", "INT64", (-1, 1))


def test_rows_are_what_the_model_wants() -> None:
    [made] = named.tensors_of_instances([[1, 2], [3, 4]], [X])
    assert (made.name, made.datatype, made.data.dtype) == ("x", "FP32", np.float32)
    [whole] = named.tensors_of_instances([[1.0], [2.0]], [COUNT])
    assert whole.data.tolist() == [[1], [2]]


def test_instances_by_name_and_columns_of_one_value() -> None:
    made = named.tensors_of_instances([{"word": "a", "count": 1}, {"count": 2, "word": "b"}], [WORD, COUNT])
    assert {each.name: each.data.tolist() for each in made} == {"word": [[b"a"], [b"b"]], "count": [[1], [2]]}
    columnar = named.tensors_of_instances({"word": ["a", "b"], "count": [1, 2]}, [WORD, COUNT])
    assert [each.data.tolist() for each in columnar] == [each.data.tolist() for each in made]


def test_base64_is_bytes_whatever_they_are() -> None:
    spec = TensorSpec("image_bytes", "BYTES", (-1,))
    [made] = named.tensors_of_instances([{"b64": "AAEC/w=="}, {"b64": "AA=="}], [spec])
    assert made.data.tolist() == [b"\x00\x01\x02\xff", b"\x00"]
    [inner] = named.tensors_of_instances([{"image_bytes": {"b64": "AA=="}}], [spec])
    assert inner.data.tolist() == [b"\x00"]
    for wrong in ([{"b64": "%"}], [{"image_bytes": {"b64": 5}}], [{"image_bytes": {"other": "AA=="}}]):
        with pytest.raises(ModelError):
            named.tensors_of_instances(wrong, [spec])


def test_bytes_of_answers_that_are_no_text_go_as_base64() -> None:
    odd = rows.tensor("raw", np.array([b"\xff"], dtype=object))
    assert named.predictions([odd]) == [{"b64": "/w=="}]
    told = rows.tensor("image_bytes", np.array([b"a"], dtype=object))
    assert named.predictions([told]) == [{"b64": "YQ=="}]
    assert named.predictions([rows.tensor("word", np.array([b"a"], dtype=object))]) == ["a"]


@pytest.mark.parametrize("name", ["x", "input-0", "INPUT__0", "anything"])
def test_the_one_input_is_found_under_any_name(name: str) -> None:
    data = np.ones((3, 2))
    assert named.arrange([Tensor(name, data, "FP64")], [X])["x"].dtype == np.float32


def test_several_inputs_are_found_by_name_or_by_place() -> None:
    word, count = np.array([[b"a"]], dtype=object), np.array([[1]])
    specs = [WORD, COUNT]
    by_name = named.arrange([Tensor("count", count, "INT64"), Tensor("word", word, "BYTES")], specs)
    assert by_name["word"] is word
    by_place = named.arrange([Tensor("INPUT__0", word, "BYTES"), Tensor("INPUT__1", count, "INT64")], specs)
    assert by_place["count"].tolist() == [[1]]
    with pytest.raises(ModelError, match="no input words: the model wants word of shape"):
        named.arrange([Tensor("words", word, "BYTES"), Tensor("count", count, "INT64")], specs)
    with pytest.raises(ModelError, match="missing input count"):
        named.arrange([Tensor("word", word, "BYTES")], specs)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            np.ones((2, 3), dtype=np.float32),
            r"has the shape \[2, 3\]: the model wants \[-1, 2\] of datatype FP32",
        ),
        (np.array([["a", "b"]], dtype=object), "has the datatype BYTES: the model wants FP32"),
    ],
)
def test_what_does_not_fit_is_told_what_would(data: np.ndarray, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        named.arrange([Tensor("x", data, "FP32")], [X])


def test_fractions_are_never_cut() -> None:
    with pytest.raises(ModelError, match="has the datatype FP64"):
        named.tensors_of_instances([[1.5]], [COUNT])


def test_several_answers_are_objects_where_they_have_rows() -> None:
    rows_each = [rows.tensor("a", np.array([1, 2])), rows.tensor("b", np.array([[1], [2]]))]
    assert named.predictions(rows_each) == [{"a": 1, "b": [1]}, {"a": 2, "b": [2]}]
    uneven = [rows.tensor("a", np.array([1, 2])), rows.tensor("b", np.array(3))]
    assert named.predictions(uneven) == {"a": [1, 2], "b": 3}
