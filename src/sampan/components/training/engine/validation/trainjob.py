"""TrainJobs against their runtimes: what each of upstream's plugins asks.

The runtime's own template counts, not what the TrainJob's patches make of it: that a patch names what is not there is
one of the things to find. Source: kubeflow/trainer 2.3 pkg/webhooks/trainjob_webhook.go, pkg/runtime/core/*.go
(ValidateObjects) and the Validate of pkg/runtime/framework/plugins/*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAINER_GROUP, TRAINING_RUNTIMES
from sampan.components.training.api.labels import TRAINER_ANCESTOR
from sampan.components.training.engine.validation import torchtune
from sampan.components.training.engine.validation.reading import Anything, at, each, number, texts
from sampan.kube import meta, names
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import JOB_SETS, PRIORITY_CLASSES, Resource
from sampan.kube.meta import Object

_DATASET, _MODEL, _NODE, _LAUNCHER = "dataset-initializer", "model-initializer", "node", "launcher"
_VOLUME = "initializer"
_REF, _PATCHES, _ENV = "spec.runtimeRef", "spec.runtimePatches", "spec.trainer.env"
_RESERVED: Mapping[str, frozenset[str]] = {
    "torch": frozenset(
        {"PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR", "PET_MASTER_PORT"}
    ),
    "mpi": frozenset(
        {
            "OMPI_MCA_orte_default_hostfile",
            "OMPI_MCA_plm_rsh_args",
            "OMPI_MCA_orte_keep_fqdn_hostnames",
            "OMPI_MCA_orte_set_default_slots",
        }
    ),
    "xgboost": frozenset({"DMLC_TRACKER_URI", "DMLC_TRACKER_PORT", "DMLC_TASK_ID", "DMLC_NUM_WORKER"}),
}
"""By policy: the environment that is the policy's to set."""
_VOLCANO_QUEUE = "scheduling.volcano.sh/queue-name"
_HIGHEST = ("system-cluster-critical", "system-node-critical")


class Reader(Protocol):
    def get(self, resource: Resource, name: str, namespace: str = "") -> Object | None: ...


def check(job: Object, old: Object | None, reader: Reader, errors: FieldErrors) -> None:
    reference = at(job, "spec", "runtimeRef")
    resource = runtime_resource(reference)
    if resource is None:
        group = reference.get("apiGroup") or TRAINER_GROUP
        kind = reference.get("kind") or CLUSTER_TRAINING_RUNTIMES.kind
        errors.invalid(_REF, dict(reference), f"unsupported runtime: {kind}.{group}")
        return
    name = str(reference.get("name") or "")
    runtime = reader.get(resource, name, meta.namespace(job) if resource.namespaced else "")
    if runtime is None:
        if old is None:
            word = resource.kind[0].lower() + resource.kind[1:]
            detail = (
                f'{resource.kind}.{resource.group} "{name}" not found: specified {word} must be created before the '
                "TrainJob is created"
            )
            errors.invalid(_REF, dict(reference), detail)
        # An older TrainJob has what its runtime was when it started.
        return
    _check_initializers(job, runtime, errors)
    _check_change(job, old, reader, errors)
    _check_patches(job, runtime, errors)
    _check_policy(job, runtime, errors)
    _check_gang(job, runtime, reader, errors)


def runtime_resource(reference: Mapping[str, Any]) -> Resource | None:
    """None for a kind of runtime that nobody acts on."""
    if (reference.get("apiGroup") or TRAINER_GROUP) != TRAINER_GROUP:
        return None
    kind = reference.get("kind") or CLUSTER_TRAINING_RUNTIMES.kind
    known = {each_.kind: each_ for each_ in (CLUSTER_TRAINING_RUNTIMES, TRAINING_RUNTIMES)}
    return known.get(str(kind))


# What runtimes are made of.


def _pods(runtime: Object) -> dict[str, Anything]:
    """By replicated job: its pods' spec."""
    found = each(runtime, "spec", "template", "spec", "replicatedJobs")
    return {str(job.get("name")): at(job, "template", "spec", "template", "spec") for job in found}


def _containers(pod: Anything) -> dict[str, Anything]:
    """Names of init containers and of the others are one set."""
    return {
        str(container.get("name")): container
        for key in ("initContainers", "containers")
        for container in each(pod, key)
    }


def _patches(job: Object) -> Iterator[tuple[Anything, Anything]]:
    """A patch, and each replicated job that it is about."""
    for patch in each(job, "spec", "runtimePatches"):
        for replicated in each(patch, "trainingRuntimeSpec", "template", "spec", "replicatedJobs"):
            yield patch, replicated


