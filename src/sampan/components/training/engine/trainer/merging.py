"""What a TrainJob changes about its runtime's template: runtimePatches, and what clients before 2.2 say in its place.

For `info`. Source: kubeflow/trainer pkg/runtime/core/trainingruntime.go (mergeRuntimePatches), v2.3;
`podTemplateOverrides`, `labels` and `annotations` of pkg/apis/trainer/v1alpha1/trainjob_types.go, v2.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sampan.components.training.engine.trainer.contract import UnbuildableError
from sampan.kube import meta
from sampan.kube.errors import BadRequestError
from sampan.kube.meta import Object
from sampan.kube.schema import Schema
from sampan.kube.strategic import strategic_merge

_SCHEMA = Schema.parse("""
package sampan.training trainer.kubeflow.org/v1alpha1

JobSetSpec
    replicatedJobs:[ReplicatedJob]@name
ReplicatedJob
    name!:string template:JobTemplate
JobTemplate
    metadata:ObjectMeta spec:JobSpec
JobSpec
    template:PodTemplate
PodTemplate
    metadata:ObjectMeta spec:PodSpec
ObjectMeta
    annotations:{string} labels:{string}
PodSpec
    containers:[Container]@name imagePullSecrets:[Named]@name initContainers:[Container]@name
    nodeSelector:{string} schedulingGates:[Named]@name volumes:[Named]@name
Container
    env:[Named]@name volumeMounts:[Mount]@mountPath
Named
    name!:string
Mount
    mountPath!:string
""")
"""Where lists are merged, and by what. What is not named here is a plain merge: lists are replaced."""


def merged(job_set_spec: Object, train_job: Object) -> Object:
    """The template's spec with every change in it, the replicated jobs in their order. Raises UnbuildableError."""
    order = [str(each.get("name")) for each in job_set_spec.get("replicatedJobs") or ()]
    for where, patch in _patches(job_set_spec, train_job):
        try:
            job_set_spec = strategic_merge(_SCHEMA, "JobSetSpec", job_set_spec, patch)
        except BadRequestError as error:
            raise UnbuildableError(f"{where}: {error.message}") from error
    jobs = job_set_spec.get("replicatedJobs") or []
    unknown = [str(each.get("name")) for each in jobs if str(each.get("name")) not in order]
    if unknown:
        raise UnbuildableError(
            f"spec.runtimePatches: the runtime has no replicated job {unknown[0]!r}; it has {', '.join(order)}"
        )
    return job_set_spec


def job_set_metadata(template: Mapping[str, Any], train_job: Object) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations of the JobSet: the runtime's, then each patch's."""
    labels, annotations = dict(meta.labels(template)), dict(meta.annotations(template))
    spec = meta.spec(train_job)
    for patch in spec.get("runtimePatches") or ():
        metadata = _template(patch)
        labels |= meta.labels(metadata)
        annotations |= meta.annotations(metadata)
    labels |= _texts(spec.get("labels"))
    annotations |= _texts(spec.get("annotations"))
    return labels, annotations


def _patches(job_set_spec: Object, train_job: Object) -> Iterator[tuple[str, Object]]:
    spec = meta.spec(train_job)
    for patch in spec.get("runtimePatches") or ():
        found = meta.spec(_template(patch))
        if found:
            yield f'spec.runtimePatches of "{patch.get("manager")}"', found
    for at, override in enumerate(spec.get("podTemplateOverrides") or ()):
        yield f"spec.podTemplateOverrides[{at}]", _of_override(job_set_spec, override)


def _of_override(job_set_spec: Object, override: Mapping[str, Any]) -> Object:
    """As the patch that says the same. Without targets it is for all replicated jobs."""
    names = [str(each.get("name")) for each in override.get("targetJobs") or ()]
    if not names:
        names = [str(each.get("name")) for each in job_set_spec.get("replicatedJobs") or ()]
    template = {key: override[key] for key in ("metadata", "spec") if override.get(key) is not None}
    return {
        "replicatedJobs": [{"name": name, "template": {"spec": {"template": template}}} for name in names]
    }


def _template(patch: Mapping[str, Any]) -> dict[str, Any]:
    return (patch.get("trainingRuntimeSpec") or {}).get("template") or {}


def _texts(value: Any) -> dict[str, str]:
    return dict(value) if isinstance(value, Mapping) else {}
