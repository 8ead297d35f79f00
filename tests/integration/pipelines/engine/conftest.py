"""A cluster for the engine: the real API server and database, and a kubelet that runs Python functions.

The kubelet is the outermost seam: it sees pods as a node agent does, through the API, and "runs" the image
`test/NAME` by calling the behaviour of that name with the step's executor input.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sampan.client.protocol import DeleteOptions, ListOptions, LogOptions
from sampan.cluster.apiserver import ApiServer
from sampan.components.pipelines.api.settings import PipelineSettings
from sampan.components.pipelines.engine.engine import Engine
from sampan.components.pipelines.engine.step_files import StepFiles
from sampan.components.pipelines.store import runs, tables, tasks
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.tasks import TaskRow
from sampan.kube.errors import ApiError
from sampan.kube.kinds import NAMESPACES, PODS
from sampan.lib.clock import SystemClock
from sampan.lib.ids import new_uid
from sampan.store.database import Database

Json = dict[str, Any]


class FailedError(Exception):
    """A behaviour's step exits with this code and log."""

    def __init__(self, code: int = 1, log: str = "boom", reason: str = "Error") -> None:
        super().__init__(log)
        self.code, self.log, self.reason = code, log, reason


class NeverStartsError(Exception):
    """A behaviour's container waits for ever with this reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


@dataclass
class Call:
    """What a step's program sees."""

    pod: Json
    input: Json

    @property
    def parameters(self) -> Json:
        values: Json = self.input["inputs"]["parameterValues"]
        return values

    @property
    def args(self) -> list[str]:
        container = self.pod["spec"]["containers"][0]
        return [*container.get("command", []), *container.get("args", [])]

    def returns(self, artifacts: Json | None = None, **parameters: Any) -> None:
        """Writes the executor output, as the SDK does."""
        output = {"parameterValues": parameters, "artifacts": artifacts or {}}
        Path(self.input["outputs"]["outputFile"]).write_text(json.dumps(output))

    def writes(self, name: str, text: str) -> None:
        """Writes an output artifact's file."""
        Path(self.artifact(name)["uri"]).write_text(text)

    def artifact(self, name: str, side: str = "outputs") -> Json:
        found: Json = self.input[side]["artifacts"][name]["artifacts"][0]
        return found

    def parameter_file(self, name: str) -> Path:
        return Path(self.input["outputs"]["parameters"][name]["outputFile"])


Behaviour = Callable[[Call], Awaitable[None] | None]


@dataclass
class Kubelet:
    """Runs pods; `executed` names the task path of every start."""

    client: Any
    behaviours: dict[str, Behaviour]
    executed: list[str] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    busy: int = 0
    busiest: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self) -> None:
        found = await self.client.list(PODS)
        seen: dict[str, asyncio.Task[None]] = {}
        for pod in found.items:
            self._start(pod, seen)
        options = ListOptions(resource_version=found.resource_version)
        async for event in self.client.watch(PODS, None, options):
            uid = event.object["metadata"]["uid"]
            if event.type == "DELETED" or event.object["metadata"].get("deletionTimestamp"):
                if (task := seen.get(uid)) is not None:
                    task.cancel()
                if event.type != "DELETED":
                    await self._remove(event.object)
            elif uid not in seen:
                self._start(event.object, seen)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def _start(self, pod: Json, seen: dict[str, asyncio.Task[None]]) -> None:
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return
        task = asyncio.create_task(self._run(pod))
        seen[pod["metadata"]["uid"]] = task
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _run(self, pod: Json) -> None:
        container = pod["spec"]["containers"][0]
        arguments = [*container.get("command", []), *container.get("args", [])]
        told = json.loads(arguments[-1]) if arguments and arguments[-1].startswith('{"inputs"') else {}
        self.executed.append(pod["metadata"]["annotations"]["pipelines.kubeflow.org/task-path"])
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            result = self.behaviours[container["image"].removeprefix("test/")](Call(pod, told))
            if result is not None:
                await result
            await self._report(pod, "Succeeded", {"exitCode": 0, "reason": "Completed"})
        except FailedError as failure:
            self.logs[pod["metadata"]["name"]] = failure.log
            state = {"exitCode": failure.code, "reason": failure.reason}
            await self._report(pod, "Failed", state)
        except NeverStartsError as failure:
            waiting = {"waiting": {"reason": failure.reason, "message": failure.message}}
            await self._status(pod, {"phase": "Pending", "containerStatuses": [_container(waiting)]})
        finally:
            self.busy -= 1

    async def _report(self, pod: Json, phase: str, terminated: Json) -> None:
        await self._status(
            pod, {"phase": phase, "containerStatuses": [_container({"terminated": terminated})]}
        )

    async def _status(self, pod: Json, status: Json) -> None:
        metadata = pod["metadata"]
        try:
            await self.client.patch(
                PODS, metadata["name"], {"status": status}, metadata["namespace"], subresource="status"
            )
        except ApiError:
            return  # deleted meanwhile

    async def _remove(self, pod: Json) -> None:
        try:
            await self.client.delete(
                PODS,
                pod["metadata"]["name"],
                pod["metadata"]["namespace"],
                DeleteOptions(grace_period_seconds=0),
            )
        except ApiError:
            return


