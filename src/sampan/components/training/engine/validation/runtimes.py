"""Training runtimes: what a replicated job must be that a TrainJob is to fill in.

Source: kubeflow/trainer 2.3 pkg/webhooks/{trainingruntime,clustertrainingruntime}_webhook.go; which are left out:
manifests/base/webhook/patch_validating.yaml.
"""

from __future__ import annotations

from typing import Any

from sampan.components.training.api.labels import TRAINER_ANCESTOR
from sampan.components.training.engine.validation.reading import at, each, number
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_VALIDATION = "trainer.kubeflow.org/webhook-validation"
_PATH = "spec.template.spec.replicatedJobs"
_CONTAINERS = {
    "trainer": "node",
    "model-initializer": "model-initializer",
    "dataset-initializer": "dataset-initializer",
}
"""By ancestor: the container that there must be."""


def check(runtime: Object, old: Object | None, errors: FieldErrors) -> None:
    if meta.labels(runtime).get(_VALIDATION) == "disabled":
        return
    if old is not None and runtime.get("kind") == "TrainingRuntime":
        # Upstream's webhook lets changes of namespaced ones pass.
        return
    for place, job in enumerate(each(runtime, "spec", "template", "spec", "replicatedJobs")):
        ancestor = at(job, "template", "metadata", "labels").get(TRAINER_ANCESTOR)
        if ancestor in _CONTAINERS:
            _check_job(job, str(ancestor), f"{_PATH}[{place}]", errors)


def _check_job(job: Any, ancestor: str, path: str, errors: FieldErrors) -> None:
    replicas = number(at(job).get("replicas", 1))
    if replicas != 1:
        errors.invalid(f"{path}.replicas", replicas, "always must be 1")
    pod = at(job, "template", "spec", "template", "spec")
    if not any(each_.get("name") == _CONTAINERS[ancestor] for each_ in each(pod, "containers")):
        errors.invalid(
            f"{path}.template.spec.template.spec.containers",
            pod.get("containers"),
            f"must contain the required container for the ancestor: {ancestor}",
        )
