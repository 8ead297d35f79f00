"""Resuming a run with another version of its pipeline: what is asked for, and what is decided. Data only.

Light to import: REST reads and answers with these, the engine's heavy parts load late. A resumed run is a new run that
names the run it goes on from; `reuse` decides task by task, `plan` asks it ahead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What becomes of a task in the resumed run."""

    REUSED = "REUSED"
    """Its result is taken from the run that is resumed."""
    RUNS = "RUNS"
    SKIPPED = "SKIPPED"
    UNDECIDED = "UNDECIDED"
    """Known only once what comes before it has run: a condition, the items of a loop."""


@dataclass(frozen=True, slots=True)
class Decision:
    task: str
    """The path from the root, with iteration numbers: `for-loop-1/2/train`."""
    display_name: str
    action: Action
    reason: str


@dataclass(frozen=True, slots=True)
class StepChange:
    """What is replaced in one step; what is empty stays."""

    image: str = ""
    cpu: str = ""
    """A quantity: the limit."""
    memory: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resumption:
    """How a run is to go on. `spec` is the whole document, None for the run's own."""

    run_id: str
    spec: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Those that differ from the run's."""
    steps: Mapping[str, StepChange] = field(default_factory=dict)
    """By a step's name, or its path where several have it."""


@dataclass(frozen=True, slots=True)
class Resumable:
    """What the new run would be, and what it would do."""

    spec: Mapping[str, Any]
    runtime_config: Mapping[str, Any]
    plan: Sequence[Decision]


@dataclass(frozen=True, slots=True)
class DebugPod:
    """A pod to look around in."""

    pod: str
    namespace: str
    container: str
    is_new: bool
    """False for the step's own pod, which runs: it is not to be removed."""
