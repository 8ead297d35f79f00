"""Workflow objects on a real API server and database. The engine is played: it moves the rows of runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from sampan.app.definitions import install
from sampan.client.protocol import Object
from sampan.cluster.apiserver import ApiServer
from sampan.components.pipelines.api.errors import FailedPreconditionError, InvalidArgumentError
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.api.workflow_kinds import DEFINITIONS, WORKFLOWS
from sampan.components.pipelines.controller import signals
from sampan.components.pipelines.controller.templates import Templates
from sampan.components.pipelines.controller.workflows import Around, WorkflowReconciler
from sampan.components.pipelines.engine.changes import Change
from sampan.components.pipelines.store import experiments, runs, tables, transitions
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.tasks import TaskRow
from sampan.components.pipelines.store.transitions import RunState, Transition
from sampan.kube.kinds import PODS
from sampan.lib.clock import SystemClock, to_micros
from sampan.reconcile.cache import Cache
from sampan.reconcile.manager import Manager
from sampan.store.database import Database
from sampan.testing.apiserver import embedded

_PHASES = {"SUCCEEDED": "Succeeded", "FAILED": "Failed", "CANCELED": "Failed"}
WAITS = {"type": "Suspend", "phase": "Running", "startedAt": "2026-03-01T00:00:00Z"}


class Engine:
    """Notes what it is told; the test says how runs go on."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.told: list[tuple[str, ...]] = []
        self._listeners: list[Callable[[Change], None]] = []

    def listen(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    async def move(self, run_id: str, state: RuntimeState, error: str = "") -> None:
        change = RunState(state, to_micros(SystemClock().now()), error)
        await self.database.write(
            lambda connection: transitions.apply(connection, Transition(run_id, run=[change]))
        )
        for listener in self._listeners:
            listener(Change(run_id, frozenset(), state.is_final))

    async def submit(self, run_id: str) -> None:
        self.told.append(("submit", run_id))
        await self.move(run_id, RuntimeState.RUNNING)

    async def terminate(self, run_id: str) -> None:
        self.told.append(("terminate", run_id))
        await self.move(run_id, RuntimeState.CANCELED)

    async def retry(self, run_id: str) -> None:
        row = await self.database.read(lambda connection: runs.get(connection, run_id))
        if row is not None and row.runtime_state is RuntimeState.SUCCEEDED:
            raise FailedPreconditionError(f"run {run_id} succeeded; there is nothing to retry")
        self.told.append(("retry", run_id))
        await self.move(run_id, RuntimeState.RUNNING)

    async def shut_down(self, run_id: str, strategy: str) -> None:
        self.told.append(("shut down", run_id, strategy))

    async def suspend(self, run_id: str, *, suspended: bool) -> None:
        if suspended:
            self.told.append(("suspend", run_id))

    async def resume(
        self, run_id: str, task_id: str, *, parameters: Mapping[str, Any], failure: str | None
    ) -> None:
        self.told.append(("resume", run_id, task_id, json.dumps(dict(parameters)), failure or ""))


class Language:
    """Every workflow has one node, which waits until the run is over."""

    def prepare(self, workflow: Object, templates: Templates) -> str:
        if workflow["spec"].get("entrypoint") == "wrong":
            raise InvalidArgumentError("spec.entrypoint: there is no template 'wrong'")
        return json.dumps({"workflow": {"spec": workflow["spec"]}, "templates": len(templates)})

    def status(self, row: RunRow, tasks: Sequence[TaskRow]) -> tuple[dict[str, Any], dict[str, str]]:
        status: dict[str, Any] = {
            "phase": _PHASES.get(row.state, "Running"),
            "startedAt": "2026-03-01T00:00:00Z",
            "nodes": {"n": WAITS},
        }
        if row.runtime_state.is_final:
            status |= {"finishedAt": "2026-03-01T00:01:00Z", "nodes": {"n": {**WAITS, "phase": "Succeeded"}}}
        return status, {"n": "task-of-n"}


class World:
    def __init__(self, server: ApiServer, database: Database) -> None:
        self.client, self.database = server.client, database
        self.engine = Engine(database)
        self._manager: Manager | None = None

    async def start(self) -> None:
        cache = Cache(self.client, WORKFLOWS)
        around = Around(self.client, self.database, SystemClock(), self.engine, Language())
        reconciler = WorkflowReconciler(around, cache)
        self._manager = Manager([reconciler.controller()])
        await self._manager.start()
        await reconciler.start()

    async def stop(self) -> None:
        assert self._manager is not None
        await self._manager.stop()

    async def create(self, name: str = "wf", **spec: Any) -> str:
        metadata = spec.pop("metadata", {})
        body = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": name, "namespace": "default", **metadata},
            "spec": {"entrypoint": "main", **spec},
        }
        made = await self.client.create(WORKFLOWS, body)
        uid: str = made["metadata"]["uid"]
        return uid

    async def get(self, name: str = "wf") -> Object:
        return await self.client.get(WORKFLOWS, name, "default")

    async def patch(self, body: Object) -> None:
        await self.client.patch(WORKFLOWS, "wf", body, "default")

    async def row(self, run_id: str) -> RunRow | None:
        return await self.database.read(lambda connection: runs.get(connection, run_id))

    async def shows(self, phase: str, name: str = "wf") -> Object:
        async def is_so() -> bool:
            return ((await self.get(name)).get("status") or {}).get("phase") == phase

        await until(is_so)
        return await self.get(name)

    async def hears(self, *words: str) -> None:
        async def has() -> bool:
            return any(each[: len(words)] == words for each in self.engine.told)

        await until(has)


