"""The REST API over a real database, called as ASGI. Only the engine behind it is a stand-in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from sampan.cluster.apiserver import ApiServer
from sampan.components.pipelines import component
from sampan.components.pipelines.api.settings import PipelineSettings
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.resumption import DebugPod, Decision, Resumable, Resumption
from sampan.components.pipelines.rest import Api, Backend
from sampan.components.pipelines.store import runs, tables
from sampan.lib.clock import SystemClock
from sampan.store.database import Database
from sampan.web.guards import User


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def message(self) -> str:
        """Of an error, which must be a google.rpc status."""
        body = self.json
        assert body["code"] > 0
        assert body["error"] == body["message"]
        return str(body["message"])


@dataclass
class StandInEngine:
    """Leaves submitted runs pending; a test moves them."""

    database: Database
    submitted: list[str] = field(default_factory=list)
    forgotten: list[tuple[str, str]] = field(default_factory=list)
    wanted: list[Resumption] = field(default_factory=list)
    plan: list[Decision] = field(default_factory=list)

    def remote_content(self, uri: str, namespace: str, limit: int | None) -> None:
        return None

    def remote_files(self, uri: str, namespace: str, most: int) -> None:
        return None

    async def submit(self, run_id: str) -> None:
        self.submitted.append(run_id)

    async def terminate(self, run_id: str) -> None:
        await self._move(run_id, RuntimeState.CANCELED)

    async def retry(self, run_id: str) -> None:
        await self._move(run_id, RuntimeState.RUNNING)

    async def debug(self, run_id: str, task_id: str, attempt: int, *, is_new: bool) -> DebugPod:
        return DebugPod(f"debug-{attempt}", "default", "main", is_new=is_new)

    async def debug_state(self, run_id: str, pod: str) -> dict[str, str]:
        return {"state": "WAITING", "message": pod}

    async def end_debug(self, run_id: str, pod: str) -> None:
        self.forgotten.append((run_id, pod))

    async def proceed(self, wanted: Resumption) -> None:
        self.wanted.append(wanted)
        await self._move(wanted.run_id, RuntimeState.RUNNING)

    async def resumable(self, wanted: Resumption) -> Resumable:
        self.wanted.append(wanted)
        row = self.database.read_now(lambda c: runs.get(c, wanted.run_id))
        assert row is not None
        config = json.loads(row.runtime_config) | {"parameters": dict(wanted.parameters) or {"n": 1}}
        return Resumable(wanted.spec or json.loads(row.spec), config, self.plan)

    def sweep(self) -> None:
        self.forgotten.append(("files", ""))

    async def forget(self, run_id: str, namespace: str) -> None:
        self.forgotten.append((run_id, namespace))

    async def _move(self, run_id: str, state: RuntimeState) -> None:
        await self.database.write(lambda c: runs.set_state(c, run_id, state, 1_700_000_000_000_000))


class Caller:
    """Sends requests to the API, and opens its database to the test."""

    def __init__(self, home: Path, settings: PipelineSettings, database_url: str) -> None:
        self._runner = asyncio.Runner()
        self.user: User | None = None
        """Whom the guards have found a request to be of."""
        self.home = home
        self.database = Database.at(database_url, home / "sampan.db")
        self.database.create(tables.metadata)
        self.engine = StandInEngine(self.database)
        self.kubernetes = ApiServer(self.database, SystemClock())
        self.database.create(self.kubernetes.tables)
        self.app = Api(self._backend(settings))

    def _backend(self, settings: PipelineSettings) -> Backend:
        async def engine() -> StandInEngine:
            return self.engine

        return Backend(
            database=self.database,
            client=self.kubernetes.client,
            clock=SystemClock(),
            home=self.home,
            settings=settings,
            namespace="default",
            engine=engine,
            prepare=component._load_prepare,
        )

    def run(self, coroutine: Any) -> Any:
        return self._runner.run(coroutine)

    def write(self, fn: Any) -> Any:
        async def write() -> Any:
            return await self.database.write(fn)

        return self.run(write())

    def close(self) -> None:
        async def close() -> None:
            await self.kubernetes.stop()
            await self.database.close()

        self.run(close())
        self._runner.close()

    def start(self) -> None:
        self.run(self.kubernetes.start())

    def get(self, path: str, **query: Any) -> Answer:
        return self.call("GET", path, query)

    def post(self, path: str, body: Any = None, **query: Any) -> Answer:
        return self.call("POST", path, query, b"" if body is None else json.dumps(body).encode())

    def patch(self, path: str, body: Any) -> Answer:
        return self.call("PATCH", path, {}, json.dumps(body).encode())

    def delete(self, path: str, **query: Any) -> Answer:
        return self.call("DELETE", path, query)

    def upload(self, path: str, file: str, data: bytes, field: str = "uploadfile", **query: Any) -> Answer:
        head = f'Content-Disposition: form-data; name="{field}"; filename="{file}"\r\n'
        body = b"--XX\r\n" + head.encode() + b"Content-Type: application/octet-stream\r\n\r\n"
        body += data + b"\r\n--XX--\r\n"
        headers = {"content-type": "multipart/form-data; boundary=XX"}
        return self.call("POST", path, query, body, headers)

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        if path.startswith("/v2/"):
            path = path.replace("/v2/", "/apis/v2beta1/", 1)
        answer: Answer = self.run(
            _request(
                self.app, method, path, urlencode(query or {}, doseq=True), (body, headers or {}), self.user
            )
        )
        return answer


async def _request(
    app: Any, method: str, path: str, query: str, sent: tuple[bytes, Mapping[str, str]], user: User | None
) -> Answer:
    body, headers = sent
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(key.encode(), value.encode()) for key, value in headers.items()],
        "server": ("localhost", 80),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
        "state": {} if user is None else {"user": user},
    }
    pieces = [body[start : start + 65536] for start in range(0, max(len(body), 1), 65536)]
    incoming = [
        {"type": "http.request", "body": piece, "more_body": index < len(pieces) - 1}
        for index, piece in enumerate(pieces)
    ]
    answered: dict[str, Any] = {"content": b""}

    async def receive() -> dict[str, Any]:
        if not incoming:
            await asyncio.sleep(3600)
        return incoming.pop(0)

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answered["status"] = message["status"]
            answered["headers"] = {key.decode(): value.decode() for key, value in message["headers"]}
        else:
            answered["content"] += message.get("body", b"")

    await app(scope, receive, send)
    return Answer(answered["status"], answered["headers"], answered["content"])


@pytest.fixture
def api(tmp_path: Path, database_url: str) -> Iterator[Caller]:
    caller = Caller(tmp_path, PipelineSettings(), database_url)
    caller.start()
    yield caller
    caller.close()


@pytest.fixture
def open_api(tmp_path: Path, database_url: str) -> Iterator[Caller]:
    """With a setting that lets packages come from loopback."""
    caller = Caller(tmp_path, PipelineSettings(allow_private_urls=True), database_url)
    caller.start()
    yield caller
    caller.close()


@pytest.fixture
def shared_api(tmp_path: Path, database_url: str) -> Iterator[Caller]:
    """With many users, of whom `user` is the one that calls."""
    caller = Caller(tmp_path, PipelineSettings(multi_user=True), database_url)
    caller.start()
    yield caller
    caller.close()


def pipeline_spec(name: str = "hello", **parameters: str) -> dict[str, Any]:
    """A small specification, with one step and the given parameters (name to type)."""
    inputs = {"parameters": {key: {"parameterType": kind} for key, kind in parameters.items()}}
    return {
        "pipelineInfo": {"name": name},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        "root": {
            **({"inputDefinitions": inputs} if parameters else {}),
            "dag": {
                "tasks": {
                    "say": {
                        "taskInfo": {"name": "say"},
                        "componentRef": {"name": "comp-say"},
                        "cachingOptions": {"enableCache": True},
                    }
                }
            },
        },
        "components": {"comp-say": {"executorLabel": "exec-say"}},
        "deploymentSpec": {
            "executors": {"exec-say": {"container": {"image": "python:3.11", "command": ["echo", "hi"]}}}
        },
    }


@pytest.fixture
def spec() -> Any:
    return pipeline_spec


@pytest.fixture
def parts() -> Any:
    """For tests that serve the API themselves: the engine's class, the reader of the IR, and settings."""
    return StandInEngine, component._load_prepare, PipelineSettings()
