"""One trial that is followed: which pods it has, what is read of each, and what it all comes to.

Made and called by `collector`. Which runs count in the end is as upstream's sidecars have it, each of which reports
when its container has completed: of each pod the last run, and no pod that has failed where another has not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.controller.collecting.sources import RunKey, Source
from sampan.components.tuning.engine.collecting.lines import Complaint
from sampan.components.tuning.engine.collecting.wanted import STDOUT, Wanted
from sampan.components.tuning.engine.trial.observation import Sums
from sampan.kube import meta, pods
from sampan.kube.meta import Object

Tell = Callable[[Object, Sequence[str]], None]
"""A pod and lines for the log of its metrics collector."""
MOST_VALUES = 20_000
"""Of one `read`."""


class Opener(Protocol):
    async def __call__(self, wanted: Wanted, pod: Object, run: RunKey) -> Source | None:
        """None where there is nothing to read. Raises ValueError, ApiError."""
        ...


@dataclass(frozen=True, slots=True)
class Collected:
    """What a run has left."""

    sums: Sums
    complaints: Sequence[tuple[str, Complaint]] = ()
    is_last_odd: bool = False
    lines: int = 0
    problem: str = ""
    """Why nothing could be read."""
    unwanted: Sequence[str] = ()
    """Begins of the origins of values that do not count."""


@dataclass(slots=True)
class Following:
    wanted: Wanted
    uid: str
    """Of the trial."""
    pods: Mapping[str, Object] = field(default_factory=dict)
    """By uid, as they are now or were last."""
    sources: dict[RunKey, Source] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    unkept: list[MetricLog] = field(default_factory=list)
    """Values that were read and could not be written yet."""
    problem: str = ""
    stop: str = ""
    """Why it is to be stopped early."""
    tell: Tell | None = None
    """Told what is read of each pod, in a thread."""
    experiment: str = ""
    """Whose pruner decides at each value; empty where none does."""

    def runs(self) -> list[RunKey]:
        """All runs of all containers that train, as far as they have begun."""
        return [run for pod in self.primary() for run in _runs(self.wanted, pod)]

    def primary(self) -> list[Object]:
        found = [each for each in self.pods.values() if self.wanted.is_primary(each)]
        return sorted(
            found, key=lambda pod: (str(meta.metadata(pod).get("creationTimestamp")), meta.uid(pod))
        )

    def counting(self) -> list[Object]:
        """Pods whose values count when the run has succeeded."""
        found = self.primary()
        known = [each for each in found if pods.phase(each) not in (pods.FAILED, pods.UNKNOWN)]
        # Of one that went while nobody looked it is not known whether it failed.
        return known or [each for each in found if pods.phase(each) != pods.FAILED] or found

    def unfinished(self) -> str:
        """The name of a pod that counts and in which the container that trains may still print; empty where all have
        ended."""
        for pod in self.counting():
            if not _has_ended(self.wanted, pod):
                return meta.name(pod)
        return ""

    def read(self, runs: Iterable[RunKey], *, is_over: bool) -> list[MetricLog]:
        """What is new, in a thread."""
        found: list[MetricLog] = []
        for run in runs:
            source = self.sources.get(run)
            while source is not None and (some := source.read(is_over=is_over)):
                found.extend(some)
                if self.wanted.kind != STDOUT:
                    # Of what is printed every line is told already.
                    self._told(run, [f"{each.time} {each.name}={each.value}" for each in some])
                if source.rules.are_met and not self.stop:
                    self.stop = source.rules.why
                if len(found) >= MOST_VALUES:
                    return found
        return found

    def last_words(self) -> list[tuple[Object, list[str]]]:
        """What it has come to, by pod; for `tell`."""
        found = []
        for run, source in self.sources.items():
            if (pod := self.pods.get(run.uid)) is not None:
                name = self.wanted.objective.metric
                end = "reported" if source.sums.has_objective else f"not reported: {source.problem or name}"
                complaints = [] if source.complaint is None else [f"{source.place}: {source.complaint}"]
                found.append((pod, [*complaints, f"Metrics of trial {self.wanted.trial} {end}"]))
        return found

    def _told(self, run: RunKey, lines: list[str]) -> None:
        pod = self.pods.get(run.uid)
        if self.tell is not None and pod is not None:
            self.tell(pod, lines)

    def collected(self) -> Collected:
        """Once everything has been read."""
        counting = {run for pod in self.counting() for run in _runs(self.wanted, pod)[-1:]}
        sums, complaints, odd = Sums(self.wanted.objective), [], False
        for run, source in self.sources.items():
            if run in counting:
                sums.add(source.sums)
                odd = odd or source.is_last_odd
                if source.complaint is not None:
                    complaints.append((source.place, source.complaint))
        unwanted = [source.key for run, source in self.sources.items() if run not in counting]
        return Collected(sums, complaints, odd, problem=self._why_nothing(), unwanted=unwanted)

    def close(self) -> None:
        for source in self.sources.values():
            source.close()
        self.sources.clear()

    def _why_nothing(self) -> str:
        if self.problem:
            return self.problem
        if found := next((each.problem for each in self.sources.values() if each.problem), ""):
            return found
        if not self.primary():
            asked = ", ".join(f"{name}={value}" for name, value in self.wanted.pod_labels.items())
            return f"no pod of the run has the labels {asked}" if self.pods and asked else ""
        for pod in self.primary():
            if not self.wanted.container_of(pod):
                names = ", ".join(str(each.get("name")) for each in meta.spec(pod).get("containers") or ())
                return (
                    f"pod {meta.name(pod)} has no container {self.wanted.container} "
                    f"(primaryContainerName), it has: {names}"
                )
        return ""


def _runs(wanted: Wanted, pod: Object) -> list[RunKey]:
    container = wanted.container_of(pod)
    if not container:
        return []
    status = pods.container_status(pod, container) or {}
    last = int(status.get("restartCount") or 0)
    if not _has_begun(status) and not pods.is_terminal(pod):
        last -= 1
    if wanted.kind != STDOUT:
        # Files outlive a container's runs.
        last = min(last, 0)
    return [RunKey(meta.uid(pod), meta.name(pod), container, each) for each in range(last + 1)]


def is_last(wanted: Wanted, pod: Object, run: RunKey) -> bool:
    """Whether no run of the container has begun after that one."""
    return _runs(wanted, pod)[-1:] == [run]


def _has_begun(status: Mapping[str, Any]) -> bool:
    state = status.get("state") or {}
    return "running" in state or "terminated" in state


def _has_ended(wanted: Wanted, pod: Object) -> bool:
    if pods.is_terminal(pod) or pods.phase(pod) == pods.UNKNOWN:
        return True
    status = pods.container_status(pod, wanted.container_of(pod)) or {}
    return "terminated" in (status.get("state") or {})
