"""From an Argo Workflow to a blueprint. Pure.

Source: pkg/apis/workflow/v1alpha1/workflow_types.go, argo-workflows v3.7; keys are those of a run's tasks
(components/pipelines/engine/argo/rows.py).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sampan.components.pipelines.api.argo import depends, loops
from sampan.components.pipelines.api.argo.document import LOCAL, ArgoDocument, Called, hooks, load, type_of
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.ui.blueprint import Blueprint, Kind, Link, Output, Scope, Step

_OUTPUT = re.compile(
    r"\b(?:tasks|steps)(?:\.([\w-]+)|\[['\"]([\w-]+)['\"]\])\.outputs\.(parameters|artifacts|result|exitCode)(?:\.([\w-]+))?"
)
_MOST_PAIRS = 400
"""Between two groups of steps: beyond that a few lines say as much."""
_EXIT, _MOST_LAST = "hooks.exit", 12
_LONGEST = 90
_KINDS = {"steps": Kind.STEPS, "dag": Kind.PIPELINE, "suspend": Kind.SUSPEND, "containerSet": Kind.CONTAINERS}

Json = Mapping[str, Any]


def blueprint(workflow: Json) -> Blueprint:
    """Raises InvalidArgumentError."""
    document = load(workflow)
    entry = str(document.spec.get("entrypoint", ""))
    reader = _Reader(document)
    called = document.find(LOCAL, entry)
    if called is None:
        return Blueprint()
    first = reader.step({"name": entry, "template": entry}, LOCAL, "")
    attached = list(reader.hooks_of(document.spec, LOCAL, "", ""))
    if first.scope and first.kind is not Kind.CONTAINERS:
        scope = reader.scopes[first.scope]
        steps = {**scope.steps, **{step.key: step for step in attached}}
        root = Scope(steps, (*scope.links, *_to_the_end(scope, steps)))
    else:
        root = Scope({step.key: step for step in (first, *attached)})
    return Blueprint({**reader.scopes, "": root}, "", entry)


class _Reader:
    """Reads each template once."""

    def __init__(self, document: ArgoDocument) -> None:
        self._document = document
        self.scopes: dict[str, Scope] = {}

    def step(self, holder: Json, scope: str, caller: str) -> Step:
        """Of a step or task of the template `caller`."""
        called = self._document.called(scope, caller, holder)
        name = str(holder.get("name", ""))
        template = called.template if called is not None else {}
        when = str(holder.get("when") or "")
        return Step(
            name,
            name,
            _KINDS.get(type_of(template), Kind.STEP),
            _cut(f"if {when}") if when else _about(template),
            f"if {when}" if when else "",
            scope=self._scope(called) if called is not None else "",
            loop=_loop(holder),
            outputs=tuple(_outputs(template)),
        )

    def hooks_of(self, holder: Json, scope: str, caller: str, key: str) -> Iterator[Step]:
        """They stand beside what they belong to."""
        for name, hook in hooks(holder).items():
            place = f"{key}.hooks.{name}" if key else f"hooks.{name}"
            step = self.step({**hook, "name": name}, scope, caller)
            label = "at the end" if name == "exit" else name
            detail = "" if name == "exit" else _cut(f"when {hook.get('expression', '')}")
            yield Step(place, f"{label}: {hook.get('template', '')}", Kind.HOOK, detail, scope=step.scope)

    def _scope(self, called: Called) -> str:
        kind = called.type
        if kind not in ("steps", "dag", "containerSet"):
            return ""
        name = f"{called.scope}/{called.name}"
        if name in self.scopes:
            return name
        self.scopes[name] = Scope()  # so that one that calls itself ends
        if kind == "containerSet":
            self.scopes[name] = _containers(called.template)
        elif kind == "dag":
            self.scopes[name] = self._dag(called)
        else:
            self.scopes[name] = self._steps(called)
        return name

    def _dag(self, called: Called) -> Scope:
        dag = called.template.get("dag") or {}
        tasks = {
            str(task.get("name", "")): task for task in dag.get("tasks") or () if isinstance(task, Mapping)
        }
        steps, links = self._with_hooks(called, list(tasks.values()))
        for name, task in tasks.items():
            flows = _flows(task, tasks)
            links += [Link(source, name, kind, label) for (source, kind), label in flows.items()]
            known = {source for source, _ in flows}
            links += [Link(before, name) for before in _before(task, tasks) if before not in known]
        return Scope(steps, tuple(links))

    def _steps(self, called: Called) -> Scope:
        groups = [
            [step for step in (group if isinstance(group, list) else [group]) if isinstance(step, Mapping)]
            for group in called.template.get("steps") or ()
        ]
        steps, links = self._with_hooks(called, [step for group in groups for step in group])
        flowing: set[tuple[str, str]] = set()
        for holder in (step for group in groups for step in group):
            name = str(holder.get("name", ""))
            for (source, kind), label in _flows(holder, steps).items():
                links.append(Link(source, name, kind, label))
                flowing.add((source, name))
        names = [[str(step.get("name", "")) for step in group] for group in groups if group]
        for before, after in itertools.pairwise(names):
            links += [Link(*pair) for pair in _between(before, after) if pair not in flowing]
        return Scope(steps, tuple(links))

    def _with_hooks(self, called: Called, holders: Sequence[Json]) -> tuple[dict[str, Step], list[Link]]:
        steps: dict[str, Step] = {}
        links: list[Link] = []
        for holder in holders:
            step = self.step(holder, called.scope, called.name)
            steps[step.key] = step
            for hook in self.hooks_of(holder, called.scope, called.name, step.key):
                steps[hook.key] = hook
                links.append(Link(step.key, hook.key))
        return steps, links


def _to_the_end(scope: Scope, steps: Mapping[str, Step]) -> list[Link]:
    """From what nothing comes after to the exit handler; where that is much, it stands by itself."""
    sources = {link.source for link in scope.links}
    last = [key for key in scope.steps if key not in sources]
    return [Link(key, _EXIT) for key in last] if _EXIT in steps and len(last) <= _MOST_LAST else []


def _containers(template: Json) -> Scope:
    found = {
        str(each.get("name", "")): each
        for each in (template.get("containerSet") or {}).get("containers") or ()
        if isinstance(each, Mapping)
    }
    steps = {name: Step(name, name, detail=str(each.get("image", ""))) for name, each in found.items()}
    links = [
        Link(str(before), name)
        for name, each in found.items()
        for before in each.get("dependencies") or ()
        if before in found
    ]
    return Scope(steps, tuple(links))


def _between(before: Sequence[str], after: Sequence[str]) -> list[tuple[str, str]]:
    if len(before) * len(after) <= _MOST_PAIRS:
        return [(one, other) for one in before for other in after]
    return [(before[0], other) for other in after] + [(one, after[0]) for one in before[1:]]


def _before(task: Json, tasks: Mapping[str, Json]) -> list[str]:
    try:
        names = depends.condition(task, tasks).tasks()
        return [name for name in dict.fromkeys(names) if name in tasks]
    except ArgoError:
        return []


def _flows(holder: Json, known: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """By the step that gives it and its kind: the names of what goes to `holder`."""
    arguments = holder.get("arguments") or {}
    texts = [
        str(each.get("from", "")) for each in arguments.get("artifacts") or () if isinstance(each, Mapping)
    ]
    texts += [
        str(each.get("value", "")) for each in arguments.get("parameters") or () if isinstance(each, Mapping)
    ]
    texts += [str(holder.get(name) or "") for name in ("when", "withParam", "withSequence")]
    found: dict[tuple[str, str], list[str]] = {}
    for text in texts:
        for short, quoted, kind, key in _OUTPUT.findall(text):
            source = short or quoted
            if source in known and source != holder.get("name"):
                place = (source, "artifact" if kind == "artifacts" else "parameter")
                found.setdefault(place, []).append(key or kind)
    return {place: ", ".join(dict.fromkeys(keys)) for place, keys in found.items()}


def _outputs(template: Json) -> Iterator[Output]:
    for each in (template.get("outputs") or {}).get("artifacts") or ():
        if isinstance(each, Mapping) and each.get("name"):
            yield Output(str(each["name"]), "")


def _about(template: Json) -> str:
    for kind in ("container", "script"):
        if isinstance(found := template.get(kind), Mapping):
            return str(found.get("image", ""))
    found = type_of(template)
    return found if found not in ("", "steps", "dag") else ""


def _loop(holder: Json) -> str:
    if not loops.is_loop(holder):
        return ""
    if (items := holder.get("withItems")) is not None:
        return _cut(f"each of {items}")
    if (text := holder.get("withParam")) is not None:
        return _cut(f"each of {text}")
    sequence = holder.get("withSequence") or {}
    return f"{sequence['count']} times" if sequence.get("count") else "a sequence"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 2]} …"
