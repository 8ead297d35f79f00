"""A tree and variables to a value. Every step is counted: an expression cannot hold up the engine.

Values are JSON's, and datetime and timedelta. What is absent in a map is nil, as in expr-lang's maps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sampan.components.pipelines.api.argo.errors import AbsentError, ArgoError
from sampan.components.pipelines.api.argo.expressions.functions import (
    FUNCTIONS,
    METHODS,
    matches,
    type_name,
)
from sampan.components.pipelines.api.argo.expressions.parser import parse
from sampan.components.pipelines.api.argo.expressions.predicates import PREDICATES
from sampan.components.pipelines.api.argo.expressions.sprig import SPRIG
from sampan.components.pipelines.api.argo.expressions.tree import (
    Array,
    Binary,
    Call,
    Conditional,
    Element,
    Let,
    Literal,
    Map,
    Member,
    Name,
    Predicate,
    Slice,
    Tree,
    Unary,
)

_MOST_STEPS = 500_000
_LONGEST_RANGE = 1_000_000
_LARGEST = 2**63
_LONGEST_TEXT = 32 * 1024 * 1024


def evaluate(text: str, variables: Mapping[str, Any]) -> Any:
    """Raises ArgoError; AbsentError where what is nil is an output that was never produced."""
    try:
        return _Evaluation(text, variables).value(parsed(text))
    except (TypeError, ValueError, OverflowError, ArithmeticError, RecursionError, LookupError) as error:
        raise ArgoError(f"expression {text!r} cannot be evaluated: {error}") from None


@lru_cache(maxsize=1024)
def parsed(text: str) -> Tree:
    return parse(text)


def identifiers(text: str) -> set[str]:
    """Every variable that the expression reads, as far as it names it: `steps.a.outputs.result`."""
    return {found for found in _paths(parsed(text), frozenset()) if found}


def _paths(tree: Tree, bound: frozenset[str]) -> Iterator[str]:
    if isinstance(tree, Name):
        if tree.name not in bound:
            yield tree.name
        return
    if isinstance(tree, Member):
        base = list(_paths(tree.of, bound))
        if (
            isinstance(tree.key, Literal)
            and isinstance(tree.key.value, str)
            and isinstance(tree.of, Name | Member)
        ):
            yield from (f"{item}.{tree.key.value}" for item in base)
            return
        yield from base
        yield from _paths(tree.key, bound)
        return
    if isinstance(tree, Call):
        if not isinstance(tree.function, Name):
            yield from _paths(tree.function, bound)
        for argument in tree.arguments:
            yield from _paths(argument, bound)
        return
    if isinstance(tree, Let):
        yield from _paths(tree.value, bound)
        yield from _paths(tree.body, bound | {tree.name})
        return
    for child in _children(tree):
        yield from _paths(child, bound)


def _children(tree: Tree) -> tuple[Tree, ...]:
    match tree:
        case Unary():
            return (tree.of,)
        case Binary():
            return (tree.left, tree.right)
        case Conditional():
            return (tree.condition, tree.yes, tree.no)
        case Array():
            return tree.items
        case Map():
            return tuple(part for item in tree.items for part in item)
        case Predicate():
            return (tree.body,)
        case Slice():
            return tuple(part for part in (tree.of, tree.start, tree.end) if part is not None)
        case _:
            return ()


class _Evaluation:
    def __init__(self, text: str, variables: Mapping[str, Any]) -> None:
        self._text = text
        self._variables: Mapping[str, Any] = variables
        self._steps = 0
        self._elements: list[Any] = []

    def value(self, tree: Tree) -> Any:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise ArgoError(f"expression {self._text!r} takes more than {_MOST_STEPS:,} steps")
        return _HANDLERS[type(tree)](self, tree)

    def _literal(self, tree: Literal) -> Any:
        return tree.value

    def _name(self, tree: Name) -> Any:
        if tree.name in self._variables:
            return self._variables[tree.name]
        if tree.name in FUNCTIONS:
            return FUNCTIONS[tree.name]
        if tree.name == "sprig":
            return SPRIG
        raise ArgoError(f"expression {self._text!r}: unknown name {tree.name}")

    def _element(self, tree: Element) -> Any:
        if not self._elements:
            raise ArgoError(f"expression {self._text!r}: # stands outside of a predicate")
        return self._elements[-1]

    def _member(self, tree: Member) -> Any:
        of, key = self.value(tree.of), self.value(tree.key)
        if of is None:
            if tree.optional:
                return None
            raise AbsentError(f"expression {self._text!r}: cannot fetch {key} from nil")
        if isinstance(of, Mapping):
            return of.get(key)
        if isinstance(of, list | str) and isinstance(key, int) and not isinstance(key, bool):
            return of[key]
        method = METHODS.get(type(of), {}).get(str(key))
        if method is not None:
            return lambda *arguments: method(of, *arguments)
        raise ArgoError(f"expression {self._text!r}: cannot fetch {key} from a {type_name(of)}")

    def _slice(self, tree: Slice) -> Any:
        of = self.value(tree.of)
        start = self.value(tree.start) if tree.start is not None else None
        end = self.value(tree.end) if tree.end is not None else None
        if not isinstance(of, list | str):
            raise ArgoError(f"expression {self._text!r}: cannot slice a {type_name(of)}")
        return of[start:end]

    def _unary(self, tree: Unary) -> Any:
        value = self.value(tree.of)
        if tree.operator == "!":
            return not self._boolean(value, "!")
        self._number(value, tree.operator)
        return -value if tree.operator == "-" else value

    def _binary(self, tree: Binary) -> Any:
        operator = tree.operator
        left = self.value(tree.left)
        if operator in ("&&", "and"):
            return self._boolean(left, operator) and self._boolean(self.value(tree.right), operator)
        if operator in ("||", "or"):
            return self._boolean(left, operator) or self._boolean(self.value(tree.right), operator)
        if operator == "??":
            return left if left is not None else self.value(tree.right)
        return self._apply(operator, left, self.value(tree.right))

    def _apply(self, operator: str, left: Any, right: Any) -> Any:
        if operator in ("==", "!="):
            return _equal(left, right) is (operator == "==")
        if operator == "in":
            return self._contained(left, right)
        if operator in _TEXT_OPERATORS:
            if left is None:
                return False
            self._texts(operator, left, right)
            return _TEXT_OPERATORS[operator](left, right)
        if left is None or right is None:
            raise AbsentError(f"expression {self._text!r}: operator {operator} is used on nil")
        if operator in _COMPARISONS:
            self._comparable(operator, left, right)
            return _COMPARISONS[operator](left, right)
        return self._arithmetic(operator, left, right)

    def _arithmetic(self, operator: str, left: Any, right: Any) -> Any:
        times = isinstance(left, datetime | timedelta) and isinstance(right, datetime | timedelta)
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            if len(left) + len(right) > _LONGEST_TEXT:
                raise ArgoError(f"expression {self._text!r} makes a text that is too long")
            return left + right
        if operator in "+-" and times:
            return left + right if operator == "+" else left - right
        self._number(left, operator)
        self._number(right, operator)
        if operator == "..":
            if right - left > _LONGEST_RANGE:
                raise ArgoError(f"expression {self._text!r}: a range of more than {_LONGEST_RANGE:,} numbers")
            return list(range(left, right + 1))
        if operator in ("**", "^"):
            return float(left) ** float(right)
        if operator == "%":
            if not isinstance(left, int) or not isinstance(right, int) or not right:
                raise ArgoError(f"expression {self._text!r}: % takes whole numbers, and not zero")
            return abs(left) % abs(right) * (1 if left >= 0 else -1)
        if operator == "/":
            return left / right
        found = left + right if operator == "+" else left - right if operator == "-" else left * right
        if isinstance(found, int) and abs(found) > _LARGEST:
            raise ArgoError(f"expression {self._text!r}: a whole number leaves the range of 64 bits")
        return found

    def _conditional(self, tree: Conditional) -> Any:
        return self.value(tree.yes if self._boolean(self.value(tree.condition), "?") else tree.no)

    def _array(self, tree: Array) -> Any:
        return [self.value(item) for item in tree.items]

    def _map(self, tree: Map) -> Any:
        return {str(self.value(key)): self.value(item) for key, item in tree.items}

    def _predicate(self, tree: Predicate) -> Any:
        return self.value(tree.body)

    def _let(self, tree: Let) -> Any:
        before = self._variables
        self._variables = {**before, tree.name: self.value(tree.value)}
        try:
            return self.value(tree.body)
        finally:
            self._variables = before

    def _call(self, tree: Call) -> Any:
        if isinstance(tree.function, Name) and tree.function.name in PREDICATES:
            found = self._with_predicate(tree.function.name, tree)
            if found is not NotImplemented:
                return found
        function = self.value(tree.function)
        if not callable(function):
            raise ArgoError(f"expression {self._text!r}: {type_name(function)} cannot be called")
        found = function(*(self.value(argument) for argument in tree.arguments))
        # Doubled again and again, a list or text would soon fill the memory.
        if (isinstance(found, str) and len(found) > _LONGEST_TEXT) or (
            isinstance(found, list) and len(found) > _LONGEST_RANGE
        ):
            raise ArgoError(f"expression {self._text!r} makes something that is too long")
        return found

    def _with_predicate(self, name: str, tree: Call) -> Any:
        if not tree.arguments:
            raise ArgoError(f"expression {self._text!r}: {name}() wants a list")
        of = self.value(tree.arguments[0])
        items = list(of.values()) if isinstance(of, Mapping) else of
        if not isinstance(items, list):
            raise ArgoError(f"expression {self._text!r}: {name}() wants a list, not a {type_name(of)}")
        predicate = tree.arguments[1] if len(tree.arguments) > 1 else None
        rest = [self.value(argument) for argument in tree.arguments[2:]]

        def on(item: Any, **more: Any) -> Any:
            if predicate is None:
                return item
            before = self._variables
            self._elements.append(item)
            self._variables = {**before, **{f"#{key}": value for key, value in more.items()}}
            try:
                return self.value(predicate)
            finally:
                self._elements.pop()
                self._variables = before

        return PREDICATES[name](items, on, *rest)

    # Checks

    def _boolean(self, value: Any, operator: str) -> bool:
        if not isinstance(value, bool):
            raise ArgoError(
                f"expression {self._text!r}: {operator} wants true or false, not a {type_name(value)}"
            )
        return value

    def _number(self, value: Any, operator: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ArgoError(f"expression {self._text!r}: operator {operator} is used on a {type_name(value)}")

    def _texts(self, operator: str, left: Any, right: Any) -> None:
        if not isinstance(left, str) or not isinstance(right, str):
            raise ArgoError(
                f"expression {self._text!r}: {operator} wants texts, not {type_name(left)} and {type_name(right)}"
            )

    def _comparable(self, operator: str, left: Any, right: Any) -> None:
        for kinds in ((int, float), (str,), (datetime,), (timedelta,)):
            if isinstance(left, kinds) and isinstance(right, kinds):
                return
        raise ArgoError(
            f"expression {self._text!r}: {operator} is used on {type_name(left)} and {type_name(right)}"
        )

    def _contained(self, left: Any, right: Any) -> bool:
        if right is None:
            return False
        if isinstance(right, list):
            return any(_equal(left, item) for item in right)
        if isinstance(right, Mapping):
            return left in right
        raise ArgoError(f"expression {self._text!r}: in wants a list or a map, not a {type_name(right)}")


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


_TEXT_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda left, right: right in left,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "matches": matches,
}
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}
_HANDLERS: Mapping[type, Callable[[_Evaluation, Any], Any]] = {
    Literal: _Evaluation._literal,
    Name: _Evaluation._name,
    Element: _Evaluation._element,
    Member: _Evaluation._member,
    Slice: _Evaluation._slice,
    Unary: _Evaluation._unary,
    Binary: _Evaluation._binary,
    Conditional: _Evaluation._conditional,
    Array: _Evaluation._array,
    Map: _Evaluation._map,
    Predicate: _Evaluation._predicate,
    Let: _Evaluation._let,
    Call: _Evaluation._call,
}