def _pod_patch(replicated: Anything) -> Anything:
    return at(replicated, "template", "spec", "template", "spec")


# The plugin of JobSets.


def _check_initializers(job: Object, runtime: Object, errors: FieldErrors) -> None:
    initializer = at(job, "spec", "initializer")
    pods = _pods(runtime)
    for key, step, config in (
        ("dataset", _DATASET, "datasetConfig"),
        ("model", _MODEL, "modelConfig"),
    ):
        if not isinstance(initializer.get(key), Mapping):
            continue
        reference = dict(at(job, "spec", "runtimeRef"))
        if step not in pods:
            errors.invalid(
                _REF, reference, f"must have {step} job when trainJob is configured with input {config}"
            )
            continue
        containers = _containers(pods[step])
        if step not in containers:
            errors.invalid(_REF, reference, f"must have container with name - {step} in the {step} job")
            continue
        mounts = {str(mount.get("name")) for mount in each(containers[step], "volumeMounts")}
        if _VOLUME not in mounts | _patched_mounts(job, step):
            detail = f"must have volumeMount with name - {_VOLUME} in container {step} of the {step} job"
            errors.invalid(_REF, reference, detail)


def _patched_mounts(job: Object, step: str) -> set[str]:
    return {
        str(mount.get("name"))
        for _, replicated in _patches(job)
        if replicated.get("name") == step
        for container in each(_pod_patch(replicated), "containers")
        if container.get("name") == step
        for mount in each(container, "volumeMounts")
    }


def _check_change(job: Object, old: Object | None, reader: Reader, errors: FieldErrors) -> None:
    if old is None:
        return
    before, after = at(old, "spec"), at(job, "spec")
    if before.get("runtimePatches") == after.get("runtimePatches"):
        return
    if not (before.get("suspend") or after.get("suspend")):
        errors.forbidden(
            _PATCHES,
            "RuntimePatches can only be modified when the TrainJob is suspended before or after the update",
        )
        return
    job_set = reader.get(JOB_SETS, meta.name(job), meta.namespace(job))
    for status in each(job_set, "status", "replicatedJobsStatus"):
        if (number(status.get("active")) or 0) > 0:
            name = status.get("name")
            detail = (
                f"RuntimePatches cannot be modified when the JobSet's ReplicatedJob {name} is still active"
            )
            errors.forbidden(_PATCHES, detail)


def _check_patches(job: Object, runtime: Object, errors: FieldErrors) -> None:
    pods = _pods(runtime)
    patches = at(job, "spec").get("runtimePatches")
    for patch in each(job, "spec", "runtimePatches"):
        _check_manager(str(patch.get("manager") or ""), errors)
    for _, replicated in _patches(job):
        name = str(replicated.get("name"))
        if name not in pods:
            detail = "must not have replicated job that doesn't exist in the runtime job template"
            errors.invalid(_PATCHES, patches, detail)
            continue
        known, pod = _containers(pods[name]), _pod_patch(replicated)
        for container in each(pod, "initContainers"):
            if container.get("name") not in known:
                detail = f"must not have initContainer that doesn't exist in the runtime job {name}"
                errors.invalid(_PATCHES, patches, detail)
        for container in each(pod, "containers"):
            if container.get("name") not in known:
                detail = f"must not have container that doesn't exist in the runtime job {name}"
                errors.invalid(_PATCHES, patches, detail)
            elif container.get("env") and container.get("name") in (_DATASET, _MODEL, _NODE):
                detail = f"must not have envs for the {_DATASET}, {_MODEL}, {_NODE} containers"
                errors.invalid(_PATCHES, patches, detail)


def _check_manager(manager: str, errors: FieldErrors) -> None:
    path = f"{_PATCHES}.manager"
    if not manager:
        errors.required(path)
        return
    host, _, rest = manager.partition("/")
    if not host or not rest:
        errors.invalid(path, manager, 'must be a domain-prefixed path (such as "acme.io/foo")')
        return
    errors.each(path, host, names.dns_subdomain(host))
    errors.each(path, rest, names.http_path(rest))


# The plugins of policies.


