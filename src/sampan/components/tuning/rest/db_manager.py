"""`api.v1.beta1.DBManager`: what trials have measured, reported and read by name. Source: kubeflow/katib 0.19
cmd/db-manager/v1beta1/main.go, pkg/db/v1beta1/mysql/mysql.go.

As there, a line without a time is left out, and a trial that has no lines has an empty log. Only a trial that exists
may be reported for.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.api.messages import message
from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.rest.grpc_callers import GrpcCallers
from sampan.components.tuning.rest.sources import Sources
from sampan.kube.errors import NotFoundError, ServiceUnavailableError
from sampan.store.database import StorageError
from sampan.web.grpc_server import Call, Context, Method

_MOST_LINES = 100_000
"""Of one report."""
_LONGEST_NAME = 1024
_LONGEST_VALUE = 4096
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:[.,]\d+)?([Zz]|[+-]\d\d:\d\d)\Z")
_YEARS = range(1900, 9000)
"""Others are nothing that a clock said, and cannot be moved to UTC at the ends of the calendar."""


class DBManager:
    """For one event loop."""

    def __init__(self, sources: Sources, callers: GrpcCallers) -> None:
        self._client = sources.client
        self._observations = sources.observations
        self._callers = callers

    @property
    def methods(self) -> dict[str, tuple[Any, Method]]:
        return {
            "ReportObservationLog": (message("ReportObservationLogRequest"), self.report),
            "GetObservationLog": (message("GetObservationLogRequest"), self.get),
            "DeleteObservationLog": (message("DeleteObservationLogRequest"), self.delete),
        }

    async def report(self, request: Any, context: Context) -> Any:
        place = await self._place(request, context, "update")
        lines = read_lines(request.observation_log)
        await self._client.get(TRIALS, place[1], place[0])
        try:
            await self._observations.report(*place, lines)
        except StorageError as error:
            raise ServiceUnavailableError(str(error)) from error
        return message("ReportObservationLogReply")()

    async def get(self, request: Any, context: Context) -> Any:
        start, end = _time(request.start_time, "start_time"), _time(request.end_time, "end_time")
        try:
            place = await self._place(request, context, "get")
        except NotFoundError:
            return message("GetObservationLogReply")(observation_log={})
        found = await self._observations.of(*place, request.metric_name, start, end)
        log = message("ObservationLog")()
        for line in found:
            added = log.metric_logs.add(time_stamp=line.time)
            added.metric.name, added.metric.value = line.name, line.value
        return message("GetObservationLogReply")(observation_log=log)

    async def delete(self, request: Any, context: Context) -> Any:
        try:
            place = await self._place(request, context, "update")
        except NotFoundError:
            return message("DeleteObservationLogReply")()
        try:
            await self._observations.delete(*place)
        except StorageError as error:
            raise ServiceUnavailableError(str(error)) from error
        return message("DeleteObservationLogReply")()

    async def _place(self, request: Any, context: Context, verb: str) -> tuple[str, str]:
        caller = await self._callers.of(Call(context))
        return await self._callers.place(caller, request.trial_name, verb)


def read_lines(log: Any) -> list[MetricLog]:
    """Pure. Raises ValueError, which names the line."""
    if len(log.metric_logs) > _MOST_LINES:
        raise ValueError(
            f"observation_log has {len(log.metric_logs)} lines, at most {_MOST_LINES} come at once"
        )
    found = []
    for at, each in enumerate(log.metric_logs):
        path = f"observation_log.metric_logs[{at}]"
        if not each.time_stamp:
            continue
        name, value = each.metric.name, each.metric.value
        if not name or len(name) > _LONGEST_NAME:
            raise ValueError(f"{path}.metric.name must have 1 to {_LONGEST_NAME} characters")
        if len(value) > _LONGEST_VALUE:
            raise ValueError(f"{path}.metric.value must have at most {_LONGEST_VALUE} characters")
        if "\0" in name or "\0" in value:
            raise ValueError(f"{path}.metric must have no NUL characters")
        found.append(MetricLog(_time(each.time_stamp, f"{path}.time_stamp"), name, value))
    return found


def _time(text: str, path: str) -> str:
    if text and not _is_time(text):
        raise ValueError(
            f"{path}: {text[:60]!r} is no time: write it as RFC 3339, such as 2026-01-02T03:04:05Z"
        )
    return text.replace(",", ".").upper()


def _is_time(text: str) -> bool:
    found = _RFC3339.match(text) if len(text) <= 40 else None
    if found is None:
        return False
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3].upper()}").year in _YEARS
    except ValueError:
        return False
