"""What is taken, and whoever writes it should know of: in upstream's words. Pure.

Source: kubeflow/trainer 2.3 pkg/webhooks/clustertrainingruntime_webhook.go, pkg/runtime/core/clustertrainingruntime.go;
kubeflow/training-operator 1.9 pkg/webhooks/pytorch/pytorchjob_webhook.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, PYTORCH_JOBS, TRAIN_JOBS
from sampan.components.training.api.labels import DEPRECATED, SUPPORT
from sampan.components.training.engine.validation import trainjob
from sampan.components.training.engine.validation.reading import at
from sampan.kube import meta
from sampan.kube.meta import Object

_POLICY = "https://trainer.kubeflow.org/en/latest/operator-guides/runtime.html#runtime-deprecation-policy"
_DEPRECATED = (
    "is deprecated and will be removed in a future release of Kubeflow Trainer. See runtime deprecation policy: "
    f"{_POLICY}"
)


def of(obj: Object, old: Object | None, reader: trainjob.Reader) -> Sequence[str]:
    """Of an object that nothing refuses."""
    kind = obj.get("kind")
    if kind == PYTORCH_JOBS.kind:
        if at(obj, "spec", "elasticPolicy").get("nProcPerNode") is not None:
            return ("spec.elasticPolicy.nProcPerNode is deprecated, use spec.nprocPerNode instead",)
    elif kind == CLUSTER_TRAINING_RUNTIMES.kind:
        if old is None and _is_deprecated(obj):
            return (f'ClusterTrainingRuntime "{meta.name(obj)}" {_DEPRECATED}',)
    elif kind == TRAIN_JOBS.kind:
        reference = at(obj, "spec", "runtimeRef")
        if trainjob.runtime_resource(reference) is CLUSTER_TRAINING_RUNTIMES:
            name = str(reference.get("name") or "")
            runtime = reader.get(CLUSTER_TRAINING_RUNTIMES, name)
            if runtime is not None and _is_deprecated(runtime):
                return (f'Referenced ClusterTrainingRuntime "{name}" {_DEPRECATED}',)
    return ()


def _is_deprecated(runtime: Object) -> bool:
    return meta.labels(runtime).get(SUPPORT) == DEPRECATED
