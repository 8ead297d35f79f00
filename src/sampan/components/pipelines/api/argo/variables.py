"""Whether the variables that a template's fields name can have a value there. Pure.

Only what is certain is found: an input that is not declared, a step that is not there or comes later, an output that a
template has not, a parameter that the workflow lacks. Expressions are left to themselves where they may fall back.

Source: argo-workflows 3.7 workflow/validate/validate.go (resolveAllVariables), docs/variables.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sampan.components.pipelines.api.argo import depends, loops
from sampan.components.pipelines.api.argo.document import ArgoDocument, Called, holders
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import Tag, tags, walk

Json = Mapping[str, Any]
Found = tuple[str, str]
"""Path within the template, and what is wrong there."""


def unresolved(document: ArgoDocument, called: Called) -> Iterator[Found]:
    """Every variable of the template that can have no value."""
    template = called.template
    known = set(_inputs(template))
    reachable = _reachable(document, called)
    apart = {"steps", "dag", "inputs"}
    for path, text in walk({key: value for key, value in template.items() if key not in apart}):
        for tag in _plain(text):
            yield from _check(document, tag, path, known, reachable.get("", {}), in_loop=True)
    for place, holder in holders(template):
        own = {key: value for key, value in holder.items() if key not in ("inline", "hooks", "onExit")}
        for path, text in walk(own):
            before = reachable.get(str(holder.get("name")), {})
            for tag in _plain(text):
                yield from _check(
                    document, tag, f"{place}.{path}", known, before, in_loop=loops.is_loop(holder)
                )


def _plain(text: str) -> Iterator[Tag]:
    return (tag for tag in tags(text) if not tag.is_expression and tag.is_variable)


def _inputs(template: Json) -> Iterator[str]:
    inputs = template.get("inputs") or {}
    for kind in ("parameters", "artifacts"):
        yield f"inputs.{kind}"
        for each in inputs.get(kind) or ():
            yield f"inputs.{kind}.{each.get('name')}"


def _reachable(document: ArgoDocument, called: Called) -> dict[str, dict[str, Called | None]]:
    """By step or task: those before it. Under the empty name: all of them, as outputs may name them."""
    template = called.template
    found: dict[str, dict[str, Called | None]] = {"": {}}
    if template.get("dag") is not None:
        return _of_dag(document, called)
    before: dict[str, Called | None] = {}
    for group in template.get("steps") or ():
        steps = [
            each for each in (group if isinstance(group, list) else [group]) if isinstance(each, Mapping)
        ]
        for step in steps:
            found[str(step.get("name"))] = dict(before)
        for step in steps:
            before[str(step.get("name"))] = document.called(called.scope, called.name, step)
    found[""] = before
    return found


def _of_dag(document: ArgoDocument, called: Called) -> dict[str, dict[str, Called | None]]:
    tasks = {
        str(each.get("name")): each
        for each in (called.template.get("dag") or {}).get("tasks") or ()
        if isinstance(each, Mapping)
    }
    needs: dict[str, set[str]] = {}
    for name, task in tasks.items():
        try:
            needs[name] = set(depends.condition(task, tasks).tasks())
        except ArgoError:
            needs[name] = set(tasks)  # said elsewhere
    targets = {name: document.called(called.scope, called.name, task) for name, task in tasks.items()}
    found: dict[str, dict[str, Called | None]] = {"": targets}
    for name in tasks:
        ancestors: set[str] = set()
        stack = list(needs[name])
        while stack:
            other = stack.pop()
            if other not in ancestors:
                ancestors.add(other)
                stack.extend(needs.get(other, ()))
        found[name] = {other: targets.get(other) for other in ancestors}
    return found


def _check(
    document: ArgoDocument,
    tag: Tag,
    path: str,
    known: set[str],
    before: Mapping[str, Called | None],
    *,
    in_loop: bool,
) -> Iterator[Found]:
    text = tag.text
    first, _, rest = text.partition(".")
    if first == "inputs" and rest.partition(".")[0] in ("parameters", "artifacts"):
        if ".".join(text.split(".")[:3]) not in known:
            yield path, f"failed to resolve {{{{{text}}}}}: the template has no such input"
    elif first in ("steps", "tasks") and "." in rest:
        yield from _check_result(text, path, before)
    elif first == "item" and not in_loop:
        yield path, f"failed to resolve {{{{{text}}}}}: there is no loop"
    elif text.startswith("workflow.parameters.") and not _is_argument(document, text.split(".", 2)[2]):
        yield path, f"failed to resolve {{{{{text}}}}}: the workflow has no such parameter"


def _is_argument(document: ArgoDocument, name: str) -> bool:
    if name == "json" or document.workflow.get("kind", "Workflow") != "Workflow":
        return True
    listed = (document.spec.get("arguments") or {}).get("parameters") or ()
    return any(str(each.get("name")) == name for each in listed)


def _check_result(text: str, path: str, before: Mapping[str, Called | None]) -> Iterator[Found]:
    kind, name, what, *more = text.split(".")
    if name not in before:
        yield path, f"failed to resolve {{{{{text}}}}}: no {kind[:-1]} {name!r} comes before it"
        return
    target = before[name]
    if what == "outputs" and len(more) >= 2 and more[0] in ("parameters", "artifacts") and target is not None:
        given = (target.template.get("outputs") or {}).get(more[0]) or ()
        if all(str(each.get("name")) != more[1] for each in given):
            yield path, f"failed to resolve {{{{{text}}}}}: template {target.name!r} has no such output"
