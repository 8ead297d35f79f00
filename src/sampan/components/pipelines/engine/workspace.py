"""The workspace: one volume claim a run, mounted by the steps that are told its path. Pure.

Source: backend/src/v2/driver/driver.go (needsWorkspaceMount), kubeflow/pipelines 2.17. The claim is made when the first
step needs it, and goes when the run ends.
"""

from __future__ import annotations

from typing import Any

from sampan.client.protocol import Object
from sampan.components.pipelines.api.ir_model import PipelineConfig, Value
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.placeholders import IN_WORKSPACE, WORKSPACE_PATH, JobContext
from sampan.components.pipelines.engine.platform import Platform
from sampan.components.pipelines.engine.podspec import RUN_LABEL
from sampan.components.pipelines.engine.resolve import Inputs

_VOLUME = "kfp-workspace"


def is_used(inputs: Inputs) -> bool:
    """Whether a step is told the workspace's path, or gets an artifact that lies there."""
    if any(_mentions(value) for value in inputs.parameters.values()):
        return True
    return any(
        artifact.metadata.get(IN_WORKSPACE) for found in inputs.artifacts.values() for artifact in found
    )


def claim_name(job: JobContext) -> str:
    return f"{job.resource_name}-{_VOLUME}"


def add(parts: Platform, job: JobContext) -> None:
    """Mounts the workspace, or hands it over where the step hands its volumes over.

    Raises StepError when the step has something of its own there.
    """
    for mount in (*parts.volume_mounts, *parts.own_mounts):
        if mount["name"] == _VOLUME or str(mount["mountPath"]).startswith(WORKSPACE_PATH):
            raise StepError(
                f"a volume mount at {mount['mountPath']} is in the workspace's way; mount it elsewhere"
            )
    source = {"persistentVolumeClaim": {"claimName": claim_name(job)}}
    # First, as upstream has it: programs that are handed the volumes may go by their order.
    parts.volumes.insert(0, {"name": _VOLUME, **source})
    parts.volume_mounts.insert(0, {"name": _VOLUME, "mountPath": WORKSPACE_PATH})


def claim(job: JobContext, config: PipelineConfig) -> Object:
    """The run's volume claim."""
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": config.workspace_size}},
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": claim_name(job),
            "namespace": job.namespace,
            "labels": {RUN_LABEL: job.run_id},
        },
        "spec": spec | dict(config.workspace_pvc_patch),
    }


def _mentions(value: Value) -> bool:
    if isinstance(value, str):
        return WORKSPACE_PATH in value
    if isinstance(value, list):
        return any(_mentions(item) for item in value)
    if isinstance(value, dict):
        return any(_mentions(item) for item in value.values())
    return False
