"""ONNX: graphs made by hand, so that only `onnx` is needed; the answers are onnxruntime's."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from recorded import Case, play

RANDOM = np.random.default_rng(7)


def saved(
    case: Case, nodes: list, inputs: list, outputs: list, constants: list
) -> onnxruntime.InferenceSession:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.save(model, case.model / "model.onnx")
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def constant(name: str, value: np.ndarray) -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(value, name)


def dense() -> None:
    case = Case("onnx-dense", "onnx")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Add", ["h", "b"], ["sum"]),
        helper.make_node("Softmax", ["sum"], ["y"], axis=1),
        helper.make_node("ArgMax", ["sum"], ["label"], axis=1, keepdims=0),
    ]
    weights = [
        constant("w", RANDOM.normal(size=(4, 3)).astype(np.float32)),
        constant("b", RANDOM.normal(size=3).astype(np.float32)),
    ]
    session = saved(
        case,
        nodes,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
        ],
        weights,
    )
    rows = RANDOM.normal(size=(5, 4)).astype(np.float32)
    y, label = session.run(None, {"x": rows})
    expected = [{"y": a.tolist(), "label": int(b)} for a, b in zip(y, label, strict=True)]
    case.v1(rows.tolist(), expected)
    case.v1([{"x": row} for row in rows.tolist()], expected)
    case.v1({"x": rows.tolist()}, expected)
    case.v2({"x": rows}, {"y": y, "label": label})
    # A client that knows the protocol's names only, and one with numbers of Python.
    case.v2({"input-0": rows}, {"y": y, "label": label})
    case.v2({"x": rows.astype(np.float64)}, {"y": y, "label": label})
    case.write(onnxruntime, onnx)


def several_inputs_and_texts() -> None:
    case = Case("onnx-texts", "onnx")
    nodes = [
        helper.make_node("LabelEncoder", ["word"], ["code"], domain="ai.onnx.ml",
                         keys_strings=["a", "b"], values_int64s=[10, 20], default_int64=-1),
        helper.make_node("Add", ["code", "more"], ["sum"]),
        helper.make_node("LabelEncoder", ["sum"], ["told"], domain="ai.onnx.ml",
                         keys_int64s=[11, 22], values_strings=["eleven", "twenty-two"], default_string="ü"),
    ]  # fmt: skip
    session = saved(
        case,
        nodes,
        [
            helper.make_tensor_value_info("word", TensorProto.STRING, [None, 1]),
            helper.make_tensor_value_info("more", TensorProto.INT64, [None, 1]),
        ],
        [
            helper.make_tensor_value_info("told", TensorProto.STRING, [None, 1]),
            helper.make_tensor_value_info("sum", TensorProto.INT64, [None, 1]),
        ],
        [],
    )
    words = np.array([["a"], ["b"], ["c"]], dtype=object)
    more = np.array([[1], [2], [3]])
    told, total = session.run(None, {"word": words, "more": more})
    expected = [{"told": a.tolist(), "sum": b.tolist()} for a, b in zip(told, total, strict=True)]
    case.v1(
        [{"word": ["a"], "more": [1]}, {"word": ["b"], "more": [2]}, {"word": ["c"], "more": [3]}], expected
    )
    # Columns of one value each may be sent as values.
    case.v1([{"word": "a", "more": 1}, {"word": "b", "more": 2}, {"word": "c", "more": 3}], expected)
    case.v2({"word": words, "more": more}, {"told": told, "sum": total})
    case.v2({"more": more.astype(np.int32), "word": words}, {"told": told, "sum": total})
    case.write(onnxruntime, onnx)


def fixed_batch() -> None:
    case = Case("onnx-fixed", "onnx")
    session = saved(
        case,
        [helper.make_node("Relu", ["x"], ["y"])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, [1, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT16, [1, 2, 2])],
        [],
    )
    image = np.array([[[-1, 2], [3, -4]]], dtype=np.float16)
    (y,) = session.run(None, {"x": image})
    case.v1(image.tolist(), y)
    case.v2({"x": image}, {"y": y})
    case.write(onnxruntime, onnx)


def classifier_of_maps() -> None:
    """As skl2onnx writes classifiers: labels, and a sequence of maps."""
    case = Case("onnx-maps", "onnx")
    nodes = [
        helper.make_node("LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml",
                         coefficients=[0.1, 0.2, -0.3, 0.4, 0.5, -0.6], intercepts=[0.0, 0.1, -0.1],
                         classlabels_ints=[3, 5, 7], multi_class=1, post_transform="SOFTMAX"),
        helper.make_node("ZipMap", ["scores"], ["probability"], domain="ai.onnx.ml", classlabels_int64s=[3, 5, 7]),
    ]  # fmt: skip
    maps = helper.make_value_info(
        "probability",
        helper.make_sequence_type_proto(
            helper.make_map_type_proto(
                TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
            )
        ),
    )
    session = saved(
        case,
        nodes,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, [None]), maps],
        [],
    )
    rows = RANDOM.normal(size=(4, 2)).astype(np.float32)
    label, found = session.run(None, {"x": rows})
    matrix = np.array([[each[key] for key in (3, 5, 7)] for each in found], dtype=np.float32)
    case.v1(
        rows.tolist(),
        [{"label": int(a), "probability": b} for a, b in zip(label, matrix.tolist(), strict=True)],
    )
    case.v2({"x": rows}, {"label": label, "probability": matrix})
    case.write(onnxruntime, onnx)


if __name__ == "__main__":
    play(dense, several_inputs_and_texts, fixed_batch, classifier_of_maps)
