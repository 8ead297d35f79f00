"""What requests mean to models of tables."""

from __future__ import annotations

import numpy as np
import pytest

from sampan.components.serving.engine.programs.modelserver.contract import ModelError, Tensor
from sampan.components.serving.engine.programs.modelserver.runtimes import rows


def test_rows_become_one_tensor_as_numpy_reads_them() -> None:
    [whole] = rows.tensors_of_rows([[1, 2], [3, 4]])
    assert (whole.name, whole.datatype, whole.data.shape) == ("input-0", "INT64", (2, 2))
    [fractions] = rows.tensors_of_rows([[1, 2.5]])
    assert fractions.datatype == "FP64"
    [words] = rows.tensors_of_rows(["a", "b"])
    assert (words.datatype, words.data.tolist()) == ("BYTES", ["a", "b"])


def test_numbers_and_texts_in_one_row_stay_what_they_are() -> None:
    [mixed] = rows.tensors_of_rows([[1, "a"], [2.5, "b"]])
    assert mixed.data.tolist() == [[1, "a"], [2.5, "b"]]


@pytest.mark.parametrize("wrong", [[], {}, "text", 5, [[1, 2], [3]]])
def test_what_is_no_list_of_rows_is_refused(wrong: object) -> None:
    with pytest.raises(ModelError):
        rows.tensors_of_rows(wrong)


def test_columns_by_name_may_be_joined_with_those_of_other_requests() -> None:
    two = rows.tensors_of_rows({"a": [1, 2], "b": ["x", "y"]})
    assert [(each.name, each.data.tolist(), dict(each.parameters)) for each in two] == [
        ("a", [1, 2], {}),
        ("b", ["x", "y"], {}),
    ]
    assert rows.is_frame(two, {})
    # One alone is told from a matrix by its parameter only.
    [one] = rows.tensors_of_rows({"a": [1, 2]})
    assert rows.is_frame([one], {})
    assert not rows.is_frame([Tensor("a", one.data, one.datatype)], {})


def test_texts_are_bytes_in_answers_and_bytes_of_requests_texts() -> None:
    [answer] = rows.tensors_of_result(np.array(["ü", "b"]))
    assert (answer.datatype, answer.data.tolist()) == ("BYTES", ["ü".encode(), b"b"])
    assert rows.predictions([answer]) == ["ü", "b"]
    odd = np.array([b"\xff", b"a\x00"], dtype=object)
    assert rows.texts(odd).tolist() == [b"\xff", "a\x00"]


def test_several_answers_of_a_row_are_an_object() -> None:
    outputs = [rows.tensor("label", np.array([1, 2])), rows.tensor("score", np.array([0.5, 0.25]))]
    assert rows.predictions(outputs) == [{"label": 1, "score": 0.5}, {"label": 2, "score": 0.25}]


def test_numbers_of_32_bits_are_written_as_what_they_are() -> None:
    found = rows.predictions([rows.tensor("output-0", np.array([0.1], dtype=np.float32))])
    assert found.tolist() == [float(np.float32(0.1))]
