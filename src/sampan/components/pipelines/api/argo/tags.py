"""Template tags in any field: `{{inputs.parameters.x}}`, and `{{= expression }}`.

Source: docs/variables.md and util/template, argo-workflows v3.7.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.api.argo.errors import AbsentError, ArgoError
from sampan.components.pipelines.api.argo.expressions import evaluate, identifiers, parsed
from sampan.components.pipelines.api.argo.expressions.functions import to_json

_OPEN, _CLOSE = "{{", "}}"
_MOST_CLOSINGS = 20
"""Pairs of braces after an expression's beginning that may be its end: each is tried."""
_PREFIXES = (
    "workflow.",
    "inputs.",
    "outputs.",
    "steps.",
    "tasks.",
    "item.",
    "pod.",
    "node.",
    "lastRetry.",
)
_WHOLE = frozenset({"item", "retries", "inputs.parameters", "workflow.parameters", "lastRetry"})


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag in a text: what stands in it, and from where to where it goes."""

    text: str
    start: int
    end: int
    is_expression: bool

    @property
    def is_variable(self) -> bool:
        """Whether it is one of Argo's; others belong to the user, and are left alone."""
        return self.is_expression or self.text in _WHOLE or self.text.startswith(_PREFIXES)

    def names(self) -> set[str]:
        """The variables that it reads. Raises ArgoError for an expression that is none."""
        return identifiers(self.text) if self.is_expression else {self.text}


class Variables:
    """Names and values, in layers: an inner one hides those below. A value of None is an output that was never
    produced, which only an expression may look at."""

    def __init__(self, *layers: Mapping[str, Any]) -> None:
        self._flat: ChainMap[str, Any] = ChainMap(*(dict(layer) for layer in layers))
        self._nested: dict[str, Any] | None = None

    def with_layer(self, layer: Mapping[str, Any]) -> Variables:
        """These, and `layer` above them. Those below are shared, not copied."""
        found = Variables()
        found._flat = self._flat.new_child(dict(layer))
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._flat

    def get(self, name: str) -> Any:
        return self._flat.get(name)

    def names(self) -> Iterator[str]:
        return iter(self._flat)

    def nested(self) -> dict[str, Any]:
        """As expressions see them: `a.b.c` in maps. A map hides a text of the same name."""
        if self._nested is None:
            root: dict[str, Any] = {}
            for name in sorted(self._flat, key=len):
                _place(root, name.split("."), self._flat[name])
            self._nested = root
        return self._nested

    def evaluate(self, expression: str) -> Any:
        """Raises ArgoError."""
        return evaluate(expression, self.nested())


def _place(root: dict[str, Any], path: Sequence[str], value: Any) -> None:
    at = root
    for part in path[:-1]:
        below = at.get(part)
        if not isinstance(below, dict):
            below = at[part] = {}
        at = below
    at[path[-1]] = value


def tags(text: str) -> list[Tag]:
    """All tags, in order. A tag that is not closed is none."""
    found: list[Tag] = []
    at = text.find(_OPEN)
    while at >= 0:
        tag = _tag_at(text, at)
        if tag is None:
            break
        found.append(tag)
        at = text.find(_OPEN, tag.end)
    return found


def _tag_at(text: str, at: int) -> Tag | None:
    inner = at + len(_OPEN)
    close = text.find(_CLOSE, inner)
    if close < 0:
        return None
    if text[inner : inner + 1] != "=":
        return Tag(text[inner:close].strip(), at, close + len(_CLOSE), is_expression=False)
    first = close
    # Braces of an expression may end two at a time: the tag ends where it makes sense.
    for _ in range(_MOST_CLOSINGS):
        if close < 0:
            break
        shut = close
        while text[shut + len(_CLOSE) : shut + len(_CLOSE) + 1] == "}":
            shut += 1
        for end in dict.fromkeys((shut, close)):
            expression = text[inner + 1 : end].strip()
            if _is_expression(expression):
                return Tag(expression, at, end + len(_CLOSE), is_expression=True)
        close = text.find(_CLOSE, shut + len(_CLOSE))
    return Tag(text[inner + 1 : first].strip(), at, first + len(_CLOSE), is_expression=True)


def _is_expression(text: str) -> bool:
    try:
        parsed(text)
    except ArgoError:
        return False
    return True


def substitute(value: Any, variables: Variables) -> Any:
    """`value` with all tags replaced in its texts, and in the keys of its maps. Unknown tags stay as they are.

    Raises ArgoError for an expression that fails, AbsentError where an output is used that was never produced.
    """
    if isinstance(value, str):
        return _replaced(value, variables) if _OPEN in value else value
    if isinstance(value, Mapping):
        return {substitute(key, variables): substitute(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, variables) for item in value]
    return value


def _replaced(text: str, variables: Variables) -> str:
    parts: list[str] = []
    at = 0
    for tag in tags(text):
        parts.append(text[at : tag.start])
        parts.append(_shown(tag, text, variables))
        at = tag.end
    parts.append(text[at:])
    return "".join(parts)


def _shown(tag: Tag, text: str, variables: Variables) -> str:
    if not tag.is_expression:
        if tag.text not in variables:
            return text[tag.start : tag.end]
        value = variables.get(tag.text)
        if value is None:
            raise AbsentError(
                f"{{{{{tag.text}}}}}: an absent optional: the step did not run, and has no default for this output"
            )
        return as_text(value)
    value = variables.evaluate(tag.text)
    if value is None:
        raise AbsentError(f"{{{{={tag.text}}}}} gives nil, an absent optional; choose a fallback with ??")
    return as_text(value)


def as_text(value: Any) -> str:
    """A value as it stands in a text: texts as they are, others as JSON."""
    return value if isinstance(value, str) else to_json(value)


def only_tag(text: Any) -> Tag | None:
    """The tag that the text consists of, if it is nothing else."""
    if not isinstance(text, str):
        return None
    found = tags(text.strip())
    whole = len(found) == 1 and found[0].start == 0 and found[0].end == len(text.strip())
    return found[0] if whole else None


def walk(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in `value` that has tags, with the path of its field."""
    if isinstance(value, str):
        if _OPEN in value:
            yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from walk(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk(item, f"{path}[{index}]")


def has_tags(text: Any) -> bool:
    return isinstance(text, str) and re.search(r"\{\{.*\}\}", text, re.DOTALL) is not None
