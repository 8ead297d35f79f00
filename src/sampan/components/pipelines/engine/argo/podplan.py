"""From a container, script or container set template to its pod. Pure: the same attempt always gives the same pod.

Source: workflow/controller/workflowpod.go, argo-workflows v3.7. There are no init and wait containers of ours: inputs
are mounted, outputs come back by the shell around the program (`emissary`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import Variables, substitute
from sampan.components.pipelines.engine.argo.artifacts import InputFiles, key_path
from sampan.components.pipelines.engine.argo.collecting import RESULT, TemplateOutputs
from sampan.components.pipelines.engine.argo.context import ArgoContext
from sampan.components.pipelines.engine.argo.emissary import Wrapping, wrapped
from sampan.components.pipelines.engine.argo.names import full_name
from sampan.components.pipelines.engine.argo.node import ArgoNode
from sampan.components.pipelines.engine.argo.podparts import apply_defaults, patched, sidecars
from sampan.components.pipelines.engine.argo.programs import program_of
from sampan.components.pipelines.engine.podspec import (
    ATTEMPT_LABEL,
    MAIN_CONTAINER,
    RUN_ID_LABEL,
    RUN_LABEL,
    TASK_ID_LABEL,
    TASK_NAME_ANNOTATION,
    TASK_PATH_ANNOTATION,
)
from sampan.components.pipelines.engine.step_files import StepOutputs, StepPaths
from sampan.components.pipelines.engine.turn import Launch

PRIVATE_ANNOTATION = "sampan.dev/private-folders"
"""Folders that shall be the pod's own where pods see the machine's files: it writes there as if in an image."""
_NOT_OF_PODS = ("inputs", "memoize", "synchronization", "retryStrategy", "metrics")
_IDLE_IMAGE = "busybox:stable"
_SHARED = frozenset(
    {
        "bin",
        "boot",
        "dev",
        "etc",
        "home",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "opt",
        "proc",
        "root",
        "run",
        "sbin",
    }
    | {"sys", "tmp", "usr", "var"}
)


def has_pod(template: Mapping[str, Any]) -> bool:
    """Whether the template runs as a pod. One for a resource does only if it names its pod."""
    if "resource" in template:
        return "pod.name" in json.dumps(template["resource"])
    return any(template.get(kind) is not None for kind in ("container", "script", "containerSet"))


@dataclass(frozen=True, slots=True)
class Attempt:
    node: ArgoNode
    number: int
    variables: Variables = field(repr=False)

    @property
    def pod(self) -> str:
        return self.node.attempts[self.number - 1].pod


def plan(context: ArgoContext, attempt: Attempt) -> Launch:
    """Raises ArgoError, StepError."""
    node = attempt.node
    assert node.called is not None
    raw = node.called.template
    variables = attempt.variables.with_layer(_local(raw, attempt))
    template = substitute({key: value for key, value in raw.items() if key not in _NOT_OF_PODS}, variables)
    declared = substitute(raw.get("inputs") or {}, variables).get("artifacts") or ()
    outputs = _outputs(context, attempt, template)
    files = InputFiles.of(context, node, declared, outputs.paths)
    spec = _spec(context, template, files)
    _add_programs(spec, template, files, outputs)
    paths = files.laid_out(outputs.paths, outputs.uris.values())
    metadata = _metadata(context, attempt, template)
    touched = [*(source for source, _ in outputs.moved), *(str(item.get("path")) for item in declared)]
    if own := _private(spec, touched):
        metadata["annotations"][PRIVATE_ANNOTATION] = ",".join(own)
    pod: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    patches = [context.document.spec.get("podSpecPatch"), template.get("podSpecPatch")]
    pod = patched(pod, patches, variables)
    own_folder = pod["spec"]["containers"][0].get("workingDir")
    context.files.attach(pod, paths, files.uris)
    if own_folder is None:
        # What is fetched from the web has its place by a mount, not by where the program starts.
        pod["spec"]["containers"][0].pop("workingDir", None)
    files.mount(pod)
    collector = TemplateOutputs(outputs.parameters, outputs.artifacts, outputs.uris, paths)
    is_daemon = (bool(template.get("daemon")) and not node.is_daemoned) or "resource" in template
    return Launch(
        node.id,
        attempt.number,
        pod,
        paths,
        collector,
        tells_start=is_daemon,
        inputs=context.files.remote(files.remote),
        requires_inputs=True,
    )


@dataclass(frozen=True, slots=True)
class _Outputs:
    """What the template gives, and where each thing goes."""

    parameters: Sequence[Mapping[str, Any]]
    artifacts: Sequence[Mapping[str, Any]]
    uris: Mapping[str, str]
    paths: StepPaths
    moved: Sequence[tuple[str, str]]

    @property
    def printed(self) -> str:
        return self.paths.parameters.get(RESULT, "")


def _outputs(context: ArgoContext, attempt: Attempt, template: Mapping[str, Any]) -> _Outputs:
    declared = template.get("outputs") or {}
    parameters = declared.get("parameters") or []
    artifacts = [item for item in declared.get("artifacts") or [] if item.get("path")]
    captures = context.captures or "script" in template
    names = tuple(str(item.get("name")) for item in artifacts)
    own = (RESULT,) if captures else ()
    wanted = StepOutputs((*(str(item.get("name")) for item in parameters), *own), names)
    place = f"{attempt.node.path}/{attempt.node.id[:8]}"
    paths = context.files.layout(context.root, context.run_id, place, attempt.number, wanted)
    uris = {
        name: key_path(context, item) or paths.artifacts[name]
        for name, item in zip(names, artifacts, strict=True)
    }
    return _Outputs(parameters, artifacts, uris, paths, _moved(parameters, artifacts, paths, uris))


def _local(template: Mapping[str, Any], attempt: Attempt) -> dict[str, Any]:
    """What only the fields of a pod's template may name."""
    found: dict[str, Any] = {"pod.name": attempt.pod}
    variables = attempt.variables.with_layer(found)
    for side in ("inputs", "outputs"):
        for item in (template.get(side) or {}).get("artifacts") or ():
            if item.get("path"):
                found[f"{side}.artifacts.{item.get('name')}.path"] = substitute(item["path"], variables)
    for item in (template.get("outputs") or {}).get("parameters") or ():
        if path := (item.get("valueFrom") or {}).get("path"):
            found[f"outputs.parameters.{item.get('name')}.path"] = substitute(path, variables)
    return found


