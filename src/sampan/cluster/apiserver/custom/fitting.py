"""Whether a value is plainly as its schema says: a quick yes for most values, before `values` looks closely.

A no means nothing: `values` then finds out, and tells what is wrong. What is asked of a place besides its type is
worked out once for each node.
"""

from __future__ import annotations

from typing import Any

from sampan.cluster.apiserver.custom.structural import Node

_PYTHON: dict[str, type] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "object": dict,
    "array": list,
}
_ASKED = frozenset(
    {
        *("allOf", "anyOf", "oneOf", "not", "enum", "format", "pattern", "maxLength", "minLength"),
        *("multipleOf", "maximum", "minimum", "maxProperties", "minProperties", "required"),
        *("maxItems", "minItems", "uniqueItems"),
    }
)
"""Keywords of which `values` makes something."""


def fits(node: Node, value: Any) -> bool:
    wanted = node.plain
    if wanted is object:
        wanted = node.plain = _plain(node)
    kind: Any = type(value)
    if kind is not wanted:
        return False
    if kind is dict:
        for key, each in value.items():
            child = node.child(key)
            if child is not None and not fits(child, each):
                return False
    elif kind is list and node.items is not None:
        items = node.items
        for each in value:
            if not fits(items, each):
                return False
    return True


def _plain(node: Node) -> type | None:
    """Of which every value is good here but for what is below; None where more is asked."""
    if node.int_or_string or node.embedded or node.list_type in ("set", "map"):
        return None
    asked = _ASKED & node.raw.keys()
    # A format asks something of text only.
    if asked and (node.type == "string" or asked != {"format"}):
        return None
    return _PYTHON.get(node.type)
