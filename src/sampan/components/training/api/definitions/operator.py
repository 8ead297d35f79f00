"""The schemas of Training Operator's kinds, and of MPIJob as mpi-operator has it.

Source: kubeflow/training-operator 1.9 manifests/base/crds, kubeflow/mpi-operator 0.8 manifests/base.
"""

from __future__ import annotations

from sampan.kube.crd_schemas import (
    BOOLEAN,
    CORE,
    INT32,
    INT64,
    META,
    QUANTITIES,
    TEXT,
    TIME,
    Schema,
    a_list,
    about,
    an_object,
    built_in,
    by_key,
    immutable,
    kind,
)

_METRICS = a_list(built_in("io.k8s.api.autoscaling.v2.MetricSpec"))
_SCHEDULING = {
    "minAvailable": about(
        INT32, "How many pods must be able to start before any does; all where nothing is said."
    ),
    "queue": TEXT,
    "minResources": QUANTITIES,
    "priorityClass": TEXT,
    "scheduleTimeoutSeconds": INT32,
}
_QUEUE_IS_IMMUTABLE = "spec.runPolicy.schedulingPolicy.queue is immutable"


def _run_policy(scheduling: Schema) -> Schema:
    return an_object(
        {
            "cleanPodPolicy": about(TEXT, "Which pods go when the job ends: None, Running or All."),
            "ttlSecondsAfterFinished": about(INT32, "Seconds after its end until the job itself goes."),
            "activeDeadlineSeconds": about(INT64, "Seconds that the job may run before it fails."),
            "backoffLimit": about(INT32, "How often pods may be restarted before the job fails."),
            "schedulingPolicy": an_object(
                scheduling, description="How its pods start: all together or none."
            ),
            "suspend": {
                **BOOLEAN,
                "default": False,
                "description": "Whether the job holds no pods for now; what has been done so far is not kept.",
            },
            "managedBy": about(TEXT, "Who acts on the job. Cannot be changed."),
        },
        description="When the job ends, what then becomes of it, and whether it runs at all.",
    )


_RUN_POLICY = _run_policy({**_SCHEDULING, "queue": immutable(TEXT, _QUEUE_IS_IMMUTABLE)})
_REPLICAS: Schema = {
    "type": "object",
    "description": "The pods of the job, by their role.",
    "additionalProperties": an_object(
        {
            "replicas": about(INT32, "How many pods have this role."),
            "restartPolicy": about(TEXT, "Always, OnFailure, Never or ExitCode."),
            "template": built_in(f"{CORE}.PodTemplateSpec"),
        }
    ),
}
_REPLICA_STATUS = an_object(
    {
        "active": INT32,
        "succeeded": INT32,
        "failed": INT32,
        "selector": about(TEXT, "A label selector of the pods."),
        "labelSelector": built_in(f"{META}.LabelSelector"),
    }
)


def _condition(status: Schema) -> Schema:
    return an_object(
        {
            "type": TEXT,
            "status": status,
            "reason": TEXT,
            "message": TEXT,
            "lastUpdateTime": TIME,
            "lastTransitionTime": TIME,
        },
        "type",
        "status",
    )


def _status(conditions: Schema) -> Schema:
    return an_object(
        {
            "conditions": conditions,
            "replicaStatuses": {"type": "object", "additionalProperties": _REPLICA_STATUS},
            "startTime": TIME,
            "completionTime": TIME,
            "lastReconcileTime": TIME,
        }
    )


_STATUS = _status(a_list(_condition(TEXT)))

_BOUNDS: Schema = {
    "minReplicas": about(INT32, "The fewest workers with which training goes on."),
    "maxReplicas": about(INT32, "The most workers that training takes."),
    "maxRestarts": INT32,
    "metrics": _METRICS,
}
TF: Schema = {
    "successPolicy": about(
        TEXT, "Empty: worker 0 decides where there is no chief. AllWorkers: all must succeed."
    ),
    "enableDynamicWorker": about(BOOLEAN, "Whether the number of workers may change while it runs."),
}
PYTORCH: Schema = {
    "nprocPerNode": about(TEXT, "Processes in each pod: auto, cpu, gpu or a number."),
    "elasticPolicy": an_object(
        {
            **_BOUNDS,
            "rdzvBackend": about(TEXT, "How workers find each other: c10d, etcd or etcd-v2."),
            "rdzvPort": INT32,
            "rdzvHost": TEXT,
            "rdzvId": TEXT,
            "rdzvConf": a_list(an_object({"key": TEXT, "value": TEXT})),
            "standalone": BOOLEAN,
            "nProcPerNode": about(INT32, "Deprecated: nprocPerNode of the spec."),
        },
        description="Between which numbers of workers the job may move, and how they meet.",
    ),
}
PADDLE: Schema = {"elasticPolicy": an_object(_BOUNDS)}


def job(description: str, replica_specs: str, fields: Schema) -> Schema:
    """Of a kind whose replicas are at `replica_specs`, with `fields` beside the common ones."""
    spec = an_object({"runPolicy": _RUN_POLICY, replica_specs: _REPLICAS, **fields}, replica_specs)
    return kind(description, spec, _STATUS)


# MPIJob. A stored job is read through either version, and what the schema of that version does not know would be gone.
# So both know all fields; which of them count is told by the version in which the job was written.
_ONLY_V1: Schema = {
    "cleanPodPolicy": about(TEXT, "Of v1: which pods go when the job ends."),
    "mainContainer": about(
        TEXT, "Of v1: the container that runs mpirun and the ranks; the first where nothing is said."
    ),
}
_SLOTS = about(INT32, "How many ranks a worker takes.")
_LAUNCHER_AS_WORKER = about(BOOLEAN, "Of v2beta1: whether ranks run in the launcher too.")
_LAUNCHER_CREATION = about(TEXT, "Of v2beta1: AtStartup, or WaitForWorkersReady.")
_IMPLEMENTATION: Schema = {
    "type": "string",
    "enum": ["OpenMPI", "Intel", "MPICH"],
    "description": "Of v2beta1: whose hostfile and environment the job gets.",
}
_SSH = about(TEXT, "Of v2beta1: where the keys are that ranks are started with.")
MPI_V1 = job(
    "A job of MPI: a launcher that starts ranks in its workers.",
    "mpiReplicaSpecs",
    {
        **_ONLY_V1,
        "slotsPerWorker": _SLOTS,
        "runLauncherAsWorker": _LAUNCHER_AS_WORKER,
        "launcherCreationPolicy": _LAUNCHER_CREATION,
        "mpiImplementation": _IMPLEMENTATION,
        "sshAuthMountPath": _SSH,
    },
)
MPI_V2 = kind(
    "A job of MPI: a launcher that starts ranks in its workers.",
    an_object(
        {
            **_ONLY_V1,
            "runPolicy": _run_policy(_SCHEDULING),
            "mpiReplicaSpecs": _REPLICAS,
            "slotsPerWorker": {**_SLOTS, "default": 1},
            "runLauncherAsWorker": {**_LAUNCHER_AS_WORKER, "default": False},
            "launcherCreationPolicy": {**_LAUNCHER_CREATION, "default": "AtStartup"},
            "mpiImplementation": {**_IMPLEMENTATION, "default": "OpenMPI"},
            "sshAuthMountPath": {**_SSH, "default": "/root/.ssh"},
        },
        "mpiReplicaSpecs",
    ),
    _status(by_key("type", _condition({"type": "string", "enum": ["True", "False", "Unknown"]}))),
)
