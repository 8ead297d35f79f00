"""The schema of a custom kind, ready to be walked beside an object: one `Node` a place, made when first reached.

Schemas are up to three megabytes and objects use little of them, so nothing is worked out before an object needs it;
what was worked out is kept, for every later request. Callers are `shaping`, `values`, `rules` and `typing`.

Source: apiextensions-apiserver/pkg/apiserver/schema, v1.31.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from sampan.cluster.apiserver.custom.references import References

MISSING: Any = object()
Schema = dict[str, Any]

_META = ("apiVersion", "kind", "metadata")
_TEXT: Schema = {"type": "string"}


class Node:
    """A schema at one place. `raw` is shared with the definition and never changed. Without `types` built-in types are
    not known."""

    def __init__(self, raw: Schema, *, embedded: bool = False, types: Types | None = None) -> None:
        self.raw = raw
        self._types = types
        self.type: str = raw.get("type") or ""
        self.nullable: bool = raw.get("nullable") is True
        self.preserve: bool = raw.get("x-kubernetes-preserve-unknown-fields") is True
        self.int_or_string: bool = raw.get("x-kubernetes-int-or-string") is True
        self.embedded: bool = embedded or raw.get("x-kubernetes-embedded-resource") is True
        self.default: Any = raw["default"] if raw.get("default") is not None else MISSING
        self._properties: dict[str, Schema] = raw.get("properties") or {}
        self._nodes: dict[str, Node | None] = {}
        self.plain: type | None = object
        """Kept by `fitting`: the type of values about which no more is to be asked; `object` until it is worked out."""
        self.marks: dict[str, bool] = {}
        """What a walk has found out about all that is below, by the walk's own word."""

    def property(self, name: str) -> Node | None:
        """Of a declared property, apart from what additionalProperties allow."""
        try:
            return self._nodes[name]
        except KeyError:
            raw = self._properties.get(name)
            if raw is None and self.embedded and name in _META:
                raw = (
                    {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                    if name == "metadata"
                    else _TEXT
                )
            found = self._nodes[name] = None if raw is None else self._at(raw)
            return found

    def child(self, name: str) -> Node | None:
        """What stands for the value of this key; None where the schema says nothing of it."""
        found = self.property(name) if self._properties or self.embedded else None
        return found if found is not None else self.additional

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(self._properties)

    @cached_property
    def additional(self) -> Node | None:
        raw = self.raw.get("additionalProperties")
        return self._at(raw) if isinstance(raw, dict) else None

    @cached_property
    def open(self) -> bool:
        """Whether keys that no schema describes stay."""
        return self.preserve or self.raw.get("additionalProperties") is True

    @cached_property
    def keeps_all(self) -> bool:
        """Whether nothing of a value here can be unknown: every object in it stays as it is."""
        if self.embedded or not (self.type != "object" or self.open or self.additional is not None):
            return False
        below = [self.property(name) for name in self._properties]
        return all(each is None or each.keeps_all for each in (*below, self.additional, self.items))

    @cached_property
    def items(self) -> Node | None:
        raw = self.raw.get("items")
        return self._at(raw) if isinstance(raw, dict) else None

    @cached_property
    def defaulted(self) -> tuple[tuple[str, Node], ...]:
        """The properties that have a default."""
        return tuple(
            (name, node)
            for name, raw in self._properties.items()
            if raw.get("default") is not None and (node := self.property(name)) is not None
        )

    @cached_property
    def list_type(self) -> str:
        return str(self.raw.get("x-kubernetes-list-type") or "")

    @cached_property
    def map_keys(self) -> tuple[str, ...]:
        return tuple(self.raw.get("x-kubernetes-list-map-keys") or ())

    @cached_property
    def atomic_map(self) -> bool:
        return self.raw.get("x-kubernetes-map-type") == "atomic"

    @cached_property
    def rules(self) -> tuple[Schema, ...]:
        return tuple(self.raw.get("x-kubernetes-validations") or ())

    def _at(self, raw: Schema) -> Node:
        return Node(raw) if self._types is None else self._types.node(raw)

    @cached_property
    def has_rules(self) -> bool:
        """Anywhere below. Walks the schema once."""
        return bool(self.rules) or any(_has(raw, "x-kubernetes-validations") for raw in _below(self.raw))


class Types:
    """Built-in types as nodes, each made when first reached and then shared by all schemas that refer to it."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._nodes: dict[str, Node] = {}

    def node(self, raw: Schema) -> Node:
        name = self._references.name(raw)
        if not name:
            return Node(raw, types=self)
        if not self._references.is_all(raw):
            return Node(self._references.resolved(name, raw), types=self)
        found = self._nodes.get(name)
        if found is None:
            found = self._nodes[name] = Node(self._references.of_type(name), types=self)
        return found


def root(raw: Schema | None, types: Types | None = None) -> Node:
    """Of a whole object: its own type and metadata are always there. Without a schema everything stays."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return Node(raw or anything, embedded=True, types=types)


def _below(raw: Schema) -> list[Schema]:
    found = [each for each in (raw.get("properties") or {}).values() if isinstance(each, dict)]
    found += [each for key in ("items", "additionalProperties") if isinstance(each := raw.get(key), dict)]
    return found


def _has(raw: Schema, key: str) -> bool:
    return raw.get(key) is not None or any(_has(each, key) for each in _below(raw))
