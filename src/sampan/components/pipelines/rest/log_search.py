"""`GET /apis/v2beta1/logs:search`: what steps printed, found by a text or an expression. An extension of ours.

A request works for a few seconds at most and answers with what it has found and a token to go on with, so neither a
large home nor an odd expression holds the server up. The newest runs come first.

Query: `text`; `regex`, `ignore_case`; `run_id`, `experiment_id`, `pipeline_id`, `step`; `since_seconds` or
`since_time`; `page_size` (matches, 100 by default and 1,000 at most), `page_token`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.rest.dispatch import Call, answer
from sampan.components.pipelines.rest.logs import since_time
from sampan.components.pipelines.store import log_search, logged_steps
from sampan.components.pipelines.store.log_search import Found, Matcher, Place
from sampan.components.pipelines.store.logged_steps import LoggedRun, LoggedStep, RunFilter
from sampan.components.pipelines.store.step_logs import StepLogs
from sampan.lib.clock import rfc3339, to_micros

SECONDS = 2.0
"""How long one request searches."""
_AT_ONCE = 2
"""Requests that search side by side; further ones wait."""
_DEFAULT_MATCHES, _MOST_MATCHES = 100, 1000
_RUNS_AT_ONCE = 50


_BEGINNING = Place()


@dataclass(frozen=True, slots=True)
class _Position:
    """Where to go on: before the first run when there is none."""

    created_at: int = 0
    run_id: str = ""
    task_id: str = ""
    attempt: int = 1
    place: Place = _BEGINNING

    def token(self) -> str:
        words = [self.created_at, self.run_id, self.task_id, self.attempt, self.place.offset, self.place.line]
        return base64.urlsafe_b64encode(json.dumps(words).encode()).decode()


@dataclass(frozen=True, slots=True)
class _Search:
    runs: RunFilter
    step: str
    matcher: Matcher
    since: str
    limit: int
    start: _Position


class LogSearch:
    """The endpoint, with what limits it."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, call: Call) -> Response:
        wanted = _search(call)
        async with self._turns:
            found = await asyncio.to_thread(_run, call, wanted)
        return answer(found)


def _search(call: Call) -> _Search:
    since = since_time(call)
    size = call.query_int("page_size")
    if size < 0:
        raise InvalidArgumentError(f"page_size must not be negative, but is {size}")
    matcher = log_search.matcher(
        call.query.get("text", ""),
        is_regex=call.query_flag("regex"),
        ignore_case=call.query_flag("ignore_case"),
    )
    query = call.query
    return _Search(
        RunFilter(
            call.namespace,
            query.get("run_id", ""),
            query.get("experiment_id", ""),
            query.get("pipeline_id", ""),
            to_micros(since) if since is not None else 0,
        ),
        query.get("step", ""),
        matcher,
        rfc3339(since, micro=True).removesuffix("Z") if since is not None else "",
        min(size or _DEFAULT_MATCHES, _MOST_MATCHES),
        _position(query.get("page_token", "")),
    )


def _position(token: str) -> _Position:
    if not token:
        return _Position()
    refused = InvalidArgumentError("page_token is not one that a search gave out: begin without one")
    try:
        words = json.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
        created, run, task, attempt, offset, line = words
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise refused from error
    numbers = (created, attempt, offset, line)
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers) or attempt < 1:
        raise refused
    if not (isinstance(run, str) and isinstance(task, str) and run):
        raise refused
    return _Position(created, run, task, attempt, Place(offset, line))


def _run(call: Call, wanted: _Search) -> dict[str, Any]:
    """In a thread."""
    deadline = time.monotonic() + SECONDS
    matches: list[dict[str, Any]] = []
    result: dict[str, Any] = {"matches": matches, "searched_logs": 0}
    for position, found, is_new in _steps(call, wanted):
        result["searched_logs"] += is_new
        if found is not None:
            matches.append(found)
        if len(matches) >= wanted.limit or time.monotonic() > deadline:
            result["next_page_token"] = position.token()
            break
    return result


def _steps(call: Call, wanted: _Search) -> Iterator[tuple[_Position, dict[str, Any] | None, bool]]:
    """Where the search stands, what it found there, and whether a log was begun."""
    logs, start = StepLogs(call.backend.home), wanted.start
    for run in _runs(call, wanted):
        if start.run_id != run.run_id:
            # Not where a search goes on: every request must come further.
            yield _Position(run.created_at, run.run_id), None, False
        steps = call.backend.database.read_now(
            lambda connection, run_id=run.run_id: logged_steps.list_steps(connection, run_id, wanted.step)  # type: ignore[misc]
        )
        for step, number, place in _remaining(steps, start if start.run_id == run.run_id else _Position()):
            paths = logs.find(call.namespace, step.attempts[number - 1])
            is_new = bool(paths)
            for scanned in log_search.scan(paths, wanted.matcher, wanted.since, place):
                at = _Position(run.created_at, run.run_id, step.task_id, number, scanned.place)
                match = scanned.found
                yield at, _match(run, step, number, match) if match is not None else None, is_new
                is_new = False


def _runs(call: Call, wanted: _Search) -> Iterator[LoggedRun]:
    before = (wanted.start.created_at, wanted.start.run_id) if wanted.start.run_id else None
    last = ""
    while True:
        found = call.backend.database.read_now(
            lambda connection, before=before: logged_steps.list_runs(  # type: ignore[misc]
                connection, wanted.runs, before, _RUNS_AT_ONCE
            )
        )
        yield from (run for run in found if run.run_id != last)
        if len(found) < _RUNS_AT_ONCE:
            return
        last = found[-1].run_id
        before = (found[-1].created_at, last)


def _remaining(steps: list[LoggedStep], start: _Position) -> Iterator[tuple[LoggedStep, int, Place]]:
    """Attempts from `start` on. A step that is gone meanwhile was searched."""
    is_there = not start.task_id or all(step.task_id != start.task_id for step in steps)
    for step in steps:
        if not is_there and step.task_id != start.task_id:
            continue
        begins = not is_there
        is_there = True
        for number in range(start.attempt if begins else 1, len(step.attempts) + 1):
            here = begins and number == start.attempt
            yield step, number, start.place if here else Place()


def _match(run: LoggedRun, step: LoggedStep, attempt: int, found: Found) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "run_name": run.display_name,
        "task_id": step.task_id,
        "step": step.display_name,
        "path": step.path,
        "attempt": attempt,
        "line_number": found.number,
        "time": found.time,
        "text": found.text,
    }
