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


_SOONEST_SECONDS = 0.05
_SLOWER = 1.2
"""Each time: what takes a second to be ready waits for a fifth of one more at most."""


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


class Pace:
    """Times between questions. One that has not been ready yet is asked sooner at first, for somebody waits for it.

    Not as upstream's, whose least period is a second. Nothing but the first success depends on such questions: before it,
    failures do not count.
    """

    def __init__(self, probe: Probe) -> None:
        self._period = probe.period
        is_cheap = "exec" not in probe.handler
        may_hurry = probe.kind == READINESS and probe.success_threshold == 1 and is_cheap
        self._next = _SOONEST_SECONDS if may_hurry else probe.period

    def next(self, *, was_ready: bool | None) -> float:
        """Seconds until the next one. `was_ready` None: it has not been ready."""
        if was_ready:
            self._next = self._period
        now = min(self._next, self._period)
        self._next *= _SLOWER
        return now


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