def _container(state: Json) -> Json:
    return {
        "name": "main",
        "state": state,
        "image": "x",
        "imageID": "x",
        "ready": False,
        "restartCount": 0,
    }


class KubeletLogs:
    """The API server's seam to logs."""

    def __init__(self) -> None:
        self.kubelet: Kubelet | None = None

    async def read(self, pod: Json, options: LogOptions) -> AsyncIterator[bytes]:
        if self.kubelet is not None:
            yield self.kubelet.logs.get(pod["metadata"]["name"], "").encode()


@dataclass
class Cluster:
    """One home. `engine` and `kubelet` may be replaced, as a restart does."""

    home: Path
    database: Database
    api: ApiServer
    kubelet: Kubelet
    engine: Engine
    settings: PipelineSettings
    serving: asyncio.Task[None]

    @property
    def client(self) -> Any:
        return self.api.client

    @property
    def executed(self) -> list[str]:
        return self.kubelet.executed

    async def submit(self, spec: Json, parameters: Json | None = None, root: str = "") -> str:
        run_id = await self.store(spec, parameters, root)
        await self.engine.submit(run_id)
        return run_id

    async def store(self, spec: Json, parameters: Json | None = None, root: str = "") -> str:
        """The row of a run that the engine has not heard of."""
        run_id = new_uid()
        row = RunRow(
            run_id=run_id,
            experiment_id="e",
            namespace="default",
            display_name="a run",
            spec=json.dumps(spec if spec.keys() & {"pipeline_spec", "workflow"} else {"pipeline_spec": spec}),
            spec_inline=True,
            created_at=1_700_000_000_000_000,
            runtime_config=json.dumps({"parameters": parameters or {}, "pipeline_root": root}),
        )
        await self.database.write(lambda connection: runs.insert(connection, row))
        return run_id

    async def wait(self, run_id: str, seconds: float = 60) -> RunRow:
        async with asyncio.timeout(seconds):
            async for _ in self.engine.changes(run_id):
                pass
            row = self.row(run_id)
            assert row.runtime_state.is_final
            return row

    async def run(self, spec: Json, parameters: Json | None = None, seconds: float = 60) -> RunRow:
        return await self.wait(await self.submit(spec, parameters), seconds)

    def row(self, run_id: str) -> RunRow:
        row = self.database.read_now(lambda connection: runs.get(connection, run_id))
        assert row is not None
        return row

    def tasks(self, run_id: str) -> dict[str, TaskRow]:
        rows = self.database.read_now(lambda connection: tasks.list_by_run(connection, run_id))
        return {row.scope_path: row for row in rows}

    def states(self, run_id: str) -> dict[str, str]:
        return {path: row.state.value for path, row in self.tasks(run_id).items()}

    async def until_state(self, run_id: str, path: str, state: str) -> None:
        """Of one task."""
        async with asyncio.timeout(60):
            while self.states(run_id).get(path) != state:
                await asyncio.sleep(0.01)

    async def until_no_pods(self) -> None:
        found = await self.client.list(PODS)
        left = {pod["metadata"]["name"] for pod in found.items}
        options = ListOptions(resource_version=found.resource_version)
        async with asyncio.timeout(60):
            changes = self.client.watch(PODS, None, options)
            while left:
                event = await anext(changes)
                if event.type == "DELETED":
                    left.discard(event.object["metadata"]["name"])

    async def restart_engine(self) -> None:
        """The engine dies where it stands, and a new one takes over."""
        await self.engine.stop()
        self.engine = Engine(
            self.client, self.database, SystemClock(), self.home, self.settings, self.engine._files
        )
        await self.engine.start()


OpenCluster = Callable[..., Any]


@pytest.fixture
def open_cluster(tmp_path: Path, database_url: str) -> OpenCluster:
    """`async with open_cluster(name=behaviour, …) as cluster`."""

    @asynccontextmanager
    async def opened(
        settings: PipelineSettings | None = None, files: StepFiles | None = None, **behaviours: Behaviour
    ) -> AsyncIterator[Cluster]:
        database = Database.at(database_url, tmp_path / "sampan.db")
        logs = KubeletLogs()
        api = ApiServer(database, SystemClock(), pod_logs=logs)
        database.create(api.tables)
        database.create(tables.metadata)
        await api.start()
        await api.client.create(NAMESPACES, {"metadata": {"name": "default"}})
        settings = settings or PipelineSettings()
        engine = Engine(api.client, database, SystemClock(), tmp_path, settings, files)
        await engine.start()
        kubelet = logs.kubelet = Kubelet(api.client, behaviours)
        serving = asyncio.create_task(kubelet.serve())
        cluster = Cluster(tmp_path, database, api, kubelet, engine, settings, serving)
        try:
            yield cluster
        finally:
            await cluster.engine.stop()
            cluster.serving.cancel()
            await kubelet.stop()
            await api.stop()
            await database.close()

    return opened


