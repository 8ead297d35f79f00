"""From one attempt of a step to its Pod. Pure: the same step and attempt always give the same pod.

Source of labels and resources: backend/src/v2/{driver/driver.go,compiler/argocompiler}, kubeflow/pipelines 2.17. There
is no launcher in the pod: the step's own command runs in the container `main`, and the engine collects its outputs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.api.ir_kubernetes import is_quantity
from sampan.components.pipelines.api.ir_model import Component, Container, ParameterType, Value
from sampan.components.pipelines.api.ir_parse import field as get
from sampan.components.pipelines.api.ir_values import to_text
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.placeholders import (
    JobContext,
    Lookup,
    expand_arguments,
    substitute,
)
from sampan.components.pipelines.engine.platform import Platform
from sampan.lib.ids import short_hash

MAIN_CONTAINER = "main"

RUN_LABEL = "pipeline/runid"
"""As upstream labels its pods. The engine's watch selects on it."""
OWNER_LABEL = "sampan.dev/home"
"""Whose pod it is, on a cluster where others have theirs."""
RUN_ID_LABEL = "pipelines.kubeflow.org/run-id"
TASK_ID_LABEL = "pipelines.kubeflow.org/task-id"
ATTEMPT_LABEL = "pipelines.kubeflow.org/attempt"
RETRY_LABEL = "pipelines.kubeflow.org/retry-count"
V2_LABEL = "pipelines.kubeflow.org/v2_component"
TASK_NAME_ANNOTATION = "pipelines.kubeflow.org/task-name"
TASK_PATH_ANNOTATION = "pipelines.kubeflow.org/task-path"
PIPELINE_ANNOTATION = "pipelines.kubeflow.org/pipeline-name"

_UNBUFFERED = {"name": "PYTHONUNBUFFERED", "value": "1"}
"""What a step prints is in its log at once, and not lost with a step that is killed."""

_NOT_DNS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Step:
    """One attempt of a step."""

    job: JobContext
    task_id: str
    task_name: str
    scope_path: str
    attempt: int
    retries: int
    """Attempts before this one that count against the retry policy."""
    component: Component
    container: Container
    platform: Platform
    lookup: Lookup
    """Every placeholder of the step."""
    provided: frozenset[str]
    """Inputs for which IfPresent holds."""
    service_account: str = ""


def pod_name(run_id: str, scope_path: str, task_name: str, attempt: int) -> str:
    """A DNS label that says what it is, and that no other attempt of any run has."""
    readable = _NOT_DNS.sub("-", task_name.lower()).strip("-")[:40].strip("-") or "step"
    return f"{readable}-{short_hash(run_id, scope_path, length=10)}-{attempt}"


def resource_name(pipeline_name: str, run_id: str) -> str:
    """A DNS label that names the run."""
    readable = _NOT_DNS.sub("-", pipeline_name.lower()).strip("-")[:40].strip("-") or "run"
    return f"{readable}-{short_hash(run_id, length=5)}"


def build_pod(step: Step) -> dict[str, Any]:
    """Raises StepError for a placeholder without value or a resource that is no quantity."""
    parts = step.platform
    on_pod = _applies(step.component)
    container: dict[str, Any] = {
        "name": MAIN_CONTAINER,
        "image": substitute(step.container.image, step.lookup),
    }
    for key, arguments in (("command", step.container.command), ("args", step.container.args)):
        if expanded := expand_arguments(arguments, step.lookup, step.provided.__contains__):
            container[key] = expanded
    env = [*own_env(step.container, step.lookup), *parts.env] if on_pod("ENV") else []
    container["env"] = (
        env if any(each["name"] == _UNBUFFERED["name"] for each in env) else [*env, _UNBUFFERED]
    )
    if (found := resources(step.container, step.lookup)) and on_pod("RESOURCES"):
        container["resources"] = found
    shared = on_pod("KUBERNETES_VOLUMES")
    if mounts := [*(parts.volume_mounts if shared else ()), *parts.own_mounts]:
        container["volumeMounts"] = mounts
    if parts.image_pull_policy:
        container["imagePullPolicy"] = parts.image_pull_policy
    if parts.security_context:
        container["securityContext"] = parts.security_context
    spec: dict[str, Any] = {"restartPolicy": "Never", "containers": [container]}
    if volumes := _unique([*(parts.volumes if shared else ()), *parts.own_volumes]):
        spec["volumes"] = volumes
    if step.service_account:
        spec["serviceAccountName"] = step.service_account
    _add_scheduling(spec, parts, on_pod)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(step), "spec": spec}


def source_at(command: Sequence[str]) -> int | None:
    """Where in the command of a Python function's component its source stands: after the script that runs it.

    Source: kfp/dsl/component_factory.py, 2.0.0 to 2.17.0.
    """
    if len(command) < 4 or list(command[-4:-2]) != ["sh", "-ec"]:
        return None
    script = command[-2]
    is_executor = ".executor_main" in script and "--component_module_path" in script
    return len(command) - 1 if is_executor else None


