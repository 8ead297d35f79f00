"""`…/trials/NAME/log` and `/pods`: what a trial has printed, also when its pods are gone.

Where pods run on this machine their files are read (`logs/NAMESPACE/UID/CONTAINER.RUN.log`), and those of trials that
are calls in a worker; elsewhere it is what the API still has. For `/katib/fetch_trial_logs` too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.datastructures import QueryParams
from starlette.responses import Response, StreamingResponse

from sampan.client.protocol import ListOptions, LogOptions
from sampan.components.tuning.api import labels
from sampan.components.tuning.api.conditions import CREATED, RUNNING
from sampan.components.tuning.api.reading import condition_of
from sampan.components.tuning.rest.called_log import CalledLog, CalledPlace, is_there
from sampan.components.tuning.rest.columns import seconds
from sampan.components.tuning.rest.place import Place
from sampan.components.tuning.rest.sources import Sources
from sampan.components.tuning.store.trial_pods import TrialPod
from sampan.kube import meta
from sampan.kube import pods as pod_states
from sampan.kube.errors import BadRequestError, NotFoundError
from sampan.kube.kinds import PODS
from sampan.kube.meta import Object
from sampan.lib.logfiles import LogReader
from sampan.lib.threads import to_end

_POLL_SECONDS = 0.3
_MOST_TAIL = 100_000
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,252}\Z")
"""Of a path below `logs`: a namespace, a uid, a container."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    container: str = ""
    pod: str = ""
    tail: int | None = None
    timestamps: bool = False
    follow: bool = False


@dataclass(frozen=True, slots=True)
class Pod:
    """One of a trial, as it is or as it was."""

    known: TrialPod
    live: Object | None
    is_primary: bool

    @property
    def phase(self) -> str:
        return str(meta.status(self.live).get("phase") or "") if self.live is not None else ""

    @property
    def is_over(self) -> bool:
        return self.live is None or pod_states.is_terminal(self.live)


async def pods(sources: Sources, place: Place, query: QueryParams) -> dict[str, Any]:
    """Newest last."""
    trial = await sources.trial(place)
    return {
        "pods": [
            {
                "name": each.known.name,
                "uid": each.known.uid,
                "created": seconds(each.known.created),
                "gone": each.live is None,
                "primary": each.is_primary,
                "phase": each.phase,
                "containers": list(each.known.containers),
            }
            for each in await pods_of(sources, trial)
        ]
    }


async def log(sources: Sources, place: Place, query: QueryParams) -> Response:
    wanted = log_query(query)
    trial = await sources.trial(place)
    lines = await opened(sources, trial, wanted)
    # The first of it before the status line, so that what goes wrong is an error. What is followed may be silent.
    first = b"" if wanted.follow else await anext(lines, b"")
    return StreamingResponse(
        _with_first(first, lines),
        media_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"},
    )


def log_query(query: QueryParams) -> LogQuery:
    """Raises BadRequestError, naming the parameter."""
    tail = query.get("tail") or ""
    if tail and not (tail.isascii() and tail.isdigit() and len(tail) < 10 and int(tail) <= _MOST_TAIL):
        raise BadRequestError(f"tail must be a whole number from 0 to {_MOST_TAIL}")
    return LogQuery(
        query.get("container", ""),
        query.get("pod", ""),
        int(tail) if tail else None,
        _flag(query, "timestamps"),
        _flag(query, "follow"),
    )


async def pods_of(sources: Sources, trial: Object) -> list[Pod]:
    """Newest last; those that are gone where they ran on this machine. Raises ApiError."""
    namespace, name = meta.namespace(trial), meta.name(trial)
    options = ListOptions(label_selector=f"{labels.TRIAL}={name}")
    live = {meta.uid(each): each for each in (await sources.client.list(PODS, namespace, options)).items}
    known = {each.uid: each for each in await sources.pods.of(namespace, name)} if sources.is_local else {}
    # A trial that was made again under the name has pods of its own.
    born = str(meta.metadata(trial).get("creationTimestamp") or "")
    for uid, each in live.items():
        known.setdefault(uid, _as_known(each, name))
    wanted = meta.spec(trial).get("primaryPodLabels") or {}
    found = [
        Pod(each, live.get(each.uid), all(each.labels.get(key) == value for key, value in wanted.items()))
        for each in known.values()
        if each.created >= born
    ]
    return sorted(found, key=lambda each: (each.known.created, each.known.uid))


async def opened(sources: Sources, trial: Object, query: LogQuery) -> AsyncIterator[bytes]:
    """The log that is meant, not read yet. Raises NotFoundError, ApiError."""
    if sources.is_local and not query.pod:
        place = _called_place(sources, trial)
        if await asyncio.to_thread(is_there, place):
            return _called(sources, trial, place, query)
    pod, container = await chosen(sources, trial, query)
    return printed(sources, pod, container, query)


async def _called(
    sources: Sources, trial: Object, place: CalledPlace, query: LogQuery
) -> AsyncIterator[bytes]:
    try:
        # Not before somebody reads: what never began is never closed.
        called = await to_end(CalledLog, place, query.tail, undo=CalledLog.close)
    except FileNotFoundError:
        return
    try:
        while True:
            is_over = not query.follow or await _has_ended(sources, trial)
            while data := await to_end(called.read):
                yield data
            if is_over:
                return
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        called.close()


