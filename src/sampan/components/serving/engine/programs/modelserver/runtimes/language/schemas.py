"""JSON schemas as vLLM keeps to them: an object that names its properties gets no others unless it says so. Pure.

A small model that may add what it likes does so without end. What is written keeps to the schema as it stands, too.
Source: vllm-project/vllm 0.19 vllm/v1/structured_output/backend_xgrammar.py; mlc-ai/xgrammar's `strict_mode`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMED = ("properties", "$defs", "definitions")
"""Of each, schemas by names."""
_SEVERAL = ("anyOf", "prefixItems", "items")
_SAYS_SO = frozenset(("additionalProperties", "patternProperties", "propertyNames", "minProperties"))
_TOGETHER = frozenset(
    ("allOf", "oneOf", "not", "if", "contains", "dependentSchemas", "unevaluatedProperties")
)
"""What looks at one object with several schemas: closing one of them would change what the others say."""
_BESIDE = frozenset(("anyOf", "$ref"))
"""Likewise where they stand beside `properties`."""


def closed(schema: Any) -> Any:
    """With `additionalProperties: false` where an object's properties are all that it is."""
    return schema if _is_mixed(schema) else _closed(schema)


def _is_mixed(found: Any) -> bool:
    if isinstance(found, list):
        return any(map(_is_mixed, found))
    if not isinstance(found, Mapping):
        return False
    keys = found.keys()
    return bool(_TOGETHER & keys or ("properties" in keys and _BESIDE & keys)) or any(
        map(_is_mixed, found.values())
    )


def _closed(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    made = dict(schema)
    for key in _NAMED:
        if isinstance(found := made.get(key), Mapping):
            made[key] = {name: _closed(each) for name, each in found.items()}
    for key in ("items", "additionalProperties"):
        made |= {key: _closed(made[key])} if key in made else {}
    for key in _SEVERAL:
        if isinstance(found := made.get(key), list):
            made[key] = [_closed(each) for each in found]
    properties, required = made.get("properties"), made.get("required", [])
    if (
        isinstance(properties, Mapping)
        and isinstance(required, list)
        and not _SAYS_SO & made.keys()
        and all(name in properties for name in required)
    ):
        made["additionalProperties"] = False
    return made
