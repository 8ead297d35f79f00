"""CEL's text to a tree of `Node`s. Raises CelError with where and what."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from sampan.cluster.apiserver.cel.data import INT_MAX, INT_MIN, UINT_MAX, CelError, Uint

MAX_LENGTH = 16_384
MAX_DEPTH = 60

_TOKENS = re.compile(
    r"""(?P<space>[\s]+|//[^\n]*)
  | (?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
  | (?P<int>0[xX][0-9a-fA-F]+[uU]?|\d+[uU]?)
  | (?P<string>(?:[rRbB]|[rR][bB]|[bB][rR])?(?:\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}(?:[^\\]|\\.)*?'{3}
        |"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<quoted>`[A-Za-z0-9_./\- ]+`)
  | (?P<op>&&|\|\||==|!=|<=|>=|\?\.|\[\?|[-+*/%!<>?:.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_RAW_TOKENS = re.compile(
    r"""(?P<string>(?:[rR][bB]?|[bB][rR])(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n]*"|'[^'\n]*'))""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[xX][0-9a-fA-F]{2}|[0-3][0-7]{2}|.)", re.DOTALL)
_SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "`": "`",
    "?": "?",
}
RESERVED = frozenset(
    (
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    )
)
_RELATIONS = ("<", "<=", ">", ">=", "==", "!=", "in")


@dataclass(slots=True)
class Node:
    """`kind`: literal, ident, select, index, call, list, map, cond, and, or. `args` as each kind needs."""

    kind: str
    name: str = ""
    args: list[Node] = field(default_factory=list)
    value: Any = None
    target: Node | None = None
    optional: bool = False
    """`a.?b`, `a[?b]`, `[?a]`: absent instead of an error."""
    at: int = 0


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> Node:
    if len(text) > MAX_LENGTH:
        raise CelError(f"the expression has more than {MAX_LENGTH} characters")
    if not text.strip():
        raise CelError("rule is not specified")
    parser = _Parser(text, _tokens(text))
    node = parser.expression()
    parser.expect_end()
    return node


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(text):
        match = _RAW_TOKENS.match(text, at) or _TOKENS.match(text, at)
        if match is None:
            raise _syntax(text, at, f"token recognition error at: {text[at]!r}")
        kind = str(match.lastgroup)
        if kind != "space":
            found.append(_Token(kind, match.group(), at))
        at = match.end()
    found.append(_Token("end", "", len(text)))
    return found


def _syntax(text: str, at: int, why: str) -> CelError:
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    return CelError(f"ERROR: <input>:{line}:{column}: Syntax error: {why}")


class _Parser:
    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def expression(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _syntax(self._text, self._peek().at, f"expression recursion limit exceeded: {MAX_DEPTH}")
        node = self._or()
        if self._take("?"):
            then = self._or()
            self._expect(":")
            node = Node("cond", args=[node, then, self.expression()], at=node.at)
        self._depth -= 1
        return node

    def expect_end(self) -> None:
        if self._peek().kind != "end":
            raise self._unexpected()

    def _or(self) -> Node:
        parts = [self._and()]
        while self._take("||"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Node("or", args=parts, at=parts[0].at)

    def _and(self) -> Node:
        parts = [self._relation()]
        while self._take("&&"):
            parts.append(self._relation())
        return parts[0] if len(parts) == 1 else Node("and", args=parts, at=parts[0].at)

    def _relation(self) -> Node:
        node = self._sum()
        while self._peek().text in _RELATIONS and self._peek().kind in ("op", "name"):
            operator = self._next()
            node = Node("call", f"_{operator.text}_", [node, self._sum()], at=operator.at)
        return node

    def _sum(self) -> Node:
        node = self._product()
        while self._peek().text in ("+", "-") and self._peek().kind == "op":
            operator = self._next()
            node = Node("call", f"_{operator.text}_", [node, self._product()], at=operator.at)
        return node

    def _product(self) -> Node:
        node = self._unary()
        while self._peek().text in ("*", "/", "%") and self._peek().kind == "op":
            operator = self._next()
            node = Node("call", f"_{operator.text}_", [node, self._unary()], at=operator.at)
        return node

    def _unary(self) -> Node:
        token = self._peek()
        if token.kind == "op" and token.text == "!":
            count = 0
            while self._take("!"):
                count += 1
            node = self._member()
            return Node("call", "!_", [node], at=token.at) if count % 2 else node
        if token.kind == "op" and token.text == "-":
            count = 0
            while self._take("-"):
                count += 1
            following = self._peek()
            if count == 1 and following.kind in ("int", "float"):
                return self._suffixes(self._number(negative=True))
            node = self._member()
            return Node("call", "-_", [node], at=token.at) if count % 2 else node
        return self._member()

    def _member(self) -> Node:
        return self._suffixes(self._primary())

    def _suffixes(self, node: Node) -> Node:
        links = 0
        while True:
            token = self._peek()
            if token.kind != "op" or token.text not in (".", "[", "[?", "?."):
                return node
            links += 1
            if links > 4 * MAX_DEPTH:
                raise _syntax(self._text, token.at, "expression recursion limit exceeded")
            self._next()
            if token.text.startswith("["):
                optional = token.text == "[?"
                node = Node("index", target=node, args=[self.expression()], optional=optional, at=token.at)
                self._expect("]")
                continue
            optional = token.text == "?." or bool(self._take("?"))
            name = self._next()
            if name.kind not in ("name", "quoted"):
                raise self._unexpected(token=name)
            if not optional and name.kind == "name" and self._take("("):
                node = Node("call", name.text, self._arguments(")"), target=node, at=name.at)
            else:
                node = Node("select", name.text.strip("`"), target=node, optional=optional, at=token.at)

    def _primary(self) -> Node:
        token = self._peek()
        if token.kind in ("int", "float"):
            return self._number()
        self._next()
        if token.kind == "string":
            return Node("literal", value=self._string(token), at=token.at)
        if token.kind == "name":
            return self._name(token)
        if token.kind == "op":
            if token.text == "(":
                node = self.expression()
                self._expect(")")
                return node
            if token.text in ("[", "[?"):
                return self._list(token, first_optional=token.text == "[?")
            if token.text == "{":
                return self._map(token)
            if token.text == "." and self._peek().kind == "name":
                return self._name(self._next())
        raise self._unexpected(token=token)

    def _name(self, token: _Token) -> Node:
        constants = {"true": True, "false": False, "null": None}
        if token.text in constants:
            return Node("literal", value=constants[token.text], at=token.at)
        if token.text in RESERVED:
            raise _syntax(self._text, token.at, f"reserved identifier: {token.text}")
        if self._take("("):
            return Node("call", token.text, self._arguments(")"), at=token.at)
        return Node("ident", token.text, at=token.at)

    def _arguments(self, end: str) -> list[Node]:
        found: list[Node] = []
        while not self._take(end):
            found.append(self.expression())
            if not self._take(","):
                self._expect(end)
                break
        return found

    def _list(self, token: _Token, *, first_optional: bool) -> Node:
        items: list[Node] = []
        optional = first_optional
        while optional or not self._take("]"):
            optional = optional or bool(self._take("?"))
            item = self.expression()
            items.append(Node("optional", args=[item], at=item.at) if optional else item)
            optional = False
            if not self._take(","):
                self._expect("]")
                break
        return Node("list", args=items, at=token.at)

    def _map(self, token: _Token) -> Node:
        pairs: list[Node] = []
        while not self._take("}"):
            optional = bool(self._take("?"))
            key = self.expression()
            self._expect(":")
            pairs.append(Node("pair", args=[key, self.expression()], optional=optional, at=key.at))
            if not self._take(","):
                self._expect("}")
                break
        return Node("map", args=pairs, at=token.at)

    def _number(self, *, negative: bool = False) -> Node:
        token = self._next()
        sign = -1 if negative else 1
        if token.kind == "float":
            return Node("literal", value=sign * float(token.text), at=token.at)
        text = token.text.rstrip("uU")
        value = sign * int(text, 16 if text[:2].lower() == "0x" else 10)
        if text is not token.text and text != token.text:
            if negative or value > UINT_MAX:
                raise _syntax(self._text, token.at, "invalid uint literal")
            return Node("literal", value=Uint(value), at=token.at)
        if not INT_MIN <= value <= INT_MAX:
            raise _syntax(self._text, token.at, "invalid int literal")
        return Node("literal", value=value, at=token.at)

    def _string(self, token: _Token) -> str | bytes:
        text = token.text
        prefix = ""
        while text[0] not in "'\"":
            prefix, text = prefix + text[0].lower(), text[1:]
        width = 3 if text[:3] in ('"""', "'''") else 1
        text = text[width:-width]
        if "r" not in prefix:
            text = _ESCAPE.sub(lambda found: self._unescaped(found[1], token), text)
        return text.encode() if "b" in prefix else text

    def _unescaped(self, text: str, token: _Token) -> str:
        if text[0] in "uUxX" and len(text) > 1:
            code = int(text[1:], 16)
            if code > 0x10FFFF:
                raise _syntax(self._text, token.at, "invalid unicode code point")
            return chr(code)
        if text[0].isdigit() and len(text) == 3:
            return chr(int(text, 8))
        if text not in _SIMPLE:
            raise _syntax(self._text, token.at, f"token recognition error at: '\\{text}'")
        return _SIMPLE[text]

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at += token.kind != "end"
        return token

    def _take(self, text: str) -> bool:
        token = self._peek()
        if token.kind == "op" and token.text == text:
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected(text)

    def _unexpected(self, wanted: str = "", token: _Token | None = None) -> CelError:
        token = token or self._peek()
        shown = token.text or "<EOF>"
        expecting = f" expecting '{wanted}'" if wanted else ""
        return _syntax(self._text, token.at, f"mismatched input '{shown}'{expecting}")
