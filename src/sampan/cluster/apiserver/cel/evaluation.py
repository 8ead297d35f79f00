"""From a tree to nested Python functions. What an expression can cost is counted where it can loop or grow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.cluster.apiserver.cel import data, functions
from sampan.cluster.apiserver.cel.data import Budget, CelError, Optional, Uint
from sampan.cluster.apiserver.cel.parsing import RESERVED, Node, parse

_MISSING: Any = object()
NAMESPACES = frozenset({"optional", "sets", "math", "strings", "ip", "cidr", "format", "base64", "semver"})
TYPES = {
    name: data.Type(name)
    for name in (
        "bool",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "list",
        "map",
        "null_type",
        "type",
        "optional_type",
    )
}
_UNESCAPES = (("__underscores__", "__"), ("__dot__", "."), ("__dash__", "-"), ("__slash__", "/"))
_KEYWORDS = RESERVED | {"true", "false", "null", "in"}


@dataclass(slots=True)
class Scope:
    variables: dict[str, Any]
    budget: Budget


Step = Callable[[Scope], Any]


@dataclass(frozen=True, slots=True)
class Program:
    """Compiled once, run many times, by one thread at a time or by several."""

    tree: Node
    step: Step

    def run(self, variables: Mapping[str, Any], budget: Budget) -> Any:
        """Raises CelError, OverBudgetError."""
        try:
            return self.step(Scope(dict(variables), budget))
        except (RecursionError, MemoryError) as error:
            raise data.OverBudgetError("the expression is too deep") from error
        except (CelError, data.OverBudgetError):
            raise
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError, IndexError) as error:
            # A function that was given what it does not take.
            raise CelError(f"no such overload ({error})") from error


def compile_expression(text: str) -> Program:
    """Raises CelError for what is no expression, or calls what there is not."""
    try:
        tree = parse(text)
        return Program(tree, _compile(tree))
    except RecursionError as error:
        raise CelError("expression recursion limit exceeded") from error


def field_name(name: str) -> str:
    """A property's name as it is in the object: what is no identifier is written escaped in CEL."""
    if name.startswith("__") and name.endswith("__") and name[2:-2] in _KEYWORDS:
        return name[2:-2]
    if "__" in name:
        for escaped, plain in _UNESCAPES:
            name = name.replace(escaped, plain)
    return name


def size_of(node: Node) -> int:
    """How many steps one run takes, apart from loops."""
    return 1 + sum(size_of(each) for each in node.args) + (size_of(node.target) if node.target else 0)


def _compile(node: Node) -> Step:
    return _KINDS[node.kind](node)


def _literal(node: Node) -> Step:
    value = node.value
    return lambda scope: value


def _ident(node: Node) -> Step:
    name, type_ = node.name, TYPES.get(node.name)

    def step(scope: Scope) -> Any:
        try:
            return scope.variables[name]
        except KeyError:
            if type_ is not None:
                return type_
            raise CelError(f"undeclared reference to '{name}'") from None

    return step


def _lookup(value: Any, name: str, plain: str) -> Any:
    """The field, or _MISSING."""
    if isinstance(value, dict):
        found = value.get(name, _MISSING)
        return value.get(plain, _MISSING) if found is _MISSING else found
    raise CelError(f"no such overload: field '{plain}' of {data.type_name(value)}")


def _select(node: Node) -> Step:
    assert node.target is not None
    target, name, plain = _compile(node.target), node.name, field_name(node.name)
    always_optional = node.optional

    def step(scope: Scope) -> Any:
        value = target(scope)
        optional = always_optional
        if isinstance(value, Optional):
            if not value.present:
                return data.NONE
            value, optional = value.value, True
        if optional and value is None:
            return data.NONE
        found = _lookup(value, name, plain)
        if optional:
            return data.NONE if found is _MISSING else data.some(found)
        if found is _MISSING:
            raise CelError(f"no such key: {plain}")
        return found

    return step


def _at(value: Any, key: Any) -> Any:
    if isinstance(value, list):
        if isinstance(key, float) and key.is_integer():
            key = int(key)
        if not isinstance(key, int) or isinstance(key, bool):
            raise data.no_overload("_[_]", value, key)
        return value[key] if 0 <= key < len(value) else _MISSING
    if isinstance(value, dict):
        if not isinstance(key, str | int | float | bool):
            raise data.no_overload("_[_]", value, key)
        return value.get(key, _MISSING)
    raise data.no_overload("_[_]", value, key)


def _index(node: Node) -> Step:
    assert node.target is not None
    target, key, always_optional = _compile(node.target), _compile(node.args[0]), node.optional

    def step(scope: Scope) -> Any:
        value, at = target(scope), key(scope)
        optional = always_optional
        if isinstance(value, Optional):
            if not value.present:
                return data.NONE
            value, optional = value.value, True
        found = _at(value, at)
        if optional:
            return data.NONE if found is _MISSING else data.some(found)
        if found is _MISSING:
            if isinstance(value, list):
                raise CelError(f"index out of bounds: {at}")
            raise CelError(f"no such key: {at}")
        return found

    return step


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise data.no_overload(name, value)
    return value


