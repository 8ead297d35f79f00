"""The Kubernetes objects of a plan: a job of its kind, ConfigMaps with the code, a runtime of its own. Pure.

The code travels in ConfigMaps, since every cluster has them and nothing else is sure to be there (decision 43). Of a
TrainJob the code's volume is a runtime patch (kubeflow/trainer 2.3 pkg/apis/trainer/v1alpha1/trainjob_types.go).
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping
from typing import Any

from sampan.components.training.api import kinds, labels
from sampan.components.training.api.summary import CONTAINERS, REPLICA_SPECS
from sampan.components.training.sdk.plan import Plan, PlanError
from sampan.kube.meta import Object
from sampan.sent.boot import BOOT

CODE_PATH = "/sampan/code"
_CODE_VOLUME = "sampan-code"
_PART_BYTES = 512 * 1024
"""Of a ConfigMap, which may hold 1 MiB, and travels as base64."""
OUTPUT_PATH = "/sampan/output"
MANAGER = "sampan.dev/train"
ONCE = "-once"
"""Ends the names of runtimes that are as another, but for a failure's ending the job (decision 44)."""
_LABELS = {"app.kubernetes.io/managed-by": "sampan"}


def code_maps(plan: Plan) -> list[Object]:
    """ConfigMaps that hold the boot program and the archive, in parts."""
    parts = [plan.archive[at : at + _PART_BYTES] for at in range(0, len(plan.archive), _PART_BYTES)] or [b""]
    found = []
    for number, part in enumerate(parts):
        made: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": _map_name(plan, number),
                "namespace": plan.namespace,
                "labels": {**_LABELS, **plan.labels},
            },
        }
        if number == 0:
            made["data"] = {"boot.py": BOOT}
        if part:
            made["binaryData"] = {f"code.{number:03}": base64.b64encode(part).decode()}
        found.append(made)
    return found


def job_object(plan: Plan) -> Object:
    """Raises PlanError for what its kind cannot do."""
    if plan.kind == kinds.TRAIN_JOBS.kind:
        spec = _train_job(plan)
        version = f"{kinds.TRAINER_GROUP}/{kinds.TRAINER_VERSION}"
    elif plan.kind == "Job":
        spec, version = _batch_job(plan), "batch/v1"
    else:
        spec, version = _operator_job(plan), "kubeflow.org/v1"
    annotations = {**plan.annotations}
    if plan.output:
        annotations[labels.OUTPUT] = plan.output
    if plan.source:
        annotations[labels.SOURCE] = plan.source
    metadata: dict[str, Any] = {
        "name": plan.name,
        "namespace": plan.namespace,
        "labels": {**_LABELS, **plan.labels},
    }
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": version, "kind": plan.kind, "metadata": metadata, "spec": spec}


def once_runtime(runtime: Object, namespace: str) -> Object:
    """A TrainingRuntime as the ClusterTrainingRuntime `runtime`, but for a pod that fails: it is not started again."""
    spec = copy.deepcopy(runtime.get("spec") or {})
    for each in ((spec.get("template") or {}).get("spec") or {}).get("replicatedJobs") or ():
        job = each.setdefault("template", {}).setdefault("spec", {})
        job.setdefault("backoffLimit", 0)
        pod = job.setdefault("template", {}).setdefault("spec", {})
        pod.setdefault("restartPolicy", "Never")
    metadata = runtime["metadata"]
    framework = str((metadata.get("labels") or {}).get(labels.TRAINER_FRAMEWORK) or "")
    return {
        "apiVersion": f"{kinds.TRAINER_GROUP}/{kinds.TRAINER_VERSION}",
        "kind": kinds.TRAINING_RUNTIMES.kind,
        "metadata": {
            "name": metadata["name"] + ONCE,
            "namespace": namespace,
            "labels": {labels.TRAINER_FRAMEWORK: framework, **_LABELS} if framework else dict(_LABELS),
        },
        "spec": spec,
    }


def _map_name(plan: Plan, number: int) -> str:
    return f"{plan.name}-code" if number == 0 else f"{plan.name}-code-{number}"


def _command(plan: Plan) -> list[str]:
    return ["python3", f"{CODE_PATH}/boot.py", *plan.command]


