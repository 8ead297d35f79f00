"""When a step may reuse an earlier result. Pure.

Source of what counts: backend/src/v2/{driver/cache.go,cacheutils/cache.go}, kubeflow/pipelines 2.17. Input artifacts
count by identity, not by name, so that a step runs again when an upstream step that is not cached ran again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from sampan.components.pipelines.api.ir_model import Component, Container, Task
from sampan.components.pipelines.engine.placeholders import JobContext
from sampan.components.pipelines.engine.resolve import Inputs


def fingerprint(
    job: JobContext,
    task: Task,
    component: Component,
    container: Container,
    inputs: Inputs,
    pvcs: Iterable[str],
) -> str:
    """Equal for executions that must give the same result, within one pipeline of one namespace."""
    scope = {"namespace": job.namespace, "pipeline": job.pipeline_name}
    if task.cache_key:
        return _digest({**scope, "component": task.component, "key": task.cache_key})
    return _digest(
        {
            **scope,
            "parameters": inputs.parameters,
            "artifacts": {
                name: [artifact.artifact_id for artifact in found] for name, found in inputs.artifacts.items()
            },
            "output_parameters": {name: item.type for name, item in component.output_parameters.items()},
            "output_artifacts": {
                name: [slot.schema_title, slot.schema_version, slot.metadata]
                for name, slot in component.output_artifacts.items()
            },
            "image": container.image,
            "command": [*container.command, *container.args],
            "pvcs": sorted(set(pvcs)),
        }
    )


def _digest(key: object) -> str:
    return hashlib.sha256(msgspec.json.encode(key, order="deterministic")).hexdigest()
