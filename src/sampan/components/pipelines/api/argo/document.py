"""A Workflow, with all that it refers to: what a run stores and the engine reads.

    document = load(mapping)                  # a Workflow, or what `to_json` gave
    document = resolve(document, get)         # WorkflowTemplates that it names are pulled in

`scope` says where a template's name is looked up: "local", "namespaced/NAME" or "cluster/NAME". Inline templates get a
name of their own, of their step's. Every failure is an InvalidArgumentError that names the field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.components.pipelines.api.argo.recognising import (
    CLUSTER_WORKFLOW_TEMPLATE as CLUSTER_WORKFLOW_TEMPLATE,
)
from sampan.components.pipelines.api.argo.recognising import KINDS as KINDS
from sampan.components.pipelines.api.argo.recognising import WORKFLOW_TEMPLATE as WORKFLOW_TEMPLATE
from sampan.components.pipelines.api.argo.recognising import is_workflow as is_workflow
from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.ir_values import normalised

LOCAL = "local"
TYPES = (
    "container",
    "script",
    "steps",
    "dag",
    "suspend",
    "resource",
    "http",
    "containerSet",
    "data",
    "plugin",
)

Json = Mapping[str, Any]
GetTemplate = Callable[[str, str], Json | None]
"""The object of kind WorkflowTemplate or ClusterWorkflowTemplate by its name; None where there is none."""


@dataclass(frozen=True, slots=True)
class Called:
    """A template, and where the names within it are looked up."""

    scope: str
    name: str
    template: dict[str, Any] = field(repr=False)

    @property
    def type(self) -> str:
        return type_of(self.template)


@dataclass(frozen=True, slots=True)
class ArgoDocument:
    """`workflow` as the user wrote it; `spec` is its own, joined with that of the WorkflowTemplate that it names."""

    workflow: dict[str, Any]
    templates: dict[str, dict[str, Any]]
    """Specs of WorkflowTemplates by scope."""
    spec: dict[str, Any] = field(repr=False)
    index: dict[str, dict[str, dict[str, Any]]] = field(repr=False)
    """Templates by scope and name, inline ones too."""

    @property
    def metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = self.workflow.get("metadata") or {}
        return found

    @property
    def name(self) -> str:
        """Of the Workflow; for one that is to be given a name, what that begins with."""
        return str(
            self.metadata.get("name") or self.metadata.get("generateName", "").rstrip("-") or "workflow"
        )

    def to_json(self) -> dict[str, Any]:
        """How runs and versions store it, and what `load` reads back."""
        stored: dict[str, Any] = {"workflow": self.workflow}
        return stored | {"templates": self.templates} if self.templates else stored

    def find(self, scope: str, name: str) -> Called | None:
        template = self.index.get(scope, {}).get(name)
        return Called(scope, name, template) if template is not None else None

    def called(self, scope: str, caller: str, holder: Json) -> Called | None:
        """The template that a step, task or hook within the template `caller` runs. None where there is none."""
        if (ref := holder.get("templateRef")) is not None:
            return self.find(scope_of(ref), str(ref.get("template", "")))
        if holder.get("inline") is not None:
            return self.find(scope, inline_name(caller, str(holder.get("name", ""))))
        return self.find(scope, str(holder.get("template", "")))


def load(source: Json) -> ArgoDocument:
    """Raises InvalidArgumentError."""
    source = normalised(source)
    workflow: Any = source
    templates: dict[str, dict[str, Any]] = {}
    if "workflow" in source:
        workflow, templates = source["workflow"], source.get("templates") or {}
    if not isinstance(workflow, dict) or not isinstance(workflow.get("spec"), dict):
        raise InvalidArgumentError("spec: missing; a Workflow needs one")
    if workflow.get("kind", "Workflow") not in KINDS:
        raise InvalidArgumentError(f"kind: {workflow.get('kind')!r} is none of {', '.join(sorted(KINDS))}")
    spec = _joined(workflow["spec"], templates)
    index = {LOCAL: _indexed(spec)}
    for scope, other in templates.items():
        index[scope] = _indexed(other)
    defaults = spec.get("templateDefaults")
    if defaults:
        for found in index.values():
            for name, template in found.items():
                found[name] = with_defaults(template, defaults)
    return ArgoDocument(workflow, dict(templates), spec, index)


def resolve(document: ArgoDocument, get: GetTemplate) -> ArgoDocument:
    """The document with every WorkflowTemplate that it refers to, directly or not. Raises InvalidArgumentError."""
    templates = dict(document.templates)
    wanted = list(_references(document.workflow.get("spec") or {}, "spec"))
    while wanted:
        path, scope = wanted.pop()
        if scope in templates:
            continue
        kind = CLUSTER_WORKFLOW_TEMPLATE if scope.startswith("cluster/") else WORKFLOW_TEMPLATE
        name = scope.partition("/")[2]
        found = get(kind, name)
        if found is None:
            raise InvalidArgumentError(f'{path}: there is no {kind} "{name}"; create it first')
        spec = dict(normalised(found.get("spec") or {}))
        templates[scope] = spec
        wanted.extend(_references(spec, f"{kind}/{name}: spec"))
    return load({"workflow": document.workflow, "templates": templates}) if templates else document


def scope_of(ref: Json) -> str:
    return f"{'cluster' if ref.get('clusterScope') else 'namespaced'}/{ref.get('name', '')}"


def type_of(template: Json) -> str:
    """What the template is, by the field that it has."""
    return next((name for name in TYPES if template.get(name) is not None), "")


def inline_name(caller: str, step: str) -> str:
    return f"{caller}~{step}"


def holders(template: Json) -> Iterator[tuple[str, dict[str, Any]]]:
    """The steps or tasks of a template, with their paths."""
    for index, group in enumerate(template.get("steps") or ()):
        # A step may stand alone, without a list around it.
        for number, step in enumerate(group if isinstance(group, list) else [group]):
            if isinstance(step, dict):
                yield f"steps[{index}][{number}]", step
    for index, task in enumerate((template.get("dag") or {}).get("tasks") or ()):
        if isinstance(task, dict):
            yield f"dag.tasks[{index}]", task


def hooks(holder: Json) -> dict[str, dict[str, Any]]:
    """The hooks of a step, task or workflow; `onExit` is the older form of the one named `exit`."""
    found = {
        name: dict(hook) for name, hook in (holder.get("hooks") or {}).items() if isinstance(hook, Mapping)
    }
    if holder.get("onExit") and "exit" not in found:
        found["exit"] = {"template": holder["onExit"]}
    return found


def _indexed(spec: Json) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    waiting = [dict(item) for item in spec.get("templates") or () if isinstance(item, Mapping)]
    while waiting:
        template = waiting.pop()
        name = str(template.get("name", ""))
        found[name] = template
        for _, holder in holders(template):
            if isinstance(inline := holder.get("inline"), Mapping):
                waiting.append({**inline, "name": inline_name(name, str(holder.get("name", "")))})
    return found


def _references(spec: Json, path: str) -> Iterator[tuple[str, str]]:
    if ref := spec.get("workflowTemplateRef"):
        yield f"{path}.workflowTemplateRef.name", scope_of(ref)
    yield from _hook_references(spec, path)
    waiting = [(f"{path}.templates[{index}]", item) for index, item in enumerate(spec.get("templates") or ())]
    while waiting:
        place, template = waiting.pop()
        if not isinstance(template, Mapping):
            continue
        for where, holder in holders(template):
            if ref := holder.get("templateRef"):
                yield f"{place}.{where}.templateRef.name", scope_of(ref)
            yield from _hook_references(holder, f"{place}.{where}")
            if isinstance(inline := holder.get("inline"), Mapping):
                waiting.append((f"{place}.{where}.inline", inline))


def _hook_references(holder: Json, path: str) -> Iterator[tuple[str, str]]:
    for name, hook in hooks(holder).items():
        if ref := hook.get("templateRef"):
            yield f"{path}.hooks.{name}.templateRef.name", scope_of(ref)


# Joining

_BY_NAME = {
    "parameters": "name",
    "artifacts": "name",
    "volumes": "name",
    "volumeClaimTemplates": "metadata.name",
    "env": "name",
    "volumeMounts": "mountPath",
    "imagePullSecrets": "name",
}
"""Lists whose items are merged by a key rather than replaced."""


def _joined(spec: Json, templates: Json) -> dict[str, Any]:
    """The workflow's own spec over that of the WorkflowTemplate that it names."""
    ref = spec.get("workflowTemplateRef")
    base = templates.get(scope_of(ref)) if ref else None
    if base is None:
        return dict(spec)
    joined: dict[str, Any] = merged(base, {key: value for key, value in spec.items() if key != "templates"})
    return joined


