"""The pods that an endpoint has had, and what each of their containers has printed; also of those that are gone.

    GET …/namespaces/{namespace}/inferenceservices/{name}/pods
    GET …/namespaces/{namespace}/inferenceservices/{name}/pods/{uid}/log?container=&restart=&tailLines=&timestamps=

Whoever may read the InferenceService and `pods/log` in the namespace may read them. A log is answered as text, as far
as it has come; the newest run's where no `restart` is named.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from sampan.client.protocol import Client
from sampan.components.serving.api.kinds import INFERENCE_SERVICES
from sampan.components.serving.store.endpoint_pods import EndpointPod, EndpointPods, Run
from sampan.kube.errors import ApiError, BadRequestError, NotFoundError, to_status
from sampan.kube.kinds import PODS
from sampan.lib.logfiles import LogReader
from sampan.lib.logview import LogView
from sampan.lib.threads import to_end
from sampan.web.reviews import require, user_of

PREFIX = "/apis/logs.serving.sampan.dev/"
PODS_PATH = PREFIX + "v1/namespaces/{namespace}/inferenceservices/{name}/pods"
LOG_PATH = PODS_PATH + "/{uid}/log"


def routes(client: Client, home: Path) -> list[BaseRoute]:
    kept = EndpointPods(home)

    async def pods(request: Request) -> Response:
        namespace, name = await _place(client, request)
        found = await asyncio.to_thread(kept.of, namespace, name)
        items = [{**asdict(each), "runs": _told(kept.runs(namespace, each))} for each in found]
        return Response(msgspec.json.encode({"items": items}), media_type="application/json")

    async def log(request: Request) -> Response:
        namespace, name = await _place(client, request)
        query, uid = request.query_params, request.path_params["uid"]
        found = await asyncio.to_thread(kept.of, namespace, name)
        pod = next((each for each in found if each.uid == uid), None)
        if pod is None:
            raise NotFoundError(f"{name} has had no pod with the uid {uid[:64]!r}")
        run = _run(kept.runs(namespace, pod), pod, query.get("container") or "", query.get("restart") or "")
        tail = query.get("tailLines") or ""
        if tail and not tail.isdecimal():
            raise BadRequestError(f"tailLines must be a number of lines, not {tail[:32]!r}")
        view = LogView(timestamps=query.get("timestamps") == "true")
        return StreamingResponse(
            _read(run.path, int(tail) if tail else None, view),
            media_type="text/plain; charset=utf-8",
            headers={"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"},
        )

    return [
        Route(PODS_PATH, _answering(pods), methods=["GET"]),
        Route(LOG_PATH, _answering(log), methods=["GET"]),
    ]


def _answering(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
        except ApiError as error:
            return Response(msgspec.json.encode(to_status(error)), error.code, media_type="application/json")

    return answered


async def _place(client: Client, request: Request) -> tuple[str, str]:
    """Raises UnauthorizedError, ForbiddenError."""
    namespace, name = request.path_params["namespace"], request.path_params["name"]
    needed = ((INFERENCE_SERVICES, "", name, "get"), (PODS, "log", "", "get"))
    await require(client, user_of(request), needed, namespace)
    return namespace, name


def _told(runs: list[Run]) -> list[dict[str, object]]:
    return [{"container": each.container, "restart": each.restart} for each in runs]


def _run(runs: list[Run], pod: EndpointPod, container: str, restart: str) -> Run:
    """Raises NotFoundError."""
    wanted = [
        each
        for each in runs
        if each.container == (container or pod.containers[-1]) and restart in ("", str(each.restart))
    ]
    if not wanted:
        known = sorted({each.container for each in runs})
        raise NotFoundError(
            f"nothing is left of what {container or 'it'} has printed in {pod.name}"
            + (f"; there is something of {', '.join(known)}" if known else "")
        )
    return wanted[-1]


async def _read(path: Path, tail: int | None, view: LogView) -> AsyncIterator[bytes]:
    reader = await to_end(LogReader, path, tail, undo=LogReader.close)
    try:
        while data := await to_end(reader.read):
            if text := view.render(data):
                yield text
    finally:
        reader.close()
