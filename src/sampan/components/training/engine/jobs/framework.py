"""In what the kinds of jobs differ: the protocol that each framework's module implements.

All is pure: what a framework is asked, it answers from the job alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sampan.components.training.engine.jobs.conditions import Change
from sampan.components.training.engine.jobs.spec import Job, Shape, named_port

EnvVar = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Count:
    """Of the pods of one role, by how they are."""

    active: int = 0
    succeeded: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Observed:
    """What a framework judges a job by."""

    counts: Mapping[str, Count]
    """For each of the job's roles."""
    restarting: str = ""
    """The message of the job's condition Restarting, set just now or before; empty while it does not hold."""
    first_worker_succeeded: bool = False
    """Whether the pod of worker 0 has ended with exit code 0."""


class Framework(Protocol):
    """One kind of job. Nothing here raises, unless said."""

    @property
    def shape(self) -> Shape: ...

    def check(self, job: Job) -> None:
        """Raises InvalidJobError where the roles do not make a job."""
        ...

    def environment(self, job: Job, role: str, index: int) -> Sequence[EnvVar]:
        """What the containers of that pod are told, after what they are told by the template."""
        ...

    def is_told(self, job: Job, container: str) -> bool:
        """Whether `environment` goes to the container of that name."""
        ...

    def is_master(self, job: Job, role: str, index: int) -> bool:
        """Whether that pod has the label job-role=master."""
        ...

    def waits_for(self, job: Job, role: str) -> str:
        """The name that must be known before pods of that role start; empty for none."""
        ...

    def minimum(self, job: Job) -> int:
        """How many pods must be able to start for the job to start, where the user does not say."""
        ...

    def judge(self, job: Job, observed: Observed) -> Iterator[Change]:
        """What becomes of the conditions, one after the other. What comes after an end is not looked at."""
        ...


def env(name: str, value: str) -> EnvVar:
    return {"name": name, "value": value}


def pod_name(job: Job, role: str, index: int) -> str:
    """Of a replica's pod, and of its Service."""
    return f"{job.name}-{role.lower()}-{index}"


def port_of(shape: Shape, job: Job, role: str) -> int:
    """The one of the kind's name, which every template has once it is read."""
    replica = job.roles.get(role)
    port = named_port(replica.template, shape.container, shape.contract.port_name) if replica else None
    return shape.contract.port if port is None else port
