"""What is wrong with a Workflow, by the paths of its fields, before anything of it runs. Pure.

    check_shape(workflow)  before anything reads it
    validate(document)     raises InvalidArgumentError with all that was found, up to ten problems
    problems(document)     the same as a list

The document is resolved: what it refers to is in it. Variables are looked at in `variables`.

Source: argo-workflows 3.7 workflow/validate/validate.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sampan.components.pipelines.api.argo import depends, loops
from sampan.components.pipelines.api.argo.document import (
    LOCAL,
    TYPES,
    ArgoDocument,
    Called,
    holders,
    hooks,
    type_of,
)
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.shape import misshapen
from sampan.components.pipelines.api.argo.variables import unresolved
from sampan.components.pipelines.api.errors import InvalidArgumentError

_NAME = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9_]*[a-zA-Z0-9_])?\Z")
_PARAMETER_NAME = re.compile(r"[-a-zA-Z0-9_]+\Z")
_LONGEST_NAME = 128
_MOST_SHOWN = 10
_UNSUPPORTED = {"plugin": "plugin templates are not supported: there are no executor plugins here"}
_RETRY_POLICIES = ("Always", "OnFailure", "OnError", "OnTransientError")

Json = Mapping[str, Any]


def check_shape(workflow: Json) -> None:
    """That its lists are lists. Raises InvalidArgumentError."""
    _raise_all(misshapen(workflow.get("spec")))


def validate(document: ArgoDocument, *, has_arguments: bool = True) -> None:
    """Raises InvalidArgumentError, which begins with the path of the first field that is wrong.

    Without `has_arguments` those of the workflow may still lack values: they are given when it runs.
    """
    _raise_all(problems(document, has_arguments=has_arguments))


def _raise_all(problems: Iterator[str]) -> None:
    found: list[str] = []
    try:
        for problem in problems:
            found.append(problem)
            if len(found) > _MOST_SHOWN:
                break
    except (AttributeError, TypeError) as error:
        # Some rare field has a type that nobody thought of: a refusal all the same.
        found.append(f"spec: a field has a type that it may not have: {error}")
    if found:
        more = "; and more" if len(found) > _MOST_SHOWN else ""
        raise InvalidArgumentError("; ".join(found[:_MOST_SHOWN]) + more)


def problems(document: ArgoDocument, *, has_arguments: bool = True) -> Iterator[str]:
    """Each as `path: what is wrong`."""
    spec = document.workflow.get("spec") or {}
    is_template = document.workflow.get("kind", "Workflow") != "Workflow"
    if not spec.get("templates") and not spec.get("workflowTemplateRef"):
        yield "spec.templates: there is none; a workflow needs at least one"
        return
    yield from _names(spec)
    yield from _entry(document, is_template=is_template)
    yield from _arguments(document.spec, may_lack=is_template or not has_arguments)
    for index, template in enumerate(spec.get("templates") or ()):
        if isinstance(template, Mapping):
            path = f"spec.templates[{index}]"
            effective = document.find(LOCAL, str(template.get("name", "")))
            called = effective or Called(LOCAL, "", dict(template))
            yield from _template(document, called, path)


def _names(spec: Json) -> Iterator[str]:
    seen: set[str] = set()
    for index, template in enumerate(spec.get("templates") or ()):
        path = f"spec.templates[{index}]"
        if not isinstance(template, Mapping):
            yield f"{path}: must be a template"
            continue
        name = template.get("name")
        if not name:
            yield f"{path}.name: missing"
        elif not isinstance(name, str) or not _NAME.match(name) or len(name) > _LONGEST_NAME:
            yield f"{path}.name: {name!r} is invalid: letters, digits, - and _ only, {_LONGEST_NAME} at most"
        elif name in seen:
            yield f"{path}.name: {name!r} is not unique"
        seen.add(str(name))


def _entry(document: ArgoDocument, *, is_template: bool) -> Iterator[str]:
    spec = document.spec
    entrypoint = spec.get("entrypoint")
    if not entrypoint:
        if not is_template:
            yield "spec.entrypoint: missing; it names the template to begin with"
    elif "{{" not in str(entrypoint) and document.find(LOCAL, str(entrypoint)) is None:
        yield f"spec.entrypoint: template name {entrypoint!r} undefined"
    exit_handler = spec.get("onExit")
    if exit_handler and document.find(LOCAL, str(exit_handler)) is None:
        yield f"spec.onExit: template name {exit_handler!r} undefined"
    for name, hook in hooks(spec).items():
        if hook.get("template") and name != "exit" and document.called(LOCAL, "", hook) is None:
            yield f"spec.hooks.{name}.template: template name {hook['template']!r} undefined"
        if name != "exit" and not hook.get("expression"):
            yield f"spec.hooks.{name}.expression: missing; it says when the hook runs"
    policy = (spec.get("podGC") or {}).get("strategy")
    known = ("OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess")
    if policy and policy not in known:
        yield f"spec.podGC.strategy: {policy!r} is none of {', '.join(known)}"


def _arguments(spec: Json, *, may_lack: bool) -> Iterator[str]:
    arguments = spec.get("arguments") or {}
    yield from _unique(arguments.get("parameters"), "spec.arguments.parameters")
    yield from _unique(arguments.get("artifacts"), "spec.arguments.artifacts")
    for index, parameter in enumerate(arguments.get("parameters") or ()):
        if not isinstance(parameter, Mapping):
            continue
        path = f"spec.arguments.parameters[{index}]"
        value, allowed = parameter.get("value"), parameter.get("enum")
        if value is None and not parameter.get("valueFrom") and not may_lack:
            yield f"{path}.value: missing; parameter {parameter.get('name')!r} needs one"
        if allowed is not None and not allowed:
            yield f"{path}.enum: must not be empty"
        elif allowed and value is not None and str(value) not in map(str, allowed):
            yield f"{path}.value: {value!r} is none of {', '.join(map(str, allowed))}"


def _unique(items: Any, path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, item in enumerate(items or ()):
        name = item.get("name") if isinstance(item, Mapping) else None
        if not name:
            yield f"{path}[{index}].name: missing"
        elif "{{" not in str(name) and not _PARAMETER_NAME.match(str(name)):
            yield f"{path}[{index}].name: {name!r} is invalid: letters, digits, - and _ only"
        elif name in seen:
            yield f"{path}[{index}].name: {name!r} is not unique"
        seen.add(str(name))


# Templates


def _template(document: ArgoDocument, called: Called, path: str) -> Iterator[str]:
    template = called.template
    kinds = [name for name in TYPES if template.get(name) is not None]
    if len(kinds) > 1:
        yield f"{path}: must have one of its types only, not {' and '.join(kinds)}"
        return
    if not kinds:
        if document.workflow.get("kind", "Workflow") == "Workflow" or template.get("inputs") is None:
            yield f"{path}: template type unspecified; give one of {', '.join(TYPES)}"
        return
    [kind] = kinds
    if kind in _UNSUPPORTED:
        yield f"{path}.{kind}: {_UNSUPPORTED[kind]}"
        return
    yield from _inputs_outputs(template, path)
    yield from _retry(template, path)
    check = _BY_KIND.get(kind)
    if check is not None:
        yield from check(template, path)
    yield from _holders(document, called, path)
    for place, problem in unresolved(document, called):
        yield f"{path}.{place}: {problem}"


def _inputs_outputs(template: Json, path: str) -> Iterator[str]:
    for side in ("inputs", "outputs"):
        given = template.get(side) or {}
        yield from _unique(given.get("parameters"), f"{path}.{side}.parameters")
        yield from _unique(given.get("artifacts"), f"{path}.{side}.artifacts")
    places: dict[str, str] = {}
    for index, artifact in enumerate((template.get("inputs") or {}).get("artifacts") or ()):
        place = str(artifact.get("path") or "")
        if place and place in places:
            yield f"{path}.inputs.artifacts[{index}].path: {place!r} is already used by {places[place]!r}"
        if place:
            places[place] = str(artifact.get("name"))
        elif type_of(template) in ("container", "script"):
            yield f"{path}.inputs.artifacts[{index}].path: missing; it says where the artifact is put"
    for index, parameter in enumerate((template.get("outputs") or {}).get("parameters") or ()):
        if not parameter.get("valueFrom") and parameter.get("value") is None:
            yield f"{path}.outputs.parameters[{index}].valueFrom: missing; it says where the value is"


def _retry(template: Json, path: str) -> Iterator[str]:
    strategy = template.get("retryStrategy")
    if not strategy:
        return
    policy = strategy.get("retryPolicy")
    if policy and "{{" not in str(policy) and policy not in _RETRY_POLICIES:
        yield f"{path}.retryStrategy.retryPolicy: {policy!r} is none of {', '.join(_RETRY_POLICIES)}"


def _container(template: Json, path: str) -> Iterator[str]:
    if not template["container"].get("image"):
        yield f"{path}.container.image: missing"


def _script(template: Json, path: str) -> Iterator[str]:
    if not template["script"].get("image"):
        yield f"{path}.script.image: missing"


def _resource(template: Json, path: str) -> Iterator[str]:
    resource = template["resource"]
    actions = ("get", "create", "apply", "delete", "replace", "patch")
    if (action := resource.get("action")) not in actions:
        yield f"{path}.resource.action: {action!r} is none of {', '.join(actions)}"
    if not any(resource.get(key) for key in ("manifest", "manifestFrom", "flags")):
        yield f"{path}.resource.manifest: missing"


def _http(template: Json, path: str) -> Iterator[str]:
    if not template["http"].get("url"):
        yield f"{path}.http.url: missing"


def _container_set(template: Json, path: str) -> Iterator[str]:
    containers = template["containerSet"].get("containers") or ()
    if not containers:
        yield f"{path}.containerSet.containers: there is none"
    names = [str(each.get("name")) for each in containers]
    graph = {str(each.get("name")): each.get("dependencies") or () for each in containers}
    for index, each in enumerate(containers):
        if names.count(str(each.get("name"))) > 1:
            yield f"{path}.containerSet.containers[{index}].name: {each.get('name')!r} is not unique"
        for other in graph[str(each.get("name"))]:
            if other not in graph:
                yield f"{path}.containerSet.containers[{index}].dependencies: {other!r} is not defined"
    if cycle := find_cycle(graph):
        yield f"{path}.containerSet.containers: cycle: {' → '.join(cycle)}"


def _steps(template: Json, path: str) -> Iterator[str]:
    if not template["steps"]:
        yield f"{path}.steps: there is none"
    seen: set[str] = set()
    for place, step in holders(template):
        name = str(step.get("name") or "")
        if not name:
            yield f"{path}.{place}.name: missing"
        elif not _NAME.match(name):
            yield f"{path}.{place}.name: {name!r} is invalid: letters, digits, - and _ only"
        elif name in seen:
            yield f"{path}.{place}.name: {name!r} is not unique"
        seen.add(name)


def _dag(template: Json, path: str) -> Iterator[str]:
    listed = (template["dag"] or {}).get("tasks") or ()
    if not listed:
        yield f"{path}.dag.tasks: there is none"
    tasks: dict[str, Json] = {}
    for index, task in enumerate(listed):
        name = str(task.get("name") or "")
        place = f"{path}.dag.tasks[{index}]"
        if not name:
            yield f"{place}.name: missing"
        elif name in tasks:
            yield f"{place}.name: {name!r} is not unique"
        tasks[name] = task
        if task.get("depends") and task.get("dependencies"):
            yield f"{place}.depends: give depends or dependencies, not both"
        if task.get("depends") and task.get("continueOn"):
            yield f"{place}.continueOn: cannot be used with depends; say it there, as in `a.Failed`"
    graph: dict[str, list[str]] = {}
    for index, task in enumerate(listed):
        place = f"{path}.dag.tasks[{index}]"
        try:
            graph[str(task.get("name"))] = needed = list(depends.condition(task, tasks).tasks())
        except ArgoError as error:
            yield f"{place}.depends: {error.message}"
            continue
        field = "depends" if task.get("depends") else "dependencies"
        for other in needed:
            if other not in tasks:
                yield f"{place}.{field}: task {other!r} is not defined"
    if cycle := find_cycle(graph):
        yield f"{path}.dag.tasks: cycle: {' → '.join(cycle)}"
    targets = str((template["dag"] or {}).get("target") or "")
    if targets and "{{" not in targets:
        for target in targets.split():
            if target not in tasks:
                yield f"{path}.dag.target: target {target!r} is not defined"


def _data(template: Json, path: str) -> Iterator[str]:
    if not (template["data"].get("source") or {}).get("artifactPaths"):
        yield f"{path}.data.source.artifactPaths: missing"


_BY_KIND = {
    "container": _container,
    "script": _script,
    "resource": _resource,
    "http": _http,
    "containerSet": _container_set,
    "steps": _steps,
    "dag": _dag,
    "data": _data,
}


def find_cycle(graph: Mapping[str, Any]) -> list[str]:
    """One cycle, from its first member to that again; empty where there is none."""
    done: set[str] = set()
    for start in graph:
        path: list[str] = []
        stack: list[tuple[str, Iterator[str]]] = [(start, iter(graph.get(start, ())))]
        while stack and start not in done:
            name, rest = stack[-1]
            if not path or path[-1] != name:
                path.append(name)
            following = next((each for each in rest if each not in done), None)
            if following is None:
                done.add(name)
                path.pop()
                stack.pop()
            elif following in path:
                return [*path[path.index(following) :], following]
            else:
                stack.append((following, iter(graph.get(following, ()))))
    return []


# Steps and tasks


def _holders(document: ArgoDocument, called: Called, path: str) -> Iterator[str]:
    for place, holder in holders(called.template):
        where = f"{path}.{place}"
        ways = [key for key in ("template", "templateRef", "inline") if holder.get(key)]
        if len(ways) != 1:
            said = " and ".join(ways) or "none of them"
            yield f"{where}: give one of template, templateRef and inline, not {said}"
            continue
        target = document.called(called.scope, called.name, holder)
        if target is None:
            yield _undefined(where, ways[0], holder)
            continue
        if ways == ["inline"] and called.scope == LOCAL:
            yield from _template(document, target, f"{where}.inline")
        if sum(holder.get(field) is not None for field in loops.FIELDS) > 1:
            yield f"{where}: give one of {', '.join(loops.FIELDS)} only"
        yield from _given(holder, target, where)
        for name, hook in hooks(holder).items():
            if hook.get("template") and document.called(called.scope, called.name, hook) is None:
                field = "onExit" if holder.get("onExit") and name == "exit" else f"hooks.{name}.template"
                yield f"{where}.{field}: template name {hook['template']!r} undefined"


def _undefined(where: str, way: str, holder: Json) -> str:
    if way == "templateRef":
        ref = holder["templateRef"]
        return f"{where}.templateRef.template: {ref.get('name')!r} has no template {ref.get('template')!r}"
    return f"{where}.template: template name {holder.get('template')!r} undefined"


def _given(holder: Json, target: Called, where: str) -> Iterator[str]:
    """Whether the template gets all that it needs."""
    arguments = holder.get("arguments") or {}
    inputs = target.template.get("inputs") or {}
    for kind in ("parameters", "artifacts"):
        yield from _unique(arguments.get(kind), f"{where}.arguments.{kind}")
        given = {str(each.get("name")) for each in arguments.get(kind) or () if isinstance(each, Mapping)}
        for wanted in inputs.get(kind) or ():
            name = str(wanted.get("name"))
            has_own = any(wanted.get(key) is not None for key in _OWN[kind])
            if name not in given and not has_own and not wanted.get("optional"):
                yield f"{where}.arguments.{kind}: {name!r} of template {target.name!r} was not supplied"


_OWN = {
    "parameters": ("value", "default", "valueFrom"),
    "artifacts": (
        *("from", "fromExpression", "raw", "s3", "gcs", "http", "git", "oss", "hdfs", "azure"),
        *("artifactory", "plugin"),
    ),
}
