"""Tasks that create or delete a persistent volume claim: kfp-kubernetes' CreatePVC and DeletePVC.

Source: backend/src/v2/driver/k8s.go, kubeflow/pipelines 2.17. Unlike there, a name that is made up is derived from the
task, so that doing it again after a crash finds the claim that was made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Client, Object
from sampan.components.pipelines.api.ir_model import Value
from sampan.components.pipelines.engine.errors import StepError
from sampan.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS
from sampan.lib.threads import Threads

_TASK_ANNOTATION = "pipelines.kubeflow.org/task-id"
_FINGERPRINT_ANNOTATION = "pipelines.kubeflow.org/cache-fingerprint"
_DEFAULT_STORAGE_CLASS = "standard"
_LOOKS, _LOOK_SECONDS = 120, 0.25


@dataclass(frozen=True, slots=True)
class VolumeOperation:
    """Create or delete a volume claim: `turn.Operation`."""

    task_id: str
    image: str
    parameters: Mapping[str, Value]
    fingerprint: str = ""
    """A claim that a task with the same one has made is taken instead of a new one: the cache of such tasks. One that
    was deleted since is made again. Empty where nothing may be reused."""
    is_again: bool = False
    """Whether it may have been done before, by an engine that did not come to note it."""

    @property
    def name(self) -> str:
        return self.image

    async def perform(self, client: Client, namespace: str, asking: Threads) -> dict[str, Value]:
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
    for _ in range(_LOOKS):
        try:
            await client.create(PERSISTENT_VOLUME_CLAIMS, claim)
            break
        except AlreadyExistsError as error:
            found = await _get(client, name, namespace)
            if found is not None and not found["metadata"].get("deletionTimestamp"):
                if not _is_ours(found, operation):
                    raise StepError(f"the volume claim: {error.message}") from None
                break
        # It is on its way out: a pod of the run before has yet to let go of it.
        await asyncio.sleep(_LOOK_SECONDS)
    else:
        raise StepError(f'the volume claim "{name}" is being deleted, and something still uses it')
    return {"name": name}


async def _get(client: Client, name: str, namespace: str) -> Object | None:
    try:
        return await client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace)
    except NotFoundError:
        return None


def _is_ours(claim: Object, operation: VolumeOperation) -> bool:
    annotations = claim["metadata"].get("annotations") or {}
    if annotations.get(_TASK_ANNOTATION) == operation.task_id:
        return True
    return bool(operation.fingerprint) and annotations.get(_FINGERPRINT_ANNOTATION) == operation.fingerprint


async def _delete(client: Client, namespace: str, operation: VolumeOperation) -> dict[str, Value]:
    name = operation.parameters.get("pvc_name")
    if not isinstance(name, str) or not name:
        raise StepError("pvc_name: missing; name the claim to delete")
    try:
        await client.delete(PERSISTENT_VOLUME_CLAIMS, name, namespace)
    except NotFoundError:
        if operation.is_again:
            return {}
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
                **({_FINGERPRINT_ANNOTATION: operation.fingerprint} if operation.fingerprint else {}),
            },
        },
        "spec": spec,
    }


def _text(parameters: Mapping[str, Value], name: str) -> str:
    value = parameters.get(name)
    return value if isinstance(value, str) else ""
