"""MPIJob as training-operator has it: its launcher is a pod that starts ranks by `kubectl exec` in its workers' pods.

For that it gets a ConfigMap with the rsh agent and the list of hosts, an account that may execute in the workers and in
no other pod, and kubectl from an init container. There are no Services: hosts are names of pods.

Unlike upstream, restartPolicy ExitCode makes pods anew that a signal has ended; see decision 38.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/mpi/mpijob_controller.go, pkg/apis/kubeflow.org/v1/
mpi_validation.go, pkg/config/config.go (the image that brings kubectl).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sampan.components.training.api import labels
from sampan.components.training.api.defaults import defaulted
from sampan.components.training.api.kinds import MPI_JOBS
from sampan.components.training.engine.jobs import gangs, judging
from sampan.components.training.engine.jobs.conditions import Change
from sampan.components.training.engine.jobs.framework import EnvVar, Observed
from sampan.components.training.engine.jobs.pods import (
    PodOptions,
    Slot,
    pod_restart_policy,
    slot_labels,
)
from sampan.components.training.engine.jobs.spec import (
    EXIT_CODE,
    RESTART_POLICIES,
    InvalidJobError,
    Job,
    Replica,
    Shape,
    read_run_policy,
    whole,
)
from sampan.components.training.engine.mpi import names
from sampan.components.training.engine.mpi.names import LAUNCHER, WORKER, env
from sampan.kube import meta, owners, rbac
from sampan.kube.kinds import CONFIG_MAPS, SERVICE_ACCOUNTS
from sampan.kube.meta import Object

KUBECTL_IMAGE = "kubeflow/kubectl-delivery:latest"
_KUBECTL_VOLUME, _KUBECTL_PATH = "mpi-job-kubectl", "/opt/kube"
_KUBECTL_RESOURCES = {"cpu": "100m", "memory": "512Mi", "ephemeral-storage": "5Gi"}
_AGENT = f"{names.CONFIG_PATH}/{names.KUBEXEC}"


class MpiV1:
    """Implements `Framework`. What is told to pods is in `launcher_pod` and `worker_pod`."""

    shape = Shape(MPI_JOBS, (LAUNCHER, WORKER))

    def check(self, job: Job) -> None:
        """Raises InvalidJobError."""
        if not job.has(LAUNCHER):
            raise InvalidJobError("spec.mpiReplicaSpecs[Launcher] is missing: the job needs a launcher")
        if job.roles[LAUNCHER].replicas != 1:
            raise InvalidJobError(
                f"spec.mpiReplicaSpecs[Launcher].replicas is {job.roles[LAUNCHER].replicas}: it must be 1"
            )

    def environment(self, job: Job, role: str, index: int) -> Sequence[EnvVar]:
        return ()

    def is_told(self, job: Job, container: str) -> bool:
        return False

    def is_master(self, job: Job, role: str, index: int) -> bool:
        return role == LAUNCHER

    def waits_for(self, job: Job, role: str) -> str:
        return ""

    def minimum(self, job: Job) -> int:
        return job.total

    def judge(self, job: Job, observed: Observed) -> Iterator[Change]:
        launcher = judging.count_of(observed, LAUNCHER)
        if launcher.active:
            yield judging.running(f"MPIJob {job.name} is running.")
        if launcher.succeeded:
            yield judging.succeeded(f"MPIJob {job.name} is successfully completed.")
        for role, replica in job.roles.items():
            failed = judging.count_of(observed, role).failed
            if not failed:
                continue
            because = f"because {failed} {role} replica(s) failed."
            if replica.restart_policy == EXIT_CODE:
                yield judging.restarting(f"MPIJob {job.name} is restarting {because}")
            else:
                yield judging.failed(f"MPIJob {job.name} is failed {because}")


def read(obj: Object) -> Job:
    """Raises InvalidJobError."""
    spec = meta.spec(defaulted(obj))
    replica_specs = spec.get("mpiReplicaSpecs")
    if not isinstance(replica_specs, dict) or not replica_specs:
        raise InvalidJobError("spec.mpiReplicaSpecs is empty: it must have a Launcher")
    # One policy may be said in two places; runPolicy's comes first.
    clean = spec.get("cleanPodPolicy")
    policy = dict(spec.get("runPolicy") or {})
    if clean and policy.get("cleanPodPolicy") in (None, ""):
        policy["cleanPodPolicy"] = clean
    whole(spec.get("slotsPerWorker"), "spec.slotsPerWorker")
    return Job(
        object=obj,
        kind=MPI_JOBS.kind,
        namespace=meta.namespace(obj),
        name=meta.name(obj),
        spec=spec,
        roles=read_roles(replica_specs),
        policy=read_run_policy({**spec, "runPolicy": policy}),
    )


def read_roles(replica_specs: dict[str, Any]) -> dict[str, Replica]:
    """Of either contract. Raises InvalidJobError."""
    found: dict[str, Replica] = {}
    for role in (*sorted(set(replica_specs) - {LAUNCHER, WORKER}), LAUNCHER, WORKER):
        path, replica = f"spec.mpiReplicaSpecs[{role}]", replica_specs.get(role)
        if role not in (LAUNCHER, WORKER):
            raise InvalidJobError(f"{path} is no replica type: use one of Launcher, Worker")
        if replica is None:
            continue
        template = _template(replica, path)
        replicas = whole(replica.get("replicas"), f"{path}.replicas")
        policy = replica.get("restartPolicy")
        if policy not in RESTART_POLICIES:
            raise InvalidJobError(
                f"{path}.restartPolicy is {policy!r}: use one of {', '.join(RESTART_POLICIES)}"
            )
        found[role] = Replica(role, replicas or 0, str(policy), template)
    return found


def _template(replica: Any, path: str) -> Object:
    template = replica.get("template") if isinstance(replica, dict) else None
    pod = template.get("spec") if isinstance(template, dict) else None
    containers = pod.get("containers") if isinstance(pod, dict) else None
    if not isinstance(containers, list) or not containers or not all(isinstance(c, dict) for c in containers):
        raise InvalidJobError(f"{path}.template.spec.containers is empty: it must have a container")
    for container in containers:
        for key in ("name", "image"):
            if not container.get(key):
                raise InvalidJobError(f"{path}.template.spec.containers: one has no {key}: give it one")
    return dict(template or {})


def main_container(job: Job) -> str:
    """The one whose exit code counts: that of the kind's name, or the first."""
    containers = meta.spec(job.roles[LAUNCHER].template)["containers"]
    found = [str(each["name"]) for each in containers]
    wanted = str(job.spec.get("mainContainer") or MpiV1.shape.container)
    return wanted if wanted in found else found[0]


