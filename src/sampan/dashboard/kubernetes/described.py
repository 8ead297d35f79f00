"""The form of a description, and what is known around an object when it is described. Pure data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.dashboard.kubernetes.facts import Section, Value
from sampan.dashboard.kubernetes.kinds import Catalogue, spaced
from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of parts."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Description:
    sections: Sequence[Section] = ()
    grids: Sequence[Grid] = ()


def merged(first: Description, second: Description) -> Description:
    return Description((*first.sections, *second.sections), (*first.grids, *second.grids))


@dataclass(frozen=True, slots=True)
class Around:
    """What is known beside the object itself."""

    catalogue: Catalogue
    href: Callable[..., str]
    """The address of a page's path, with its query."""
    related: Mapping[str, Any] = field(default_factory=dict)
    """Answers of the API, by what they hold: `pods`, `metrics`, … Only those that have come."""
    revealed: frozenset[str] = frozenset()
    """Keys of hidden values that the user has asked for."""
    kind_key: str = ""

    def items(self, name: str) -> Sequence[Any]:
        return (self.related.get(name) or {}).get("items") or ()

    def link(self, kind: str, name: str, namespace: str = "", text: str = "") -> Value:
        """To the object of a kind that Kubernetes brings; a text where the cluster has no such kind."""
        found = self.catalogue.lookup(kind)
        shown = text or name
        return cells.link(shown, self.href(found.page(namespace, name))) if found and name else shown

    def owner(self, reference: Object, namespace: str) -> Value:
        kind = self.catalogue.of(str(reference.get("apiVersion") or ""), str(reference.get("kind") or ""))
        name = str(reference.get("name") or "")
        shown = f"{spaced(str(reference.get('kind') or ''))} {name}"
        return cells.link(shown, self.href(kind.page(namespace, name))) if kind is not None else shown

    def labelled(self, key: str, value: str) -> str:
        """The list of objects of this kind that have a label."""
        return self.href(f"/cluster/{self.kind_key}", labels=f"{key}={value}") if self.kind_key else ""


def labels_of(obj: Object) -> Mapping[str, str]:
    return (obj.get("metadata") or {}).get("labels") or {}


def name_of(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("name") or "")


def namespace_of(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("namespace") or "")
