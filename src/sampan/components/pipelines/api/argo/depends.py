"""What a task of a DAG waits for: `depends`, and the older `dependencies`.

Source: docs/enhanced-depends-logic.md, argo-workflows v3.7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sampan.components.pipelines.api.argo.errors import ArgoError

RESULTS = frozenset(
    {
        "Succeeded",
        "Failed",
        "Errored",
        "Skipped",
        "Omitted",
        "Daemoned",
        "AnySucceeded",
        "AllFailed",
    }
)
Holds = Callable[[str, str], bool]
"""Whether a task has a result."""

_TOKEN = re.compile(r"\s*(&&|\|\||!|\(|\)|[\w-]+(?:\.\w+)?)")
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Term:
    """`operator` over `parts`; without one, a task and the results of which one must hold."""

    operator: str = ""
    parts: tuple[Term, ...] = ()
    task: str = ""
    results: tuple[str, ...] = ()

    def holds(self, is_so: Holds) -> bool:
        if self.operator == "&&":
            return all(part.holds(is_so) for part in self.parts)
        if self.operator == "||":
            return any(part.holds(is_so) for part in self.parts)
        if self.operator == "!":
            return not self.parts[0].holds(is_so)
        return any(is_so(self.task, result) for result in self.results)

    def tasks(self) -> Iterator[str]:
        if self.task:
            yield self.task
        for part in self.parts:
            yield from part.tasks()


_GOOD = ("Succeeded", "Skipped", "Daemoned")


def condition(task: Mapping[str, Any], tasks: Mapping[str, Mapping[str, Any]]) -> Term:
    """What must hold for the task to run; `tasks` are all of the DAG. Raises ArgoError."""
    if text := task.get("depends"):
        return parse(str(text))
    names = task.get("dependencies") or ()
    terms = (Term(task=name, results=_accepted(tasks.get(name, {}))) for name in names)
    return Term("&&", tuple(terms))


def _accepted(task: Mapping[str, Any]) -> tuple[str, ...]:
    on = task.get("continueOn") or {}
    more = (*(("Failed",) if on.get("failed") else ()), *(("Errored",) if on.get("error") else ()))
    return (*_GOOD, *more)


@lru_cache(maxsize=4096)
def parse(text: str) -> Term:
    """Raises ArgoError."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._wrong(f"{text[at:].strip()[:20]!r} cannot be read")
            self._tokens.append(match[1])
            at = match.end()
        self._at = 0
        self._depth = 0

    def _wrong(self, why: str) -> ArgoError:
        return ArgoError(f"depends {self._text!r}: {why}")

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def whole(self) -> Term:
        term = self._either()
        if self._next():
            raise self._wrong(f"unexpected {self._next()!r}")
        return term

    def _either(self) -> Term:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong("it is nested too deeply")
        parts = [self._all()]
        while self._next() == "||":
            self._at += 1
            parts.append(self._all())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Term("||", tuple(parts))

    def _all(self) -> Term:
        parts = [self._single()]
        while self._next() == "&&":
            self._at += 1
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else Term("&&", tuple(parts))

    def _single(self) -> Term:
        word = self._next()
        self._at += 1
        if word == "!":
            return Term("!", (self._single(),))
        if word == "(":
            inner = self._either()
            if self._next() != ")":
                raise self._wrong("a parenthesis is not closed")
            self._at += 1
            return inner
        if not word or word in ("&&", "||", ")"):
            raise self._wrong(f"unexpected {word!r}" if word else "something is missing at its end")
        name, _, result = word.partition(".")
        if result and result not in RESULTS:
            raise self._wrong(f"{result!r} is no result of a task; there are {', '.join(sorted(RESULTS))}")
        return Term(task=name, results=(result,) if result else _GOOD)
