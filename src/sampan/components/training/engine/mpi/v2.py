"""MPIJob as mpi-operator has it: workers run sshd, a Job runs the launcher, and all of them mount one key pair.

Source: kubeflow/mpi-operator v0.8 pkg/controller/mpi_job_controller.go, pkg/apis/kubeflow/validation/validation.go.
Of its labels those of Job and Service are more than upstream's: by them caches hold only what belongs to jobs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sampan.components.training.api import labels
from sampan.components.training.api.defaults import defaulted
from sampan.components.training.api.kinds import MPI_JOBS_V2
from sampan.components.training.engine.jobs import gangs
from sampan.components.training.engine.jobs.spec import (
    NEVER,
    ON_FAILURE,
    InvalidJobError,
    Job,
    read_run_policy,
    whole,
)
from sampan.components.training.engine.mpi import keys, names
from sampan.components.training.engine.mpi.names import LAUNCHER, WORKER, env
from sampan.components.training.engine.mpi.v1 import read_roles
from sampan.kube import meta, owners
from sampan.kube.kinds import CONFIG_MAPS, JOBS, SECRETS, SERVICES
from sampan.kube.meta import Object

OPERATOR_NAME = "mpi-operator"
"""The value of the label operator-name."""
OPERATOR = "kubeflow.org/mpi-operator"
"""The value of `runPolicy.managedBy` that means us; empty means us too."""
OPEN_MPI, INTEL, MPICH = "OpenMPI", "Intel", "MPICH"
AT_STARTUP, WHEN_WORKERS_ARE_READY = "AtStartup", "WaitForWorkersReady"
_SSH_VOLUME = "ssh-auth"
_QUEUE = "scheduling.volcano.sh/queue-name"
_ROOTS_SSH = "/root/.ssh"
_HOSTFILE = f"{names.CONFIG_PATH}/{names.HOSTFILE}"
_DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_NO_GPU = (env("NVIDIA_VISIBLE_DEVICES", ""), env("NVIDIA_DRIVER_CAPABILITIES", ""))


@dataclass(frozen=True, slots=True)
class MpiJob:
    """What the object says beside what all jobs say."""

    job: Job
    slots: int
    implementation: str
    ssh_path: str
    creation_policy: str
    launcher_is_worker: bool

    @property
    def name(self) -> str:
        return self.job.name

    @property
    def workers(self) -> int:
        return self.job.roles[WORKER].replicas if self.job.has(WORKER) else 0

    @property
    def minimum(self) -> int:
        """Of pods that must be able to start. A launcher that waits for the workers cannot start with them."""
        waits = self.creation_policy == WHEN_WORKERS_ARE_READY and self.workers > 0
        return self.workers if waits else self.workers + 1


def read(obj: Object) -> MpiJob:
    """Raises InvalidJobError."""
    spec = meta.spec(defaulted(obj))
    replica_specs = spec.get("mpiReplicaSpecs")
    if not isinstance(replica_specs, dict) or not replica_specs:
        raise InvalidJobError("spec.mpiReplicaSpecs is empty: it must have a Launcher")
    roles = read_roles(replica_specs)
    if LAUNCHER not in roles:
        raise InvalidJobError("spec.mpiReplicaSpecs[Launcher] is missing: the job needs a launcher")
    for role, replica in roles.items():
        path = f"spec.mpiReplicaSpecs[{role}]"
        if role == LAUNCHER and replica.replicas != 1:
            raise InvalidJobError(f"{path}.replicas is {replica.replicas}: it must be 1")
        if role == WORKER and replica.replicas < 1:
            raise InvalidJobError(f"{path}.replicas is {replica.replicas}: it must be at least 1")
        if replica.restart_policy not in (NEVER, ON_FAILURE):
            raise InvalidJobError(
                f"{path}.restartPolicy is {replica.restart_policy!r}: use Never or OnFailure"
            )
    implementation = spec.get("mpiImplementation")
    if implementation not in (OPEN_MPI, INTEL, MPICH):
        raise InvalidJobError(f"spec.mpiImplementation is {implementation!r}: use OpenMPI, Intel or MPICH")
    policy = spec.get("launcherCreationPolicy")
    if policy not in (AT_STARTUP, WHEN_WORKERS_ARE_READY):
        raise InvalidJobError(
            f"spec.launcherCreationPolicy is {policy!r}: use {AT_STARTUP} or {WHEN_WORKERS_ARE_READY}"
        )
    slots = whole(spec.get("slotsPerWorker"), "spec.slotsPerWorker")
    job = Job(
        object=obj,
        kind=MPI_JOBS_V2.kind,
        namespace=meta.namespace(obj),
        name=meta.name(obj),
        spec=spec,
        roles=roles,
        policy=read_run_policy(spec),
    )
    found = MpiJob(
        job,
        1 if slots is None else slots,
        str(implementation),
        str(spec["sshAuthMountPath"]),
        str(policy),
        spec.get("runLauncherAsWorker") is True,
    )
    _check_name(found)
    return found


def _check_name(mpi: MpiJob) -> None:
    longest = names.worker_name(mpi.name, max(mpi.workers, 1) - 1)
    if not _DNS_LABEL.match(longest):
        raise InvalidJobError(
            f"metadata.name: the pod and its host would be called {longest!r}, which is no DNS label: "
            "use a name of at most 63 letters, digits and dashes with that, which begins with a letter"
        )


def job_labels(name: str) -> dict[str, str]:
    return {labels.OPERATOR_NAME: OPERATOR_NAME, labels.JOB_NAME: name}


def role_labels(name: str, role: str) -> dict[str, str]:
    return {**job_labels(name), labels.JOB_ROLE: role.lower()}


def secret_name(job: str) -> str:
    return f"{job}-ssh"


# The children.


def pod_group(mpi: MpiJob, gang_scheduler: str, priorities: Mapping[str, int]) -> Object | None:
    """The queue may stand in an annotation of the job, and the group has the launcher's priority, or the workers'."""
    job = mpi.job
    scheduling = job.policy.scheduling
    named = (meta.spec(each.template).get("priorityClassName") for each in job.roles.values())
    scheduling = replace(
        scheduling,
        queue=scheduling.queue or meta.annotations(job.object).get(_QUEUE, ""),
        priority_class=scheduling.priority_class or next((str(each) for each in named if each), ""),
        timeout_seconds=scheduling.timeout_seconds or 0,
    )
    job = replace(job, policy=replace(job.policy, scheduling=scheduling))
    return gangs.desired_group(job, mpi.minimum, gang_scheduler, priorities, limits_request=True)


def overwrites_restart_policy(mpi: MpiJob) -> bool:
    """Whether the launcher's template says how its pod restarts, which does not count."""
    return bool(meta.spec(mpi.job.roles[LAUNCHER].template).get("restartPolicy"))


