"""`GET …/{plural}/{name}/metrics`: series of numbers that a job has printed, reported or written for TensorBoard.

Query: `names` (`loss,accuracy`), `points` (of each series at most; 1,000). Answers with `metrics`, each with name,
rank, source (`log`, `trainer` or `tensorboard`), count, min, max and points of step, value and time; and `complete`,
which is false while there is more to be read than one request reads: ask again.

Between requests it is known how far a job's log was read, so that a page that asks every few seconds costs little.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from sampan.components.training.engine.metrics.series import MOST_POINTS, Metrics, Point
from sampan.components.training.rest.access import JobPlace
from sampan.components.training.rest.job_pods import FoundJob, find_job
from sampan.components.training.rest.logs import extend, lines
from sampan.components.training.rest.queries import LogQuery, number
from sampan.components.training.rest.sources import LogSource
from sampan.components.training.rest.tensorboard import EventFolder, output_folder
from sampan.components.training.store.job_pods import JobPods
from sampan.components.training.store.rank_logs import MergedLog
from sampan.kube import meta
from sampan.lib.threads import to_end

_SECONDS = 1.5
"""How long one request reads."""
_MOST_KEPT = 16
"""Jobs whose reading is kept open."""
_IDLE_SECONDS = 120.0
_API_TAIL = 20_000
"""Lines of each rank where logs come from a cluster's API, which would be asked for all of them each time."""


@dataclass(slots=True)
class _Reading:
    """How far the metrics of one job are read."""

    log: MergedLog = field(default_factory=lambda: MergedLog([]))
    metrics: Metrics = field(default_factory=Metrics)
    events: EventFolder | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    used: float = 0.0
    reported: str = ""

    def close(self) -> None:
        self.log.close()


class MetricsReader:
    """The endpoint. For one event loop. Close it."""

    def __init__(self) -> None:
        self._readings: OrderedDict[tuple[str, str, str, str], _Reading] = OrderedDict()

    async def __call__(self, source: LogSource, request: Request, place: JobPlace) -> Response:
        names = frozenset(
            each.strip() for each in request.query_params.get("names", "").split(",") if each.strip()
        )
        most = number(request.query_params, "points", MOST_POINTS) or MOST_POINTS
        found = await find_job(source.client, source.remembered, place)
        reading = self._reading(found)
        async with reading.lock:
            complete = await self._read(source, reading, found)
            body: dict[str, Any] = {
                "metrics": list(reading.metrics.to_json(names, most)),
                "complete": complete and not reading.metrics.is_cut,
            }
        return Response(msgspec.json.encode(body), media_type="application/json")

    def close(self) -> None:
        while self._readings:
            self._readings.popitem()[1].close()

    def _reading(self, found: FoundJob) -> _Reading:
        uid = meta.uid(found.job) if found.job is not None else ""
        key = (found.place.resource.key, found.place.namespace, found.place.name, uid)
        now = time.monotonic()
        reading = self._readings.setdefault(key, _Reading())
        self._readings.move_to_end(key)
        reading.used = now
        for other, each in list(self._readings.items()):
            is_old = now - each.used > _IDLE_SECONDS or len(self._readings) > _MOST_KEPT
            if other != key and is_old and not each.lock.locked():
                self._readings.pop(other).close()
        return reading

    async def _read(self, source: LogSource, reading: _Reading, found: FoundJob) -> bool:
        """Whether all that there is has been read."""
        _take_reported(reading, found)
        if source.is_local:
            complete = await to_end(_read_files, JobPods(source.home), reading, found)
        else:
            complete = await _read_api(source, reading, found)
        if reading.events is None and (folder := await output_folder(source, found)) is not None:
            reading.events = EventFolder(folder)
        if reading.events is not None:
            complete = await to_end(reading.events.read, reading.metrics) and complete
        return complete


def _read_files(pods: JobPods, reading: _Reading, found: FoundJob) -> bool:
    extend(reading.log, pods, found, LogQuery())
    deadline = time.monotonic() + _SECONDS
    while some := reading.log.read():
        for line in some:
            reading.metrics.take_line(line.rank, line.time, line.text)
        if time.monotonic() > deadline:
            return False
    return True


async def _read_api(source: LogSource, reading: _Reading, found: FoundJob) -> bool:
    """Anew each time: how far it was read last time, the API cannot be told exactly."""
    reading.metrics, reading.reported = Metrics(), ""
    _take_reported(reading, found)
    async for some in lines(source, found, LogQuery(tail=_API_TAIL)):
        for line in some:
            reading.metrics.take_line(line.rank, line.time, line.text)
    return True


def _take_reported(reading: _Reading, found: FoundJob) -> None:
    """What a TrainJob's trainer has told Trainer's status endpoint (`status.trainerStatus`) since the last look."""
    status = meta.status(found.job or {}).get("trainerStatus") or {}
    moment = str(status.get("lastUpdatedTime") or "")
    if not status or moment == reading.reported:
        return
    reading.reported = moment
    progress = status.get("progressPercentage")
    if isinstance(progress, int | float):
        reading.metrics.add(("trainer", "progressPercentage", ""), Point(None, float(progress), moment))
    for each in status.get("metrics") or ():
        try:
            value = float(each["value"])
        except (KeyError, TypeError, ValueError):
            continue
        reading.metrics.add(("trainer", str(each.get("name") or ""), ""), Point(None, value, moment))
