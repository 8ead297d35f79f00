"""What a schema does to an object before it is judged: unknown fields go, nulls go, defaults come. Changes in place.

Source: apiextensions-apiserver/pkg/apiserver/schema/{pruning,defaulting}, v1.31.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from sampan.cluster.apiserver.custom.structural import MISSING, Node
from sampan.kube.meta import Object

_ROOT = frozenset({"apiVersion", "kind", "metadata"})


Coerce = Callable[[Any, str], list[str]]
"""(metadata, path) of an object within the object: takes out what is no metadata; the paths of that."""


def prune(node: Node, obj: Object, coerce: Coerce | None = None) -> list[str]:
    """Drops what the schema does not know; the paths of what went."""
    gone: list[str] = []
    _prune_object(node, obj, "", gone, coerce)
    return gone


def _prune(node: Node | None, value: Any, path: str, gone: list[str], coerce: Coerce | None) -> None:
    if isinstance(value, dict):
        if node is None:
            # Described nowhere, and kept by what is above.
            return
        _prune_object(node, value, path, gone, coerce)
    elif isinstance(value, list) and node is not None and node.items is not None:
        for at, item in enumerate(value):
            if isinstance(item, dict | list):
                _prune(node.items, item, f"{path}[{at}]", gone, coerce)


def _prune_object(node: Node, obj: Object, path: str, gone: list[str], coerce: Coerce | None) -> None:
    unknown: list[str] = []
    for key, value in obj.items():
        if node.embedded and key in _ROOT:
            if key == "metadata" and path and coerce is not None:
                gone += coerce(value, f"{path}.metadata")
            continue
        child = node.child(key)
        if child is not None:
            if isinstance(value, dict | list) and not child.keeps_all:
                _prune(child, value, f"{path}.{key}" if path else key, gone, coerce)
        elif not node.open:
            unknown.append(key)
    for key in unknown:
        del obj[key]
        gone.append(f"{path}.{key}" if path else key)


def default(node: Node, obj: Object) -> None:
    """Fills in defaults, also in place of nulls where null is not allowed; other such nulls go."""
    _default(node, obj)


def _default(node: Node, value: Any) -> None:
    if isinstance(value, dict):
        _default_object(node, value)
    elif isinstance(value, list):
        items = node.items
        if items is None:
            return
        for at, item in enumerate(value):
            if item is None and not items.nullable and items.default is not MISSING:
                value[at] = item = deepcopy(items.default)
            if isinstance(item, dict | list):
                _default(items, item)


def _default_object(node: Node, value: Object) -> None:
    for name, child in node.defaulted:
        if name not in value or (value[name] is None and not child.nullable):
            value[name] = deepcopy(child.default)
    nulls: list[str] = []
    for key, each in value.items():
        if isinstance(each, dict | list):
            below = node.child(key)
            if below is not None:
                _default(below, each)
        elif each is None:
            below = node.child(key)
            if below is not None and not below.nullable:
                if below.default is not MISSING:
                    value[key] = deepcopy(below.default)
                else:
                    nulls.append(key)
    for key in nulls:
        del value[key]
