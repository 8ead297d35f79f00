"""The protocol's messages to tensors and back. Pure.

Source: as `grpc_messages`; kserve 0.20 python/kserve/kserve/protocol/infer_type.py, grpc/servicer.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver import tensors, v2
from sampan.components.serving.engine.programs.modelserver.contract import Array, Tensor, dtype_of
from sampan.components.serving.engine.programs.modelserver.errors import bad
from sampan.components.serving.engine.programs.modelserver.grpc_messages import message

_CONTENTS: Mapping[str, str] = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""FP16 has none: it is sent raw."""


def read(request: Any) -> v2.Inference:
    """Of a ModelInferRequest. Raises RequestError or ModelError."""
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise bad(
            f"the number of inputs ({len(request.inputs)}) does not match the expected number of raw input contents "
            f"({len(raw)}) for model '{request.model_name}'."
        )
    if not request.inputs:
        raise bad("the request has no inputs")
    inputs = []
    for place, each in enumerate(request.inputs):
        shape = list(each.shape)
        if not raw:
            array = _contents(each, shape)
        elif each.HasField("contents"):
            raise bad(
                f"contents field must not be specified when using raw_input_contents for input '{each.name}'"
            )
        else:
            array = tensors.from_bytes(each.name, each.datatype, shape, raw[place])
        inputs.append(Tensor(each.name, array, each.datatype, parameters(each.parameters)))
    asked = [v2.Asked(each.name, parameters(each.parameters)) for each in request.outputs]
    return v2.Inference(request.id, inputs, parameters(request.parameters), asked, from_grpc=True)


def write(model: str, version: str, inference: v2.Inference, outputs: Sequence[Tensor], *, raw: bool) -> Any:
    """A ModelInferResponse. Raises RequestError."""
    response = message("ModelInferResponse")(
        model_name=model, model_version=version, id=inference.id or v2.new_id()
    )
    chosen = v2.chosen(model, outputs, [each.name for each in inference.outputs])
    raw = raw or any(tensor.datatype not in _CONTENTS for tensor in chosen)
    for tensor in chosen:
        output = response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.data.shape)
        for key, value in tensor.parameters.items():
            set_parameter(output.parameters[key], value)
        if raw:
            data = tensors.to_bytes(tensor.data)
            output.parameters["binary_data_size"].int64_param = len(data)
            response.raw_output_contents.append(data)
        else:
            values = tensor.data.ravel()
            found = (
                [tensors.as_bytes(each) for each in values] if tensor.datatype == "BYTES" else values.tolist()
            )
            getattr(output.contents, _CONTENTS[tensor.datatype]).extend(found)
    return response


def request_of(model: str, inference: v2.Inference) -> Any:
    """A ModelInferRequest, raw: what a client sends."""
    request = message("ModelInferRequest")(model_name=model, id=inference.id)
    for tensor in inference.inputs:
        added = request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.data.shape)
        for key, value in tensor.parameters.items():
            set_parameter(added.parameters[key], value)
        request.raw_input_contents.append(tensors.to_bytes(tensor.data))
    for key, value in inference.parameters.items():
        set_parameter(request.parameters[key], value)
    for asked in inference.outputs:
        request.outputs.add(name=asked.name)
    return request


def outputs_of(response: Any) -> list[Tensor]:
    """Of a ModelInferResponse that came from elsewhere. Raises RequestError or ModelError."""
    raw = response.raw_output_contents
    found = []
    for place, each in enumerate(response.outputs):
        shape = list(each.shape)
        if place < len(raw):
            array = tensors.from_bytes(each.name, each.datatype, shape, raw[place])
        else:
            array = _contents(each, shape)
        found.append(Tensor(each.name, array, each.datatype, parameters(each.parameters)))
    return found


def parameters(found: Mapping[str, Any]) -> dict[str, Any]:
    made = {}
    for key, value in found.items():
        choice = value.WhichOneof("parameter_choice")
        made[key] = None if choice is None else getattr(value, choice)
    return made


def set_parameter(place: Any, value: Any) -> None:
    if isinstance(value, bool):
        place.bool_param = value
    elif isinstance(value, int):
        place.int64_param = value
    elif isinstance(value, float):
        place.double_param = value
    else:
        place.string_param = str(value)


def _contents(tensor: Any, shape: Sequence[int]) -> Array:
    dtype = dtype_of(tensor.datatype)
    field = _CONTENTS.get(tensor.datatype)
    if field is None:
        raise bad(f"input {tensor.name!r} of datatype {tensor.datatype} has to be sent in raw_input_contents")
    found = getattr(tensor.contents, field)
    if tensor.datatype == "BYTES":
        array = np.empty(len(found), dtype=object)
        array[:] = list(found)
        return tensors.shaped(tensor.name, array, shape)
    array = np.array(found)
    if dtype.kind in "iu" and len(array):
        allowed = np.iinfo(dtype)
        if int(array.min()) < allowed.min or int(array.max()) > allowed.max:
            raise bad(f"the contents of input {tensor.name!r} do not fit its datatype {tensor.datatype}")
    return tensors.shaped(tensor.name, array.astype(dtype), shape)
