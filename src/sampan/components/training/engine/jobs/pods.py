"""The pods of a job and their headless Services, as they are to be. Pure.

Both are named after job, role and index, so that a replica that is made anew is found where the old one was.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/common/{pod,service}.go, pkg/core/{pod,service}.go,
pkg/controller.v1/pytorch/initcontainer.go.
"""

from __future__ import annotations

from dataclasses import dataclass

from sampan.components.training.api import labels
from sampan.components.training.engine.jobs import gangs
from sampan.components.training.engine.jobs.framework import Framework, pod_name
from sampan.components.training.engine.jobs.spec import EXIT_CODE, NEVER, Job, Replica, Shape, main_container
from sampan.kube import meta, owners
from sampan.kube.meta import Object

_WAIT_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Slot:
    """One replica: which of a role."""

    role: str
    index: int


@dataclass(frozen=True, slots=True)
class PodOptions:
    """What the operator adds to every pod."""

    gang_scheduler: str = gangs.NONE
    priority_class: str = ""
    """For pods whose template has none."""
    waiting_image: str = ""
    """Of the init container that waits for the master's name; empty for none."""
    waiting_tries: int = 100


def job_labels(shape: Shape, job_name: str) -> dict[str, str]:
    """What all that a job makes has."""
    return {labels.OPERATOR_NAME: shape.controller_name, labels.JOB_NAME: job_name}


def slot_labels(shape: Shape, job_name: str, slot: Slot) -> dict[str, str]:
    return {
        **job_labels(shape, job_name),
        labels.REPLICA_TYPE: slot.role.lower(),
        labels.REPLICA_INDEX: str(slot.index),
    }


def role_selector(shape: Shape, job_name: str, role: str) -> str:
    """A label selector of the role's pods, as the status has it for `/scale`."""
    wanted = {**job_labels(shape, job_name), labels.REPLICA_TYPE: role.lower()}
    return ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))


def slot_of(job: Job, obj: Object) -> Slot | None:
    """Which replica a pod or Service is; None where its labels do not say."""
    found = meta.labels(obj)
    role = next((each for each in job.roles if each.lower() == found.get(labels.REPLICA_TYPE)), None)
    index = str(found.get(labels.REPLICA_INDEX, ""))
    return Slot(role, int(index)) if role is not None and index.isdecimal() else None


def wanted_slots(job: Job) -> list[Slot]:
    """In the order in which they are made."""
    return [Slot(role, index) for role, replica in job.roles.items() for index in range(replica.replicas)]


def desired_pod(framework: Framework, job: Job, slot: Slot, options: PodOptions) -> Object:
    replica = job.roles[slot.role]
    template, shape = replica.template, framework.shape
    marks = dict(slot_labels(shape, job.name, slot))
    if framework.is_master(job, slot.role, slot.index):
        marks[labels.JOB_ROLE] = labels.MASTER
    spec = {
        **meta.spec(template),
        "containers": _told(framework, job, slot),
        "restartPolicy": pod_restart_policy(replica),
    }
    if options.priority_class and not spec.get("priorityClassName"):
        spec["priorityClassName"] = options.priority_class
    master = framework.waits_for(job, slot.role)
    if master and options.waiting_image:
        waiter = _waiter(framework.shape, master, options)
        spec["initContainers"] = [*(spec.get("initContainers") or ()), waiter]
    metadata: Object = {
        "name": pod_name(job, slot.role, slot.index),
        "namespace": job.namespace,
        "labels": {**meta.labels(template), **marks},
        "annotations": dict(meta.annotations(template)),
        "ownerReferences": [owners.owner_reference(job.object)],
    }
    if finalizers := meta.finalizers(template):
        metadata["finalizers"] = list(finalizers)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    gangs.mark(pod, job.name, slot.role, options.gang_scheduler)
    return pod


def desired_service(shape: Shape, job: Job, slot: Slot) -> Object:
    """Headless: its name is the address of the replica's pod."""
    marks = slot_labels(shape, job.name, slot)
    container = main_container(job.roles[slot.role].template, shape.container) or {}
    ports = [
        {"name": port["name"], "port": port["containerPort"]}
        for port in container.get("ports") or ()
        if port.get("name") and port.get("containerPort")
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": pod_name(job, slot.role, slot.index),
            "namespace": job.namespace,
            "labels": marks,
            "ownerReferences": [owners.owner_reference(job.object)],
        },
        # Upstream's names are known when the pod is ready; a rank that is early then finds nobody of that name.
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": marks,
            "ports": ports,
        },
    }


def pod_restart_policy(replica: Replica) -> str:
    """The replica's, whatever the template says. By exit code it is the job that restarts, not the pod."""
    return NEVER if replica.restart_policy == EXIT_CODE else replica.restart_policy


def _told(framework: Framework, job: Job, slot: Slot) -> list[Object]:
    """The template's containers with the framework's environment, which wins: it comes last."""
    containers = meta.spec(job.roles[slot.role].template).get("containers") or ()
    told = framework.environment(job, slot.role, slot.index)
    return [
        {**each, "env": [*(each.get("env") or ()), *told]}
        if told and framework.is_told(job, str(each.get("name")))
        else each
        for each in containers
    ]


def _waiter(shape: Shape, master: str, options: PodOptions) -> Object:
    """Until the master's name can be looked up, which on a cluster may be a moment after the pod starts."""
    script = (
        f"tries=0; until nslookup {master}; do tries=$((tries + 1)); "
        f"if [ $tries -ge {options.waiting_tries} ]; then exit 1; fi; "
        f"echo waiting for {master}; sleep {_WAIT_SECONDS}; done"
    )
    return {
        "name": f"init-{shape.container}",
        "image": options.waiting_image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {
            "limits": {"cpu": "100m", "memory": "20Mi"},
            "requests": {"cpu": "50m", "memory": "10Mi"},
        },
        "command": ["sh", "-c", script],
    }
