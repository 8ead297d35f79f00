"""What can be set about the scheduler."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT = "default-scheduler"


@dataclass(frozen=True, slots=True)
class SchedulerSettings:
    """Which pods it places."""

    names: tuple[str, ...] = (DEFAULT, "volcano", "scheduler-plugins-scheduler")
    """The values of `spec.schedulerName` that the scheduler answers to; pods of any other are left to their own."""
    patience_seconds: float = 10.0
    """How long the first pod or gang of the queue lets others pass. Then the next room that suits it is kept for it
    for as long again, and so on with doubled times."""
