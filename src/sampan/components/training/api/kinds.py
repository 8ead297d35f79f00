"""Training's kinds as Kubernetes serves them.

Source: kubeflow/training-operator 1.9 pkg/apis/kubeflow.org/v1, kubeflow/mpi-operator 0.8 pkg/apis/kubeflow/v2beta1,
kubeflow/trainer 2.3 pkg/apis/trainer/v1alpha1.
"""

from __future__ import annotations

from sampan.kube.kinds import Resource

GROUP = "kubeflow.org"
TRAINER_GROUP = "trainer.kubeflow.org"
TRAINER_VERSION = "v1alpha1"


def _job(kind: str, version: str = "v1", subresources: tuple[str, ...] = ("status",)) -> Resource:
    singular = kind.lower()
    return Resource(GROUP, version, kind, f"{singular}s", singular=singular, subresources=subresources)


_SCALED = ("status", "scale")
"""Those whose number of workers may change while they run, as upstream's definitions have it."""

TF_JOBS = _job("TFJob")
PYTORCH_JOBS = _job("PyTorchJob", subresources=_SCALED)
MPI_JOBS = _job("MPIJob")
MPI_JOBS_V2 = _job("MPIJob", "v2beta1")
"""The same objects as `MPI_JOBS`, as mpi-operator serves them."""
XGBOOST_JOBS = _job("XGBoostJob")
JAX_JOBS = _job("JAXJob", subresources=_SCALED)
PADDLE_JOBS = _job("PaddleJob", subresources=_SCALED)

TRAIN_JOBS = Resource(TRAINER_GROUP, TRAINER_VERSION, "TrainJob", "trainjobs", singular="trainjob")
TRAINING_RUNTIMES = Resource(
    TRAINER_GROUP,
    TRAINER_VERSION,
    "TrainingRuntime",
    "trainingruntimes",
    singular="trainingruntime",
    subresources=(),
)
CLUSTER_TRAINING_RUNTIMES = Resource(
    TRAINER_GROUP,
    TRAINER_VERSION,
    "ClusterTrainingRuntime",
    "clustertrainingruntimes",
    namespaced=False,
    singular="clustertrainingruntime",
    subresources=(),
)

JOB_KINDS: tuple[Resource, ...] = (TF_JOBS, PYTORCH_JOBS, MPI_JOBS, XGBOOST_JOBS, JAX_JOBS, PADDLE_JOBS)
"""Training Operator's; each kind once."""
ALL_JOB_KINDS: tuple[Resource, ...] = (*JOB_KINDS, TRAIN_JOBS)