def _moved(
    parameters: Sequence[Mapping[str, Any]],
    artifacts: Sequence[Mapping[str, Any]],
    paths: StepPaths,
    uris: Mapping[str, str],
) -> list[tuple[str, str]]:
    """What goes where once the program has ended."""
    found = [
        (str(item["valueFrom"]["path"]), paths.parameters[str(item.get("name"))])
        for item in parameters
        if (item.get("valueFrom") or {}).get("path")
    ]
    found += [(str(item["path"]).rstrip("/") or "/", uris[str(item.get("name"))]) for item in artifacts]
    for source, _ in found:
        if "\t" in source or "\n" in source:
            raise ArgoError(f"outputs: the path {source!r} holds a tab or a line break")
    return found


def _spec(context: ArgoContext, template: Mapping[str, Any], files: InputFiles) -> dict[str, Any]:
    spec: dict[str, Any] = {"restartPolicy": "Never", "containers": []}
    apply_defaults(spec, context, template)
    main = template.get("container") or template.get("script") or template.get("containerSet") or {}
    before = [*(dict(item) for item in template.get("initContainers") or ()), *sidecars(template)]
    for container in before:
        if container.pop("mirrorVolumeMounts", False):
            container["volumeMounts"] = [
                *(container.get("volumeMounts") or ()),
                *(main.get("volumeMounts") or ()),
            ]
            files.mirrored.append(str(container.get("name")))
    if before:
        spec["initContainers"] = before
    return spec


