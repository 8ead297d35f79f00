"""Labels and annotations that upstream's operators write and its clients select by.

Source: kubeflow/training-operator 1.9 pkg/apis/kubeflow.org/v1/common_types.go, kubeflow/trainer 2.3
pkg/constants/constants.go, kubernetes-sigs/jobset api/jobset/v1alpha2/jobset_types.go.
"""

from __future__ import annotations

OPERATOR_NAME = "training.kubeflow.org/operator-name"
JOB_NAME = "training.kubeflow.org/job-name"
REPLICA_TYPE = "training.kubeflow.org/replica-type"
REPLICA_INDEX = "training.kubeflow.org/replica-index"
JOB_ROLE = "training.kubeflow.org/job-role"
MASTER = "master"

TRAINER_FRAMEWORK = "trainer.kubeflow.org/framework"
SUPPORT = "trainer.kubeflow.org/support"
DEPRECATED = "deprecated"
"""The label of a runtime, and its value where the runtime is to go."""
TRAINER_ANCESTOR = "trainer.kubeflow.org/trainjob-ancestor-step"

JOB_SET_NAME = "jobset.sigs.k8s.io/jobset-name"
REPLICATED_JOB_NAME = "jobset.sigs.k8s.io/replicatedjob-name"
JOB_INDEX = "jobset.sigs.k8s.io/job-index"
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"

OUTPUT = "sampan.dev/output"
"""Annotation of a job: the folder, as its pods see it, that it writes what it makes to."""
SOURCE = "sampan.dev/source"
"""Annotation of a job: which script or function it runs, for people."""
