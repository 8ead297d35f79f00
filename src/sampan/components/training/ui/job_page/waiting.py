"""Why a job does not go on, in words, and what to do about it. Pure; from the objects alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sampan.components.training.api.summary import State, Summary
from sampan.components.training.ui import states
from sampan.components.training.ui.job_page.ranks import Rank
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui import words
from sampan.ui.objects import amounts, health
from sampan.ui.objects.health import Health

_QUOTA = re.compile(r"exceeded quota: ([\w.-]+)")
_MOST = 4
_OF_GROUP = re.compile(r"\b(?:pod ?)?group\b", re.I)
_ASKED = ("cpu", "memory", "nvidia.com/gpu")
"""Of what there is never enough."""


@dataclass(frozen=True, slots=True)
class Around:
    """What stands beside a job and its pods."""

    nodes: Sequence[Object] = ()
    group: Mapping[str, Any] = field(default_factory=dict)
    """The PodGroup of its gang, if there is one."""
    refusals: Sequence[str] = ()
    """What was said as its pods could not be made, the newest first."""
    free: Mapping[str, Decimal] = field(default_factory=dict)
    """By resource, what the node with most of it has left; nothing where that is not known."""
    whole: Mapping[str, Decimal] = field(default_factory=dict)
    """By resource, what all nodes have together."""


@dataclass(frozen=True, slots=True)
class Reason:
    tone: str
    title: str
    text: str = ""
    hint: str = ""
    rank: str = ""
    """Whose log says more."""


def reasons(job: Summary, found: Sequence[Rank], around: Around) -> list[Reason]:
    """Nothing where all goes well. The most telling first."""
    if job.state == State.FAILED:
        return [_failed(job, found)]
    if job.state == State.SUSPENDED:
        text = "None of its pods run. Resumed, they begin anew, from what they have saved."
        return [Reason("idle", "It is suspended", text)]
    if job.state.is_finished:
        return []
    latest = [rank for rank in found if rank.is_latest]
    told = [*_of_pods(latest, around.free), *_refused(around.refusals, latest)]
    if (gang := _of_gang(latest, around)) is not None:
        # That each of its pods waits for the group says no more.
        told = [gang, *(each for each in told if not _OF_GROUP.search(each.text))]
    if not told and job.state == State.RESTARTING:
        told.append(Reason("warn", "It is being restarted", states.why(job)))
    if not told and not latest:
        text = states.why(job) or "Its controller has not made any yet."
        told.append(Reason("idle", "It has no pods yet", text))
    return told[:_MOST]


def _failed(job: Summary, found: Sequence[Rank]) -> Reason:
    title = f"It failed: {job.reason}" if job.reason else "It failed"
    ended = [rank for rank in found if rank.health.tone == "bad"]
    ended += [rank for rank in found if rank.is_over and rank.health.tone != "ok"]
    if not ended:
        return Reason("bad", title, job.message)
    broken = ended[0]
    text = "\n".join(filter(None, (job.message, f"{broken.label}: {broken.health.why}")))
    return Reason("bad", title, text, broken.health.hint, broken.place)


def _of_pods(latest: Sequence[Rank], free: Mapping[str, Decimal]) -> list[Reason]:
    """Pods in the same trouble are told of once."""
    troubled: dict[Health, list[Rank]] = {}
    for rank in latest:
        is_trouble = rank.health.is_trouble or rank.health.word == "Held back"
        if is_trouble and not (rank.is_over and rank.health.tone == "ok"):
            troubled.setdefault(rank.health, []).append(rank)
    found = []
    for state, ranks in sorted(troubled.items(), key=lambda each: each[0].tone != "bad"):
        names = ", ".join(rank.label for rank in ranks[:3]) + (" …" if len(ranks) > 3 else "")
        whole = f"{len(ranks)} of {words.counted(len(latest), 'pod|pods')}"
        why = state.why.removeprefix(f"{state.word}: ")
        why = why[:1].upper() + why[1:]
        if state.word == "Cannot be scheduled" and "others use now" in why:
            why += _left(state.why, free)
        # What has not started has printed nothing.
        said = next((rank.place for rank in ranks if rank.exit_code is not None), "")
        found.append(Reason(state.tone, f"{state.word}: {whole} ({names})", why, state.hint, said))
    return found


def _left(why: str, free: Mapping[str, Decimal]) -> str:
    """How much there is of what is short."""
    named = {"core": "cpu", "memory": "memory"}
    short = [_amount(each, free[each]) for word, each in named.items() if word in why and each in free]
    return f" Free on one node: {' and '.join(short)}." if short else ""


def free(nodes: Sequence[Object], pods: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    """Of CPU and memory, what the node with most of it left has."""
    left: dict[str, dict[str, Decimal]] = {}
    for node in nodes:
        given = meta.status(node).get("allocatable") or meta.status(node).get("capacity") or {}
        left[meta.name(node)] = {each: amounts.parsed(given.get(each)) for each in ("cpu", "memory")}
    for pod in pods:
        place = left.get(str(meta.spec(pod).get("nodeName") or ""))
        if place is None or meta.status(pod).get("phase") in ("Succeeded", "Failed"):
            continue
        for resource, amount in health.requests(meta.spec(pod)).items():
            if resource in place:
                place[resource] -= amount
    found: dict[str, Decimal] = {}
    for place in left.values():
        for resource, amount in place.items():
            found[resource] = max(found.get(resource, Decimal(0)), amount)
    return found


def _of_gang(latest: Sequence[Rank], around: Around) -> Reason | None:
    """A pod waits with its gang, not for itself."""
    spec = meta.spec(around.group)
    wanted = spec.get("minMember")
    if not isinstance(wanted, int) or wanted < 2:
        return None
    counts = Counter("placed" if rank.node else "waits" for rank in latest)
    if counts["placed"] >= wanted or not (counts["waits"] or len(latest) < wanted):
        return None
    needs = {each: amounts.parsed(amount) for each, amount in (spec.get("minResources") or {}).items()}
    needed = " and ".join(_amount(each, needs[each]) for each in _ASKED if needs.get(each))
    text = f"{wanted} of its pods start together or none does: {counts['placed']} have a place now."
    text += f" Together they need {needed}." if needed else ""
    short = [each for each in _ASKED if each in around.whole and needs.get(each, 0) > around.whole[each]]
    if short:
        has = " and ".join(_amount(each, around.whole[each]) for each in short)
        hint = "It will never fit as it is. Ask for less, or add nodes."
        return Reason("bad", "There is no room for all its pods", f"{text} All nodes have {has}.", hint)
    hint = "It starts when there is room for all of them at once, or with fewer or smaller workers."
    return Reason("warn", "It waits for room for all its pods", text, hint)


def _amount(resource: str, amount: Decimal) -> str:
    """With the name of what its unit does not name."""
    shown = amounts.shown(resource, amount)
    if resource == "cpu":
        return shown
    return f"{shown} of memory" if resource == "memory" else f"{shown} {amounts.resource_word(resource)}"


def whole(nodes: Sequence[Object]) -> dict[str, Decimal]:
    """What all nodes have together for pods."""
    found: dict[str, Decimal] = {}
    for node in nodes:
        given = meta.status(node).get("allocatable") or meta.status(node).get("capacity") or {}
        for resource in _ASKED:
            found[resource] = found.get(resource, Decimal(0)) + amounts.parsed(given.get(resource))
    return found


def _refused(refusals: Sequence[str], latest: Sequence[Rank]) -> list[Reason]:
    """Pods that could not even be made."""
    if not refusals or (latest and all(rank.node for rank in latest)):
        return []
    message = refusals[0]
    if quota := _QUOTA.search(message):
        hint = "It goes on once others of the namespace have ended, or the quota is larger."
        return [Reason("warn", f"The quota {quota[1]} is used up", message, hint)]
    return [Reason("bad", "Its pods cannot be made", message, "Its events say more.")]


def refusals(events: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """Of warnings, those about pods of this job that could not be made; the newest first."""
    mine = [
        event
        for event in events
        if (about := str((event.get("involvedObject") or {}).get("name") or "")) == name
        or about.startswith(f"{name}-")
    ]
    mine.sort(key=_at, reverse=True)
    return [str(event.get("message") or event.get("reason") or "") for event in mine]


def _at(event: Mapping[str, Any]) -> str:
    created = meta.metadata(event).get("creationTimestamp")
    return str(event.get("lastTimestamp") or event.get("eventTime") or created or "")