def _junction(name: str, decisive: bool) -> Callable[[Node], Step]:
    """An error counts only where no other part decides."""

    def compile_(node: Node) -> Step:
        parts = [_compile(each) for each in node.args]

        def step(scope: Scope) -> bool:
            failure: CelError | None = None
            for part in parts:
                try:
                    if _truth(name, part(scope)) is decisive:
                        return decisive
                except CelError as error:
                    failure = failure or error
            if failure is not None:
                raise failure
            return not decisive

        return step

    return compile_


def _cond(node: Node) -> Step:
    test, then, other = (_compile(each) for each in node.args)
    return lambda scope: then(scope) if _truth("_?_:_", test(scope)) else other(scope)


def _list(node: Node) -> Step:
    items = [
        (_compile(each.args[0] if each.kind == "optional" else each), each.kind == "optional")
        for each in node.args
    ]

    def step(scope: Scope) -> list[Any]:
        found = []
        for item, optional in items:
            value = item(scope)
            if not optional:
                found.append(value)
            elif value.present:
                found.append(value.value)
        return found

    return step


def _map(node: Node) -> Step:
    pairs = [(_compile(each.args[0]), _compile(each.args[1]), each.optional) for each in node.args]

    def step(scope: Scope) -> dict[Any, Any]:
        found = {}
        for key, value, optional in pairs:
            at, each = key(scope), value(scope)
            if not isinstance(at, str | int | bool):
                raise CelError(f"unsupported key type: {data.type_name(at)}")
            if optional:
                if not each.present:
                    continue
                each = each.value
            found[at] = each
        return found

    return step


def _call(node: Node) -> Step:
    macro = _macro(node)
    if macro is not None:
        return macro
    name, args = node.name, list(node.args)
    if node.target is not None:
        if node.target.kind == "ident" and node.target.name in NAMESPACES:
            name = f"{node.target.name}.{name}"
        else:
            args, name = [node.target, *args], f".{name}"
    steps = [_compile(each) for each in args]
    operator = _OPERATORS.get(name)
    if operator is not None:
        left, right = steps
        return lambda scope: operator(left(scope), right(scope), scope.budget)
    if name == "!_":
        return lambda scope: not _truth("!_", steps[0](scope))
    if name == "-_":
        return lambda scope: data.negate(steps[0](scope))
    function = functions.FUNCTIONS.get(name)
    if function is None:
        raise CelError(f"undeclared reference to '{node.name}' (in container '')")

    def step(scope: Scope) -> Any:
        scope.budget.spend(2)
        return function(scope.budget, *(each(scope) for each in steps))

    return step


# Macros.


def _macro(node: Node) -> Step | None:
    if node.target is None:
        return _has(node) if node.name == "has" and len(node.args) == 1 else None
    if node.name in ("optMap", "optFlatMap") and len(node.args) == 2:
        return _opt_map(node)
    count = len(node.args)
    if node.name in ("all", "exists", "exists_one", "existsOne", "map", "filter") and count in (2, 3):
        two = count == 3 and node.name != "map"
        if all(each.kind == "ident" for each in node.args[: 2 if two else 1]):
            return _loop(node, two=two)
    if node.name in ("transformList", "transformMap", "transformMapEntry") and count in (3, 4):
        return _transform(node)
    return None


def _has(node: Node) -> Step:
    field = node.args[0]
    if field.kind != "select" or field.target is None or field.optional:
        raise CelError("invalid argument to has() macro")
    target, name, plain = _compile(field.target), field.name, field_name(field.name)

    def step(scope: Scope) -> bool:
        value = target(scope)
        if isinstance(value, Optional):
            if not value.present:
                return False
            value = value.value
        return _lookup(value, name, plain) is not _MISSING

    return step


def _opt_map(node: Node) -> Step:
    assert node.target is not None
    target, name, body = _compile(node.target), node.args[0].name, _compile(node.args[1])
    flat = node.name == "optFlatMap"

    def step(scope: Scope) -> Any:
        value = target(scope)
        if not value.present:
            return data.NONE
        with _Bound(scope, name) as bind:
            bind(value.value)
            found = body(scope)
        return found if flat else data.some(found)

    return step


class _Bound:
    """A variable of a macro, which may hide one outside."""

    def __init__(self, scope: Scope, name: str) -> None:
        self._variables, self._name = scope.variables, name
        self._before = scope.variables.get(name, _MISSING)

    def __enter__(self) -> Callable[[Any], None]:
        return lambda value: self._variables.__setitem__(self._name, value)

    def __exit__(self, *_: object) -> None:
        if self._before is _MISSING:
            self._variables.pop(self._name, None)
        else:
            self._variables[self._name] = self._before


