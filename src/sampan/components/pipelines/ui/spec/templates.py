"""What each step of an Argo Workflow does: the template that it calls, and how it calls it.

Steps are known by their path, as the graph has them: `b/s1` is step `s1` of what step `b` calls. What calls itself is
followed once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sampan.components.pipelines.api.argo.document import LOCAL, ArgoDocument, Called, hooks
from sampan.components.pipelines.ui.spec.step import Slot, Step, program, shortly, spaced

_KINDS = {"dag": "DAG", "steps": "Steps", "containerSet": "Container set", "http": "HTTP"}
_MOST = 5000
_TOLD = (
    "nodeSelector",
    "tolerations",
    "volumes",
    "activeDeadlineSeconds",
    "parallelism",
    "synchronization",
    "memoize",
)
_CALLS = {
    "when": "Runs if",
    "withItems": "For each of",
    "withParam": "For each of",
    "withSequence": "For each of",
}


def steps(document: ArgoDocument) -> Iterator[Step]:
    """In the order of the Workflow; what is within a step comes after it."""
    entry = str(document.spec.get("entrypoint", ""))
    called = document.find(LOCAL, entry)
    walk = _Walk(document)
    if called is not None:
        if called.type in ("dag", "steps"):
            yield from walk.within(called, "", ())
        else:
            yield _step({"name": entry}, called, entry, ())
    yield from walk.of_hooks(document.spec, LOCAL, "", "", ())


class _Walk:
    def __init__(self, document: ArgoDocument) -> None:
        self._document = document
        self._count = 0

    def within(self, called: Called, above: str, outer: tuple[str, ...]) -> Iterator[Step]:
        """The steps of a template that has some."""
        before: tuple[str, ...] = ()
        # The whole Workflow is no step: what calls its first template is followed like any other.
        outer = (*outer, f"{called.scope}/{called.name}") if above else outer
        for group in _groups(called):
            for holder in group:
                yield from self._of_holder(holder, called, above, outer, before)
            if called.type == "steps":
                before = tuple(str(each.get("name", "")) for each in group)

    def of_hooks(
        self, holder: Mapping[str, Any], scope: str, caller: str, above: str, outer: tuple[str, ...]
    ) -> Iterator[Step]:
        for name, hook in hooks(holder).items():
            path = f"{above}.hooks.{name}" if above else f"hooks.{name}"
            called = self._document.called(scope, caller, {**hook, "name": name})
            if called is not None:
                yield _step({**hook, "name": name}, called, path, ())
                yield from self._inside(called, path, outer)

    def _of_holder(
        self,
        holder: Mapping[str, Any],
        caller: Called,
        above: str,
        outer: tuple[str, ...],
        before: tuple[str, ...],
    ) -> Iterator[Step]:
        name = str(holder.get("name", ""))
        path = f"{above}/{name}" if above else name
        called = self._document.called(caller.scope, caller.name, holder)
        if called is None or self._count >= _MOST:
            return
        self._count += 1
        depends = holder.get("dependencies") or ([holder["depends"]] if holder.get("depends") else before)
        yield _step(holder, called, path, tuple(map(str, depends)))
        yield from self._inside(called, path, outer)
        yield from self.of_hooks(holder, caller.scope, caller.name, path, outer)

    def _inside(self, called: Called, path: str, outer: tuple[str, ...]) -> Iterator[Step]:
        if called.type in ("dag", "steps") and f"{called.scope}/{called.name}" not in outer:
            yield from self.within(called, path, outer)


def _groups(called: Called) -> list[list[Mapping[str, Any]]]:
    if called.type == "dag":
        listed: list[Any] = [(called.template.get("dag") or {}).get("tasks") or []]
    else:
        listed = [
            group if isinstance(group, list) else [group] for group in called.template.get("steps") or ()
        ]
    return [[each for each in group if isinstance(each, Mapping)] for group in listed]


def _step(holder: Mapping[str, Any], called: Called, path: str, after: tuple[str, ...]) -> Step:
    template, kind = called.template, called.type
    body = template.get(kind)
    body = body if isinstance(body, Mapping) else {}
    command = tuple(map(str, body.get("command") or ()))
    args = tuple(map(str, body.get("args") or ()))
    env = [each for each in body.get("env") or () if isinstance(each, Mapping)]
    return Step(
        path,
        str(holder.get("name", "")),
        _KINDS.get(kind, kind.capitalize()),
        called.name,
        str(body.get("image", "")),
        command,
        args,
        str(body.get("source", "")) or program([*command, *args]),
        tuple((str(each.get("name", "")), _variable(each)) for each in env),
        (*_of_call(holder), *_of_template(template, body)),
        tuple(_slots(template.get("inputs"), holder.get("arguments"))),
        tuple(_slots(template.get("outputs"), None)),
        after,
    )


def _variable(each: Mapping[str, Any]) -> str:
    return str(each["value"]) if "value" in each else shortly(each.get("valueFrom", ""))


def _of_call(holder: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, label in _CALLS.items():
        if key in holder:
            yield label, holder[key] if isinstance(holder[key], str) else shortly(holder[key])


def _of_template(template: Mapping[str, Any], body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    resources = body.get("resources") or {}
    for kind, label in (("requests", "request"), ("limits", "limit")):
        for name, amount in (resources.get(kind) or {}).items():
            yield f"{'CPU' if name == 'cpu' else str(name).capitalize()} {label}", str(amount)
    strategy = template.get("retryStrategy") or {}
    if strategy:
        yield "Retries", f"up to {strategy['limit']}" if "limit" in strategy else "until it succeeds"
    for key in _TOLD:
        if key in template:
            value = template[key]
            yield spaced(key), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _slots(given: Any, arguments: Any) -> Iterator[Slot]:
    given = given if isinstance(given, Mapping) else {}
    arguments = arguments if isinstance(arguments, Mapping) else {}
    for kind, type_ in (("parameters", "Parameter"), ("artifacts", "Artifact")):
        said = {
            str(each.get("name", "")): each for each in arguments.get(kind) or () if isinstance(each, Mapping)
        }
        for each in given.get(kind) or ():
            name = str(each.get("name", ""))
            call = said.get(name, {})
            origin = call.get(
                "value", call.get("from", each.get("value", each.get("default", each.get("from"))))
            )
            yield Slot(
                name, type_, "" if origin is None else str(origin) if kind == "artifacts" else shortly(origin)
            )
