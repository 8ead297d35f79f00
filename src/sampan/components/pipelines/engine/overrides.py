"""Changes of single steps in a pipeline's document: another image, more memory, an environment variable. Pure.

Components are shared by tasks, and DAGs by their instances: everything on the way to the step is copied, so that this
step is changed and no other.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.ir_parse import field as get
from sampan.components.pipelines.engine.resumption import StepChange
from sampan.lib.ids import short_hash

_Json = dict[str, Any]
_SHOWN = 10


def changed(document: Mapping[str, Any], steps: Mapping[str, StepChange]) -> _Json:
    """`document` (`{"pipeline_spec": …, "platform_spec": …}`) with the steps changed. Raises InvalidArgumentError."""
    own: _Json = copy.deepcopy(dict(document))
    for name, change in steps.items():
        container = _own(own, find_step(own, name), short_hash(name, str(change), length=8))
        if "container" not in container:
            raise InvalidArgumentError(f"steps.{name}: it runs no container, so nothing of it can be changed")
        _apply(container["container"], change)
    return own


def replaced(document: Mapping[str, Any], new: Mapping[str, Any], paths: Iterable[str]) -> _Json:
    """`document` with what the steps at `paths` (`root/for-loop-1/2/train`) run taken from `new`.

    Raises InvalidArgumentError for a step that `new` does not have, or has with other inputs or outputs.
    """
    own: _Json = copy.deepcopy(dict(document))
    steps = dict.fromkeys(tuple(part for part in path.split("/")[1:] if not part.isdigit()) for path in paths)
    for step in steps:
        name = "/".join(step)
        found = _component(new, step)
        if found is None:
            raise InvalidArgumentError(
                f"pipeline_spec: it has no step {name}, which has failed; stop the run, and resume it instead"
            )
        before = _component(own, step)
        assert before is not None
        for side in ("inputDefinitions", "outputDefinitions"):
            if get(before, side, {}) != get(found, side, {}):
                raise InvalidArgumentError(
                    f"pipeline_spec: the step {name} has other {side.removesuffix('Definitions')}s there; stop the "
                    "run, and resume it instead"
                )
        mark = short_hash(name, str(found), str(new), length=8)
        label = str(get(found, "executorLabel", ""))
        executors = get(get(new["pipeline_spec"], "deploymentSpec", {}), "executors", {})
        executor = _own(own, step, mark)
        executor.clear()
        executor.update(copy.deepcopy(executors[label]))
        _take_platform(own, new, (f"{get(before, 'executorLabel', '')}-{mark}", label))
    return own


def _component(document: Mapping[str, Any], path: Iterable[str]) -> Mapping[str, Any] | None:
    """That of the step at `path`, or None."""
    spec = document["pipeline_spec"]
    component: Mapping[str, Any] = get(spec, "root", {})
    for name in path:
        task = get(get(component, "dag", {}), "tasks", {}).get(name)
        if task is None:
            return None
        component = get(spec, "components", {})[get(get(task, "componentRef", {}), "name")]
    return component if get(component, "dag") is None else None


def _take_platform(document: _Json, new: Mapping[str, Any], labels: tuple[str, str]) -> None:
    """The Kubernetes settings of an executor as `new` has them, which knows it by the second of the labels."""
    ours, theirs = labels
    for name, platform in get(new.get("platform_spec", {}), "platforms", {}).items():
        given = get(get(platform, "deploymentSpec", {}), "executors", {}).get(theirs)
        if given is not None:
            platforms = document.setdefault("platform_spec", {}).setdefault("platforms", {})
            deployment = platforms.setdefault(name, {}).setdefault("deploymentSpec", {})
            deployment.setdefault("executors", {})[ours] = copy.deepcopy(given)


def find_step(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The path of the one step called `name`: a task's name, display name, or path. Raises InvalidArgumentError."""
    paths = list(_steps(document["pipeline_spec"]))
    wanted = tuple(part for part in name.replace(" / ", "/").split("/") if part and not part.isdigit())
    matching = [path for path, _ in paths if path == wanted]
    matching = matching or [path for path, shown in paths if path[-len(wanted) :] == wanted or shown == name]
    if len(matching) == 1:
        return matching[0]
    if matching:
        shown = ", ".join("/".join(path) for path in matching[:_SHOWN])
        raise InvalidArgumentError(f"steps.{name}: several steps are called so; name one of {shown}")
    known = ", ".join("/".join(path) for path, _ in paths[:_SHOWN])
    raise InvalidArgumentError(f"steps.{name}: the pipeline has no such step; it has {known}")


def _steps(spec: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every step's path of task names, and its display name."""
    components = get(spec, "components", {})
    stack: list[tuple[tuple[str, ...], Mapping[str, Any]]] = [((), get(spec, "root", {}))]
    while stack:
        path, component = stack.pop()
        for name, task in get(get(component, "dag", {}), "tasks", {}).items():
            reference = get(get(task, "componentRef", {}), "name", "")
            below = components.get(reference, {})
            if get(below, "dag") is not None:
                stack.append(((*path, name), below))
            else:
                yield (*path, name), str(get(get(task, "taskInfo", {}), "name", ""))


def _own(document: _Json, path: tuple[str, ...], mark: str) -> _Json:
    """The executor of the step at `path`, which nothing else uses any more."""
    spec = document["pipeline_spec"]
    components = get(spec, "components", {})
    component = get(spec, "root", {})
    for name in path:
        reference = get(get(component, "dag", {})["tasks"][name], "componentRef", {})
        own = f"{reference['name']}-{mark}"
        components[own] = component = copy.deepcopy(components[reference["name"]])
        reference["name"] = own
    label_key = "executorLabel" if "executorLabel" in component else "executor_label"
    label = component[label_key]
    component[label_key] = own_label = f"{label}-{mark}"
    executors = get(get(spec, "deploymentSpec", {}), "executors", {})
    executors[own_label] = copy.deepcopy(executors[label])
    for platform in get(document.get("platform_spec", {}), "platforms", {}).values():
        configured = get(get(platform, "deploymentSpec", {}), "executors", {})
        if label in configured:
            configured[own_label] = copy.deepcopy(configured[label])
    executor: _Json = executors[own_label]
    return executor


def _apply(container: _Json, change: StepChange) -> None:
    if change.image:
        container["image"] = change.image
    if change.cpu or change.memory:
        resources = container.setdefault("resources", {})
        for kind, value in (("Cpu", change.cpu), ("Memory", change.memory)):
            if not value:
                continue
            low = kind.lower()
            # What was asked for may be more than the new limit, which no pod may have.
            for old in (f"{low}Limit", f"{low}_limit", f"{low}Request", f"{low}_request",
                        f"resource_{low}_limit", f"resource{kind}Request", f"resource_{low}_request"):  # fmt: skip
                resources.pop(old, None)
            resources[f"resource{kind}Limit"] = value
    if change.env:
        kept = [item for item in container.get("env", []) if item.get("name") not in change.env]
        container["env"] = kept + [{"name": name, "value": value} for name, value in change.env.items()]
