"""A job's spec as it is meant: read once, with upstream's defaults for what it leaves out.

An object may come here as its author wrote it, or as a cluster without our hooks has let it pass.

Source: kubeflow/training-operator v1.9.0 pkg/apis/kubeflow.org/v1/common_types.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sampan.components.training.api.contracts import CONTRACTS, Contract
from sampan.components.training.api.defaults import defaulted
from sampan.kube import meta
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

ALWAYS, ON_FAILURE, NEVER, EXIT_CODE = "Always", "OnFailure", "Never", "ExitCode"
RESTART_POLICIES = (ALWAYS, ON_FAILURE, NEVER, EXIT_CODE)
CLEAN_NONE, CLEAN_RUNNING, CLEAN_ALL = "None", "Running", "All"
OPERATOR = "kubeflow.org/training-operator"
"""The value of `runPolicy.managedBy` that means us; empty means us too."""


class InvalidJobError(ValueError):
    """The job cannot be what its kind is. The message names the field, what was wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is fixed for a kind of job."""

    resource: Resource
    roles: tuple[str, ...]
    """Those that the kind knows, in the order in which they are made and judged."""

    @property
    def kind(self) -> str:
        return self.resource.kind

    @property
    def controller_name(self) -> str:
        """The value of the label operator-name, and the source of events."""
        return f"{self.resource.singular}-controller"

    @property
    def contract(self) -> Contract:
        return CONTRACTS[self.kind]

    @property
    def field(self) -> str:
        """Of the spec: the one with the replica specs."""
        return self.contract.replica_specs

    @property
    def container(self) -> str:
        """The one that trains, in each pod."""
        return self.contract.container


@dataclass(frozen=True, slots=True)
class Scheduling:
    """`runPolicy.schedulingPolicy`."""

    min_available: int | None = None
    queue: str = ""
    min_resources: Mapping[str, Any] | None = None
    priority_class: str = ""
    timeout_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class RunPolicy:
    clean_pods: str = CLEAN_NONE
    ttl_seconds: int | None = None
    active_deadline_seconds: int | None = None
    backoff_limit: int | None = None
    suspend: bool = False
    managed_by: str = ""
    scheduling: Scheduling = field(default_factory=Scheduling)


@dataclass(frozen=True, slots=True)
class Replica:
    """One of the spec's replica specs. The container that trains has the kind's port."""

    role: str
    replicas: int
    restart_policy: str
    template: Object


@dataclass(frozen=True, slots=True)
class Job:
    """What the object says, apart from its status."""

    object: Object
    kind: str
    namespace: str
    name: str
    spec: Mapping[str, Any]
    roles: Mapping[str, Replica]
    """In the order of the kind's roles."""
    policy: RunPolicy

    @property
    def total(self) -> int:
        """How many pods it has when all are there."""
        return sum(each.replicas for each in self.roles.values())

    def has(self, *roles: str) -> bool:
        return any(role in self.roles for role in roles)


def read_job(obj: Object, shape: Shape) -> Job:
    """Raises InvalidJobError."""
    spec = meta.spec(defaulted(obj))
    replica_specs = spec.get(shape.field)
    if not isinstance(replica_specs, Mapping) or not replica_specs:
        raise InvalidJobError(f"spec.{shape.field} is empty: it must name at least one replica type")
    named = {role.lower(): role for role in shape.roles}
    found: dict[str, Replica] = {}
    for role, replica in replica_specs.items():
        known = named.get(str(role).lower())
        path = f"spec.{shape.field}[{role}]"
        if known is None:
            raise InvalidJobError(f"{path} is no replica type: use one of {', '.join(shape.roles)}")
        if known in found:
            raise InvalidJobError(f"{path} names the replica type {known} a second time: keep one of them")
        found[known] = _replica(known, replica, path, shape)
    return Job(
        object=obj,
        kind=shape.kind,
        namespace=meta.namespace(obj),
        name=meta.name(obj),
        spec=spec,
        roles={role: found[role] for role in shape.roles if role in found},
        policy=read_run_policy(spec),
    )


def read_run_policy(spec: Mapping[str, Any]) -> RunPolicy:
    """Raises InvalidJobError."""
    policy = _mapping(spec.get("runPolicy"), "spec.runPolicy")
    scheduling = _mapping(policy.get("schedulingPolicy"), "spec.runPolicy.schedulingPolicy")
    clean = policy.get("cleanPodPolicy") or CLEAN_NONE
    if clean not in (CLEAN_NONE, CLEAN_RUNNING, CLEAN_ALL):
        raise InvalidJobError(f"spec.runPolicy.cleanPodPolicy is {clean!r}: use None, Running or All")

    def number(key: str) -> int | None:
        return whole(policy.get(key), f"spec.runPolicy.{key}")

    return RunPolicy(
        clean_pods=str(clean),
        ttl_seconds=number("ttlSecondsAfterFinished"),
        active_deadline_seconds=number("activeDeadlineSeconds"),
        backoff_limit=number("backoffLimit"),
        suspend=policy.get("suspend") is True,
        managed_by=str(policy.get("managedBy") or ""),
        scheduling=Scheduling(
            min_available=whole(
                scheduling.get("minAvailable"), "spec.runPolicy.schedulingPolicy.minAvailable"
            ),
            queue=str(scheduling.get("queue") or ""),
            min_resources=scheduling.get("minResources"),
            priority_class=str(scheduling.get("priorityClass") or ""),
            timeout_seconds=whole(
                scheduling.get("scheduleTimeoutSeconds"),
                "spec.runPolicy.schedulingPolicy.scheduleTimeoutSeconds",
            ),
        ),
    )


def whole(value: Any, path: str) -> int | None:
    """A number that is not below zero; None where there is none. Raises InvalidJobError."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidJobError(f"{path} is {value!r}: use a whole number from 0 on")
    return value


def main_container(template: Object, name: str) -> Object | None:
    """The container of that name, of a pod template."""
    return next((each for each in _containers(template) if each.get("name") == name), None)


def named_port(template: Object, container: str, port_name: str) -> int | None:
    for port in (main_container(template, container) or {}).get("ports") or ():
        if port.get("name") == port_name:
            return int(port.get("containerPort") or 0)
    return None


def _replica(role: str, replica: Any, path: str, shape: Shape) -> Replica:
    spec = _mapping(replica, path)
    template = _mapping(spec.get("template"), f"{path}.template")
    if not _containers(template):
        raise InvalidJobError(f"{path}.template.spec.containers is empty: it must have a container")
    if main_container(template, shape.container) is None:
        raise InvalidJobError(
            f"{path}.template.spec.containers has none that is named {shape.container}: "
            "give that name to the one that trains"
        )
    replicas = whole(spec.get("replicas"), f"{path}.replicas")
    restart_policy = spec.get("restartPolicy")
    if restart_policy not in RESTART_POLICIES:
        raise InvalidJobError(
            f"{path}.restartPolicy is {restart_policy!r}: use one of {', '.join(RESTART_POLICIES)}"
        )
    return Replica(
        role=role,
        replicas=1 if replicas is None else replicas,
        restart_policy=str(restart_policy),
        template=template,
    )


def _containers(template: Object) -> Sequence[Object]:
    found = meta.spec(template).get("containers")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _mapping(value: Any, path: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidJobError(f"{path} is not an object: write fields below it")
    return value
