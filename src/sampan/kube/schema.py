"""The types of the built-in kinds: their fields, how those are written in protobuf, and how lists are merged.

The text form is a type's name on a line of its own and its fields, indented, below it:

    package io.k8s.api.core.v1 v1
    Pod kind
        metadata:ObjectMeta=1 spec:PodSpec=2 status:PodStatus=3
    Container
        name!:string=1 args:[string]=4 tty:boolean=18 env:[EnvVar]@name=7 livenessProbe:*Probe=10

`package` says what OpenAPI calls the types after it and of which group and version they are. Words after a type's
name: `kind` (it has apiVersion and kind), `atomic` (server-side apply owns it as a whole), `union` (in JSON it is
whichever of its fields it looks like). Of a field, in this order:

    name!       required                        *T      a pointer: its zero is not the same as its absence
    [T] {T}     a list, a map from strings      @key    strategic merge patch merges the list by this key
    @           ... as a set of plain values    @key!   ... and keeps only what the patch lists ($retainKeys)
    %a,b        server-side apply tells the items apart by these keys, where that is not what @ says;
                %set: by their values; %atomic: the list or map is owned as a whole
    |value      stands for a missing key        =7      its number in protobuf
    +T=2        the fields of T, in JSON; one field with all of them in protobuf

A type whose plain name another group uses already has its group before it: `events.Event`. Types are read when
they are first asked for. Facts of Kubernetes' API, so that the data needs no code of its own; `fieldcheck`, `wire`,
`strategic` and `managedfields` read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

SCALARS = frozenset(
    {
        "any",
        "boolean",
        "bytes",
        "int32",
        "int64",
        "intOrString",
        "json",
        "microTime",
        "number",
        "quantity",
        "raw",
        "string",
        "time",
    }
)
"""`bytes` is base64 in JSON; `raw` an object and `json` any value that protobuf carries as JSON text; `any` has no
form in protobuf and is for types that nothing is known about."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`kind` is list, map, one of `SCALARS`, or the name of a type. `item` is of a list or map."""

    kind: str
    item: Shape | None = None
    merge_key: str | None = None
    """Of a list that strategic merge patch merges: a key, or empty for plain values. None: it is replaced."""
    retains_keys: bool = False
    keys: tuple[str, ...] | None = None
    """What tells a list's items apart in server-side apply; empty: their values. None: owned as a whole."""
    atomic: bool = False
    """Of a map or an object: owned as a whole."""


@dataclass(frozen=True, slots=True)
class Field:
    shape: Shape
    required: bool = False
    pointer: bool = False
    number: int = 0
    """In protobuf; 0 where it is not written there."""
    default: str | None = None
    """Of a key of a list's items."""


Fields = dict[str, Field]


@dataclass(slots=True)
class Type:
    name: str
    package: str = ""
    """As OpenAPI names it: `io.k8s.api.core.v1`."""
    is_kind: bool = False
    atomic: bool = False
    union: bool = False
    fields: Fields = field(default_factory=dict)
    """By their names in JSON, those of inlined types among them."""
    members: Fields = field(default_factory=dict)
    """As in protobuf: an inlined type is one member, named `+Type`."""

    @property
    def kind(self) -> str:
        """Without what tells it from another group's type of that name."""
        return self.name.rpartition(".")[2]

    @property
    def in_protobuf(self) -> bool:
        """Whether it has a form there: kinds that upstream made custom ones have none."""
        return any(member.number for member in self.members.values())


@dataclass(frozen=True, slots=True)
class _Source:
    package: str
    flags: tuple[str, ...]
    lines: list[str]


