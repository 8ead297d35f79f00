"""TensorProtos, examples and configurations of TensorFlow Serving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sampan.components.serving.engine.programs.modelserver.contract import LoadError, Tensor
from sampan.components.serving.engine.programs.modelserver.tfserving import configuration, examples
from sampan.components.serving.engine.programs.modelserver.tfserving.errors import StatusError
from sampan.components.serving.engine.programs.modelserver.tfserving.messages import message, number_of
from sampan.components.serving.engine.programs.modelserver.tfserving.tensors import (
    DTYPES,
    from_proto,
    to_proto,
)


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize("name", sorted(DTYPES))
def test_tensors_go_and_come_back(name: str, as_content: bool) -> None:
    array = np.array([[0, 1], [1, 3]]).astype(DTYPES[name])
    if name == "DT_STRING":
        array = np.array([[b"a", b"\xff"], [b"", b"d"]], dtype=object)
    proto = to_proto(array, as_content=as_content)
    assert proto.dtype == number_of("DataType", name)
    found = from_proto("x", type(proto).FromString(proto.SerializeToString()))
    assert found.dtype == array.dtype
    assert found.tolist() == array.tolist()


def proto(dtype: str, shape: list[int], **values: Any) -> Any:
    made = message("TensorProto")(dtype=number_of("DataType", dtype), **values)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


def test_values_that_are_fewer_than_the_shape_are_repeated() -> None:
    assert from_proto("x", proto("DT_FLOAT", [2, 2], float_val=[1, 2])).tolist() == [[1, 2], [2, 2]]
    assert from_proto("x", proto("DT_INT32", [3])).tolist() == [0, 0, 0]
    assert from_proto("x", proto("DT_STRING", [2], string_val=[b"a"])).tolist() == [b"a", b"a"]
    assert from_proto("x", proto("DT_INT64", [], int64_val=[2**62])).tolist() == 2**62


@pytest.mark.parametrize(
    ("dtype", "shape", "values"),
    [
        ("DT_FLOAT", [1], {"float_val": [1, 2]}),
        ("DT_FLOAT", [-1], {"float_val": [1]}),
        ("DT_FLOAT", [1 << 40], {"float_val": [1]}),
        ("DT_FLOAT", [1 << 62, 1 << 62], {}),
        ("DT_FLOAT", [1] * 100, {"float_val": [1]}),
        ("DT_FLOAT", [2], {"tensor_content": b"1234"}),
        ("DT_RESOURCE", [], {}),
    ],
)
def test_tensors_that_are_none(dtype: str, shape: list[int], values: dict[str, Any]) -> None:
    with pytest.raises(StatusError, match="tensor parsing error: x"):
        from_proto("x", proto(dtype, shape, **values))


def test_examples_have_what_the_context_has_unless_they_say_otherwise() -> None:
    document = {
        "context": {"a": 1, "b": "c"},
        "examples": [{"x": [1.0, 2.5]}, {"a": 7, "y": {"b64": "/w=="}}],
    }
    texts = examples.serialized(examples.input_of(document))
    one, other = (message("Example").FromString(each).features.feature for each in texts)
    assert list(one["a"].int64_list.value) == [1]
    assert list(one["x"].float_list.value) == [1.0, 2.5]
    assert list(other["a"].int64_list.value) == [7]
    assert list(other["b"].bytes_list.value) == [b"c"]
    assert list(other["y"].bytes_list.value) == [b"\xff"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "key 'examples' is expected and was not found"),
        ({"examples": 1}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{"a": None}]}, "Feature: a has element with unexpected JSON type: Null"),
        ({"examples": [{"a": [[1]]}]}, "Feature: a has element with unexpected JSON type: Array"),
        ({"examples": [{"a": [1, 2.5]}]}, "Unexpected element type in feature: a expecting type: int64"),
        ({"examples": [{"a": 2**63}]}, "Feature: a has uint64_t element. Only int64_t is supported."),
    ],
)
def test_what_is_no_example(document: dict[str, Any], words: str) -> None:
    with pytest.raises(StatusError) as refused:
        examples.input_of(document)
    assert words in refused.value.message


def test_results_have_to_be_of_the_examples() -> None:
    scores = Tensor("scores", np.array([[0.25, 0.75]], np.float32), "FP32")
    classes = Tensor("classes", np.array([[b"a", b"b"]], object), "BYTES")
    found = examples.classified([classes, scores], 1).classifications[0].classes
    assert [(each.label, each.score) for each in found] == [("a", 0.25), ("b", 0.75)]
    assert [each.label for each in examples.classified([scores], 1).classifications[0].classes] == ["", ""]
    with pytest.raises(StatusError, match=r"Expected scores output batch size of 2. Got: 1"):
        examples.classified([scores], 2)
    values = Tensor("outputs", np.array([[0.5], [1]], np.float32), "FP32")
    assert [each.value for each in examples.regressed([values], 2).regressions] == [0.5, 1.0]
    with pytest.raises(StatusError, match="either \\[batch_size\\] or \\[batch_size, 1\\] but got \\[1,2\\]"):
        examples.regressed([Tensor("outputs", np.zeros((1, 2), np.float32), "FP32")], 1)


def config(tmp_path: Path, text: str) -> tuple[configuration.Model, ...]:
    path = tmp_path / "models.config"
    path.write_text(text)
    return configuration.from_file(str(path))


def test_a_configuration(tmp_path: Path) -> None:
    found = config(
        tmp_path,
        """
        model_config_list {  # a comment
          config { name: 'a' base_path: '/models/a' model_platform: 'tensorflow'
            model_version_policy { specific { versions: 42 versions: 43 } }
            version_labels { key: 'stable' value: 42 }
            version_labels { key: "canary" value: 43 }
            logging_config { log_collector_config { type: "x" filename_prefix: "y" } }
          }
          config: { name: "b", base_path: "/models/b", model_type: TENSORFLOW,
            model_version_policy: { latest: { num_versions: 2 } } }
          config { name: "c" base_path: "/models/c" model_platform: "tensorflow" model_version_policy { all {} } }
        }
        """,
    )
    a, b, c = found
    assert (a.name, a.base_path, a.specific) == ("a", "/models/a", (42, 43))
    assert a.labels == {"stable": 42, "canary": 43}
    assert (b.latest, c.latest) == (2, 0)
    assert a.wanted([1, 43, 44]) == [43]
    assert b.wanted([3, 1, 2]) == [2, 3]
    assert c.wanted([3, 1]) == [1, 3]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("name: 'a' base_path: '/a'", "neither ModelServerConfig::model_type"),
        ("name: 'a' base_path: 'a' model_platform: 'tensorflow'", "to have an absolute path or URI"),
        (
            "name: 'a' base_path: '/a' model_platform: 'caffe'",
            "PlatformConfigMap has no entry for platform caffe",
        ),
        (
            "name: 'a' base_path: '/a' model_platform: 'tensorflow' model_type: TENSORFLOW",
            "Illegal setting both",
        ),
    ],
)
def test_a_configuration_that_cannot_be(tmp_path: Path, entry: str, words: str) -> None:
    with pytest.raises(StatusError, match=words):
        config(tmp_path, f"model_config_list {{ config {{ {entry} }} }}")


def test_a_name_comes_once_and_a_text_has_to_be_one(tmp_path: Path) -> None:
    entry = "config { name: 'a' base_path: '/a' model_platform: 'tensorflow' }"
    with pytest.raises(StatusError, match="Illegal to list model a multiple times in config list"):
        config(tmp_path, f"model_config_list {{ {entry} {entry} }}")
    with pytest.raises(LoadError, match=r"Error parsing text-format tensorflow\.serving\.ModelServerConfig"):
        config(tmp_path, "model_config_list { confg {} }")
    with pytest.raises(LoadError, match="is not read"):
        configuration.from_file(str(tmp_path / "none"))


def test_settings(tmp_path: Path) -> None:
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text('prometheus_config { enable: true, path: "/metrics/here" }')
    found = configuration.settings_of(
        {
            "monitoring_config_file": str(monitoring),
            "file_system_poll_wait_seconds": "30",
            "allow_version_labels_for_unavailable_models": "true",
        }
    )
    assert (found.metrics_path, found.poll_seconds, found.allow_labels_for_unavailable) == (
        "/metrics/here", 30, True
    )  # fmt: skip
    with pytest.raises(LoadError, match="--file_system_poll_wait_seconds=x is no number"):
        configuration.settings_of({"file_system_poll_wait_seconds": "x"})
