"""What one kind adds to the generic verbs: defaults, validation, preparation, columns. Declared in `kinds`.

A strategy is data and pure functions. It reads and changes the object it is given and nothing else; it runs in
the database's writer thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from sampan.kube import fieldcheck, meta, names
from sampan.kube.errors import NotFoundError
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.kube.schema import Schema


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`. Those with a priority above 0 are shown by `-o wide` only."""

    name: str
    value: Callable[[Object, datetime], Any]
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class SelectableField:
    """Where the value of a field selector's path is found, and what stands for a missing one."""

    path: str
    default: str = ""

    def read(self, obj: Object) -> str:
        value = meta.lookup(obj, self.path)
        if value is None:
            return self.default
        return str(value).lower() if isinstance(value, bool) else str(value)


def selectable(*paths: str) -> Mapping[str, SelectableField]:
    """Fields that are selected by their own path."""
    return MappingProxyType({path: SelectableField(path) for path in paths})


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where an object holds what its `scale` sub-resource shows, as dotted paths."""

    spec: str = "spec.replicas"
    status: str = "status.replicas"
    selector: str = ""
    """Of a LabelSelector or of its text form; empty when there is none."""


class Remote(Protocol):
    async def convert(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        """In the event loop. What it returns `Conversion` then knows. Raises InternalError."""
        ...


class NeededError(Exception):
    """An object has to be converted by others first. Who made the attempt resolves this and makes it again."""

    def __init__(self, remote: Remote, obj: Object, api_version: str) -> None:
        super().__init__("a conversion is needed")
        self._remote = remote
        self._obj = obj
        self._api_version = api_version

    async def resolve(self) -> None:
        """In the event loop. Raises InternalError."""
        await self._remote.convert([self._obj], self._api_version)


@dataclass(frozen=True, slots=True)
class Conversion:
    """Between the form of one served version and the stored one. Both may change what they are given."""

    read: Callable[[Object], Object]
    write: Callable[[Object], Object]
    remote: Remote | None = None
    """Set where others convert: then both may raise NeededError."""
    shape: Callable[[Object], Object] = lambda obj: obj
    """Of an object in the served version: as its schema is now."""
    version: str = ""
    """The served apiVersion."""


METADATA_FIELDS = selectable("metadata.name", "metadata.namespace")


def _nothing(*_: Any) -> None:
    """For kinds that need no such step."""


@dataclass(frozen=True, slots=True)
class PartRules:
    """What a sub-resource may change, and how."""

    prepare_update: Callable[[Object, Object], None]
    """(new, old): takes over from `old` all that is not this part."""
    validate_update: Callable[[Object, Object, FieldErrors], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    resource: Resource
    built_in: bool = True
    name_rule: Callable[[str], list[str]] = names.dns_subdomain
    admit: Callable[[Object], fieldcheck.Findings] | None = None
    """Finds, and drops, what a custom kind's schema does not know."""
    deprecation: str = ""
    """What who writes such an object is warned of."""
    default: Callable[[Object], None] = _nothing
    """Fills in what is missing, on create and update."""
    prepare_create: Callable[[Object], None] = _nothing
    """Sets what the server decides: the first status, generated labels. After `default`, the uid is known."""
    prepare_update: Callable[[Object, Object, str], None] = _nothing
    """(new, old, now): puts back what an update may not change silently."""
    prepare_delete: Callable[[Object, str], None] = _nothing
    """(object, now): what a request to delete adds, such as a finalizer."""
    validate: Callable[[Object, FieldErrors], None] = _nothing
    validate_create: Callable[[Object, FieldErrors], None] = _nothing
    """Beside `validate`."""
    validate_update: Callable[[Object, Object, FieldErrors], None] = _nothing
    """(new, old, errors), beside `validate`."""
    validates_status: bool = False
    """Whether a write of the status is validated like one of the whole object."""
    fields: Mapping[str, SelectableField] = field(default_factory=lambda: MappingProxyType({}))
    """Field selectors beside metadata.name and metadata.namespace."""
    columns: tuple[Column, ...] = ()
    """Beside Name and Age; empty means just those."""
    generations: bool = False
    """Whether metadata.generation counts changes of the spec."""
    keeps_status_on_create: bool = False
    finalizers_in_spec: bool = False
    """Namespaces: gone only when spec.finalizers is empty too."""
    grace_period: Callable[[Object, int | None], int] | None = None
    """Seconds between the request to delete and the end, given the requested ones. None: no such period."""
    unconditional_update: bool = True
    """Whether a replace may come without a resourceVersion."""
    returns_deleted: bool = False
    """Whether DELETE is answered with the object itself even when it is gone at once, not with a Status."""
    parts: Mapping[str, PartRules] = field(default_factory=lambda: MappingProxyType({}))
    """Sub-resources that change one part of the object by rules of their own."""
    scale: ScalePaths | None = None
    """Of the `scale` sub-resource, for kinds that have one."""
    protected_names: frozenset[str] = frozenset()
    """Objects that may not be deleted."""
    conversion: Conversion | None = None
    """Where what is stored differs from what is served. None costs nothing."""
    openapi: Callable[[], Object] | None = None
    """The kind's schema for OpenAPI v3, where the built-in schema does not have it."""
    openapi_digest: str = ""
    """Changes with that schema."""
    types: Callable[[], Schema] | None = None
    """What server-side apply knows of a custom kind's lists and maps; its root type is named `ROOT_TYPE`."""
    terminating: bool = False
    """The kind itself is being deleted: no new objects."""

    @property
    def has_status(self) -> bool:
        return "status" in self.resource.subresources

    def selectable(self, path: str) -> SelectableField | None:
        return METADATA_FIELDS.get(path) or self.fields.get(path)