def _add_programs(
    spec: dict[str, Any], template: Mapping[str, Any], files: InputFiles, outputs: _Outputs
) -> None:
    wanted = template.get("containerSet")
    if "resource" in template:
        # It is there to be named: what is done to the resource is done by the platform meanwhile.
        spec["containers"].append(
            {"name": MAIN_CONTAINER, "image": _IDLE_IMAGE, "command": ["sleep", "86400"]}
        )
        return
    if wanted is None:
        source = template.get("script")
        container = dict(source if source is not None else template.get("container") or {})
        container["name"] = MAIN_CONTAINER
        if source is not None:
            text, extension = container.pop("source", None), str(container.pop("extension", "") or "")
            if text:
                script = files.script(str(text), extension)
                container["command"] = [*(container.get("command") or ()), *_flags(container), script]
                container.pop("args", None)
        wrapping = Wrapping(outputs.moved, outputs.printed)
        spec["containers"].append(_wrapped(container, wrapping))
        return
    retry = wanted.get("retryStrategy") or {}
    names = [str(item.get("name")) for item in wanted.get("containers") or ()]
    for item in wanted.get("containers") or ():
        container = dict(item)
        after = container.pop("dependencies", None) or ()
        mounts = [*(container.get("volumeMounts") or ()), *(wanted.get("volumeMounts") or ())]
        if mounts:
            container["volumeMounts"] = mounts
        is_main = container.get("name") == MAIN_CONTAINER
        wrapping = Wrapping(
            outputs.moved if is_main else (),
            outputs.printed if is_main else "",
            files.folder("set"),
            tuple(after),
            str(container.get("name")),
            int(str(retry.get("retries") or 0)),
            files.seconds(retry.get("duration")),
            [name for name in names if name != MAIN_CONTAINER] if is_main and outputs.moved else (),
        )
        spec["containers"].append(_wrapped(container, wrapping))


def _flags(container: Mapping[str, Any]) -> list[str]:
    return [str(item) for item in container.get("args") or ()]


def _wrapped(container: dict[str, Any], wrapping: Wrapping) -> dict[str, Any]:
    if not wrapping.is_needed:
        return container
    command, args = program_of(container)
    if not command:
        raise ArgoError(
            f"container {container['name']!r}: command is missing; its outputs can only be had with a command, "
            f"as what the image {container.get('image')!r} starts by itself is not known"
        )
    container["command"], container["args"] = wrapped(command, args, wrapping)
    return container


def _metadata(context: ArgoContext, attempt: Attempt, template: Mapping[str, Any]) -> dict[str, Any]:
    node = attempt.node
    given = template.get("metadata") or {}
    general = substitute(context.document.spec.get("podMetadata") or {}, attempt.variables)
    labels = {
        RUN_LABEL: context.run_id,
        RUN_ID_LABEL: context.run_id,
        TASK_ID_LABEL: node.id,
        ATTEMPT_LABEL: str(attempt.number),
        "workflows.argoproj.io/workflow": context.name,
        "workflows.argoproj.io/completed": "false",
    }
    annotations = {
        TASK_NAME_ANNOTATION: node.step or node.name,
        TASK_PATH_ANNOTATION: node.path,
        "workflows.argoproj.io/node-name": full_name(node),
        "workflows.argoproj.io/node-id": node.id,
    }
    metadata: dict[str, Any] = {
        "name": attempt.pod,
        "namespace": context.namespace,
        # Ours last: a user's label must not take a pod away from its run.
        "labels": {**(general.get("labels") or {}), **(given.get("labels") or {}), **labels},
        "annotations": {
            **(general.get("annotations") or {}),
            **(given.get("annotations") or {}),
            **annotations,
        },
    }
    if context.owner:
        metadata["ownerReferences"] = [dict(context.owner)]
    return metadata


def _private(spec: Mapping[str, Any], paths: Sequence[str]) -> list[str]:
    """Top folders that the paths lead into and that are no volume of the pod."""
    mounted = {
        str(mount.get("mountPath", "")).rstrip("/")
        for container in spec["containers"]
        for mount in container.get("volumeMounts") or ()
    }
    found: dict[str, None] = {}
    for path in paths:
        parts = path.strip("/").split("/")
        if not path.startswith("/") or any(
            path == place or path.startswith(f"{place}/") for place in mounted
        ):
            continue
        if len(parts) == 1:
            found["/"] = None
        elif parts[0] not in _SHARED and not any(place.startswith(f"/{parts[0]}/") for place in mounted):
            found[f"/{parts[0]}"] = None
    return list(found)
