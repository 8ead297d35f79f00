"""What a rule names, looked up in the schema it stands at: a typing error is found when the definition is written.

Not a whole type check: where the type of a part is not plain from the schema it is taken as it comes.
Source: k8s.io/apiserver/pkg/cel/environment and apiextensions-apiserver/pkg/apiserver/schema/cel/compilation.go, v1.31.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sampan.cluster.apiserver.cel.data import CelError
from sampan.cluster.apiserver.cel.evaluation import NAMESPACES, TYPES, field_name
from sampan.cluster.apiserver.cel.parsing import Node as Tree


class Shape(Protocol):
    """A place of a schema: `custom.structural.Node`."""

    @property
    def type(self) -> str: ...

    @property
    def embedded(self) -> bool: ...

    @property
    def names(self) -> frozenset[str]: ...

    @property
    def items(self) -> Shape | None: ...

    @property
    def additional(self) -> Shape | None: ...

    def property(self, name: str, /) -> Shape | None: ...


Names = Mapping[str, Shape | None]
_LOOPS = {
    "all": 1,
    "exists": 1,
    "exists_one": 1,
    "existsOne": 1,
    "filter": 1,
    "map": 1,
    "optMap": 1,
    "optFlatMap": 1,
}
_TWO = ("transformList", "transformMap", "transformMapEntry")


def check(tree: Tree, names: Names) -> Shape | None:
    """The schema of the value, where it is plain. Raises CelError."""
    if tree.kind == "ident":
        if tree.name not in names and tree.name not in TYPES:
            raise CelError(f"undeclared reference to '{tree.name}' (in container '')")
        return names.get(tree.name)
    if tree.kind == "select":
        assert tree.target is not None
        return _field(check(tree.target, names), tree)
    if tree.kind == "index":
        assert tree.target is not None
        holder = check(tree.target, names)
        check(tree.args[0], names)
        return None if holder is None else (holder.items if holder.type == "array" else holder.additional)
    if tree.kind == "call":
        return _call(tree, names)
    found = [check(each, names) for each in tree.args]
    return found[1] or found[2] if tree.kind == "cond" else None


def _field(holder: Shape | None, tree: Tree) -> Shape | None:
    if holder is None or holder.type not in ("", "object") or not (holder.names or holder.embedded):
        return holder.additional if holder is not None and holder.type == "object" else None
    found = holder.property(tree.name) or holder.property(field_name(tree.name))
    if found is None:
        raise CelError(f"undefined field '{field_name(tree.name)}'")
    return found


def _call(tree: Tree, names: Names) -> Shape | None:
    if tree.target is None:
        for each in tree.args:
            check(each, names)
        return None
    if tree.target.kind == "ident" and tree.target.name in NAMESPACES and tree.target.name not in names:
        holder = None
    else:
        holder = check(tree.target, names)
    count = (
        2 if tree.name in _TWO or (len(tree.args) == 3 and tree.name != "map") else _LOOPS.get(tree.name, 0)
    )
    if tree.name not in _LOOPS and tree.name not in _TWO:
        count = 0
    bound = [each.name for each in tree.args[:count] if each.kind == "ident"]
    inner = {**names, **_bound(holder, bound, optional=tree.name.startswith("opt"))}
    for each in tree.args[len(bound) :]:
        check(each, inner)
    return holder if tree.name == "filter" else None


def _bound(holder: Shape | None, bound: list[str], *, optional: bool) -> dict[str, Shape | None]:
    found: dict[str, Shape | None] = dict.fromkeys(bound)
    if holder is None or not bound:
        return found
    if optional:
        found[bound[0]] = holder
    elif holder.type == "array":
        found[bound[-1]] = holder.items
    elif len(bound) == 2:
        found[bound[1]] = holder.additional
    return found
