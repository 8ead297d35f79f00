"""What an experiment's page hands to its tabs: the experiment, its suggestion and its trials, as they are now."""

from __future__ import annotations

from dataclasses import dataclass, field

from sampan.components.tuning.api.summary import Summary
from sampan.components.tuning.ui.trials import Trials
from sampan.kube.meta import Object


@dataclass(slots=True)
class Shown:
    """Held by the page, and changed as news comes."""

    obj: Object
    experiment: Summary
    trials: Trials = field(default_factory=Trials)
    suggestion: Object = field(default_factory=dict)
    """Empty while there is none."""
    trouble: str = ""
    """Why its trials cannot be shown."""
