"""What a probe is and when its results count: thresholds, timing, words. Pure.

Used by `probing`, which does the asking. Source: kubernetes/pkg/kubelet/prober (prober.go, worker.go), v1.31.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

STARTUP, LIVENESS, READINESS = "Startup", "Liveness", "Readiness"
_FIELDS = ((STARTUP, "startupProbe"), (LIVENESS, "livenessProbe"), (READINESS, "readinessProbe"))


class Outcome(Enum):
    SUCCESS = "success"
    WARNING = "warning"
    """Counts as success; an Event says what was odd."""
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt gave."""

    outcome: Outcome
    output: str = ""
    status: int = 0
    """Of HTTP, when there was one."""

    @property
    def is_good(self) -> bool:
        return self.outcome is not Outcome.FAILURE


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe of a container as its spec has it, with the API's defaults."""

    kind: str
    handler: Mapping[str, Any]
    initial_delay: float
    period: float
    timeout: float
    success_threshold: int
    failure_threshold: int
    grace_seconds: float | None
    """How long the container may take to end when the probe ends it; None: as its pod says."""


@dataclass(slots=True)
class Tally:
    """Counts equal answers in a row until they count."""

    probe: Probe
    last: bool | None = None
    run: int = 0

    def add(self, good: bool) -> bool | None:
        """The verdict that this answer brings, or None while its threshold is not reached."""
        self.run = self.run + 1 if good is self.last else 1
        self.last = good
        threshold = self.probe.success_threshold if good else self.probe.failure_threshold
        return good if self.run >= threshold else None


def probes_of(container: Mapping[str, Any]) -> dict[str, Probe]:
    """The probes of a container by kind; mostly none."""
    return {kind: _probe(kind, container[name]) for kind, name in _FIELDS if container.get(name)}


def has_probes(container: Mapping[str, Any]) -> bool:
    return any(container.get(name) for _, name in _FIELDS)


def unhealthy(kind: str, answer: Answer) -> str:
    """The message of the Event about an answer that is not plain success."""
    what = "failed" if answer.outcome is Outcome.FAILURE else "warning"
    return f"{kind} probe {what}: {answer.output}"


def killing(container: str, kind: str, *, restarts: bool) -> str:
    """The message of the Event when a probe ends a container."""
    again = ", will be restarted" if restarts else ""
    return f"Container {container} failed {kind.lower()} probe{again}"


def _probe(kind: str, spec: Mapping[str, Any]) -> Probe:
    grace = spec.get("terminationGracePeriodSeconds")
    return Probe(
        kind=kind,
        handler=spec,
        initial_delay=float(spec.get("initialDelaySeconds") or 0),
        period=float(spec.get("periodSeconds") or 10),
        timeout=float(spec.get("timeoutSeconds") or 1),
        success_threshold=int(spec.get("successThreshold") or 1),
        failure_threshold=int(spec.get("failureThreshold") or 3),
        grace_seconds=None if grace is None else float(grace),
    )