ROOT_TYPE = "#"


def custom(resource: Resource) -> Strategy:
    """For kinds that nothing is declared about: as custom resources behave."""
    return Strategy(resource=resource, built_in=False, generations=True, unconditional_update=False)


class Strategies:
    """By group, version and plural; those without a declaration of their own behave as custom resources."""

    def __init__(self, strategies: Iterable[Strategy], schema: Schema) -> None:
        self.schema = schema
        """Of the built-in kinds, by their names."""
        self._by_path: dict[tuple[str, str, str], Strategy] = {}
        self._removed: set[tuple[str, str, str]] = set()
        for strategy in strategies:
            self.put(strategy)

    def __iter__(self) -> Iterator[Strategy]:
        return iter(self._by_path.values())

    def put(self, strategy: Strategy) -> None:
        """Declares a kind, or declares it anew."""
        self._by_path[_path(strategy.resource)] = strategy
        self._removed.discard(_path(strategy.resource))

    def remove(self, resource: Resource) -> None:
        """The kind is gone: its verbs are refused until it is declared again."""
        self._by_path.pop(_path(resource), None)
        self._removed.add(_path(resource))

    def of(self, resource: Resource) -> Strategy:
        """Raises NotFoundError for a kind that is no longer served."""
        path = (resource.group, resource.version, resource.plural)
        strategy = self._by_path.get(path)
        if strategy is None:
            if path in self._removed:
                raise NotFoundError("the server could not find the requested resource")
            strategy = self._by_path[path] = custom(resource)
        return strategy

    def serves(self, resource: Resource) -> bool:
        return _path(resource) not in self._removed

    def type_name(self, resource: Resource) -> str:
        """Its type in the schema; empty for a kind that the schema does not know."""
        return self.schema.type_of(resource.api_version, resource.kind) if self.of(resource).built_in else ""

    def typed(self, resource: Resource) -> tuple[Schema, str]:
        """What server-side apply goes by: the schema, and the kind's type in it; empty when nothing is known."""
        strategy = self.of(resource)
        if strategy.types is not None:
            return strategy.types(), ROOT_TYPE
        return self.schema, self.type_name(resource)


def _path(resource: Resource) -> tuple[str, str, str]:
    return resource.group, resource.version, resource.plural