def service(mpi: MpiJob) -> Object:
    """Headless, in front of all pods of the job. A launcher that works is looked up before it is ready."""
    return {
        **_named(SERVICES.api_version, SERVICES.kind, mpi, mpi.name),
        "spec": {
            "clusterIP": "None",
            "selector": job_labels(mpi.name),
            "publishNotReadyAddresses": mpi.launcher_is_worker,
        },
    }


def config_map(mpi: MpiJob, running: Sequence[str]) -> Object:
    """`running`: names of the workers' pods that run."""
    own = [names.launcher_name(mpi.name)] if mpi.launcher_is_worker else []
    hosts = [*own, *(names.worker_name(mpi.name, index) for index in range(mpi.workers))]
    form = "{} slots={}\n" if mpi.implementation == OPEN_MPI else "{}:{}\n"
    discovered = "".join(f"echo {_host(mpi, name)}\n" for name in (*own, *sorted(running)))
    return {
        **_named(CONFIG_MAPS.api_version, CONFIG_MAPS.kind, mpi, names.config_name(mpi.name)),
        "data": {
            names.HOSTFILE: "".join(form.format(_host(mpi, name), mpi.slots) for name in hosts),
            names.DISCOVER_HOSTS: f"#!/bin/sh\n{discovered}",
        },
    }


def secret(mpi: MpiJob, pair: keys.KeyPair) -> Object:
    return {
        **_named(SECRETS.api_version, SECRETS.kind, mpi, secret_name(mpi.name)),
        "type": keys.SECRET_TYPE,
        "data": pair.data(),
    }


def has_keys(found: Object) -> bool:
    return {*(found.get("data") or {})} == {keys.PRIVATE_KEY, keys.PUBLIC_KEY}


def worker_pod(mpi: MpiJob, index: int, gang_scheduler: str) -> Object:
    job = mpi.job
    template = job.roles[WORKER].template
    name = names.worker_name(mpi.name, index)
    # With the launcher they are counted through, it being the first.
    number = index + 1 if mpi.launcher_is_worker else index
    spec = _pod_spec(mpi, WORKER, name)
    dns = dict(spec.get("dnsConfig") or {})
    # Workers of Intel MPI and MPICH call the launcher by its bare name.
    search = f"{mpi.name}.{job.namespace}.svc.cluster.local"
    spec["dnsConfig"] = {**dns, "searches": [*(dns.get("searches") or ()), search]}
    first = spec["containers"][0]
    if not first.get("command") and not first.get("args"):
        first["command"] = ["/usr/sbin/sshd", "-De"]
    marks = {**role_labels(mpi.name, WORKER), labels.REPLICA_INDEX: str(number)}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": job.namespace,
            "labels": {**meta.labels(template), **marks},
            "annotations": dict(meta.annotations(template)),
            "ownerReferences": [owners.owner_reference(job.object)],
        },
        "spec": spec,
    }
    _into_gang(pod, mpi, WORKER, gang_scheduler)
    return pod


