"""What a model's signatures are, as TensorFlow Serving tells them: from `saved_model.pb`, without its graphs.

A model without such a file (Keras', or another framework's) has one signature, made of what it says of itself.
Source: tensorflow/serving 2.19 tensorflow_serving/servables/tensorflow/get_model_metadata_impl.cc.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from sampan.components.serving.engine.programs.modelserver.contract import (
    LoadError,
    Metadata,
    TensorSpec,
    dtype_of,
)
from sampan.components.serving.engine.programs.modelserver.tfserving.messages import (
    message,
    name_of,
    number_of,
)
from sampan.components.serving.engine.programs.modelserver.tfserving.tensors import DTYPES

DEFAULT = "serving_default"
_METHOD = "tensorflow/serving/predict"
_SERVE = "serve"


def of_model(folder: str, metadata: Metadata) -> dict[str, Any]:
    """SignatureDefs by name. Raises LoadError."""
    read = _file(Path(folder))
    if read is None:
        return {DEFAULT: _made(metadata)} if metadata.inputs else {}
    graphs = [each for each in read.meta_graphs if _SERVE in each.meta_info_def.tags] or list(
        read.meta_graphs
    )
    found = {}
    for name, signature in (graphs[0].signature_def if graphs else {}).items():
        found[name] = message("SignatureDef")()
        found[name].CopyFrom(signature)
    return found


def types(signature: Any) -> dict[str, str]:
    """Of the inputs, by name: DT_FLOAT, …"""
    return {name: name_of("DataType", info.dtype) for name, info in sorted(signature.inputs.items())}


def _file(folder: Path) -> Any:
    binary, text = folder / "saved_model.pb", folder / "saved_model.pbtxt"
    made = message("SavedModel")()
    try:
        if binary.is_file():
            made.ParseFromString(binary.read_bytes())
            return made
        if text.is_file():
            return text_format.Parse(text.read_text(), made, allow_unknown_field=True)
    except (OSError, DecodeError, text_format.ParseError, UnicodeDecodeError) as error:
        raise LoadError(f"{folder.name} holds a SavedModel that cannot be read: {error}") from error
    return None


def _made(metadata: Metadata) -> Any:
    signature = message("SignatureDef")(method_name=_METHOD)
    _put(signature.inputs, metadata.inputs)
    _put(signature.outputs, metadata.outputs)
    return signature


def _put(place: Mapping[str, Any], specs: tuple[TensorSpec, ...]) -> None:
    names = {dtype: name for name, dtype in DTYPES.items()}
    for each in specs:
        info = place[each.name]
        info.name = each.name
        info.dtype = number_of("DataType", names.get(dtype_of(each.datatype).name, "DT_INVALID"))
        for size in each.shape:
            info.tensor_shape.dim.add(size=size)