def _check_policy(job: Object, runtime: Object, errors: FieldErrors) -> None:
    policy, trainer = at(runtime, "spec", "mlPolicy"), at(job, "spec", "trainer")
    wanted = [str(variable.get("name")) for variable in each(trainer, "env")]
    for name in ("torch", "mpi"):
        reserved = sorted(_RESERVED[name].intersection(wanted))
        if policy.get(name) is not None and reserved:
            detail = f"must not have reserved envs, invalid envs configured: [{' '.join(reserved)}]"
            errors.invalid(_ENV, trainer.get("env"), detail)
    if policy.get("xgboost") is not None:
        for place, variable in enumerate(wanted):
            if variable in _RESERVED["xgboost"]:
                errors.forbidden(f"{_ENV}[{place}]", f"{variable} is reserved for the XGBoost runtime")
    if policy.get("torch") is not None:
        _check_torch(job, runtime, errors)
    if policy.get("mpi") is not None:
        _check_mpi(trainer, at(policy, "mpi"), _pods(runtime), errors)
    if policy.get("flux") is not None:
        _check_flux(trainer, at(policy, "flux"), _pods(runtime), errors)


def _check_torch(job: Object, runtime: Object, errors: FieldErrors) -> None:
    pods = _pods(runtime)
    for target in each(runtime, "spec", "mlPolicy", "torch", "envInjection", "targets"):
        for container in texts(target.get("containerNames")):
            if container not in _containers(pods.get(str(target.get("jobName")), {})):
                detail = (
                    f'envInjection target podSet "{target.get("jobName")}" container "{container}" not found in '
                    "runtime template"
                )
                errors.invalid(_REF, dict(target), detail)
    trainer = at(job, "spec", "trainer")
    if texts(trainer.get("command")) == ["tune", "run"]:
        wanted = trainer.get("resourcesPerNode")
        per_node = at(trainer, "resourcesPerNode") if wanted is not None else _resources(runtime)
        torchtune.check(str(at(job, "spec", "runtimeRef").get("name")), trainer, per_node, errors)


def _resources(runtime: Object) -> Anything:
    """Of the first container `node` that says any, in the job of that name or in the one that trains."""
    for job in each(runtime, "spec", "template", "spec", "replicatedJobs"):
        trains = at(job, "template", "metadata", "labels").get(TRAINER_ANCESTOR) == "trainer"
        for container in each(job, "template", "spec", "template", "spec", "containers"):
            is_node = container.get("name") == _NODE and (trains or job.get("name") == _NODE)
            if is_node and container.get("resources") is not None:
                return at(container, "resources")
    return {}


def _check_mpi(
    trainer: Anything, policy: Anything, pods: Mapping[str, Anything], errors: FieldErrors
) -> None:
    nodes = number(trainer.get("numNodes")) or 1
    if nodes >= 2 and policy.get("runLauncherAsNode") and not {_LAUNCHER, _NODE} <= pods.keys():
        detail = (
            "must have 1 when MPI trainingRuntime with enabled runLauncherAsNode does not have either launcher and "
            "node"
        )
        errors.invalid("spec.trainer.numNodes", nodes, detail)


def _check_flux(
    trainer: Anything, policy: Anything, pods: Mapping[str, Anything], errors: FieldErrors
) -> None:
    processes = number(trainer.get("numProcPerNode"))
    processes = number(policy.get("numProcPerNode")) if processes is None else processes
    if processes is not None and processes < 1:
        errors.invalid(
            "spec.trainer.numProcPerNode", processes, "must be greater than or equal to 1 for Flux TrainJob"
        )
    if any(each_.get("name") == "flux-installer" for each_ in each(pods.get(_NODE, {}), "initContainers")):
        errors.invalid(
            "spec.trainer.initContainers", "flux-installer", "InitContainer 'flux-installer' is reserved"
        )


# The plugin of Volcano.


def _check_gang(job: Object, runtime: Object, reader: Reader, errors: FieldErrors) -> None:
    if at(runtime, "spec", "podGroupPolicy").get("volcano") is None:
        return
    annotations = dict(at(runtime, "spec", "template", "metadata", "annotations"))
    for patch in each(job, "spec", "runtimePatches"):
        annotations |= at(patch, "trainingRuntimeSpec", "template", "metadata", "annotations")
    if annotations.get(_VOLCANO_QUEUE) == "":
        errors.invalid(f"spec.annotations[{_VOLCANO_QUEUE}]", "", "Volcano queue name must not be empty")
    for pod in _pods(runtime).values():
        name = pod.get("priorityClassName")
        if name in _HIGHEST:
            return
        if isinstance(name, str) and reader.get(PRIORITY_CLASSES, name) is None:
            detail = (
                f'PriorityClass "{name}" doesn\'t exist: priorityclasses.scheduling.k8s.io "{name}" not found'
            )
            errors.invalid("spec.templateSpec.priorityClassName", name, detail)