def _called_place(sources: Sources, trial: Object) -> CalledPlace:
    experiment = str(meta.labels(trial).get(labels.EXPERIMENT) or "")
    return CalledPlace(sources.home, meta.namespace(trial), experiment, meta.name(trial))


async def _has_ended(sources: Sources, trial: Object) -> bool:
    try:
        live = await sources.trial(Place(meta.namespace(trial), meta.name(trial)))
    except NotFoundError:
        return True
    return meta.uid(live) != meta.uid(trial) or condition_of(live) not in ("", CREATED, RUNNING)


async def chosen(sources: Sources, trial: Object, query: LogQuery) -> tuple[Pod, str]:
    """The pod and its container that are meant. Raises NotFoundError, ApiError."""
    every = await pods_of(sources, trial)
    named = [each for each in every if each.known.name == query.pod] if query.pod else every
    if not named:
        what = f'pod "{query.pod[:100]}"' if query.pod else "pod yet"
        raise NotFoundError(f'the trial "{meta.name(trial)}" has no {what}')
    pod = next((each for each in reversed(named) if each.is_primary), named[-1])
    containers = pod.known.containers
    container = query.container or str(meta.spec(trial).get("primaryContainerName") or "")
    if query.container and container not in containers:
        raise NotFoundError(
            f'the pod "{pod.known.name}" has no container "{container[:100]}"; it has: {", ".join(containers)}'
        )
    return pod, container if container in containers else containers[0]


def collector_of(trial: Object) -> str:
    """The container whose log is shown of a trial that prints what it measures; empty for others. Pure."""
    collector = (meta.spec(trial).get("metricsCollector") or {}).get("collector") or {}
    return labels.COLLECTOR_CONTAINER if collector.get("kind") == "StdOut" else ""


async def printed(sources: Sources, pod: Pod, container: str, query: LogQuery) -> AsyncIterator[bytes]:
    """As it comes. Raises ApiError."""
    if not sources.is_local:
        options = LogOptions(container, query.follow, timestamps=query.timestamps, tail_lines=query.tail)
        async for part in sources.client.log(pod.known.name, pod.known.namespace, options):
            yield part
        return
    seen = -1
    while True:
        runs = [
            each for each in await asyncio.to_thread(_runs, sources.home, pod, container) if each[0] > seen
        ]
        if query.tail is not None and seen < 0:
            runs = runs[-1:]
        for at, (number, path) in enumerate(runs):
            seen = number
            is_last = at == len(runs) - 1
            async for part in _read(sources, pod, path, query, follow=query.follow and is_last):
                yield part
        if not query.follow or not runs:
            return


async def _read(
    sources: Sources, pod: Pod, path: Path, query: LogQuery, *, follow: bool
) -> AsyncIterator[bytes]:
    reader = LogReader(path, query.tail)
    text = _Text(timestamps=query.timestamps)
    try:
        while True:
            is_over = not follow or await _is_over(sources, pod)
            while data := await to_end(reader.read):
                yield b"".join(text.lines(data))
            if is_over:
                return
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        reader.close()


async def _is_over(sources: Sources, pod: Pod) -> bool:
    try:
        live = await sources.client.get(PODS, pod.known.name, pod.known.namespace)
    except NotFoundError:
        return True
    return meta.uid(live) != pod.known.uid or pod_states.is_terminal(live)


class _Text:
    """What a program wrote, from the lines of CRI: a time, a stream, a tag and a part of a line."""

    def __init__(self, *, timestamps: bool) -> None:
        self._timestamps = timestamps
        self._begins = True

    def lines(self, data: bytes) -> Iterator[bytes]:
        for record in data.splitlines():
            time, _, rest = record.partition(b" ")
            _, _, rest = rest.partition(b" ")
            tag, _, text = rest.partition(b" ")
            if self._timestamps and self._begins:
                yield time + b" "
            self._begins = tag != b"P"
            yield text + (b"\n" if self._begins else b"")


def _runs(home: Path, pod: Pod, container: str) -> list[tuple[int, Path]]:
    """How often the container had been restarted, and the log's file, in order."""
    known = pod.known
    if not all(map(_PART.match, (known.namespace, known.uid, container))):
        return []
    found = (
        (int(number), path)
        for path in (home / "logs" / known.namespace / known.uid).glob(f"{container}.*.log")
        if (number := path.name.removeprefix(f"{container}.").removesuffix(".log")).isdigit()
    )
    return sorted(found)


def _as_known(pod: Object, trial: str) -> TrialPod:
    containers = meta.spec(pod).get("containers") or ()
    return TrialPod(
        meta.uid(pod),
        meta.namespace(pod),
        trial,
        meta.name(pod),
        str(meta.metadata(pod).get("creationTimestamp") or ""),
        tuple(str(each.get("name") or "") for each in containers),
        dict(meta.labels(pod)),
    )


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for part in rest:
        yield part


def _flag(query: QueryParams, name: str) -> bool:
    text = query.get(name, "").lower()
    if text not in ("", "true", "false", "1", "0", "t", "f"):
        raise BadRequestError(f"{name} must be true or false, not {text[:40]!r}")
    return text in ("true", "1", "t")
