"""The pods of a Job, made from its template. Pure."""

from __future__ import annotations

from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.workloads.job.plan import NewPod
from sampan.cluster.workloads.job.spec import (
    CONTROLLER_UID,
    FINALIZER,
    INDEX,
    INDEX_FAILURES,
    JOB_NAME,
    LEGACY_CONTROLLER_UID,
    LEGACY_JOB_NAME,
    JobSpec,
)
from sampan.kube import meta, owners

_INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
_PREFIX_LIMIT = 58
"""Of a name that the API completes."""


def desired(job: Object, spec: JobSpec, new: NewPod) -> Object:
    """The pod to create. The API generates the last characters of its name."""
    template = meta.spec(job).get("template") or {}
    name, uid = meta.name(job), meta.uid(job)
    identity = {JOB_NAME: name, LEGACY_JOB_NAME: name, CONTROLLER_UID: uid, LEGACY_CONTROLLER_UID: uid}
    metadata: dict[str, Any] = {
        **meta.metadata(template),
        "namespace": meta.namespace(job),
        "labels": {**meta.labels(template), **identity},
        "generateName": f"{name}-",
        "ownerReferences": [owners.owner_reference(job)],
        "finalizers": [*meta.finalizers(template), FINALIZER],
    }
    metadata.pop("name", None)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": dict(meta.spec(template))}
    if new.index is not None:
        _give_index(pod, name, new.index)
        if spec.backoff_limit_per_index is not None:
            metadata["annotations"][INDEX_FAILURES] = str(new.failures)
    return pod


def _give_index(pod: Object, job: str, index: int) -> None:
    metadata, spec = pod["metadata"], pod["spec"]
    # The index is in the name whatever the name's length: the API would cut it off.
    metadata["generateName"] = f"{job[: _PREFIX_LIMIT - len(f'-{index}-')]}-{index}-"
    metadata["labels"][INDEX] = str(index)
    metadata["annotations"] = {**meta.annotations(pod), INDEX: str(index)}
    spec["hostname"] = f"{job}-{index}"
    for key in ("containers", "initContainers"):
        if key in spec:
            spec[key] = [_with_index(container) for container in spec[key]]


def _with_index(container: dict[str, Any]) -> dict[str, Any]:
    env = container.get("env") or []
    if any(variable.get("name") == _INDEX_VARIABLE for variable in env):
        return container
    field = {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}
    return {**container, "env": [*env, {"name": _INDEX_VARIABLE, "valueFrom": {"fieldRef": field}}]}
