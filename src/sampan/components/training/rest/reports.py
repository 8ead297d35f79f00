"""Trainer's status endpoint: `POST …/trainjobs/NAME/status`, by which a trainer tells of its progress.

Loaded by the component's door with the first report. Many reports become few writes: a job may have a burst of them
written at once, then two a second, of which the last one counts. Source: kubeflow/trainer
pkg/statusserver/server.go, v2.3.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from sampan.client.protocol import Client, PatchType, WriteOptions
from sampan.components import Services
from sampan.components.training.api.kinds import TRAIN_JOBS
from sampan.components.training.api.reports import PayloadError, read_report
from sampan.components.training.rest.callers import Callers
from sampan.kube.errors import ApiError, BadRequestError, InvalidError, NotFoundError, RequestTooLargeError
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.web import asgi

log = get_logger(__name__)

_LIMIT = 1 << 16
_WRITE = WriteOptions(field_manager="trainer-status", force=True)
_BURST = 20.0
_A_SECOND = 2.0
_REMEMBERED = 4096


@dataclass(slots=True)
class _Job:
    """What a TrainJob may have written, and what waits to be."""

    tokens: float
    since: float
    waiting: dict[str, Any] | None = None


def api_of(services: Services) -> Reports:
    return Reports(services.client, services.clock)


class Reports:
    """An ASGI application for one event loop; its scopes have `namespace` and `name`. Close it."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._callers = Callers(client, clock)
        self._jobs: OrderedDict[tuple[str, str], _Job] = OrderedDict()
        self._tasks = TaskSet("reports of trainers")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = (str(scope["path_params"]["namespace"]), str(scope["path_params"]["name"]))
        code, answer = await self._answer(scope, receive, place)
        content = msgspec.json.encode(answer)
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": code, "headers": head})
        await send({"type": "http.response.body", "body": content})

    async def close(self) -> None:
        """What waits is written, if it can be."""
        for place, job in self._jobs.items():
            if job.waiting is not None:
                await self._flush(place, job)
        await self._tasks.close()

    async def _answer(
        self, scope: Scope, receive: Receive, place: tuple[str, str]
    ) -> tuple[int, dict[str, Any]]:
        try:
            # The whole of it first: an answer to half a request is one that its sender does not see.
            body = await asgi.read_body(scope, receive, _LIMIT)
        except RequestTooLargeError:
            return _refused(413, "RequestEntityTooLarge", "Payload too large")
        try:
            if not await self._callers.may_report(asgi.header(scope, b"authorization"), *place):
                return _refused(403, "Forbidden", "Forbidden")
            report = read_report(body)
            if report is not None:
                await self._take(place, report)
        except PayloadError as error:
            return _refused(422, "Invalid", str(error))
        except (InvalidError, BadRequestError) as error:
            return _refused(422, "Invalid", error.message)
        except NotFoundError:
            return _refused(404, "NotFound", "Train job not found")
        except ApiError as error:
            log.error(
                "a trainer's report cannot be kept", namespace=place[0], name=place[1], error=error.message
            )
            return _refused(500, "InternalError", "Internal error")
        return 200, {} if report is None else {"trainerStatus": report}

    async def _take(self, place: tuple[str, str], report: dict[str, Any]) -> None:
        """Raises ApiError where it is written at once."""
        job, now = self._jobs.get(place), self._clock.monotonic()
        if job is None:
            job = self._jobs[place] = _Job(_BURST, now)
            if len(self._jobs) > _REMEMBERED:
                self._jobs.popitem(last=False)
        job.tokens = min(_BURST, job.tokens + (now - job.since) * _A_SECOND)
        job.since = now
        if job.waiting is not None:
            job.waiting = report
        elif job.tokens >= 1:
            job.tokens -= 1
            await self._write(place, report)
        else:
            job.waiting = report
            self._tasks.spawn(self._flush_later(place, job, (1 - job.tokens) / _A_SECOND), name="write")

    async def _flush_later(self, place: tuple[str, str], job: _Job, seconds: float) -> None:
        await asyncio.sleep(seconds)
        job.tokens -= 1
        await self._flush(place, job)

    async def _flush(self, place: tuple[str, str], job: _Job) -> None:
        report, job.waiting = job.waiting, None
        try:
            if report is not None:
                await self._write(place, report)
        except ApiError as error:
            log.warning("a trainer's report is lost", namespace=place[0], name=place[1], error=error.message)

    async def _write(self, place: tuple[str, str], report: dict[str, Any]) -> None:
        namespace, name = place
        wanted = {
            "apiVersion": TRAIN_JOBS.api_version,
            "kind": TRAIN_JOBS.kind,
            "metadata": {"name": name, "namespace": namespace},
            "status": {"trainerStatus": report},
        }
        await self._client.patch(
            TRAIN_JOBS,
            name,
            wanted,
            namespace,
            patch_type=PatchType.APPLY,
            subresource="status",
            options=_WRITE,
        )


def _refused(code: int, reason: str, message: str) -> tuple[int, dict[str, Any]]:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return code, {**status, "message": message, "reason": reason, "code": code}
