"""The routes by which pods on other machines fetch and publish their steps' files, on a port of their own.

Nothing is served without a pod's token: see `engine.pod_callers` for who may, `engine.transfers` for what. Small enough
for bare ASGI, and a fetch of thousands of files comes through here. `Moving` puts all parts of it together.

    GET  /program/SHA256                        what the pod runs
    GET  /plan[?inputs=none]                    folders and input files
    GET  /file?path=  (with Range)              a piece of an input
    GET  /end?wait=SECONDS                      how far the step is; waits for its end
    GET  /part?path=&size=&sha256=              how much of an output is here
    PUT  /file?path=&size=&sha256=&offset=      the next piece of an output
    PUT  /folder?path=
    POST /done
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.routing import BaseRoute, Mount
from starlette.types import Receive, Scope, Send

from sampan.client.protocol import Client
from sampan.components import PodFiles
from sampan.components.pipelines.engine import mover_program
from sampan.components.pipelines.engine.moved_files import MovedStepFiles
from sampan.components.pipelines.engine.mover_pod import Mover
from sampan.components.pipelines.engine.pod_callers import Identity, PodCallers
from sampan.components.pipelines.engine.transfer_plans import TransferPlan, load_key
from sampan.components.pipelines.engine.transfers import Transfers, Upload
from sampan.kube.errors import ApiError, BadRequestError, InternalError, NotFoundError
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.web import asgi

log = get_logger(__name__)

_MOST_PIECE = 16 * 1024 * 1024
_LONGEST_WAIT_SECONDS = 60.0
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})")
_SHA256 = re.compile(r"[0-9a-f]{64}")

_MOUNT = "/pipelines"

Query = dict[str, str]


class TransferRoutes:
    """An ASGI application."""

    def __init__(self, callers: PodCallers, transfers: Transfers, programs: dict[str, bytes]) -> None:
        self._callers = callers
        self._transfers = transfers
        self._programs = programs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            status, body, kind = await self._answer(scope, receive)
        except ApiError as error:
            await asgi.respond_error(send, error)
        except asgi.ClientGoneError:
            return
        except Exception as error:
            log.error("a transfer failed", path=scope["path"], exc=error)
            await asgi.respond_error(send, InternalError("the transfer failed; the server's log says why"))
        else:
            await asgi.respond(send, status, body, kind)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes, bytes]:
        scheme, _, token = asgi.header(scope, b"authorization").partition(" ")
        caller, plan = await self._callers.plan(token.strip() if scheme.lower() == "bearer" else "")
        # Only now is anything read that a stranger may have sent.
        body = await asgi.read_body(scope, receive, _MOST_PIECE)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        method, path = scope["method"], _below_mount(scope)
        if method == "GET" and path.startswith("/program/"):
            program = self._programs.get(path.removeprefix("/program/"))
            if program is None:
                raise NotFoundError("this platform has no such program: the pod was made by another one")
            return 200, program, b"text/plain"
        if (method, path) == ("GET", "/file"):
            wanted = _range(asgi.header(scope, b"range"))
            return 206, await asyncio.to_thread(self._piece, plan, query, wanted), b"application/octet-stream"
        answer = await self._json(method, path, query, (caller, plan), body)
        return 200, msgspec.json.encode(answer), b"application/json"

    async def _json(
        self, method: str, path: str, query: Query, who: tuple[Identity, TransferPlan], body: bytes
    ) -> Any:
        (caller, plan), transfers = who, self._transfers
        match method, path:
            case "GET", "/plan":
                if query.get("inputs") == "none":
                    plan = TransferPlan(plan.pod, plan.folders, ())
                return await asyncio.to_thread(transfers.manifest, plan)
            case "GET", "/end":
                wait = min(float(_number(query, "wait")), _LONGEST_WAIT_SECONDS)
                return {"state": await self._callers.end(caller, wait)}
            case "GET", "/part":
                return await asyncio.to_thread(transfers.begun, plan, _upload(query))
            case "PUT", "/file":
                offset = _number(query, "offset")
                return await asyncio.to_thread(transfers.write, plan, _upload(query), offset, body)
            case "PUT", "/folder":
                await asyncio.to_thread(transfers.make_folder, plan, query.get("path", ""))
                return {}
            case "POST", "/done":
                await asyncio.to_thread(transfers.done, plan)
                log.info("outputs published", pod=plan.pod, said=body[:200].decode("utf-8", "replace"))
                return {}
        raise NotFoundError("the server could not find the requested resource")

    def _piece(self, plan: TransferPlan, query: Query, wanted: tuple[int, int]) -> bytes:
        first, last = wanted
        with self._transfers.open_input(plan, query.get("path", "")) as file:
            return os.pread(file.fileno(), last - first + 1, first)


class Moving:
    """All that moves files to pods and back: built by the component's door where pods need it."""

    def __init__(self, client: Client, clock: Clock, home: Path, pod_files: PodFiles) -> None:
        """Blocks. Raises OSError."""
        folder = home / "pipelines" / "movers"
        folder.mkdir(parents=True, exist_ok=True)
        key = load_key(folder / "key")
        program = Path(mover_program.__file__).read_bytes()
        mover = Mover(pod_files.url.rstrip("/") + _MOUNT, pod_files.image, program, pod_files.authority)
        # Pods made by a former version go on with the program that they were made for.
        (folder / mover.digest).write_bytes(program)
        programs = {file.name: file.read_bytes() for file in folder.iterdir() if _SHA256.fullmatch(file.name)}
        self.files = MovedStepFiles(home, mover, key)
        self._callers = PodCallers(client, clock, key)
        self._routes = TransferRoutes(self._callers, Transfers(home, pod_files.most_bytes), programs)

    def start(self) -> None:
        self._callers.start()

    async def stop(self) -> None:
        await self._callers.stop()

    def routes(self) -> Sequence[BaseRoute]:
        return [Mount(_MOUNT, app=self._routes)]


def _below_mount(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _range(header: str) -> tuple[int, int]:
    found = _RANGE.fullmatch(header)
    first, last = (int(found[1]), int(found[2])) if found else (0, -1)
    if last < first or last - first >= _MOST_PIECE:
        raise BadRequestError(f"Range must name at most {_MOST_PIECE} bytes, as bytes=0-1023")
    return first, last


def _number(query: Query, name: str) -> int:
    text = query.get(name, "")
    if not text.isdecimal() or len(text) > 18:
        raise BadRequestError(f"{name} must be a whole number, not {text[:40]!r}")
    return int(text)


def _upload(query: Query) -> Upload:
    digest = query.get("sha256", "")
    if not _SHA256.fullmatch(digest):
        raise BadRequestError("sha256 must be 64 hexadecimal digits")
    if "\0" in query.get("path", "\0"):
        raise BadRequestError("path must name a file")
    return Upload(query["path"], _number(query, "size"), digest, query.get("executable") == "true")
