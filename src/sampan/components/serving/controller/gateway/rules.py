"""Which backend takes a request to a route: the first rule that matches, and of it the backend whose turn it is."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api.routing import Backend, Route, Rule
from sampan.components.serving.engine.gateway.split import Split
from sampan.lib.log import get_logger

log = get_logger(__name__)


@dataclass(slots=True)
class Way:
    backend: Backend
    target: bytes
    headers: Mapping[bytes, bytes]
    shadows: tuple[Backend, ...]


class Ways:
    """Of one route. `before` are those of its last state: the split goes on where it was."""

    def __init__(self, route: Route, before: Ways | None = None) -> None:
        self._route = route
        self._rules: list[tuple[Rule, Any, Split, Mapping[bytes, bytes]]] = []
        self._copied = {
            shadow: Split([max(shadow.weight, 0), max(100 - shadow.weight, 0)], 0.5)
            for rule in route.rules
            for shadow in rule.shadows
        }
        self._tagged = {
            backend.tag: (rule, backend)
            for rule in route.rules
            for backend in rule.backends
            if backend.tag and not rule.path
        }
        for index, rule in enumerate(route.rules):
            if not rule.backends:
                continue
            at = before._rules[index][2].at if before is not None and index < len(before._rules) else 0.5
            weights = [max(backend.weight, 0) for backend in rule.backends]
            self._rules.append((rule, _compiled(route, rule.path), Split(weights, at), _encoded(rule)))

    def choose(self, target: bytes, tag: str) -> Way | None:
        if tag:
            found = self._tagged.get(tag)
            return Way(found[1], target, _encoded(found[0]), ()) if found is not None else None
        for rule, expression, split, headers in self._rules:
            if expression is None:
                return Way(rule.backends[split.next()], target, headers, self._shadows(rule))
            path, mark, query = target.partition(b"?")
            match = expression.match(path)
            if match is None:
                continue
            if rule.rewrite:
                rest = path[len(match.group(0)) :]
                target = rule.rewrite.encode() + rest + mark + query
            return Way(rule.backends[split.next()], target, headers, self._shadows(rule))
        return None

    def _shadows(self, rule: Rule) -> tuple[Backend, ...]:
        """Those whose turn it is to get a copy."""
        return tuple(each for each in rule.shadows if self._copied[each].next() == 0)


def _encoded(rule: Rule) -> Mapping[bytes, bytes]:
    return {key.lower().encode("latin-1"): value.encode("latin-1") for key, value in rule.headers.items()}


def _compiled(route: Route, path: str) -> Any:
    """None for every path. One that cannot be read matches nothing: what it keeps out stays out."""
    if path in ("", "/", "^/", "/.*", "^/.*"):
        return None
    # Loaded for routes that need it; its time is linear in the path, whatever the expression.
    re2: Any = importlib.import_module("re2")
    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    try:
        return re2.compile(path.encode("utf-8"), options=options)
    except re2.error as error:
        log.warning(
            "a rule's path cannot be read",
            kind=route.kind,
            namespace=route.namespace,
            name=route.name,
            path=path,
            why=str(error),
        )
        return re2.compile(rb"[^\x00-\xff]", options=options)
