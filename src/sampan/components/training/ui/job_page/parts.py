"""What a job's page hands to its tabs: the job, its ranks and pods, as they are now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sampan.components.training.api.summary import Summary
from sampan.components.training.ui.job_page.ranks import Rank
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object


@dataclass(slots=True)
class Shown:
    """Held by the page, and changed as news comes."""

    resource: Resource
    obj: Object
    job: Summary
    pods: Mapping[str, Object] = field(default_factory=dict)
    """By name."""
    ranks: Sequence[Rank] = ()