# The children.


def config_map(job: Job, running: Sequence[str]) -> Object:
    """`running`: names of the workers' pods that run."""
    slots = _slots(job)
    hosts = [names.worker_name(job.name, index) for index in range(_workers(job))]
    own = [names.launcher_name(job.name)] if _uses_gpus(job) else []
    discovered = "\n".join(["#!/bin/sh", *(f"echo {host}:{slots}" for host in (*own, *sorted(running)))])
    container = f" --container {job.spec['mainContainer']}" if job.spec.get("mainContainer") else ""
    execute = f'{_KUBECTL_PATH}/kubectl exec ${{POD_NAME}}{container} -- /bin/sh -c "$*"'
    return {
        **_named(CONFIG_MAPS.api_version, CONFIG_MAPS.kind, job, names.config_name(job.name)),
        "data": {
            names.HOSTFILE: "".join(f"{host} slots={slots}\n" for host in (*own, *hosts)),
            names.KUBEXEC: f"#!/bin/sh\nset -x\nPOD_NAME=$1\nshift\n{execute}",
            names.DISCOVER_HOSTS: discovered,
        },
    }


def account(job: Job) -> Object:
    """One of this name that is there already does as well, whosever it is."""
    return _named(SERVICE_ACCOUNTS.api_version, SERVICE_ACCOUNTS.kind, job, _account_name(job))


def role(job: Job) -> Object:
    """It may look at pods, and execute in its workers'."""
    workers = [names.worker_name(job.name, index) for index in range(_workers(job))]
    rules = [{"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods"]}]
    # Over a WebSocket, which newer kubectls and ours speak, the request is a GET. Upstream's launchers may not do that,
    # and fall back to the older way. Without names it would be all pods.
    rules += [
        {"verbs": [verb], "apiGroups": [""], "resources": ["pods/exec"], "resourceNames": workers}
        for verb in ("create", "get")
        if workers
    ]
    return {
        **_named(rbac.ROLES.api_version, rbac.ROLES.kind, job, names.launcher_name(job.name)),
        "rules": rules,
    }


def role_binding(job: Job) -> Object:
    name = names.launcher_name(job.name)
    return {
        **_named(rbac.ROLE_BINDINGS.api_version, rbac.ROLE_BINDINGS.kind, job, name),
        "subjects": [{"kind": "ServiceAccount", "name": _account_name(job), "namespace": job.namespace}],
        "roleRef": {"apiGroup": rbac.GROUP, "kind": "Role", "name": name},
    }