@pytest.fixture
def go() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    return asyncio.run


@pytest.fixture
def failed() -> type[FailedError]:
    return FailedError


@pytest.fixture
def never_starts() -> type[NeverStartsError]:
    return NeverStartsError


class Spec:
    """Builds a pipeline spec: `step` and `dag` declare components, `done` gives the document."""

    def __init__(self) -> None:
        self.document: Json = {
            "pipelineInfo": {"name": "test-pipeline"},
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.17.0",
            "components": {},
            "deploymentSpec": {"executors": {}},
            "root": {"dag": {"tasks": {}}},
        }

    def step(
        self,
        name: str,
        inputs: Json | None = None,
        outputs: Json | None = None,
        artifacts: Json | None = None,
        **more: Any,
    ) -> Spec:
        """A component whose container runs the behaviour `name`. Types by their short names, `?` for optional."""
        component: Json = {"executorLabel": f"exec-{name}", "inputDefinitions": _definitions(inputs or {})}
        component["outputDefinitions"] = _definitions((outputs or {}) | (artifacts or {}))
        container = {"image": f"test/{name}", "command": ["run"], "args": ["{{$}}"]} | more
        self.document["components"][name] = component
        self.document["deploymentSpec"]["executors"][f"exec-{name}"] = {"container": container}
        return self

    def dag(
        self,
        name: str,
        tasks: Json,
        inputs: Json | None = None,
        outputs: Json | None = None,
        gives: Json | None = None,
    ) -> Spec:
        """A component that is a DAG; `gives` are its dag.outputs."""
        dag: Json = {"tasks": tasks}
        if gives:
            dag["outputs"] = gives
        definitions = {
            "inputDefinitions": _definitions(inputs or {}),
            "outputDefinitions": _definitions(outputs or {}),
        }
        self.document["components"][name] = {"dag": dag, **definitions}
        return self

    def done(self, tasks: Json, inputs: Json | None = None) -> Json:
        self.document["root"] = {"dag": {"tasks": tasks}, "inputDefinitions": _definitions(inputs or {})}
        return self.document

    @staticmethod
    def task(component: str, after: tuple[str, ...] = (), **fields: Any) -> Json:
        """`inputs` by name: `task.key` from a task, `<name` from the DAG, else a constant."""
        given = fields.pop("inputs", {})
        artifacts = fields.pop("artifacts", {})
        return {
            "componentRef": {"name": component},
            "taskInfo": {"name": component},
            "dependentTasks": list(after),
            "inputs": {
                "parameters": {name: _parameter_input(value) for name, value in given.items()},
                "artifacts": {name: _artifact_input(value) for name, value in artifacts.items()},
            },
            **fields,
        }


_TYPES = {
    "str": "STRING",
    "int": "NUMBER_INTEGER",
    "float": "NUMBER_DOUBLE",
    "bool": "BOOLEAN",
    "list": "LIST",
    "dict": "STRUCT",
    "status": "TASK_FINAL_STATUS",
}


def _definitions(given: Json) -> Json:
    parameters: Json = {}
    artifacts: Json = {}
    for name, type_ in given.items():
        optional = type_.endswith("?")
        short = type_.rstrip("?")
        if short in _TYPES:
            parameters[name] = {"parameterType": _TYPES[short]}
            if optional:
                parameters[name]["isOptional"] = True
        else:
            is_list = short.endswith("[]")
            schema = {"schemaTitle": short.removesuffix("[]"), "schemaVersion": "0.0.1"}
            artifacts[name] = {"artifactType": schema}
            if is_list:
                artifacts[name]["isArtifactList"] = True
            if optional:
                artifacts[name]["isOptional"] = True
    return {"parameters": parameters, "artifacts": artifacts}


def _parameter_input(value: Any) -> Json:
    if isinstance(value, str) and value.startswith("<"):
        return {"componentInputParameter": value[1:]}
    if isinstance(value, str) and value.startswith("status:"):
        return {"taskFinalStatus": {"producerTask": value[7:]}}
    if isinstance(value, str) and "." in value and " " not in value and not value.startswith("{{"):
        task, _, key = value.partition(".")
        return {"taskOutputParameter": {"producerTask": task, "outputParameterKey": key}}
    return {"runtimeValue": {"constant": value}}


def _artifact_input(value: str) -> Json:
    if value.startswith("<"):
        return {"componentInputArtifact": value[1:]}
    task, _, key = value.partition(".")
    return {"taskOutputArtifact": {"producerTask": task, "outputArtifactKey": key}}


@pytest.fixture
def spec() -> Spec:
    return Spec()
