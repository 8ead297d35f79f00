"""One transition of a run: everything that changes together, in one transaction.

The engine calls `apply` through `Database.write`; it holds no SQL itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.store import artifacts, happenings, runs, tasks
from sampan.components.pipelines.store.artifacts import ArtifactLink, ArtifactRow
from sampan.components.pipelines.store.tasks import TaskRow

_UNKNOWN_CODE = 2
"""google.rpc.Code.UNKNOWN: a step failed, which is nobody's fault in particular."""


@dataclass(frozen=True, slots=True)
class RunState:
    state: RuntimeState
    at: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Transition:
    run_id: str
    inserted: Sequence[TaskRow] = ()
    updated: Sequence[TaskRow] = ()
    deleted: Sequence[str] = ()
    """Tasks that will run anew."""
    unlinked: Sequence[str] = ()
    """Tasks that will run anew and whose rows stay: what they read and gave is forgotten."""
    artifacts: Sequence[ArtifactRow] = ()
    links: Sequence[ArtifactLink] = ()
    run: Sequence[RunState] = ()
    spec: str = ""
    """What the run executes from now on; empty where that stays."""
    begun: Mapping[str, str] | None = None
    """What is noted of the run when its state changes: `artifact_root`, `pipeline_name`."""


def apply(connection: sa.Connection, transition: Transition) -> bool:
    """False, and nothing written, when the run was deleted meanwhile."""
    if runs.namespace_of(connection, transition.run_id) is None:
        return False
    if transition.deleted:
        tasks.delete(connection, transition.deleted)
    if transition.unlinked:
        artifacts.unlink_tasks(connection, transition.unlinked)
    tasks.insert(connection, transition.inserted)
    tasks.update(connection, transition.updated)
    artifacts.insert(connection, transition.artifacts)
    artifacts.link(connection, transition.links)
    if transition.spec:
        runs.set_spec(connection, transition.run_id, transition.spec)
    for change in transition.run:
        error = {"code": _UNKNOWN_CODE, "message": change.error} if change.error else None
        if runs.set_state(connection, transition.run_id, change.state, change.at, error, transition.begun):
            happenings.run_changed(connection, transition.run_id, change.state, change.at)
    return True
