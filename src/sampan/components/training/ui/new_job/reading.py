"""What the form would have to hold to make a given job: for clones. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sampan.components.training.api.defaults import defaulted
from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAIN_JOBS, TRAINER_GROUP
from sampan.components.training.api.summary import REPLICA_SPECS
from sampan.components.training.ui import actions
from sampan.components.training.ui.new_job import building, script
from sampan.components.training.ui.new_job.wanted import COMMAND, IMAGE, MPIRUN, Program, Rules, Size, Wanted
from sampan.kube import meta
from sampan.kube.meta import Object

_FIRST = ("Launcher", "Master", "Worker")
_DEFAULT_PATH = "/workspace/output"


def wanted(job: Object) -> Wanted | None:
    """None where the job has something that the form has no field for: it is edited as YAML then."""
    try:
        found = _train_job(job) if job.get("kind") == TRAIN_JOBS.kind else _operator_job(job)
        return found if found is not None and _essence(building.job(found)) == _essence(job) else None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        # Of a shape that the form never makes.
        return None


def _train_job(job: Object) -> Wanted:
    spec = meta.spec(job)
    trainer: Mapping[str, Any] = spec.get("trainer") or {}
    runtime: Mapping[str, Any] = spec.get("runtimeRef") or {}
    initializer: Mapping[str, Any] = spec.get("initializer") or {}
    patches = spec.get("runtimePatches") or []
    claim, path = "", _DEFAULT_PATH
    if patches:
        replicated = patches[0]["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"][0]
        claim, path = _output(replicated["template"]["spec"]["template"]["spec"])
    size = Size(int(trainer.get("numNodes") or 1), str(trainer.get("numProcPerNode") or ""))
    return Wanted(
        name=meta.name(job),
        namespace=meta.namespace(job),
        runtime=str(runtime.get("name") or ""),
        runtime_kind=str(runtime.get("kind") or CLUSTER_TRAINING_RUNTIMES.kind),
        image=str(trainer.get("image") or ""),
        program=_program(trainer),
        size=_sized(size, trainer.get("resourcesPerNode")),
        rules=Rules(deadline_seconds=spec.get("activeDeadlineSeconds"), suspended=bool(spec.get("suspend"))),
        dataset=_source(initializer.get("dataset")),
        model=_source(initializer.get("model")),
        environment=_environment(trainer),
        claim=claim,
        mount_path=path,
    )


def _operator_job(job: Object) -> Wanted | None:
    kind, spec = str(job.get("kind")), meta.spec(job)
    roles: Mapping[str, Any] = spec[REPLICA_SPECS[kind]]
    first = next((roles[role] for role in _FIRST if role in roles), None)
    if first is None:
        return None
    pods = first["template"]["spec"]
    container = pods["containers"][0]
    sized = roles["Worker"]["template"]["spec"]["containers"][0] if kind == "MPIJob" else container
    claim, path = _output(pods)
    masters = 1 if "Master" in roles else 0
    processes = spec.get("slotsPerWorker") if kind == "MPIJob" else spec.get("nprocPerNode")
    return Wanted(
        name=meta.name(job),
        namespace=meta.namespace(job),
        kind=kind,
        image=str(container.get("image") or ""),
        program=_program(container),
        size=_sized(
            Size(masters + _count(roles.get("Worker")), str(processes or ""), _count(roles.get("PS"))),
            sized.get("resources"),
        ),
        rules=_rules(spec.get("runPolicy") or {}),
        environment=_environment(container),
        claim=claim,
        mount_path=path,
    )


def _program(container: Mapping[str, Any]) -> Program:
    words = [str(each) for each in (*(container.get("command") or ()), *(container.get("args") or ()))]
    if not words:
        return Program(source=IMAGE)
    return script.read(words) or Program(
        source=COMMAND, command=shlex.join(words), launcher=MPIRUN if words[0] == MPIRUN else "python"
    )


def _rules(policy: Mapping[str, Any]) -> Rules:
    scheduling: Mapping[str, Any] = policy.get("schedulingPolicy") or {}
    return Rules(
        deadline_seconds=policy.get("activeDeadlineSeconds"),
        retries=policy.get("backoffLimit"),
        priority_class=str(scheduling.get("priorityClass") or ""),
        queue=str(scheduling.get("queue") or ""),
        gang="minAvailable" in scheduling,
        suspended=bool(policy.get("suspend")),
    )


def _output(pods: Mapping[str, Any]) -> tuple[str, str]:
    """The claim and where it is mounted."""
    volumes: Sequence[Mapping[str, Any]] = pods.get("volumes") or ()
    if not volumes:
        return "", _DEFAULT_PATH
    mounts = pods["containers"][0]["volumeMounts"]
    return str(volumes[0]["persistentVolumeClaim"]["claimName"]), str(mounts[0]["mountPath"])


def _source(initializer: Any) -> str:
    return str((initializer or {}).get("storageUri") or "")


def _sized(size: Size, resources: Any) -> Size:
    asked: Mapping[str, Any] = (resources or {}).get("requests") or {}
    cpu, memory, gpu = (str(asked.get(name) or "") for name in ("cpu", "memory", "nvidia.com/gpu"))
    return replace(size, cpu=cpu, memory=memory, gpu=gpu)


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    return {str(each["name"]): str(each.get("value") or "") for each in container.get("env") or ()}


def _count(role: Any) -> int:
    if not role:
        return 0
    count = role.get("replicas")
    return 1 if count is None else int(count)


def _essence(job: Object) -> Any:
    """What a job means, however it is written: with defaults, and without what the API server fills in."""
    return meta.labels(job), actions.own_annotations(job), _written(meta.spec(defaulted(job)))


_USUAL: Mapping[str, Any] = {"suspend": False, "apiGroup": TRAINER_GROUP}
_SET_BY_SERVER = ("managedBy", "time")


def _written(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _written(each) for key, each in value.items() if key not in _SET_BY_SERVER}
        return {
            key: each
            for key, each in kept.items()
            if each not in ({}, [], None, "") and not (key in _USUAL and each == _USUAL[key])
        }
    if isinstance(value, list):
        return [_written(each) for each in value]
    return value