async def until(question: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await question():
            await asyncio.sleep(0.01)


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[World], Awaitable[None]]], None]:
    async def run(test: Callable[[World], Awaitable[None]]) -> None:
        database = Database.at("", tmp_path / "runs.db")
        database.create(tables.metadata)
        async with embedded(tmp_path) as server:
            await install(server.client, DEFINITIONS)
            world = World(server, database)
            await world.start()
            try:
                await test(world)
            finally:
                await world.stop()
                await database.close()

    return lambda test: asyncio.run(run(test))


Play = Callable[[Callable[[World], Awaitable[None]]], None]


def test_an_object_becomes_one_run_and_shows_what_the_rows_say(play: Play) -> None:
    async def test(world: World) -> None:
        uid = await world.create(serviceAccountName="runner")
        found = await world.shows("Running")
        assert found["metadata"]["labels"] == {
            "workflows.argoproj.io/phase": "Running",
            "workflows.argoproj.io/completed": "false",
        }
        row = await world.row(uid)
        assert row is not None
        assert (row.display_name, row.workflow, row.service_account) == ("wf", "wf", "runner")
        await world.engine.move(uid, RuntimeState.SUCCEEDED)
        found = await world.shows("Succeeded")
        assert found["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true"
        assert found["metadata"]["annotations"][signals.RUN_ANNOTATION] == uid
        assert world.engine.told.count(("submit", uid)) == 1

    play(test)


def test_a_restart_makes_no_second_run_and_writes_what_it_missed(play: Play) -> None:
    async def test(world: World) -> None:
        uid = await world.create()
        await world.shows("Running")
        await world.stop()
        await world.engine.move(uid, RuntimeState.FAILED, "boom")
        await world.start()
        await world.shows("Failed")
        assert world.engine.told == [("submit", uid)]

    play(test)


def test_a_deleted_object_stops_its_run_also_while_nobody_looked(play: Play) -> None:
    async def test(world: World) -> None:
        first = await world.create()
        await world.shows("Running")
        await world.client.delete(WORKFLOWS, "wf", "default")
        await world.hears("terminate", first)
        second = await world.create()
        await world.shows("Running")
        await world.stop()
        await world.client.delete(WORKFLOWS, "wf", "default")
        third = await world.create()
        await world.start()
        await world.hears("terminate", second)
        await world.shows("Running")
        assert ("terminate", third) not in world.engine.told
        row = await world.row(first)
        assert row is not None, "the history keeps it"

    play(test)


def test_what_cannot_run_is_said_in_the_status(play: Play) -> None:
    async def test(world: World) -> None:
        uid = await world.create(entrypoint="wrong")
        found = await world.shows("Failed")
        assert found["status"]["message"] == "invalid spec: spec.entrypoint: there is no template 'wrong'"
        assert found["status"]["finishedAt"]
        assert await world.row(uid) is None

    play(test)


def test_what_the_object_asks_for_reaches_the_engine(play: Play) -> None:
    async def test(world: World) -> None:
        uid = await world.create()
        await world.shows("Running")
        await world.patch({"spec": {"suspend": True}})
        await world.hears("suspend", uid)
        outputs = {"parameters": [{"name": "approve", "value": "YES"}]}
        await world.patch({"status": {"nodes": {"n": {"phase": "Succeeded", "outputs": outputs}}}})
        await world.hears("resume", uid, "task-of-n", '{"approve": "YES"}', "")
        await world.patch({"spec": {"shutdown": "Stop"}})
        await world.hears("shut down", uid, "Stop")

    play(test)


def test_a_status_set_to_running_is_a_retry_and_an_old_one_is_none(play: Play) -> None:
    async def test(world: World) -> None:
        uid = await world.create()
        await world.shows("Running")
        await world.engine.move(uid, RuntimeState.FAILED, "boom")
        await world.shows("Failed")
        assert ("retry", uid) not in world.engine.told
        await world.patch({"status": {"phase": "Running", "finishedAt": None}})
        await world.hears("retry", uid)
        await world.shows("Running")
        await world.engine.move(uid, RuntimeState.SUCCEEDED)
        await world.shows("Succeeded")
        assert world.engine.told.count(("retry", uid)) == 1

    play(test)


def test_the_experiment_that_the_object_names(play: Play) -> None:
    async def test(world: World) -> None:
        def add(connection: Any) -> None:
            experiments.insert(connection, experiments.ExperimentRow("e1", "default", "mine", 1))

        await world.database.write(add)
        annotations = {
            "pipelines.kubeflow.org/experiment": "mine",
            "pipelines.kubeflow.org/run_name": "run 1",
        }
        uid = await world.create(metadata={"annotations": annotations})
        await world.shows("Running")
        row = await world.row(uid)
        assert row is not None
        assert (row.experiment_id, row.display_name) == ("e1", "run 1")

    play(test)


def test_ended_workflows_and_their_pods_go_when_they_are_to(play: Play) -> None:
    async def test(world: World) -> None:
        uid = await world.create(
            ttlStrategy={"secondsAfterCompletion": 0}, podGC={"strategy": "OnWorkflowCompletion"}
        )
        await world.shows("Running")
        for name, owner in (("own", "wf"), ("other", "other")):
            labels = {"workflows.argoproj.io/workflow": owner}
            pod = {
                "metadata": {"name": name, "namespace": "default", "labels": labels},
                "spec": {"containers": [{"name": "main", "image": "a"}]},
            }
            await world.client.create(PODS, pod)
        await world.engine.move(uid, RuntimeState.SUCCEEDED)

        async def is_gone() -> bool:
            return not (await world.client.list(WORKFLOWS, "default")).items

        await until(is_gone)
        assert [each["metadata"]["name"] for each in (await world.client.list(PODS, "default")).items] == [
            "other"
        ]

    play(test)


def test_another_controllers_workflow_is_left_alone(play: Play) -> None:
    async def test(world: World) -> None:
        labels = {"workflows.argoproj.io/controller-instanceid": "theirs"}
        theirs = await world.create("theirs", metadata={"labels": labels})
        await world.create()
        await world.shows("Running")
        assert await world.row(theirs) is None
        assert "status" not in await world.get("theirs")

    play(test)


def test_the_object_of_a_deleted_run_says_so(play: Play) -> None:
    async def test(world: World) -> None:
        uid = await world.create()
        await world.shows("Running")
        await world.database.write(lambda connection: runs.delete(connection, uid))
        await world.patch({"metadata": {"labels": {"nudge": "1"}}})
        found = await world.shows("Error")
        assert found["status"]["message"] == "the run of this workflow was deleted"
        assert world.engine.told == [("submit", uid)]

    play(test)


def test_a_workflow_that_succeeded_cannot_be_retried_and_says_what_it_is(play: Play) -> None:
    async def test(world: World) -> None:
        uid = await world.create()
        await world.shows("Running")
        await world.engine.move(uid, RuntimeState.SUCCEEDED)
        await world.shows("Succeeded")
        await world.patch({"status": {"phase": "Running", "finishedAt": None}})
        await world.shows("Succeeded")
        assert ("retry", uid) not in world.engine.told

    play(test)
