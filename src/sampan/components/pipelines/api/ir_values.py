"""What the IR says about values: types, and the difference between 3 and 3.0.

A value in the IR is a JSON value whose numbers are doubles, so `3` and `3.0` are the same and are written `3`.
Used by the parser, by parameter binding, and all through the engine.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

from sampan.components.pipelines.api.ir_model import Parameter, ParameterType, Value

_LARGEST_EXACT = 2.0**53

_PYTHON_TYPES: dict[ParameterType, tuple[type, ...]] = {
    ParameterType.NUMBER_DOUBLE: (int, float),
    ParameterType.NUMBER_INTEGER: (int, float),
    ParameterType.STRING: (str,),
    ParameterType.BOOLEAN: (bool,),
    ParameterType.LIST: (list,),
    ParameterType.STRUCT: (dict,),
    ParameterType.TASK_FINAL_STATUS: (dict,),
    ParameterType.TASK_CONFIG: (dict,),
}


def normalised(value: Any) -> Value:
    """`value` with integral floats as integers, all the way down. The caller's value is not changed."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _LARGEST_EXACT else value
    if isinstance(value, list | tuple):
        return [normalised(item) for item in value]
    if isinstance(value, dict):
        return {str(key): normalised(item) for key, item in value.items()}
    return value


def to_text(value: Value) -> str:
    """`value` as a command line or a STRING parameter shows it: text as it is, null as nothing, others as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float) and math.isfinite(value):
        # Never with an exponent: backend/src/v2/metadata/converter.go, kubeflow/pipelines 2.17.
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def kind_of(value: Value) -> str:
    """The name of the value's type, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "NUMBER_INTEGER"
    if isinstance(value, float):
        return "NUMBER_DOUBLE"
    if isinstance(value, str):
        return "STRING"
    return "LIST" if isinstance(value, list) else "STRUCT"


def matches(value: Value, type_: ParameterType) -> bool:
    """Whether `value` may be given to a parameter of this type without conversion."""
    if isinstance(value, bool) and type_ is not ParameterType.BOOLEAN:
        return False
    return isinstance(value, _PYTHON_TYPES[type_])


def is_finite(value: Value) -> bool:
    """Whether JSON can carry the value: it has no NaN and no infinity."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(is_finite(item) for item in value)
    if isinstance(value, dict):
        return all(is_finite(item) for item in value.values())
    return True


def parse_text(text: str, type_: ParameterType) -> Value:
    """The value that `text` means for a parameter of this type: how files and command lines give values.

    Raises ValueError, whose message says what was expected.
    """
    if type_ is ParameterType.STRING:
        return text
    stripped = text.strip()
    if type_ is ParameterType.BOOLEAN:
        lowered = stripped.lower()
        if lowered in ("true", "false"):
            return lowered == "true"
        raise ValueError(f"expected true or false, got {shortened(text)!r}")
    try:
        value = normalised(json.loads(stripped))
    except (ValueError, RecursionError):
        raise ValueError(f"expected {type_}, got {shortened(text)!r}") from None
    if not matches(value, type_):
        raise ValueError(f"expected {type_}, got {kind_of(value)} {shortened(text)!r}")
    if not is_finite(value):
        raise ValueError(f"expected {type_}, got {shortened(text)!r}, which JSON cannot carry")
    return value


def literal_problem(value: Value, parameter: Parameter) -> str:
    """Why `value` is not one of the parameter's literals; empty when it is, or when there are none."""
    if not parameter.literals or any(_same(value, literal) for literal in parameter.literals):
        return ""
    allowed = ", ".join(to_text(literal) for literal in parameter.literals)
    return f"{shortened(to_text(value))!r} is not one of the allowed values: {allowed}"


def shortened(text: str, limit: int = 80) -> str:
    """`text`, cut for a message."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _same(left: Value, right: Value) -> bool:
    # 1 == True in Python, but not in JSON.
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)