class Schema:
    """Types by name; by group, version and kind, their names."""

    def __init__(self, sources: dict[str, _Source], kinds: dict[tuple[str, str], str]) -> None:
        self._sources = sources
        self._kinds = kinds
        self._types: dict[str, Type] = {}

    @classmethod
    def parse(cls, *texts: str) -> Schema:
        sources: dict[str, _Source] = {}
        kinds: dict[tuple[str, str], str] = {}
        for text in texts:
            package = api_version = ""
            lines: list[str] = []
            for line in text.splitlines():
                if line.startswith(" "):
                    lines.append(line)
                elif line.startswith("package "):
                    _, package, api_version = line.split()
                elif line and not line.startswith("#"):
                    name, *flags = line.split()
                    lines = []
                    sources[name] = _Source(package, tuple(flags), lines)
                    if "kind" in flags:
                        kinds[api_version, name.rpartition(".")[2]] = name
        return cls(sources, kinds)

    def __contains__(self, name: object) -> bool:
        return name in self._sources

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def type(self, name: str) -> Type:
        """Raises ValueError for a type that is not there, or whose text is not in this form."""
        found = self._types.get(name)
        if found is None:
            found = self._types[name] = self._read(name)
        return found

    def type_of(self, api_version: str, kind: str) -> str:
        """The name of a kind's type; empty where there is none."""
        return self._kinds.get((api_version, kind), "")

    def named(self, openapi_name: str) -> str:
        """The name of the type that OpenAPI calls so; empty where there is none."""
        package, _, kind = openapi_name.rpartition(".")
        group = package.rpartition(".")[0].rpartition(".")[2]
        for name in (kind, f"{group}.{kind}"):
            if name in self._sources and self._sources[name].package == package:
                return name
        return ""

    def field(self, type_name: str, key: str) -> Shape | None:
        if type_name not in self._sources:
            return None
        found = self.type(type_name).fields.get(key)
        return None if found is None else found.shape

    def list_keys(self, shape: Shape) -> dict[str, str | None]:
        """The keys of a list's items, with what stands for a missing one."""
        item = shape.item.kind if shape.item is not None else ""
        fields = self.type(item).fields if item in self._sources else {}
        return {key: fields[key].default if key in fields else None for key in shape.keys or ()}

    def _read(self, name: str) -> Type:
        source = self._sources.get(name)
        if source is None:
            raise ValueError(f"the schema has no type {name}")
        found = Type(
            name, source.package, "kind" in source.flags, "atomic" in source.flags, "union" in source.flags
        )
        if found.is_kind:
            found.fields = {"apiVersion": _TEXT, "kind": _TEXT}
        for line in source.lines:
            for entry in line.split():
                key, read = _entry(entry)
                self._verify(read.shape)
                found.members[key] = read
                if key.startswith("+"):
                    found.fields |= self.type(read.shape.kind).fields
                else:
                    found.fields[key] = read
        return found

    def _verify(self, shape: Shape) -> None:
        inner = shape
        while inner.item is not None:
            inner = inner.item
        if inner.kind not in SCALARS and inner.kind not in self._sources:
            raise ValueError(f"the schema has no type {inner.kind}")


_TEXT = Field(Shape("string"))


def _entry(text: str) -> tuple[str, Field]:
    text, _, number = text.partition("=")
    if text.startswith("+"):
        return text, Field(Shape(text[1:]), number=int(number or 0))
    name, _, form = text.partition(":")
    form, _, default = form.partition("|")
    pointer = form.startswith("*")
    return name.rstrip("!"), Field(
        _shape(form.lstrip("*")), name.endswith("!"), pointer, int(number or 0), default or None
    )


def _shape(text: str) -> Shape:
    text, _, apart = text.partition("%")
    form, merged, merge = text.partition("@")
    merge_key = merge.rstrip("!") if merged else None
    retains = merge.endswith("!")
    if form.startswith("["):
        keys: tuple[str, ...] | None = None
        if apart:
            keys = {"atomic": None, "set": ()}.get(apart, tuple(apart.split(",")))
        elif merge_key is not None:
            keys = (merge_key,) if merge_key else ()
        return Shape("list", _shape(form[1:-1]), merge_key, retains, keys)
    atomic = apart == "atomic"
    if form.startswith("{"):
        return Shape("map", _shape(form[1:-1]), atomic=atomic)
    return Shape(form, retains_keys=retains, atomic=atomic)