def pod(job: Job, slot: Slot, options: PodOptions, kubectl_image: str = KUBECTL_IMAGE) -> Object:
    replica = job.roles[slot.role]
    marks = dict(slot_labels(MpiV1.shape, job.name, slot))
    if slot.role == LAUNCHER:
        marks[labels.JOB_ROLE] = labels.MASTER
        name, spec = names.launcher_name(job.name), _launcher_spec(job, replica, kubectl_image)
    else:
        name, spec = names.worker_name(job.name, slot.index), _worker_spec(job, replica)
    made: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": job.namespace,
            "labels": {**meta.labels(replica.template), **marks},
            "annotations": dict(meta.annotations(replica.template)),
            "ownerReferences": [owners.owner_reference(job.object)],
        },
        "spec": {**spec, "restartPolicy": pod_restart_policy(replica)},
    }
    if options.priority_class and not spec.get("priorityClassName"):
        made["spec"]["priorityClassName"] = options.priority_class
    gangs.mark(made, job.name, slot.role, options.gang_scheduler)
    return made


def _worker_spec(job: Job, replica: Replica) -> Object:
    spec = dict(meta.spec(replica.template))
    mount = {"name": names.CONFIG_VOLUME, "mountPath": names.CONFIG_PATH}
    containers = names.with_first(spec["containers"], volumeMounts=[mount])
    if not containers[0].get("command"):
        containers[0] |= {"command": ["sleep"], "args": ["365d"]}
    # Open MPI looks for its agent in every rank.
    volume = names.config_volume(job.name, {names.KUBEXEC: 0o555})
    return {**spec, "containers": containers, "volumes": [*(spec.get("volumes") or ()), volume]}


def _launcher_spec(job: Job, replica: Replica, kubectl_image: str) -> Object:
    spec = dict(meta.spec(replica.template))
    mounts = [
        {"name": _KUBECTL_VOLUME, "mountPath": _KUBECTL_PATH},
        {"name": names.CONFIG_VOLUME, "mountPath": names.CONFIG_PATH},
    ]
    delivery = {
        "name": "kubectl-delivery",
        "image": kubectl_image,
        "imagePullPolicy": "IfNotPresent",
        "env": [env("TARGET_DIR", _KUBECTL_PATH), env("NAMESPACE", job.namespace)],
        "volumeMounts": mounts,
        "resources": {"limits": dict(_KUBECTL_RESOURCES), "requests": dict(_KUBECTL_RESOURCES)},
    }
    files = {names.KUBEXEC: 0o555, names.HOSTFILE: 0o444, names.DISCOVER_HOSTS: 0o555}
    volumes = [{"name": _KUBECTL_VOLUME, "emptyDir": {}}, names.config_volume(job.name, files)]
    return {
        **spec,
        "serviceAccountName": _account_name(job),
        "initContainers": [*(spec.get("initContainers") or ()), delivery],
        "containers": names.with_first(
            spec["containers"], env=_environment(job, spec["containers"][0]), volumeMounts=mounts
        ),
        "volumes": [*(spec.get("volumes") or ()), *volumes],
    }


def _environment(job: Job, container: Object) -> list[EnvVar]:
    """How Open MPI and Intel MPI start something elsewhere. A launcher that asks for no GPU shall not see one."""
    told = [
        env("OMPI_MCA_plm_rsh_agent", _AGENT),
        env("OMPI_MCA_orte_default_hostfile", f"{names.CONFIG_PATH}/{names.HOSTFILE}"),
    ]
    if not _uses_gpus(job):
        told += [env("NVIDIA_VISIBLE_DEVICES", ""), env("NVIDIA_DRIVER_CAPABILITIES", "")]
    given = {each.get("name") for each in container.get("env") or ()}
    for name, value in (("I_MPI_HYDRA_BOOTSTRAP", "rsh"), ("I_MPI_HYDRA_BOOTSTRAP_EXEC", _AGENT)):
        if name not in given:
            told.append(env(name, value))
    return told


def _named(api_version: str, kind: str, job: Job, name: str) -> Object:
    metadata = {"name": name, "namespace": job.namespace, "labels": {"app": job.name}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _account_name(job: Job) -> str:
    given = meta.spec(job.roles[LAUNCHER].template).get("serviceAccountName")
    return str(given or names.launcher_name(job.name))


def _slots(job: Job) -> int:
    slots = job.spec.get("slotsPerWorker")
    return 1 if slots is None else int(slots)


def _workers(job: Job) -> int:
    return job.roles[WORKER].replicas if job.has(WORKER) else 0


def _uses_gpus(job: Job) -> bool:
    """Whether the launcher asks for GPUs, and so is a host of its own."""
    containers = meta.spec(job.roles[LAUNCHER].template).get("containers") or ()
    return any(
        key.endswith(".com/gpu") or "gpu" in key
        for container in containers
        for key in (container.get("resources") or {}).get("limits") or {}
    )
