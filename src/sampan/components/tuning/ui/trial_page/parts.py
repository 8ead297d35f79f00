"""What a trial's page hands to its tabs: the trial, as it is now, and what its experiment is after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sampan.components.tuning.api.suggesting import Objective
from sampan.components.tuning.api.summary import TrialSummary
from sampan.kube.meta import Object


@dataclass(slots=True)
class Shown:
    """Held by the page, and changed as news comes."""

    obj: Object
    trial: TrialSummary
    objective: Objective
    pods: list[Any] = field(default_factory=list)
    """Of `/tuning/v1/…/pods`, those that are gone included."""
