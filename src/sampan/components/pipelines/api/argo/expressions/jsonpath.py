"""JSONPath: of `jsonpath()` in expressions (`$.a[?(@.b==1)].c`), and kubectl's form (`{.a.b}`) in `valueFrom.jsonPath`.

A path that can name several values gives a list, one that names a single value gives that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sampan.components.pipelines.api.argo.errors import ArgoError

_STEP = re.compile(
    r"""
    \.\.(?P<deep>[\w-]+|\*)
  | \.(?P<field>[\w$-]+|\*)
  | \[\s*(?P<index>-?\d+)\s*\]
  | \[(?P<slice>-?\d*:-?\d*(?::-?\d*)?)\]
  | \[\s*(?P<star>\*)\s*\]
  | \[\s*(?P<names>(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?:\s*,\s*(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))*)\s*\]
  | \[\s*(?P<union>-?\d+(?:\s*,\s*-?\d+)+)\s*\]
    """,
    re.VERBOSE,
)
_NAME = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_COMPARISON = re.compile(r"\s*(.+?)\s*(==|!=|<=|>=|<|>|=~)\s*(.+?)\s*$", re.DOTALL)
_MOST_FOUND = 1_000_000
_LONGEST_PATH = 4096


def jsonpath(text: str, path: str) -> Any:
    """The value at `path` in the JSON `text`. Raises ArgoError where there is none."""
    try:
        document = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        raise ArgoError("jsonpath(): the first argument is not JSON") from None
    return find(document, path)


def find(document: Any, path: str) -> Any:
    """Raises ArgoError where there is nothing."""
    found, several = select(document, path)
    if several:
        return found
    if not found:
        raise ArgoError(f"JSON path {path!r}: nothing is there")
    return found[0]


def kubectl(document: Any, template: str) -> str:
    """kubectl's template: text with paths in braces; several values are separated by spaces. Raises ArgoError."""
    if "{" not in template:
        template = "{" + (template if template.startswith((".", "[", "$")) else f".{template}") + "}"

    def shown(match: re.Match[str]) -> str:
        found, _ = select(document, match[1].strip())
        return " ".join(
            item if isinstance(item, str) else json.dumps(item, separators=(",", ":")) for item in found
        )

    return re.sub(r"\{([^{}]*)\}", shown, template)


def select(document: Any, path: str) -> tuple[list[Any], bool]:
    """All values that the path names, and whether it could name several. Raises ArgoError for a path that is none."""
    if len(path) > _LONGEST_PATH:
        raise ArgoError(f"a JSON path has at most {_LONGEST_PATH} characters")
    rest = path.strip().removeprefix("$").removeprefix("@")
    if rest and rest[0] not in ".[":
        rest = f".{rest}"
    found, several = [document], False
    while rest and rest != ".":
        if rest.startswith("[?"):
            condition, rest = _filter(rest, path)
            found = [item for value in found for item in _elements(value) if _holds(item, condition)]
            several = True
            continue
        match = _STEP.match(rest)
        if match is None:
            raise ArgoError(f"JSON path {path!r}: {rest!r} cannot be read")
        found = [item for value in found for item in _step(value, match)]
        several = several or match.lastgroup not in ("field", "index", "names") or "*" in match[0]
        several = several or (match.lastgroup == "names" and len(_NAME.findall(match[0])) > 1)
        rest = rest[match.end() :]
        if len(found) > _MOST_FOUND:
            raise ArgoError(f"JSON path {path!r} finds too many values")
    return found, several


def _step(value: Any, match: re.Match[str]) -> Iterator[Any]:
    if match["deep"]:
        for item in _all(value):
            yield from _field(item, match["deep"])
    elif match["field"]:
        yield from _field(value, match["field"])
    elif match["star"]:
        yield from _elements(value)
    elif match["names"]:
        for single, double in _NAME.findall(match["names"]):
            yield from _field(value, re.sub(r"\\(.)", r"\1", single or double))
    elif match["slice"]:
        if isinstance(value, list):
            yield from value[slice(*(int(part) if part else None for part in match["slice"].split(":")))]
    else:
        for index in (match["index"] or match["union"]).split(","):
            if isinstance(value, list) and -len(value) <= int(index) < len(value):
                yield value[int(index)]


def _field(value: Any, name: str) -> Iterator[Any]:
    if name == "*":
        yield from _elements(value)
    elif isinstance(value, Mapping) and name in value:
        yield value[name]


def _elements(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif isinstance(value, Mapping):
        yield from value.values()


def _all(value: Any) -> Iterator[Any]:
    stack = [value]
    while stack:
        item = stack.pop()
        yield item
        stack.extend(reversed(list(_elements(item))))


def _filter(rest: str, path: str) -> tuple[str, str]:
    """The condition of `[?(…)]`, and what follows."""
    depth, quote = 0, ""
    for at, character in enumerate(rest):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[(":
            depth += 1
        elif character in "])":
            depth -= 1
            if not depth:
                inner = rest[2:at].strip()
                return (inner[1:-1] if inner.startswith("(") and inner.endswith(")") else inner), rest[
                    at + 1 :
                ]
    raise ArgoError(f"JSON path {path!r}: a bracket is not closed")


def _holds(item: Any, condition: str) -> bool:
    for part in re.split(r"\s*\|\|\s*", condition):
        if all(_comparison(item, term) for term in re.split(r"\s*&&\s*", part)):
            return True
    return False


def _comparison(item: Any, term: str) -> bool:
    match = _COMPARISON.match(term)
    if match is None:
        negated = term.strip().startswith("!")
        found, _ = select(item, term.strip().lstrip("!"))
        return bool(found) is not negated
    left, right = _operand(item, match[1]), _operand(item, match[3])
    if match[2] in ("==", "!="):
        return bool(left == right) is (match[2] == "==")
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if not numbers and not (isinstance(left, str) and isinstance(right, str)):
        return False
    if match[2] in ("<", "<="):
        return bool(left < right) or (match[2] == "<=" and bool(left == right))
    return match[2] in (">", ">=") and (bool(left > right) or (match[2] == ">=" and bool(left == right)))


def _operand(item: Any, text: str) -> Any:
    if text.startswith(("@", "$")):
        found, _ = select(item, text)
        return found[0] if found else None
    if match := _NAME.fullmatch(text):
        return match[1] or match[2] or ""
    try:
        return json.loads(text)
    except ValueError:
        raise ArgoError(f"JSON path: {text!r} is neither a value nor a path") from None
