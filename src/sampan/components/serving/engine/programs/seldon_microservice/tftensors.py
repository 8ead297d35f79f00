"""TensorFlow's tensors in SeldonMessages, without TensorFlow: `data.tftensor`, in JSON and as a message's bytes.

Imports protobuf, so it is loaded by its name where there is such a tensor. Source: seldon-core 1.18.2
proto/prediction.proto, python/seldon_core/utils.py (what is said of tf.make_ndarray and tf.make_tensor_proto).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from sampan.components.serving.engine.programs.modelserver.tfserving import messages, tensors
from sampan.components.serving.engine.programs.modelserver.tfserving.errors import StatusError


def array_of(told: Mapping[str, Any]) -> Any:
    """Raises ValueError for what is none, or of a type that NumPy has not."""
    try:
        return tensors.from_proto("tftensor", _parsed(told))
    except StatusError as error:
        raise ValueError(str(error)) from error


def json_of(array: Any) -> dict[str, Any]:
    """As TensorFlow's own `make_tensor_proto` has it: one value as such, several as bytes."""
    made = np.asarray(array)
    found: dict[str, Any] = json_format.MessageToDict(tensors.to_proto(made, as_content=made.size > 1))
    return found


def json_of_bytes(content: bytes) -> dict[str, Any]:
    """Raises ValueError."""
    try:
        found: dict[str, Any] = json_format.MessageToDict(messages.message("TensorProto").FromString(content))
    except DecodeError as error:
        raise ValueError(f"tftensor is no tensor of TensorFlow's: {error}") from error
    return found


def bytes_of_json(told: Mapping[str, Any]) -> bytes:
    """Raises ValueError."""
    found: bytes = _parsed(told).SerializeToString()
    return found


def _parsed(told: Mapping[str, Any]) -> Any:
    try:
        return json_format.ParseDict(
            dict(told), messages.message("TensorProto")(), ignore_unknown_fields=True
        )
    except (json_format.ParseError, TypeError, AttributeError) as error:
        raise ValueError(f"tftensor is no tensor of TensorFlow's: {error}") from error
