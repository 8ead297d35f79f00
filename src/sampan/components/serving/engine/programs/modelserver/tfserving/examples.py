"""Classify and Regress: examples to the serialized ones that a signature parses, and its outputs to results. Pure.

Source: tensorflow/serving 2.19 tensorflow_serving/servables/tensorflow/{util,classifier,regressor}.cc,
util/json_tensor.cc (MakeExampleFromJsonObject).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import Array, Tensor
from sampan.components.serving.engine.programs.modelserver.tfserving.errors import StatusError, invalid
from sampan.components.serving.engine.programs.modelserver.tfserving.json_values import (
    decoded,
    is_base64,
    kind_of,
    shown,
)
from sampan.components.serving.engine.programs.modelserver.tfserving.messages import message
from sampan.components.serving.engine.programs.modelserver.tfserving.tensors import name_of_dtype

INPUTS, CLASSES, SCORES, OUTPUTS = "inputs", "classes", "scores", "outputs"
CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def input_of(document: Mapping[str, Any]) -> Any:
    """REST's `examples` and `context` as an Input. Raises StatusError."""
    made = message("Input")()
    with_context = "context" in document
    place = made.example_list_with_context if with_context else made.example_list
    if with_context:
        _example(document["context"], place.context)
    if "examples" not in document:
        raise invalid(
            f"JSON Value: {shown(document)} When method is classify, key 'examples' is expected and was not found"
        )
    examples = document["examples"]
    if not isinstance(examples, list):
        raise invalid(f"JSON Value: {shown(document)} Expecting 'examples' value to be an list/array")
    if not examples:
        raise invalid(f"JSON Value: {shown(document)} 'examples' value is an empty array")
    for each in examples:
        _example(each, place.examples.add())
    return made


def serialized(given: Any) -> Array:
    """An Input's examples, each with the context. Raises StatusError."""
    kind = given.WhichOneof("kind")
    if kind is None:
        raise invalid("Input is empty.")
    found = getattr(given, kind)
    # Of two messages one after the other the later's features win.
    before = found.context.SerializeToString() if kind == "example_list_with_context" else b""
    texts = [before + each.SerializeToString() for each in found.examples]
    if not texts:
        raise invalid("Input is empty.")
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def check_classify(signature: Any) -> None:
    """Raises StatusError for a SignatureDef that classifies nothing."""
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if INPUTS not in signature.inputs:
        raise invalid(f"No classification inputs found in SignatureDef: {signature}")
    if CLASSES not in signature.outputs and SCORES not in signature.outputs:
        raise invalid(
            f'Expected classification signature outputs to contain at least one of "{CLASSES}" or "{SCORES}". '
            f"Signature was: {signature}"
        )


def check_regress(signature: Any) -> None:
    """Raises StatusError for a SignatureDef that is no regression."""
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if INPUTS not in signature.inputs:
        raise invalid(f"No regression inputs found in SignatureDef: {signature}")
    if OUTPUTS not in signature.outputs:
        raise invalid(f"No regression outputs found in SignatureDef: {signature}")


def classified(outputs: Sequence[Tensor], count: int) -> Any:
    """A ClassificationResult. Raises StatusError."""
    found = {each.name: each.data for each in outputs}
    classes, scores = found.get(CLASSES), found.get(SCORES)
    for array, kind, what in ((classes, "DT_STRING", CLASSES), (scores, "DT_FLOAT", SCORES)):
        if array is not None:
            _check_classes(array, kind, what, count)
    if classes is not None and scores is not None and classes.shape != scores.shape:
        raise invalid(
            "Tensors class and score should match in dim_size(1). "
            f"Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    width = next((each.shape[1] for each in (classes, scores) if each is not None), 0)
    result = message("ClassificationResult")()
    for row in range(count):
        made = result.classifications.add()
        for column in range(width):
            one = made.classes.add()
            if classes is not None:
                label = classes[row, column]
                one.label = label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)
            if scores is not None:
                one.score = float(scores[row, column])
    return result


def regressed(outputs: Sequence[Tensor], count: int) -> Any:
    """A RegressionResult. Raises StatusError."""
    array = next(each.data for each in outputs if each.name == OUTPUTS)
    if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
        raise invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"[{','.join(map(str, array.shape))}]"
        )
    if array.shape[0] != count:
        raise invalid(f"Input batch size did not match output batch size: {count} vs. {array.shape[0]}")
    if name_of_dtype(array) != "DT_FLOAT":
        raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: {name_of_dtype(array)}")
    result = message("RegressionResult")()
    for value in array.ravel().tolist():
        result.regressions.add(value=value)
    return result


def _check_classes(array: Array, kind: str, what: str, count: int) -> None:
    if array.ndim != 2:
        shape = f"[{','.join(map(str, array.shape))}]"
        raise invalid(f"Expected Tensor shape: [batch_size num_classes] but got {shape}")
    if name_of_dtype(array) != kind:
        raise invalid(f"Expected {what} Tensor of {kind}. Got: {name_of_dtype(array)}")
    if array.shape[0] != count:
        raise invalid(f"Expected {what} output batch size of {count}. Got: {array.shape[0]}")


def _example(value: Any, example: Any) -> None:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {kind_of(value)}")
    for name, content in value.items():
        feature = example.features.feature[name]
        for each in content if isinstance(content, list) else [content]:
            _add(each, name, feature)


def _add(value: Any, name: str, feature: Any) -> None:
    if value is None or isinstance(value, list) or (isinstance(value, dict) and not is_base64(value)):
        raise invalid(f"Feature: {name} has element with unexpected JSON type: {kind_of(value)}")
    if isinstance(value, dict | str):
        _place(feature, "bytes_list", name).append(
            decoded(value) if isinstance(value, dict) else value.encode()
        )
    elif isinstance(value, float):
        _place(feature, "float_list", name).append(value)
    else:
        place = _place(feature, "int64_list", name)
        if not -(2**63) <= value < 2**63:
            raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        place.append(int(value))


def _place(feature: Any, kind: str, name: str) -> Any:
    has = feature.WhichOneof("kind")
    if has not in (None, kind):
        raise _incompatible(name, _KINDS[has])
    return getattr(feature, kind).value


def _incompatible(name: str, kind: str) -> StatusError:
    return invalid(f"Unexpected element type in feature: {name} expecting type: {kind}")
