"""A structural schema as server-side apply reads types: which lists are sets or maps, what is owned as a whole.

Types are made when they are first asked for, one a place in the schema. `strategy.Strategies.typed` hands them to
`kube.managedfields`. Source: apiextensions-apiserver/pkg/apiserver (merge of OpenAPI models), structured-merge-diff v4.
"""

from __future__ import annotations

from sampan.cluster.apiserver.custom.structural import MISSING, Node
from sampan.cluster.apiserver.strategy import ROOT_TYPE
from sampan.kube.schema import Schema, Shape, Type

_ANY = Shape("any")


class StructuralTypes(Schema):
    """Names of types are `#` and a number; any other is a built-in type, such as ObjectMeta."""

    def __init__(self, root: Node, built_in: Schema) -> None:
        super().__init__({}, {})
        self._built_in = built_in
        self._nodes: dict[str, Node] = {ROOT_TYPE: root}
        self._names: dict[int, str] = {id(root): ROOT_TYPE}

    def __contains__(self, name: object) -> bool:
        return name in self._nodes or name in self._built_in

    def type(self, name: str) -> Type:
        node = self._nodes.get(name)
        return self._built_in.type(name) if node is None else Type(name, atomic=node.atomic_map)

    def field(self, type_name: str, key: str) -> Shape | None:
        node = self._nodes.get(type_name)
        if node is None:
            return self._built_in.field(type_name, key)
        if node.embedded and key == "metadata":
            return Shape("ObjectMeta")
        child = node.child(key)
        return None if child is None else self._shape(child)

    def list_keys(self, shape: Shape) -> dict[str, str | None]:
        item = None if shape.item is None else self._nodes.get(shape.item.kind)
        if item is None:
            return self._built_in.list_keys(shape)
        found: dict[str, str | None] = {}
        for key in shape.keys or ():
            child = item.property(key)
            default = MISSING if child is None else child.default
            found[key] = None if default is MISSING else default
        return found

    def _shape(self, node: Node) -> Shape:
        if node.type == "array":
            item = _ANY if node.items is None else self._shape(node.items)
            if node.list_type == "map":
                return Shape("list", item, keys=node.map_keys)
            return Shape("list", item, keys=() if node.list_type == "set" else None)
        if node.type == "object" or node.names:
            return Shape(self._name(node))
        return _ANY

    def _name(self, node: Node) -> str:
        name = self._names.get(id(node))
        if name is None:
            name = self._names[id(node)] = f"{ROOT_TYPE}{len(self._names)}"
            self._nodes[name] = node
        return name