def _env(plan: Plan) -> list[dict[str, Any]]:
    own: dict[str, str] = {"PYTHONUNBUFFERED": "1"}
    if plan.kind == "Job":
        own["WORLD_SIZE"] = str(plan.nodes)
    if plan.packages:
        own["SAMPAN_PACKAGES"] = "\n".join(plan.packages)
    if plan.work_folder:
        own["SAMPAN_WORKDIR"] = plan.work_folder
    if plan.output:
        own["SAMPAN_OUTPUT"] = plan.output
    found: list[dict[str, Any]] = [
        {"name": name, "value": value} for name, value in (own | dict(plan.env)).items()
    ]
    for name, place in plan.secrets.items():
        secret, _, key = place.partition("/")
        found.append({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
    return found


def _volumes(plan: Plan) -> list[dict[str, object]]:
    count = max(1, -(-len(plan.archive) // _PART_BYTES))
    sources = [{"configMap": {"name": _map_name(plan, number)}} for number in range(count)]
    return [
        {"name": _CODE_VOLUME, "projected": {"sources": sources}},
        *(mount.volume() for mount in plan.mounts),
    ]


def _mounts(plan: Plan) -> list[dict[str, object]]:
    code: dict[str, object] = {"name": _CODE_VOLUME, "mountPath": CODE_PATH, "readOnly": True}
    return [code, *(mount.mount() for mount in plan.mounts)]


def _pod_spec(plan: Plan, container: str) -> dict[str, Any]:
    main: dict[str, Any] = {
        "name": container,
        "image": plan.image,
        "command": _command(plan),
        "env": _env(plan),
        "volumeMounts": _mounts(plan),
    }
    if resources := plan.resources.to_json():
        main["resources"] = resources
    spec: dict[str, Any] = {"containers": [main], "volumes": _volumes(plan)}
    if plan.priority:
        spec["priorityClassName"] = plan.priority
    if plan.service_account:
        spec["serviceAccountName"] = plan.service_account
    return spec


def _template(plan: Plan, container: str) -> dict[str, Any]:
    return {"metadata": {"labels": dict(plan.labels)}, "spec": _pod_spec(plan, container)}


def _batch_job(plan: Plan) -> dict[str, Any]:
    template = _template(plan, "main")
    template["spec"]["restartPolicy"] = "Never"
    spec: dict[str, Any] = {"backoffLimit": plan.retries or 0, "template": template}
    if plan.nodes > 1:
        spec |= {"completionMode": "Indexed", "completions": plan.nodes, "parallelism": plan.nodes}
    if plan.deadline_seconds is not None:
        spec["activeDeadlineSeconds"] = plan.deadline_seconds
    return spec


def _train_job(plan: Plan) -> dict[str, Any]:
    for option, value in (("elastic", plan.elastic), ("retries", plan.retries), ("priority", plan.priority)):
        if value:
            raise PlanError(
                f"--{option}: a TrainJob has no such thing in this version of Trainer; use --kind, as --kind pytorchjob"
            )
    trainer: dict[str, Any] = {"numNodes": plan.nodes, "command": _command(plan), "env": _env(plan)}
    if plan.image:
        trainer["image"] = plan.image
    if plan.processes is not None:
        trainer["numProcPerNode"] = plan.processes
    if resources := plan.resources.to_json():
        trainer["resourcesPerNode"] = resources
    pod: dict[str, Any] = {
        "volumes": _volumes(plan),
        "containers": [{"name": CONTAINERS["TrainJob"], "volumeMounts": _mounts(plan)}],
    }
    if plan.service_account:
        pod["serviceAccountName"] = plan.service_account
    node = {"name": "node", "template": {"spec": {"template": {"spec": pod}}}}
    if plan.labels:
        node["template"]["spec"]["template"]["metadata"] = {"labels": dict(plan.labels)}  # type: ignore[index]
    is_own = plan.runtime.endswith(ONCE)
    kind = kinds.TRAINING_RUNTIMES.kind if is_own else kinds.CLUSTER_TRAINING_RUNTIMES.kind
    spec: dict[str, Any] = {
        "runtimeRef": {"apiGroup": kinds.TRAINER_GROUP, "kind": kind, "name": plan.runtime},
        "trainer": trainer,
        "runtimePatches": [
            {
                "manager": MANAGER,
                "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [node]}}},
            }
        ],
    }
    if plan.deadline_seconds is not None:
        spec["activeDeadlineSeconds"] = plan.deadline_seconds
    return spec


def _operator_job(plan: Plan) -> dict[str, Any]:
    replicas = _replicas(plan)
    run_policy: dict[str, Any] = {"cleanPodPolicy": "None" if plan.waits_for_all else "Running"}
    if plan.retries is not None:
        run_policy["backoffLimit"] = plan.retries
    if plan.deadline_seconds is not None:
        run_policy["activeDeadlineSeconds"] = plan.deadline_seconds
    if plan.priority:
        run_policy["schedulingPolicy"] = {"priorityClass": plan.priority}
    spec: dict[str, Any] = {"runPolicy": run_policy, REPLICA_SPECS[plan.kind]: replicas}
    if plan.kind == "PyTorchJob":
        spec["nprocPerNode"] = str(plan.processes or 1)
        if plan.elastic:
            low, high = plan.elastic
            spec["elasticPolicy"] = {"minReplicas": low, "maxReplicas": high, "rdzvBackend": "c10d"}
    elif plan.elastic:
        raise PlanError(f"--elastic: only a PyTorchJob can be, not a {plan.kind}")
    elif plan.kind == "MPIJob":
        spec["slotsPerWorker"] = plan.processes or 1
    elif plan.processes not in (None, 1):
        raise PlanError(f"--nproc: a {plan.kind} has one process on each node")
    return spec


def _replicas(plan: Plan) -> dict[str, Any]:
    container = CONTAINERS[plan.kind]

    def replica(count: int, spec: Mapping[str, Any] | None = None) -> dict[str, Any]:
        template = _template(plan, container) if spec is None else {"spec": dict(spec)}
        return {
            "replicas": count,
            "restartPolicy": "OnFailure" if plan.retries or plan.elastic else "Never",
            "template": template,
        }

    if plan.kind == "MPIJob":
        worker = _pod_spec(plan, container)
        # It waits for ranks; the operator gives it the server that starts them.
        worker["containers"][0].pop("command")
        launcher = _pod_spec(plan, container)
        launcher["containers"][0].pop("resources", None)
        count = plan.nodes * (plan.processes or 1)
        launcher["containers"][0]["command"] = [
            *("mpirun", "--allow-run-as-root", "-np", str(count)),
            *_command(plan),
        ]
        return {"Launcher": replica(1, launcher), "Worker": replica(plan.nodes, worker)}
    if plan.kind in ("PyTorchJob", "XGBoostJob") and not plan.elastic:
        found = {"Master": replica(1)}
        if plan.nodes > 1:
            found["Worker"] = replica(plan.nodes - 1)
        return found
    return {"Worker": replica(plan.nodes)}
