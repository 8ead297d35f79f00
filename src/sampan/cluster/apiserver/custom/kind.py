"""One served version of a custom kind: its schema compiled once, and the strategy that the generic verbs go by.

Made by `registration` from a CustomResourceDefinition. The schema is read when the first object needs it: a server with
forty definitions starts as fast as one without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from sampan.cluster.apiserver.custom import ratchet, rules, shaping, structural, values
from sampan.cluster.apiserver.custom.applying import StructuralTypes
from sampan.cluster.apiserver.custom.columns import columns
from sampan.cluster.apiserver.custom.structural import Node
from sampan.cluster.apiserver.strategy import Conversion, ScalePaths, SelectableField, Strategy
from sampan.kube import fieldcheck
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.kube.schema import Schema


@dataclass
class CustomKind:
    """`read_schema` returns the version's openAPIV3Schema; it is called once."""

    resource: Resource
    read_schema: Callable[[], dict[str, Any] | None]
    built_in: Schema
    shared: structural.Types
    """The built-in types that schemas refer to, for all kinds."""
    version: Mapping[str, Any] = field(default_factory=dict)
    """The version's entry in the definition, without its schema."""
    deprecation: str = ""
    digest: str = ""
    """Another one for another schema."""

    @cached_property
    def root(self) -> Node:
        return structural.root(self.read_schema(), self.shared)

    @cached_property
    def types(self) -> StructuralTypes:
        return StructuralTypes(self.root, self.built_in)

    def admit(self, obj: Object) -> fieldcheck.Findings:
        """Drops what the schema does not know. The metadata are of the built-in type."""
        found = fieldcheck.check(self.built_in, "ObjectMeta", obj["metadata"])

        def coerce(metadata: Any, path: str) -> list[str]:
            inner = fieldcheck.check(self.built_in, "ObjectMeta", metadata)
            if inner.mistyped:
                found.mistyped = found.mistyped or f"{path}: {inner.mistyped}"
            return [f"{path}.{each}" for each in inner.unknown]

        found.unknown = [f"metadata.{path}" for path in found.unknown]
        found.unknown += shaping.prune(self.root, obj, coerce)
        return found

    def default(self, obj: Object) -> None:
        shaping.default(self.root, obj)

    def read(self, obj: Object) -> Object:
        """A stored object as a schema that came later sees it."""
        shaping.prune(self.root, obj)
        shaping.default(self.root, obj)
        return obj

    def validate(self, obj: Object, errors: FieldErrors) -> None:
        values.validate(self.root, obj, errors)

    def validate_create(self, obj: Object, errors: FieldErrors) -> None:
        if not errors and self.root.has_rules:
            rules.validate(self.root, obj, None, errors)

    def validate_update(self, new: Object, old: Object, errors: FieldErrors) -> None:
        if errors:
            ratchet.forgive(new, old, errors)
        if not errors and self.root.has_rules:
            rules.validate(self.root, new, old, errors)

    def openapi(self) -> Object:
        """Read anew where no object has needed it yet: what is only shown need not stay in memory."""
        raw = self.root.raw if "root" in self.__dict__ else self.read_schema()
        return dict(raw or {})

    def strategy(self, conversion: Conversion | None, *, terminating: bool = False) -> Strategy:
        return Strategy(
            resource=self.resource,
            built_in=False,
            admit=self.admit,
            deprecation=self.deprecation,
            default=self.default,
            validate=self.validate,
            validate_create=self.validate_create,
            validate_update=self.validate_update,
            validates_status=True,
            generations=True,
            unconditional_update=False,
            fields=_selectable(self.version),
            columns=columns(self.version.get("additionalPrinterColumns") or ()),
            scale=_scale(self.version),
            conversion=conversion,
            openapi=self.openapi,
            openapi_digest=self.digest,
            types=lambda: self.types,
            terminating=terminating,
        )


def _selectable(version: Mapping[str, Any]) -> Mapping[str, SelectableField]:
    paths = [each["jsonPath"].removeprefix(".") for each in version.get("selectableFields") or ()]
    return MappingProxyType({path: SelectableField(path) for path in paths})


def _scale(version: Mapping[str, Any]) -> ScalePaths | None:
    scale = (version.get("subresources") or {}).get("scale")
    if scale is None:
        return None
    return ScalePaths(
        spec=scale["specReplicasPath"].removeprefix("."),
        status=scale["statusReplicasPath"].removeprefix("."),
        selector=(scale.get("labelSelectorPath") or "").removeprefix("."),
    )
