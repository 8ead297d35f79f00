"""Values of JSON as TensorFlow Serving takes them and shows them in messages. Pure.

Source: tensorflow/serving 2.19 tensorflow_serving/util/json_tensor.cc (JsonValueToDebugString, JsonDecodeBase64Object).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from typing import Any

from sampan.components.serving.engine.programs.modelserver.tfserving.errors import invalid

_SHOWN = 256


def kind_of(value: Any) -> str:
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, dict):
        return "Object"
    if isinstance(value, list):
        return "Array"
    return "String" if isinstance(value, str) else "Number"


class _FullError(Exception):
    pass


class _Shown:
    """A value as text, up to so many characters and the token that passes them."""

    def __init__(self) -> None:
        self.text = ""

    def add(self, piece: str) -> None:
        self.text += piece

    def _token(self, piece: str) -> None:
        if len(self.text) >= _SHOWN:
            raise _FullError
        self.text += piece

    def value(self, value: Any, depth: int) -> None:
        if isinstance(value, dict):
            self._token("{")
            for place, (key, each) in enumerate(value.items()):
                self.add(("," if place else "") + "\n" + "    " * (depth + 1))
                self._token(json.dumps(key, ensure_ascii=False) + ": ")
                self.value(each, depth + 1)
            self.add("\n" + "    " * depth if value else "")
            self._token("}")
        elif isinstance(value, list):
            self._token("[")
            for place, each in enumerate(value):
                self.add(", " if place else "")
                self.value(each, depth + 1)
            self._token("]")
        else:
            self._token(json.dumps(value, ensure_ascii=False))


def shown(value: Any) -> str:
    """For messages."""
    made = _Shown()
    with contextlib.suppress(_FullError, RecursionError):
        made.value(value, 0)
    return made.text


def is_base64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def decoded(value: Any) -> bytes:
    """Of `{"b64": …}`, padded or not. Raises StatusError."""
    if not is_base64(value):
        raise invalid(f"JSON Value: {shown(value)} not formatted correctly for base64 data")
    text = value["b64"].rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None
