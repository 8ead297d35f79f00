"""What can be asked of the list of jobs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sampan.components.training.api.kinds import ALL_JOB_KINDS
from sampan.components.training.api.summary import State, Summary
from sampan.ui.table.narrowing import Narrowing

_KEYS: Mapping[str, Callable[[Summary], Any]] = {
    "name": lambda job: job.name.lower(),
    "state": lambda job: job.state,
    "created": lambda job: job.created,
    "framework": lambda job: job.framework.lower(),
}
NARROWING = Narrowing(
    _KEYS,
    states=frozenset(map(str, State)),
    kinds=frozenset(each.kind for each in ALL_JOB_KINDS),
    kind_of=lambda job: job.kind,
    words=lambda job: (job.name, job.framework, job.kind),
)