def merged(base: Any, over: Any, key: str = "") -> Any:
    """`over` on `base`: maps field by field, some lists by the names of their items, all else replaced."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {
            name: merged(base[name], over[name], name)
            if name in base and name in over
            else over.get(name, base.get(name))
            for name in (*base, *(name for name in over if name not in base))
        }
    if isinstance(base, list) and isinstance(over, list) and (by := _BY_NAME.get(key)):
        found = {_key(item, by): item for item in base}
        for item in over:
            name = _key(item, by)
            found[name] = _item(found[name], item, key) if name in found else item
        return list(found.values())
    return over


def _item(base: Any, over: Any, key: str) -> Any:
    """A parameter that is given a value has no longer the base's source, and the other way round."""
    if key == "parameters" and isinstance(over, Mapping) and ("value" in over or "valueFrom" in over):
        base = {name: value for name, value in base.items() if name not in ("value", "valueFrom")}
    return merged(base, over)


def _key(item: Any, by: str) -> Any:
    for part in by.split("."):
        item = item.get(part) if isinstance(item, Mapping) else None
    return str(item)


def with_defaults(template: Json, defaults: Json) -> dict[str, Any]:
    """The template over `spec.templateDefaults`, of which what makes another type of template does not count."""
    own = type_of(template)
    fitting = {key: value for key, value in defaults.items() if key not in TYPES or key == own}
    found: dict[str, Any] = merged(fitting, template)
    return found
