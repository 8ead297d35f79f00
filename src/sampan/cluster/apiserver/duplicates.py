"""Keys that stand twice in one object of a body, which decoding alone would not show: the last one just wins.

Called by `codec` for every body; what comes of it is up to the request's fieldValidation. Messages are those of
sigs.k8s.io/json and go-yaml, v1.34.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

_REPORTED = 100
"""As many as Kubernetes tells of."""


class _Pairs(list[tuple[str, Any]]):
    """An object, with all that was said."""


def find(body: bytes, value: Any) -> tuple[str, ...]:
    """`value` is what `body` was decoded to: JSON, or else YAML."""
    if body.lstrip()[:1] not in (b"{", b"["):
        return _in_yaml(body)
    # What was decoded, written again without repetitions, has as many colons: much faster than a walk through all of
    # it. Only an escaped colon could hide one.
    if b"\\u" not in body and body.count(b":") == msgspec.json.encode(value).count(b":"):
        return ()
    try:
        pairs = json.loads(body, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return ()
    found = dict.fromkeys(f'duplicate field "{path}"' for path in _in_json(pairs, ""))
    return tuple(found)[:_REPORTED]


def _in_json(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        seen = set()
        for key, each in value:
            where = f"{path}.{key}" if path else key
            if key in seen:
                yield where
            seen.add(key)
            yield from _in_json(each, where)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _in_json(each, f"{path}[{at}]")


def _in_yaml(body: bytes) -> tuple[str, ...]:
    try:
        root = yaml.compose(body, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return ()
    lines, left = [], [root]
    while left:
        node = left.pop(0)
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, each in node.value:
                left.append(each)
                if isinstance(key, yaml.ScalarNode):
                    if key.value in seen:
                        lines.append((key.start_mark.line + 1, key.value))
                    seen.add(key.value)
        elif isinstance(node, yaml.SequenceNode):
            left += node.value
    if not lines:
        return ()
    told = "".join(
        f'\n  line {line}: key "{key}" already set in map' for line, key in sorted(lines)[:_REPORTED]
    )
    return (f"yaml: unmarshal errors:{told}",)
