"""Our own client over a real socket: runs submitted, found, watched and ended; errors in words for people."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from sampan.client.http import HttpError, JsonClient
from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.rest import Api, Backend
from sampan.components.pipelines.sdk import Runs
from sampan.components.pipelines.store import tables, tasks
from sampan.components.pipelines.store.tasks import AttemptRow, TaskRow
from sampan.lib.clock import SystemClock
from sampan.store.database import Database


class Server:
    """The API on a free port, in a thread and an event loop of its own."""

    def __init__(self, home: Path, parts: Any) -> None:
        self._home = home
        self._parts = parts
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._ready = threading.Event()
        self.url = ""
        self.database: Any = None
        self._http: Any = None

    def __enter__(self) -> Server:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._http.should_exit = True
        self._thread.join()

    async def _serve(self) -> None:
        self.database = Database.sqlite(self._home / "sampan.db")
        self.database.create(tables.metadata)
        engine, prepare, settings = self._parts
        working = engine(self.database)

        async def started() -> Any:
            return working

        backend = Backend(
            self.database, _Pods(), SystemClock(), self._home, settings, "default", started, prepare
        )
        config = uvicorn.Config(Api(backend), port=0, log_config=None, lifespan="off")
        self._http = uvicorn.Server(config)
        serving = asyncio.create_task(self._http.serve())
        while not self._http.started:
            await asyncio.sleep(0.01)
        port = self._http.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._ready.set()
        await serving
        await self.database.close()


class _Pods:
    """A pod that says a line at once, and another only when it is followed."""

    async def log(self, pod: str, namespace: str, options: Any) -> Any:
        yield f"{pod}: one\n".encode()
        if options.follow:
            await asyncio.sleep(0.05)
            yield f"{pod}: two\n".encode()


@pytest.fixture
def server(tmp_path: Path, parts: Any) -> Iterator[Server]:
    with Server(tmp_path, parts) as server:
        yield server


@pytest.fixture
def runs(server: Server) -> Iterator[Runs]:
    with JsonClient(server.url, "token") as http:
        yield Runs(http)


def test_a_run_is_submitted_found_listed_and_ended(runs: Runs, spec: Any) -> None:
    submitted = runs.submit(spec(n="NUMBER_INTEGER"), "mine", parameters={"n": 2}, pipeline_root="/data")

    assert submitted.state is RuntimeState.PENDING
    assert submitted.finished_at == ""
    assert submitted.raw["runtime_config"] == {"parameters": {"n": 2}, "pipeline_root": "/data"}
    assert runs.get(submitted.run_id) == submitted
    assert runs.find("mine") == submitted
    assert runs.find(submitted.run_id[:8]) == submitted
    assert runs.find("x") is None
    newer = runs.submit(spec(), "newer")
    assert [run.name for run in runs.newest()] == ["newer", "mine"]
    assert [run.name for run in runs.newest(1)] == ["newer"]

    runs.terminate(newer.run_id)
    ended = runs.wait(newer.run_id, timeout_seconds=5)
    assert ended.state is RuntimeState.CANCELED
    assert ended.finished_at
    runs.delete(newer.run_id)
    assert len(runs.newest()) == 1
    with pytest.raises(TimeoutError):
        runs.wait(submitted.run_id, timeout_seconds=0.05, poll_seconds=0.02)


def test_tasks_of_all_pages_and_lines_of_a_log(server: Server, runs: Runs, spec: Any) -> None:
    run_id = runs.submit(spec(), "r").run_id
    rows = [
        TaskRow(
            task_id=f"t{number:03}",
            run_id=run_id,
            parent_task_id="",
            name="say",
            scope_path=f"root/{number}/say",
            display_name="say",
            type=TaskType.RUNTIME if number else TaskType.ROOT,
            state=RuntimeState.RUNNING,
            created_at=1000 + number,
            attempts=[AttemptRow(f"pod-{number}", RuntimeState.RUNNING)],
        )
        for number in range(250)
    ]
    asyncio.run(server.database.write(lambda connection: tasks.insert(connection, rows)))

    listed = runs.tasks(run_id)
    assert [task.task_id for task in listed] == [row.task_id for row in rows]
    assert (listed[0].is_step, listed[7].is_step) == (False, True)
    assert listed[7].path == "root.7.say"
    assert listed[7].pods == ("pod-7",)
    assert list(runs.log(run_id, "t007")) == ["pod-7: one"]
    assert list(runs.log(run_id, "root/8/say", follow=True)) == ["pod-8: one", "pod-8: two"]


def test_errors_are_the_servers_own_words(server: Server, runs: Runs, spec: Any) -> None:
    with pytest.raises(HttpError, match="not found") as missing:
        runs.get("no such run")
    assert missing.value.status == 404
    with pytest.raises(HttpError, match="not found"):
        list(runs.log("no such run", "step"))
    with pytest.raises(HttpError, match="count"):
        runs.submit(spec(count="NUMBER_INTEGER"), "r")
    with pytest.raises(HttpError, match="no server answers"), JsonClient("http://127.0.0.1:1") as nobody:
        Runs(nobody).newest()