def own_env(container: Container, lookup: Lookup) -> list[dict[str, Any]]:
    return [{"name": name, "value": substitute(value, lookup)} for name, value in container.env]


def task_config(step: Step) -> Value:
    """What a component asks to be handed as `dsl.TaskConfig`: fields that it passes through."""
    parts = step.platform
    wanted = step.component.passthroughs
    given: dict[str, tuple[str, Value]] = {
        "ENV": ("env", [*own_env(step.container, step.lookup), *parts.env]),
        "RESOURCES": ("resources", resources(step.container, step.lookup)),
        "KUBERNETES_NODE_SELECTOR": ("nodeSelector", parts.node_selector),
        "KUBERNETES_TOLERATIONS": ("tolerations", parts.tolerations),
        "KUBERNETES_AFFINITY": ("affinity", parts.affinity),
    }
    config = {key: value for name, (key, value) in given.items() if name in wanted}
    if "KUBERNETES_VOLUMES" in wanted:
        config |= {"volumes": _unique(parts.volumes), "volumeMounts": parts.volume_mounts}
    return config


def takes_task_config(component: Component) -> list[str]:
    """The inputs that want the task config."""
    return [
        name
        for name, parameter in component.input_parameters.items()
        if parameter.type is ParameterType.TASK_CONFIG
    ]


def resources(container: Container, lookup: Lookup) -> dict[str, dict[str, str]]:
    """Kubernetes' ResourceRequirements. The deprecated numeric fields count where the text is missing."""
    found: dict[str, dict[str, str]] = {}
    if not container.resources:
        return found
    for section, part, kind, unit in (
        ("limits", "Limit", "memory", "G"),
        ("requests", "Request", "memory", "G"),
        ("limits", "Limit", "cpu", ""),
        ("requests", "Request", "cpu", ""),
    ):
        text = substitute(str(get(container.resources, f"resource{kind.title()}{part}", "")), lookup)
        if not text and (number := get(container.resources, f"{kind}{part}", 0)):
            text = f"{float(number):g}{unit}"
        if text:
            found.setdefault(section, {})[kind] = _quantity(text, f"{kind} {part.lower()}")
    accelerator = get(container.resources, "accelerator", {})
    type_ = substitute(str(get(accelerator, "resourceType") or get(accelerator, "type", "")), lookup)
    count = substitute(to_text(get(accelerator, "resourceCount") or get(accelerator, "count", "")), lookup)
    if type_ and count not in ("", "0"):
        found.setdefault("limits", {})[type_] = _quantity(count, f"accelerator count of {type_}")
    return found


def _quantity(text: str, what: str) -> str:
    if not is_quantity(text):
        raise StepError(f"{what}: {text!r} is not a quantity such as 500m, 2 or 4Gi")
    return text


def _applies(component: Component) -> Any:
    """Whether a field goes to the pod: passed through fields do only where the component says so."""
    passthroughs = component.passthroughs
    return lambda field: passthroughs.get(field, True)


def _metadata(step: Step) -> Mapping[str, Any]:
    labels = {
        RUN_LABEL: step.job.run_id,
        RUN_ID_LABEL: step.job.run_id,
        TASK_ID_LABEL: step.task_id,
        ATTEMPT_LABEL: str(step.attempt),
        RETRY_LABEL: str(step.retries),
        V2_LABEL: "true",
    }
    annotations = {
        PIPELINE_ANNOTATION: step.job.pipeline_name,
        TASK_NAME_ANNOTATION: step.task_name,
        TASK_PATH_ANNOTATION: step.scope_path,
    }
    return {
        "name": pod_name(step.job.run_id, step.scope_path, step.task_name, step.attempt),
        "namespace": step.job.namespace,
        # Ours last: a user's label must not take a pod away from its run.
        "labels": step.platform.labels | labels,
        "annotations": step.platform.annotations | annotations,
    }


def _add_scheduling(spec: dict[str, Any], parts: Platform, on_pod: Any) -> None:
    if parts.node_selector and on_pod("KUBERNETES_NODE_SELECTOR"):
        spec["nodeSelector"] = parts.node_selector
    if parts.tolerations and on_pod("KUBERNETES_TOLERATIONS"):
        spec["tolerations"] = parts.tolerations
    if parts.affinity and on_pod("KUBERNETES_AFFINITY"):
        spec["affinity"] = parts.affinity
    if parts.image_pull_secrets:
        spec["imagePullSecrets"] = parts.image_pull_secrets
    if parts.active_deadline_seconds > 0:
        spec["activeDeadlineSeconds"] = parts.active_deadline_seconds
    if parts.init_containers:
        spec["initContainers"] = parts.init_containers


def _unique(volumes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One volume a name: a claim may be mounted twice."""
    return list({volume["name"]: volume for volume in volumes}.values())
