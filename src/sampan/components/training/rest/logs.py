"""`GET …/{plural}/{name}/log`: what all ranks of a job say, as one log in the order of time.

Query: `ranks` (`worker-0,master`), `follow`, `tail` (lines over all ranks), `since` (`10m`, or RFC 3339), `previous`
(of each rank the run before the last), `timestamps`. Answers in text, each line behind its rank, or with
`Accept: application/x-ndjson` (or `application/json`) as a JSON object a line: time, rank, pod, run, text.

Where the pods run on this machine, their files are read: pods that are gone are there too. Elsewhere it is what the
API still has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import replace

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sampan.components.training.rest.access import JobPlace
from sampan.components.training.rest.api_logs import ApiLogs
from sampan.components.training.rest.job_pods import FoundJob, find_job
from sampan.components.training.rest.queries import LogQuery, log_query
from sampan.components.training.rest.sources import LogSource
from sampan.components.training.store.job_pods import JobPods
from sampan.components.training.store.rank_logs import Line, MergedLog, RankLog, runs_of
from sampan.kube.errors import BadRequestError, NotFoundError
from sampan.lib.threads import to_end

_POLL_SECONDS = 0.2
_LOOK_SECONDS = 1.0
"""Between two looks for new pods, and whether the job has ended."""


async def answer_log(source: LogSource, request: Request, place: JobPlace) -> Response:
    """Raises NotFoundError, BadRequestError before anything is sent."""
    query = log_query(request.query_params, source.clock.now())
    accepted = request.headers.get("accept", "")
    as_json = "json" in accepted
    found = await find_job(source.client, source.remembered, place)
    _check_ranks(found, query)
    chunks = lines(source, found, query)
    # The first of it before the status line, so that what goes wrong is an error. What is followed may be silent.
    first = [] if query.follow else await anext(chunks, None)
    return StreamingResponse(
        _encoded(first, chunks, query, as_json=as_json),
        media_type="application/x-ndjson" if as_json else "text/plain; charset=utf-8",
        headers={"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"},
    )


def lines(source: LogSource, found: FoundJob, query: LogQuery) -> AsyncIterator[list[Line]]:
    """What the query asks for, as it comes, a few at a time. Close the iterator. Raises ApiError."""
    if source.is_local:
        return _from_files(source, found, query)
    return ApiLogs(source.client, found, query).lines()


async def _from_files(source: LogSource, found: FoundJob, query: LogQuery) -> AsyncIterator[list[Line]]:
    pods = JobPods(source.home)
    merged = MergedLog([])
    try:
        await to_end(extend, merged, pods, found, query)
        if query.tail is not None:
            if tail := await to_end(merged.tail, query.tail):
                yield tail
            query = replace(query, tail=None)
        waited = _LOOK_SECONDS
        is_over = not query.follow
        while True:
            while some := await to_end(merged.read):
                yield some
            if is_over:
                return
            await asyncio.sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
            if waited >= _LOOK_SECONDS:
                # Looked at before the next read: what was printed before the end is then surely read.
                waited = 0.0
                try:
                    found = await find_job(source.client, pods, found.place)
                except NotFoundError:
                    return
                is_over = found.is_over
                await to_end(extend, merged, pods, found, query)
    finally:
        merged.close()


def extend(merged: MergedLog, remembered: JobPods, found: FoundJob, query: LogQuery) -> None:
    """With ranks and runs that are new."""
    for rank, pods in found.ranks.items():
        if not query.wants(rank):
            continue
        runs = runs_of((pod.since, pod.name, remembered.runs(found.place.namespace, pod)) for pod in pods)
        if query.previous:
            runs = runs[-2:-1]
        if rank in merged:
            merged.extend(rank, runs)
        elif runs:
            merged.add(RankLog(rank, runs, tail=query.tail, since=query.since))
    if query.previous and not merged.has_any:
        raise BadRequestError("no rank of the job has a run before its last: nothing was restarted")


def _check_ranks(found: FoundJob, query: LogQuery) -> None:
    """A rank that is misspelt is told of; one that is yet to come is waited for."""
    known = set(found.ranks)
    missing = [
        rank for rank in query.ranks if not any(rank in (each, each.rpartition("-")[0]) for each in known)
    ]
    if missing and known and (found.is_over or not query.follow):
        raise NotFoundError(
            f"the job has no rank {', '.join(sorted(missing))}; it has: {', '.join(sorted(known))}"
        )


async def _encoded(
    first: list[Line] | None, rest: AsyncIterator[list[Line]], query: LogQuery, *, as_json: bool
) -> AsyncIterator[bytes]:
    async with aclosing(rest):  # type: ignore[type-var]  # an async generator
        if first is not None:
            yield _encode(first, query, as_json=as_json)
            async for some in rest:
                yield _encode(some, query, as_json=as_json)


def _encode(some: Iterable[Line], query: LogQuery, *, as_json: bool) -> bytes:
    if as_json:
        encode = msgspec.json.encode
        return b"".join(encode(line) + b"\n" for line in some)
    if query.timestamps:
        return "".join(f"{line.time} [{line.rank}] {line.text}\n" for line in some).encode()
    return "".join(f"[{line.rank}] {line.text}\n" for line in some).encode()
