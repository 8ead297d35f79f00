"""What of all jobs is shown, in which order: from the address, and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sampan.components.training.api.kinds import ALL_JOB_KINDS
from sampan.components.training.api.summary import State, Summary

_STATES = {state.value: state for state in State}
_KINDS = {resource.kind for resource in ALL_JOB_KINDS}
_SORTS = ("name", "state", "created", "framework")


@dataclass(frozen=True, slots=True)
class Wanted:
    text: str = ""
    states: tuple[str, ...] = ()
    kind: str = ""
    sort: str = "created"
    descending: bool = True


def from_address(query: Mapping[str, str]) -> Wanted:
    """What the address says that means nothing is left out."""
    states = tuple(each for each in query.get("state", "").split(",") if each in _STATES)
    kind = query.get("kind", "")
    sort = query.get("sort", "")
    return Wanted(
        query.get("find", ""),
        states,
        kind if kind in _KINDS else "",
        sort if sort in _SORTS else "created",
        query.get("order", "desc") != "asc",
    )


def to_address(wanted: Wanted) -> dict[str, str]:
    """Empty where it is as usual."""
    return {
        "find": wanted.text,
        "state": ",".join(wanted.states),
        "kind": wanted.kind,
        "sort": "" if wanted.sort == "created" else wanted.sort,
        "order": "" if wanted.descending else "asc",
    }


def chosen(jobs: Sequence[Summary], wanted: Wanted) -> list[Summary]:
    """Those that are wanted, in order; of two alike the newer first."""
    text = wanted.text.lower()
    found = [
        job
        for job in jobs
        if (not wanted.states or job.state in wanted.states)
        and (not wanted.kind or job.kind == wanted.kind)
        and (not text or any(text in each.lower() for each in (job.name, job.framework, job.kind)))
    ]
    found.sort(key=lambda job: (job.created, job.name), reverse=True)
    if wanted.sort != "created":
        found.sort(key=lambda job: str(getattr(job, wanted.sort)).lower(), reverse=wanted.descending)
    elif not wanted.descending:
        found.reverse()
    return found
