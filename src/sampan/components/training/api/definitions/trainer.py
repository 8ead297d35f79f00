"""The schemas of Trainer's kinds.

Source: kubeflow/trainer 2.3 pkg/apis/trainer/v1alpha1 and manifests/base/crds. Beside them stands what 2.1 had and 2.3
has no more: a TrainJob's `podTemplateOverrides`, `labels` and `annotations`, and of the policy `torch` the number of
processes and the elastic policy.
"""

from __future__ import annotations

from sampan.components.training.api.definitions import jobset
from sampan.kube.crd_schemas import (
    BOOLEAN,
    CORE,
    INT32,
    INT64,
    META,
    TEXT,
    TEXTS,
    TIME,
    Schema,
    a_list,
    about,
    an_object,
    built_in,
    by_key,
    by_name,
    immutable,
    kind,
    ruled,
)

_CONTROLLER = "trainer.kubeflow.org/trainjob-controller"
_ATOMIC = {"x-kubernetes-list-type": "atomic"}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 253}
_LIMITED_NAME: Schema = {"type": "string", "maxLength": 253}
_COUNT: Schema = {**INT32, "minimum": 0}
_ENV = by_name(built_in(f"{CORE}.EnvVar"), maxItems=128)
_METADATA = built_in(f"{META}.ObjectMeta")
_POLICY_CONTAINER = (
    "containerNames must not include the main node container because PET_* envs are always injected into it"
)


# The runtimes.

_TORCH = an_object(
    {
        "numProcPerNode": {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "description": "Processes on each node: a number, auto, cpu or gpu; where the TrainJob does not say.",
        },
        "elasticPolicy": an_object(
            {
                "minNodes": INT32,
                "maxNodes": INT32,
                "maxRestarts": INT32,
                "metrics": a_list(built_in("io.k8s.api.autoscaling.v2.MetricSpec")),
            },
            description="Between which numbers of nodes training goes on.",
        ),
        "envInjection": an_object(
            {
                "targets": by_key(
                    "jobName",
                    an_object(
                        {
                            "jobName": _NAME,
                            "containerNames": ruled(
                                a_list(
                                    {"type": "string", "maxLength": 63},
                                    minItems=1,
                                    maxItems=8,
                                    **{"x-kubernetes-list-type": "set"},
                                ),
                                "!self.exists(c, c == 'node')",
                                _POLICY_CONTAINER,
                            ),
                        },
                        "jobName",
                        "containerNames",
                    ),
                    maxItems=16,
                )
            }
        ),
    },
    description="torchrun's environment (PET_*).",
)
_MPI = an_object(
    {
        "numProcPerNode": {**INT32, "default": 1},
        "mpiImplementation": {"type": "string", "enum": ["OpenMPI", ""], "default": "OpenMPI"},
        "sshAuthMountPath": {"type": "string", "maxLength": 4096, "default": "/root/.ssh"},
        "runLauncherAsNode": {**BOOLEAN, "default": False},
    },
    description="A launcher, ssh between nodes, and a hostfile.",
)
_FLUX = an_object(
    {
        "numProcPerNode": ruled(
            {**INT32, "default": 1}, "self >= 1", "NumProcPerNode in fluxPolicy must be >= 1"
        )
    }
)
_ML_POLICY = ruled(
    an_object(
        {
            "numNodes": about(INT32, "How many nodes train, where the TrainJob does not say."),
            "torch": _TORCH,
            "mpi": _MPI,
            "jax": about({"type": "object"}, "The environment of jax.distributed."),
            "xgboost": about({"type": "object"}, "The environment of XGBoost's collective (DMLC_*)."),
            "flux": _FLUX,
        },
        description="What the framework needs to train on many nodes.",
    ),
    "[has(self.torch), has(self.mpi), has(self.jax), has(self.xgboost),has(self.flux)].filter(x, x).size() <= 1",
    "Only one of the policy can be configured",
)
_POD_GROUP_POLICY = an_object(
    {
        "coscheduling": an_object({"scheduleTimeoutSeconds": {**INT32, "default": 60}}),
        "volcano": an_object(
            {
                "networkTopology": an_object(
                    {
                        "mode": {"type": "string", "enum": ["hard", "soft"], "default": "hard"},
                        "highestTierAllowed": {"type": "integer", "default": 1},
                    }
                )
            }
        ),
    },
    description="Who starts all pods together or none.",
)
TRAINING_RUNTIME = kind(
    "A blueprint for TrainJobs: which jobs, pods and images they are made of.",
    an_object(
        {
            "mlPolicy": _ML_POLICY,
            "podGroupPolicy": _POD_GROUP_POLICY,
            "template": an_object(
                {"metadata": _METADATA, "spec": jobset.SPEC},
                minProperties=1,
                description="The JobSet that a TrainJob becomes.",
            ),
        },
        minProperties=1,
    ),
)