def _items(value: Any, *, two: bool) -> Iterable[tuple[Any, Any]]:
    """What a loop goes over: (item, -) of a list, (key, -) of a map; with two variables index or key and value."""
    if isinstance(value, list):
        return enumerate(value) if two else ((each, None) for each in value)
    if isinstance(value, dict):
        return list(value.items()) if two else [(key, None) for key in value]
    raise CelError(f"no such overload: a loop over {data.type_name(value)}")


def _loop(node: Node, *, two: bool) -> Step:
    assert node.target is not None
    target, names = _compile(node.target), [each.name for each in node.args[: 2 if two else 1]]
    rest = node.args[2 if two else 1 :]
    bodies = [_compile(each) for each in rest]
    cost = sum(size_of(each) for each in rest)
    collect = _COLLECTORS[node.name]

    def step(scope: Scope) -> Any:
        value, budget = target(scope), scope.budget
        variables, before = scope.variables, [scope.variables.get(name, _MISSING) for name in names]
        first, second = names[0], names[-1]

        def rounds() -> Iterable[Any]:
            for one, other in _items(value, two=two):
                budget.spend(cost)
                if two:
                    variables[second] = other
                variables[first] = one
                yield one

        try:
            return collect(scope, rounds(), bodies)
        finally:
            for name, hidden in zip(names, before, strict=True):
                if hidden is _MISSING:
                    variables.pop(name, None)
                else:
                    variables[name] = hidden

    return step


Rounds = Iterable[Any]


def _all(scope: Scope, rounds: Rounds, bodies: list[Step], *, decisive: bool = False) -> bool:
    failure: CelError | None = None
    for _ in rounds:
        try:
            if _truth("all", bodies[0](scope)) is decisive:
                return decisive
        except CelError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return not decisive


def _exists(scope: Scope, rounds: Rounds, bodies: list[Step]) -> bool:
    return _all(scope, rounds, bodies, decisive=True)


def _exists_one(scope: Scope, rounds: Rounds, bodies: list[Step]) -> bool:
    return sum(_truth("exists_one", bodies[0](scope)) for _ in rounds) == 1


def _filter(scope: Scope, rounds: Rounds, bodies: list[Step]) -> list[Any]:
    return [each for each in rounds if _truth("filter", bodies[0](scope))]


def _mapped(scope: Scope, rounds: Rounds, bodies: list[Step]) -> list[Any]:
    if len(bodies) == 1:
        return [bodies[0](scope) for _ in rounds]
    return [bodies[1](scope) for _ in rounds if _truth("map", bodies[0](scope))]


_COLLECTORS: dict[str, Callable[[Scope, Rounds, list[Step]], Any]] = {
    "all": _all,
    "exists": _exists,
    "exists_one": _exists_one,
    "existsOne": _exists_one,
    "filter": _filter,
    "map": _mapped,
}


def _transform(node: Node) -> Step:
    assert node.target is not None
    target, names = _compile(node.target), [each.name for each in node.args[:2]]
    bodies = [_compile(each) for each in node.args[2:]]
    cost = sum(size_of(each) for each in node.args[2:])
    kind = node.name

    def step(scope: Scope) -> Any:
        found: list[tuple[Any, Any]] = []
        with _Bound(scope, names[0]) as first, _Bound(scope, names[1]) as second:
            for key, value in _items(target(scope), two=True):
                scope.budget.spend(cost)
                first(key)
                second(value)
                if len(bodies) == 1 or _truth(kind, bodies[0](scope)):
                    found.append((key, bodies[-1](scope)))
        if kind == "transformList":
            return [value for _, value in found]
        if kind == "transformMap":
            return dict(found)
        return {key: value for _, entry in found for key, value in entry.items()}

    return step


def _contains(left: Any, right: Any, budget: Budget) -> bool:
    if isinstance(right, list):
        return any(data.equal(left, each, budget) for each in right)
    if isinstance(right, dict):
        return isinstance(left, str | int | float | bool | Uint) and left in right
    raise data.no_overload("@in", left, right)


Operator = Callable[[Any, Any, Budget], Any]
_OPERATORS: dict[str, Operator] = {
    "_==_": data.equal,
    "_!=_": lambda left, right, budget: not data.equal(left, right, budget),
    "_<_": lambda left, right, _: data.compare("_<_", left, right) < 0,
    "_<=_": lambda left, right, _: data.compare("_<=_", left, right) <= 0,
    "_>_": lambda left, right, _: data.compare("_>_", left, right) > 0,
    "_>=_": lambda left, right, _: data.compare("_>=_", left, right) >= 0,
    "_in_": _contains,
    "_+_": data.add,
    "_-_": data.subtract,
    "_*_": data.multiply,
    "_/_": data.divide,
    "_%_": data.modulo,
}
_KINDS: dict[str, Callable[[Node], Step]] = {
    "literal": _literal,
    "ident": _ident,
    "select": _select,
    "index": _index,
    "call": _call,
    "list": _list,
    "map": _map,
    "cond": _cond,
    "and": _junction("_&&_", False),
    "or": _junction("_||_", True),
}
