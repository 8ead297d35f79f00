"""Tokens of an expression to its tree: a Pratt parser."""

from __future__ import annotations

from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.expressions import lexer
from sampan.components.pipelines.api.argo.expressions.lexer import Token
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

_BINDING = {
    "|": 0,
    "or": 10,
    "||": 10,
    "and": 15,
    "&&": 15,
    "==": 20,
    "!=": 20,
    "<": 20,
    ">": 20,
    ">=": 20,
    "<=": 20,
    "in": 20,
    "matches": 20,
    "contains": 20,
    "startsWith": 20,
    "endsWith": 20,
    "..": 25,
    "+": 30,
    "-": 30,
    "*": 60,
    "/": 60,
    "%": 60,
    "**": 100,
    "^": 100,
    "??": 500,
}
"""Source: parser/operator/operator.go, expr-lang/expr v1.17."""
_NEGATABLE = frozenset({"in", "matches", "contains", "startsWith", "endsWith"})
_UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
_CONSTANTS = {"true": True, "false": False, "nil": None, "null": None}
_WITH_PREDICATE = frozenset(
    {
        "filter",
        "map",
        "all",
        "any",
        "none",
        "one",
        "count",
        "sum",
        "find",
        "findIndex",
        "findLast",
        "findLastIndex",
        "groupBy",
        "sortBy",
        "reduce",
    }
)
_DEEPEST = 100


def parse(text: str) -> Tree:
    """Raises ArgoError saying where the expression is wrong."""
    parser = _Parser(text)
    tree = parser.sequence()
    parser.expect("end")
    return tree


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = lexer.tokens(text)
        self._at = 0
        self._depth = 0

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._now
        self._at += 1
        return token

    def _is(self, text: str) -> bool:
        return self._now.kind in ("operator", "name") and self._now.text == text

    def _accept(self, text: str) -> bool:
        if self._is(text):
            self._at += 1
            return True
        return False

    def expect(self, what: str) -> None:
        if what == "end":
            if self._now.kind != "end":
                raise self._wrong(f"unexpected {self._now.text!r}")
        elif not self._accept(what):
            found = repr(self._now.text) if self._now.text else "the end"
            raise self._wrong(f"expected {what!r}, found {found}")

    def _wrong(self, why: str) -> ArgoError:
        return ArgoError(f"{why} at position {self._now.at} of the expression {self._text!r}")

    def sequence(self) -> Tree:
        if self._is("let"):
            self._take()
            name = self._take()
            if name.kind != "name":
                raise self._wrong("a variable's name is missing")
            self.expect("=")
            value = self.expression()
            self.expect(";")
            return Let(name.text, value, self.sequence())
        return self.expression()

    def expression(self, least: int = 0) -> Tree:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ArgoError(f"the expression is nested deeper than {_DEEPEST} levels")
        left = self._prefix()
        while True:
            if (infix := self._infix(left, least)) is None:
                break
            left = infix
        if least == 0 and self._accept("?"):
            yes = self.expression()
            self.expect(":")
            left = Conditional(left, yes, self.expression())
        self._depth -= 1
        return left

    def _infix(self, left: Tree, least: int) -> Tree | None:
        """`left` with the next operator applied, or None where that binds less."""
        operator, negated = self._now.text, False
        if self._now.kind not in ("operator", "name"):
            return None
        if operator == "not" and self._tokens[self._at + 1].text in _NEGATABLE:
            operator, negated = self._tokens[self._at + 1].text, True
        binding = _BINDING.get(operator)
        if binding is None or binding < least:
            return None
        self._at += 2 if negated else 1
        if operator == "|":
            return self._piped(left)
        right = self.expression(binding if operator in ("**", "^") else binding + 1)
        found: Tree = Binary(operator, left, right)
        return Unary("!", found) if negated else found

    def _piped(self, left: Tree) -> Tree:
        name = self._take()
        if name.kind != "name":
            raise self._wrong("a function must follow |")
        found = self._call(Name(name.text), first=left) if self._is("(") else Call(Name(name.text), (left,))
        return self._postfix(found)

    def _prefix(self) -> Tree:
        token = self._now
        if token.kind in ("operator", "name") and token.text in _UNARY:
            self._take()
            return self._postfix(
                Unary("!" if token.text == "not" else token.text, self.expression(_UNARY[token.text]))
            )
        return self._postfix(self._primary())

    def _primary(self) -> Tree:
        token = self._take()
        if token.kind == "number":
            return Literal(lexer.number(token.text))
        if token.kind == "string":
            return Literal(lexer.unquoted(token.text))
        if token.kind == "name":
            return Literal(_CONSTANTS[token.text]) if token.text in _CONSTANTS else Name(token.text)
        if token.text == "(":
            found = self.sequence()
            self.expect(")")
            return found
        if token.text == "[":
            return Array(tuple(self._items("]")))
        if token.text == "{":
            return self._map()
        if token.text in ("#", "@"):
            # A name right behind it is another variable of the loop: `#acc`, `#index`.
            if token.text == "#" and self._now.kind == "name" and self._now.at == token.at + 1:
                return Name(f"#{self._take().text}")
            return Element()
        if token.text == ".":
            self._at -= 1
            return Element()
        self._at -= 1
        found_text = repr(token.text) if token.text else "end of expression"
        raise self._wrong(f"unexpected {found_text}")

    def _postfix(self, left: Tree) -> Tree:
        while True:
            if self._is(".") or self._is("?."):
                optional = self._take().text == "?."
                if optional and self._accept("["):
                    left = Member(left, self.expression(), optional)
                    self.expect("]")
                    continue
                name = self._take()
                if name.kind != "name":
                    self._at -= 1
                    raise self._wrong("a field's name is missing")
                left = Member(left, Literal(name.text), optional)
            elif self._accept("["):
                left = self._indexed(left)
            elif self._is("("):
                left = self._call(left)
            else:
                return left

    def _indexed(self, left: Tree) -> Tree:
        start = None if self._is(":") else self.expression()
        if self._accept(":"):
            end = None if self._is("]") else self.expression()
            self.expect("]")
            return Slice(left, start, end)
        self.expect("]")
        assert start is not None
        return Member(left, start)

    def _call(self, function: Tree, first: Tree | None = None) -> Tree:
        self.expect("(")
        predicate = isinstance(function, Name) and function.name in _WITH_PREDICATE
        arguments = [] if first is None else [first]
        while not self._is(")"):
            if predicate and len(arguments) == 1:
                arguments.append(self._predicate())
            else:
                arguments.append(self.expression())
            if not self._accept(","):
                break
        self.expect(")")
        return Call(function, tuple(arguments))

    def _predicate(self) -> Tree:
        if self._accept("{"):
            body = self.sequence()
            self.expect("}")
            return Predicate(body)
        return Predicate(self.expression())

    def _items(self, closing: str) -> list[Tree]:
        items: list[Tree] = []
        while not self._is(closing):
            items.append(self.expression())
            if not self._accept(","):
                break
        self.expect(closing)
        return items

    def _map(self) -> Tree:
        items: list[tuple[Tree, Tree]] = []
        while not self._is("}"):
            token = self._take()
            if token.kind == "string":
                key: Tree = Literal(lexer.unquoted(token.text))
            elif token.kind in ("name", "number"):
                key = Literal(token.text)
            elif token.text == "(":
                key = self.expression()
                self.expect(")")
            else:
                raise self._wrong("a map's key must be a text")
            self.expect(":")
            items.append((key, self.expression()))
            if not self._accept(","):
                break
        self.expect("}")
        return Map(tuple(items))
