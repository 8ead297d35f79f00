"""The object that a filled form stands for. Pure.

Fields are upstream's: kubeflow/training-operator 1.9 pkg/apis/kubeflow.org/v1, kubeflow/trainer 2.3
pkg/apis/trainer/v1alpha1.
"""

from __future__ import annotations

from typing import Any

from sampan.components.training.api import labels
from sampan.components.training.api.kinds import TRAIN_JOBS, TRAINER_GROUP
from sampan.components.training.api.summary import CONTAINERS, REPLICA_SPECS, resource_of
from sampan.components.training.ui.new_job import script
from sampan.components.training.ui.new_job.wanted import IMAGE, Size, Wanted
from sampan.kube.meta import Object

MANAGER = "sampan.dev/dashboard"
"""Of the parts of a runtime that the form patches."""
_VOLUME = "output"
_WITH_MASTER = ("PyTorchJob", "XGBoostJob")


def job(wanted: Wanted) -> Object:
    resource = resource_of(wanted.kind)
    assert resource is not None, wanted.kind
    spec = _train_job(wanted) if wanted.kind == TRAIN_JOBS.kind else _operator_job(wanted)
    metadata: Object = {"name": wanted.name, "namespace": wanted.namespace}
    if wanted.claim:
        # Where its metrics are looked for, if it writes TensorBoard's files.
        metadata["annotations"] = {labels.OUTPUT: wanted.mount_path}
    return {
        "apiVersion": resource.api_version,
        "kind": wanted.kind,
        "metadata": metadata,
        "spec": spec,
    }


def _train_job(wanted: Wanted) -> Object:
    trainer: Object = {"numNodes": wanted.size.nodes}
    if wanted.size.processes.isdecimal():
        trainer["numProcPerNode"] = int(wanted.size.processes)
    if wanted.image:
        trainer["image"] = wanted.image
    if wanted.program.source != IMAGE:
        trainer["command"] = script.command(wanted.program)
    if resources := _resources(wanted.size):
        trainer["resourcesPerNode"] = resources
    if wanted.environment:
        trainer["env"] = _environment(wanted)
    spec: Object = {
        "runtimeRef": {"apiGroup": TRAINER_GROUP, "kind": wanted.runtime_kind, "name": wanted.runtime},
        "trainer": trainer,
    }
    sources = {"dataset": wanted.dataset, "model": wanted.model}
    if initializer := {name: {"storageUri": uri} for name, uri in sources.items() if uri}:
        spec["initializer"] = initializer
    if wanted.claim:
        spec["runtimePatches"] = [_patch(wanted)]
    if wanted.rules.deadline_seconds:
        spec["activeDeadlineSeconds"] = wanted.rules.deadline_seconds
    if wanted.rules.suspended:
        spec["suspend"] = True
    return spec


def _patch(wanted: Wanted) -> Object:
    """A volume for the trainer's pods."""
    name = CONTAINERS[TRAIN_JOBS.kind]
    pods = {
        "volumes": [_volume(wanted)],
        "containers": [{"name": name, "volumeMounts": [_mount(wanted)]}],
    }
    replicated = {"name": name, "template": {"spec": {"template": {"spec": pods}}}}
    return {
        "manager": MANAGER,
        "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [replicated]}}},
    }


def _operator_job(wanted: Wanted) -> Object:
    spec: Object = {"runPolicy": _run_policy(wanted), REPLICA_SPECS[wanted.kind]: _replicas(wanted)}
    processes = wanted.size.processes
    if processes and wanted.kind == "PyTorchJob":
        spec["nprocPerNode"] = processes
    if processes.isdecimal() and wanted.kind == "MPIJob":
        spec["slotsPerWorker"] = int(processes)
    return spec


def _replicas(wanted: Wanted) -> Object:
    nodes = max(1, wanted.size.nodes)
    if wanted.kind == "MPIJob":
        workers = _replica(wanted, nodes)
        # They wait for the launcher, which starts what runs in them.
        workers["template"]["spec"]["containers"][0].pop("command", None)
        return {"Launcher": _replica(wanted, 1, of_launcher=True), "Worker": workers}
    if wanted.kind in _WITH_MASTER:
        found = {"Master": _replica(wanted, 1)}
        return found | ({"Worker": _replica(wanted, nodes - 1)} if nodes > 1 else {})
    found = {"Worker": _replica(wanted, nodes)}
    if wanted.kind == "TFJob" and wanted.size.servers:
        found = {"PS": _replica(wanted, wanted.size.servers), **found}
    return found


def _replica(wanted: Wanted, count: int, *, of_launcher: bool = False) -> Object:
    container: Object = {"name": CONTAINERS[wanted.kind], "image": wanted.image}
    if wanted.program.source != IMAGE:
        container["command"] = script.command(wanted.program, hostfile=False)
    if wanted.environment:
        container["env"] = _environment(wanted)
    if not of_launcher and (resources := _resources(wanted.size)):
        container["resources"] = resources
    pods: Object = {"containers": [container]}
    if wanted.claim:
        container["volumeMounts"] = [_mount(wanted)]
        pods["volumes"] = [_volume(wanted)]
    if wanted.rules.priority_class:
        pods["priorityClassName"] = wanted.rules.priority_class
    restarts = "OnFailure" if wanted.rules.retries else "Never"
    return {"replicas": count, "restartPolicy": restarts, "template": {"spec": pods}}


def _run_policy(wanted: Wanted) -> Object:
    rules, found = wanted.rules, dict[str, Any]()
    if rules.retries is not None:
        found["backoffLimit"] = rules.retries
    if rules.deadline_seconds:
        found["activeDeadlineSeconds"] = rules.deadline_seconds
    scheduling: Object = {}
    if rules.gang:
        scheduling["minAvailable"] = sum(each["replicas"] for each in _replicas(wanted).values())
    if rules.queue:
        scheduling["queue"] = rules.queue
    if rules.priority_class:
        scheduling["priorityClass"] = rules.priority_class
    if scheduling:
        found["schedulingPolicy"] = scheduling
    if rules.suspended:
        found["suspend"] = True
    return found


def _resources(size: Size) -> Object:
    """What is asked for is also the most, as with GPUs nothing else is possible."""
    asked = {"cpu": size.cpu, "memory": size.memory, "nvidia.com/gpu": size.gpu}
    given = {name: amount for name, amount in asked.items() if amount and amount != "0"}
    return {"requests": given, "limits": dict(given)} if given else {}


def _environment(wanted: Wanted) -> list[Object]:
    return [{"name": name, "value": value} for name, value in wanted.environment.items()]


def _volume(wanted: Wanted) -> Object:
    return {"name": _VOLUME, "persistentVolumeClaim": {"claimName": wanted.claim}}


def _mount(wanted: Wanted) -> Object:
    return {"name": _VOLUME, "mountPath": wanted.mount_path}