# TrainJob.

_STORAGE_URI = ruled(
    {"type": "string", "maxLength": 2048},
    "self == '' || self.matches('^[A-Za-z][A-Za-z0-9+.-]*://.+$')",
    "storageUri may be empty, or it must be a valid URI (scheme://...)",
)
_SOURCE = an_object(
    {"storageUri": _STORAGE_URI, "env": _ENV, "secretRef": built_in(f"{CORE}.LocalObjectReference")}
)
_WORDS = a_list({"type": "string", "maxLength": 1048576}, maxItems=128, **_ATOMIC)
_TRAINER = an_object(
    {
        "image": {"type": "string", "maxLength": 500},
        "command": _WORDS,
        "args": _WORDS,
        "env": _ENV,
        "numNodes": about(INT32, "How many nodes train."),
        "resourcesPerNode": built_in(f"{CORE}.ResourceRequirements"),
        "numProcPerNode": about(INT32, "How many processes train on each node."),
    },
    description="What of the runtime's trainer this job changes.",
)
_CONTAINERS = by_name(
    an_object(
        {
            "name": _NAME,
            "env": _ENV,
            "volumeMounts": by_name(built_in(f"{CORE}.VolumeMount"), maxItems=128),
            "securityContext": built_in(f"{CORE}.SecurityContext"),
        },
        "name",
    ),
    maxItems=64,
)
_LASTING: Schema = {
    "serviceAccountName": _LIMITED_NAME,
    "volumes": by_name(built_in(f"{CORE}.Volume"), maxItems=128),
    "initContainers": _CONTAINERS,
    "containers": _CONTAINERS,
    "imagePullSecrets": by_name(built_in(f"{CORE}.LocalObjectReference"), maxItems=64),
    "securityContext": built_in(f"{CORE}.PodSecurityContext"),
    "terminationGracePeriodSeconds": {**INT64, "minimum": 0},
}
_PLACEMENT: Schema = {
    "nodeSelector": TEXTS,
    "affinity": built_in(f"{CORE}.Affinity"),
    "tolerations": a_list(built_in(f"{CORE}.Toleration"), maxItems=128, **_ATOMIC),
    "schedulingGates": by_name(built_in(f"{CORE}.PodSchedulingGate"), maxItems=16),
}
_POD_SPEC_PATCH = an_object({**{key: immutable(each) for key, each in _LASTING.items()}, **_PLACEMENT})


def _patched(spec: Schema) -> Schema:
    return an_object({"metadata": _METADATA, "spec": spec})


