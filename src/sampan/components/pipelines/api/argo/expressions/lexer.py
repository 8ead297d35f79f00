"""Text of an expression to tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sampan.components.pipelines.api.argo.errors import ArgoError

_PATTERN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
        |(?:\d[\d_]*)?\.\d[\d_]*(?:[eE][+-]?\d+)?|\d[\d_]*(?:\.(?!\.)(?![A-Za-z_]))?(?:[eE][+-]?\d+)?)
  | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
  | (?P<name>[A-Za-z_$][A-Za-z0-9_$]*)
  | (?P<operator>\?\.|\?\?|\.\.|&&|\|\||==|!=|<=|>=|\*\*|[-+*/%^<>=!?:.,;()\[\]{}|\#@])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    """number, string, name, operator or end."""
    text: str
    at: int


def tokens(text: str) -> list[Token]:
    """Raises ArgoError for a character that no expression has."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _PATTERN.match(text, at)
        if match is None:
            raise ArgoError(
                f"unrecognised character {text[at]!r} at position {at} of the expression {text!r}"
            )
        kind = str(match.lastgroup)
        if kind != "space":
            found.append(Token(kind, match[0], at))
        at = match.end()
    return [*found, Token("end", "", len(text))]


def unquoted(text: str) -> str:
    """The value of a string literal."""
    if text.startswith("`"):
        return text[1:-1]

    def replaced(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) > 1:
            return chr(int(code[1:], 16))
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(replaced, text[1:-1])


def number(text: str) -> int | float:
    plain = text.replace("_", "")
    if plain[:2].lower() in ("0x", "0b", "0o"):
        return int(plain, 0)
    if re.fullmatch(r"\d+", plain):
        return int(plain)
    return float(plain)
