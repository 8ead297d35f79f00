"""The tree of an expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Element:
    """`#`, the element that a predicate looks at."""


@dataclass(frozen=True, slots=True)
class Member:
    of: Tree
    key: Tree
    optional: bool = False
    """Written `?.`: nil gives nil."""


@dataclass(frozen=True, slots=True)
class Slice:
    of: Tree
    start: Tree | None
    end: Tree | None


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    of: Tree


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Conditional:
    condition: Tree
    yes: Tree
    no: Tree


@dataclass(frozen=True, slots=True)
class Array:
    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Map:
    items: tuple[tuple[Tree, Tree], ...]


@dataclass(frozen=True, slots=True)
class Predicate:
    """`{ … }`, or what a function such as `filter` takes in its place."""

    body: Tree


@dataclass(frozen=True, slots=True)
class Call:
    function: Tree
    arguments: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Let:
    name: str
    value: Tree
    body: Tree


Tree = (
    Literal
    | Name
    | Element
    | Member
    | Slice
    | Unary
    | Binary
    | Conditional
    | Array
    | Map
    | Predicate
    | Call
    | Let
)