def launcher_template(mpi: MpiJob, gang_scheduler: str) -> Object:
    template = mpi.job.roles[LAUNCHER].template
    spec = _pod_spec(mpi, LAUNCHER, names.launcher_name(mpi.name))
    volume = names.config_volume(mpi.name, {names.HOSTFILE: 0o444, names.DISCOVER_HOSTS: 0o555})
    mount = {"name": names.CONFIG_VOLUME, "mountPath": names.CONFIG_PATH}
    spec["volumes"] = [*spec["volumes"], volume]
    spec["containers"] = names.with_first(
        spec["containers"], env=_launcher_environment(mpi), volumeMounts=[mount]
    )
    marks = role_labels(mpi.name, LAUNCHER)
    if mpi.launcher_is_worker:
        marks[labels.REPLICA_INDEX] = "0"
    metadata = {"labels": {**meta.labels(template), **marks}, "annotations": dict(meta.annotations(template))}
    made = {"metadata": metadata, "spec": spec}
    _into_gang(made, mpi, LAUNCHER, gang_scheduler)
    return made


def launcher_job(mpi: MpiJob, gang_scheduler: str) -> Object:
    policy = mpi.job.policy
    spec: Object = {
        "template": launcher_template(mpi, gang_scheduler),
        # A pod that is on its way out is not to be replaced beside itself: kubernetes/kubernetes issue 115844.
        "podReplacementPolicy": "Failed",
    }
    for key, value in (
        ("ttlSecondsAfterFinished", policy.ttl_seconds),
        ("activeDeadlineSeconds", policy.active_deadline_seconds),
        ("backoffLimit", policy.backoff_limit),
    ):
        if value is not None:
            spec[key] = value
    if policy.suspend:
        spec["suspend"] = True
    return {**_named(JOBS.api_version, JOBS.kind, mpi, names.launcher_name(mpi.name)), "spec": spec}


def resumed(mpi: MpiJob, gang_scheduler: str) -> Object:
    """Of the launcher's Job: what changes when it goes on. Who holds jobs back may have said where pods shall run."""
    template = launcher_template(mpi, gang_scheduler)
    directives = {
        key: template["spec"].get(key) for key in ("nodeSelector", "tolerations", "schedulingGates")
    }
    return {"suspend": False, "template": {"metadata": template["metadata"], "spec": directives}}


def _into_gang(pod: Object, mpi: MpiJob, role: str, gang_scheduler: str) -> None:
    """In place. Another scheduler that the template names would not know of the gang, and is overwritten."""
    if gang_scheduler != gangs.NONE:
        pod["spec"].pop("schedulerName", None)
    gangs.mark(pod, mpi.name, role, gang_scheduler)


def _pod_spec(mpi: MpiJob, role: str, hostname: str) -> Object:
    """A template's with the host's name, the key pair, and its role in the first container."""
    replica = mpi.job.roles[role]
    spec = dict(meta.spec(replica.template))
    if spec.get("hostNetwork"):
        # So that names of the cluster are found.
        spec["dnsPolicy"] = "ClusterFirstWithHostNet"
    volume: dict[str, Any] = {
        "secretName": secret_name(mpi.name),
        "items": [{"key": key, "path": path} for path, key in keys.FILES.items()],
    }
    if mpi.ssh_path == _ROOTS_SSH:
        volume["defaultMode"] = 0o600
    return {
        **spec,
        "hostname": hostname,
        "subdomain": mpi.name,
        "restartPolicy": replica.restart_policy,
        "volumes": [*(spec.get("volumes") or ()), {"name": _SSH_VOLUME, "secret": volume}],
        "containers": names.with_first(
            spec["containers"],
            env=[env("K_MPI_JOB_ROLE", role.lower())],
            volumeMounts=[{"name": _SSH_VOLUME, "mountPath": mpi.ssh_path}],
        ),
    }


def _launcher_environment(mpi: MpiJob) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    if mpi.implementation == OPEN_MPI:
        told = [
            env("OMPI_MCA_orte_keep_fqdn_hostnames", "true"),
            env("OMPI_MCA_orte_default_hostfile", _HOSTFILE),
            env("OMPI_MCA_plm_rsh_args", "-o ConnectionAttempts=10"),
            env("OMPI_MCA_orte_set_default_slots", str(mpi.slots)),
        ]
    elif mpi.implementation == INTEL:
        told = [
            env("I_MPI_HYDRA_HOST_FILE", _HOSTFILE),
            env("I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS", "-o ConnectionAttempts=10"),
            env("I_MPI_PERHOST", str(mpi.slots)),
        ]
    else:
        told = [
            env("HYDRA_HOST_FILE", _HOSTFILE),
            env("HYDRA_LAUNCH_EXTRA_ARGS", "-o ConnectionAttempts=10"),
        ]
    return told if mpi.launcher_is_worker else [*told, *_NO_GPU]


def _host(mpi: MpiJob, pod: str) -> str:
    return f"{pod}.{mpi.name}.{mpi.job.namespace}.svc"


def _named(api_version: str, kind: str, mpi: MpiJob, name: str) -> Object:
    marks = {"app": mpi.name, **job_labels(mpi.name)}
    metadata = {"name": name, "namespace": mpi.job.namespace, "labels": marks}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
