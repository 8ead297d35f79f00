"""What a model says of itself: `init_metadata` of its class, with what the variable MODEL_METADATA (YAML) says over it.

Source: seldon-core 1.18.2 python/seldon_core/metadata.py.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from sampan.components.serving.engine.programs.seldon_microservice.component import SeldonNotImplementedError

_DATATYPES = frozenset(
    [
        "BOOL",
        "UINT8",
        "UINT16",
        "UINT32",
        "UINT64",
        "INT8",
        "INT16",
        "INT32",
        "INT64",
        "FP16",
        "FP32",
        "FP64",
        "BYTES",
    ]
)
_ARRAYS, _OTHERS = ("tensor", "ndarray", "tftensor"), ("strData", "binData")


def metadata_of(model: Any) -> dict[str, Any] | None:
    """None for what is no metadata; the log says why."""
    told: Any = {}
    if callable(getattr(model, "init_metadata", None)):
        try:
            told = model.init_metadata()
        except SeldonNotImplementedError:
            told = {}
    if not isinstance(told, dict):
        print("init_metadata must return dict", file=sys.stderr, flush=True)
        told = {}
    found = filled({**told, **_of_environment()})
    if problem := problem_of(found):
        print(f"the model's metadata cannot be used: {problem}", file=sys.stderr, flush=True)
        return None
    return found


def filled(told: Mapping[str, Any]) -> dict[str, Any]:
    """With what is not told as it is without."""
    image, _, version = os.environ.get("PREDICTIVE_UNIT_IMAGE", "").rpartition(":")
    empty = {"platform": "", "inputs": [], "outputs": [], "custom": {}}
    return {"name": image, "versions": [version], **empty, **told}


def problem_of(found: Mapping[str, Any]) -> str:
    """What is wrong with it; empty when nothing is."""
    for key, value in found.items():
        if key in ("name", "platform"):
            is_right = isinstance(value, str)
        elif key == "versions":
            is_right = isinstance(value, list) and all(isinstance(each, str) for each in value)
        elif key in ("inputs", "outputs"):
            is_right = isinstance(value, list) and all(_is_message(each) for each in value)
        elif key == "custom":
            is_right = isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
        else:
            return f"{key} is none of name, versions, platform, inputs, outputs, custom"
        if not is_right:
            return f"{key} cannot be {json.dumps(value, default=str)[:200]}"
    return ""


def _is_message(value: Any) -> bool:
    """Of an input or output: by the message, or by the tensor as the Open Inference Protocol has it."""
    if not isinstance(value, dict):
        return False
    if "messagetype" not in value:
        shape = value.get("shape", [])
        is_shape = isinstance(shape, list) and all(isinstance(each, int) for each in shape)
        is_known = value.get("datatype", "BYTES") in _DATATYPES
        return set(value) <= {"name", "datatype", "shape"} and is_shape and is_known
    kind, schema = value["messagetype"], value.get("schema", {})
    if set(value) > {"messagetype", "schema"} or not isinstance(kind, str) or not isinstance(schema, dict):
        return False
    if kind in _OTHERS:
        return "schema" not in value
    return kind not in _ARRAYS or set(schema) <= {"names", "shape"}


def _of_environment() -> dict[str, Any]:
    text = os.environ.get("MODEL_METADATA", "")
    if not text:
        return {}
    try:
        yaml: Any = importlib.import_module("yaml")
        found = yaml.safe_load(text)
    except ImportError:
        try:
            found = json.loads(text)
        except ValueError:
            found = None
    except Exception as error:
        print(f"Reading metadata from MODEL_METADATA env variable failed: {error}", file=sys.stderr)
        return {}
    return found if isinstance(found, dict) else {}