_JOB_PATCH = an_object(
    {"name": _NAME, "template": _patched(an_object({"template": _patched(_POD_SPEC_PATCH)}))}, "name"
)
_RUNTIME_PATCH = an_object(
    {
        "manager": immutable(_NAME),
        "time": TIME,
        "trainingRuntimeSpec": an_object(
            {"template": _patched(an_object({"replicatedJobs": by_name(_JOB_PATCH, maxItems=100)}))}
        ),
    },
    "manager",
)
_OVERRIDE = an_object(
    {
        "targetJobs": a_list(an_object({"name": TEXT}, "name"), **_ATOMIC),
        "metadata": _METADATA,
        "spec": an_object({**_LASTING, **_PLACEMENT}),
    }
)
_SPEC = an_object(
    {
        "runtimeRef": immutable(
            an_object(
                {
                    "name": _NAME,
                    "apiGroup": {**_LIMITED_NAME, "default": "trainer.kubeflow.org"},
                    "kind": {**_LIMITED_NAME, "default": "ClusterTrainingRuntime"},
                },
                "name",
                description="The blueprint of the job. It may not change.",
            )
        ),
        "initializer": immutable(
            an_object({"dataset": _SOURCE, "model": _SOURCE}, description="What is fetched before training.")
        ),
        "trainer": immutable(_TRAINER),
        "runtimePatches": by_key(
            "manager", _RUNTIME_PATCH, maxItems=16, description="Changes of the blueprint, by who makes them."
        ),
        "podTemplateOverrides": a_list(
            _OVERRIDE, **_ATOMIC, description="Of Trainer 2.1: runtimePatches say the same, and more."
        ),
        "labels": about(TEXTS, "Of Trainer 2.1: of the JobSet, as runtimePatches have them."),
        "annotations": about(TEXTS, "Of Trainer 2.1: of the JobSet, as runtimePatches have them."),
        "suspend": {**BOOLEAN, "default": False, "description": "Whether the job holds no pods for now."},
        "activeDeadlineSeconds": immutable({**INT64, "minimum": 1}),
        "managedBy": immutable(
            ruled(
                {**_LIMITED_NAME, "default": _CONTROLLER},
                f"self in ['{_CONTROLLER}', 'kueue.x-k8s.io/multikueue']",
                f"ManagedBy must be {_CONTROLLER} or kueue.x-k8s.io/multikueue if set",
            )
        ),
    },
    "runtimeRef",
)
_CONDITION = an_object(
    {
        "type": {
            "type": "string",
            "maxLength": 316,
            "pattern": r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
            r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        },
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "observedGeneration": {**INT64, "minimum": 0},
        "lastTransitionTime": TIME,
        "reason": {
            "type": "string",
            "minLength": 1,
            "maxLength": 1024,
            "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        },
        "message": {"type": "string", "maxLength": 32768},
    },
    "type",
    "status",
    "lastTransitionTime",
    "reason",
    "message",
)
_JOB_STATUS = an_object(
    {
        "name": _NAME,
        **dict.fromkeys(("ready", "succeeded", "failed", "active", "suspended"), _COUNT),
    },
    "name",
    "ready",
    "succeeded",
    "failed",
    "active",
    "suspended",
)
_SHORT: Schema = {"type": "string", "minLength": 1, "maxLength": 64}
_TRAINER_STATUS = ruled(
    an_object(
        {
            "progressPercentage": {**_COUNT, "maximum": 100},
            "estimatedRemainingSeconds": _COUNT,
            "metrics": a_list(
                an_object({"name": _SHORT, "value": _SHORT}, "name", "value"), maxItems=256, **_ATOMIC
            ),
            "lastUpdatedTime": TIME,
        },
        description="What the training itself has said about how far it is.",
    ),
    "has(self.lastUpdatedTime)",
    "lastUpdatedTime is required when trainerStatus is present",
)
_STATUS = an_object(
    {
        "conditions": by_key("type", _CONDITION, maxItems=8),
        "jobsStatus": by_name(_JOB_STATUS, maxItems=100),
        "trainerStatus": _TRAINER_STATUS,
    },
    minProperties=1,
)
TRAIN_JOB = ruled(
    ruled(
        kind("A training job after a blueprint, its runtime.", _SPEC, _STATUS),
        "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "metadata.name must match RFC 1035 DNS label format",
    ),
    "size(self.metadata.name) <= 63",
    "metadata.name must be no more than 63 characters",
)
