"""Tasks that create or delete a persistent volume claim: kfp-kubernetes' CreatePVC and DeletePVC.

Source: backend/src/v2/driver/k8s.go, kubeflow/pipelines 2.17. Unlike there, a name that is made up is derived from the
task, so that doing it again after a crash finds the claim that was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Client, Object
from sampan.components.pipelines.api.ir_model import Value
from sampan.components.pipelines.engine.errors import StepError
from sampan.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS

_TASK_ANNOTATION = "pipelines.kubeflow.org/task-id"
_DEFAULT_STORAGE_CLASS = "standard"


@dataclass(frozen=True, slots=True)
class VolumeOperation:
    """Create or delete a volume claim: `turn.Operation`."""

    task_id: str
    image: str
    parameters: Mapping[str, Value]

    @property
    def name(self) -> str:
        return self.image

    async def perform(self, client: Client, namespace: str) -> dict[str, Value]:
        return await operate(client, namespace, self)


async def operate(client: Client, namespace: str, operation: VolumeOperation) -> dict[str, Value]:
    """Does it; the task's output parameters. Raises StepError."""
    try:
        if operation.image == "argostub/createpvc":
            return await _create(client, namespace, operation)
        return await _delete(client, namespace, operation)
    except ApiError as error:
        raise StepError(f"the volume claim: {error.message}") from None


async def _create(client: Client, namespace: str, operation: VolumeOperation) -> dict[str, Value]:
    claim = volume_claim(namespace, operation)
    name = claim["metadata"]["name"]
    try:
        await client.create(PERSISTENT_VOLUME_CLAIMS, claim)
    except AlreadyExistsError as error:
        found = await client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace)
        annotations = found["metadata"].get("annotations") or {}
        if annotations.get(_TASK_ANNOTATION) != operation.task_id:
            raise StepError(f"the volume claim: {error.message}") from None
    return {"name": name}


async def _delete(client: Client, namespace: str, operation: VolumeOperation) -> dict[str, Value]:
    name = operation.parameters.get("pvc_name")
    if not isinstance(name, str) or not name:
        raise StepError("pvc_name: missing; name the claim to delete")
    try:
        await client.delete(PERSISTENT_VOLUME_CLAIMS, name, namespace)
    except NotFoundError:
        raise StepError(f'pvc_name: there is no volume claim "{name}" in namespace {namespace}') from None
    return {}


def volume_claim(namespace: str, operation: VolumeOperation) -> Object:
    """The claim that the task's parameters describe. Raises StepError."""
    given = operation.parameters
    suffix, name = _text(given, "pvc_name_suffix"), _text(given, "pvc_name")
    if suffix and name:
        raise StepError("pvc_name and pvc_name_suffix: give at most one of them")
    modes = given.get("access_modes")
    size = _text(given, "size")
    if not isinstance(modes, list) or not modes:
        raise StepError("access_modes: missing; give a list such as [ReadWriteOnce]")
    if not size:
        raise StepError("size: missing; give a quantity such as 5Gi")
    spec: dict[str, Any] = {
        "accessModes": modes,
        "resources": {"requests": {"storage": size}},
        # An empty text is Kubernetes' way to say: no class, bind to an existing volume.
        "storageClassName": given.get("storage_class_name", _DEFAULT_STORAGE_CLASS),
    }
    if volume := _text(given, "volume_name"):
        spec["volumeName"] = volume
    if isinstance(source := given.get("data_source"), dict) and source:
        spec["dataSource"] = source
    annotations = given.get("annotations")
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name or f"{operation.task_id}{suffix}",
            "namespace": namespace,
            "annotations": {
                **(annotations if isinstance(annotations, dict) else {}),
                _TASK_ANNOTATION: operation.task_id,
            },
        },
        "spec": spec,
    }


def _text(parameters: Mapping[str, Value], name: str) -> str:
    value = parameters.get(name)
    return value if isinstance(value, str) else ""
