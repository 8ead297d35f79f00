"""Jobs as rows of a table. Pure."""

from __future__ import annotations

from collections.abc import Callable

from sampan.components.training.api.kinds import TRAIN_JOBS
from sampan.components.training.api.summary import Replicas, State, Summary
from sampan.components.training.ui import places, states
from sampan.ui.table import cells
from sampan.ui.table.cells import Cell
from sampan.ui.table.table import Column, Row

Href = Callable[[str], str]
"""The address of a page by its path."""

COLUMNS = (
    Column("name", "Job", sort="name"),
    Column("state", "State", sort="state"),
    Column("replicas", "Replicas"),
    Column("framework", "Framework or runtime", sort="framework"),
    Column("progress", "Progress"),
    Column("created", "Created", sort="created"),
    Column("duration", "Took", number=True),
    Column("actions", "", narrow=True),
)


def row(job: Summary, href: Href) -> Row:
    word, tone, icon = states.shown(job.state)
    return Row(
        identity(job),
        {
            "name": cells.link(job.name, href(places.of(job)), job.kind),
            "state": cells.state(word, tone, icon, states.why(job), states.short(job)),
            "replicas": cells.tags([replicas(each, job) for each in job.replicas]),
            "framework": job.framework,
            "progress": progress(job),
            "created": cells.time(job.created),
            "duration": cells.duration(states.began(job), job.ended),
            "actions": cells.actions(actions(job)),
        },
        name=job.name,
    )


def identity(job: Summary) -> str:
    """Of a job among all kinds: a name is one job's within its kind only."""
    return f"{job.kind}/{job.name}"


def replicas(each: Replicas, job: Summary) -> str:
    """How many of a role there are, of how many that are wanted."""
    if job.kind == TRAIN_JOBS.kind and not (each.active or each.succeeded or each.failed):
        return f"{each.role} ×{each.wanted}"
    done = each.succeeded if job.state.is_finished else each.active + each.succeeded
    failed = f", {each.failed} failed" if each.failed else ""
    return f"{each.role} {done}/{each.wanted}{failed}"


def progress(job: Summary) -> Cell:
    percent = states.percent(job)
    if percent is None:
        return ""
    left = states.remaining(job)
    return cells.bar(percent / 100, f"{percent}%" + (f", {left}" if left else ""))


def actions(job: Summary) -> list[tuple[str, str, str]]:
    found = [("clone", "Clone", "content_copy")]
    if job.state == State.SUSPENDED:
        found.insert(0, ("resume", "Resume", "play_circle"))
    elif not job.state.is_finished:
        found.insert(0, ("suspend", "Suspend", "pause_circle"))
    return [*found, ("delete", "Delete", "delete")]
