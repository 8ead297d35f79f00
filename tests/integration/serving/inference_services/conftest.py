"""The embedded API server with workloads' controllers and serving's, and a kubelet that does what a test tells it."""

from __future__ import annotations

import asyncio
import copy
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sampan.app.definitions import install
from sampan.client.protocol import Client, DeleteOptions, ListOptions, Object, PatchType
from sampan.cluster.apiserver.server import ApiServer
from sampan.cluster.workloads import controllers
from sampan.cluster.workloads.job.backoff import Backoff
from sampan.components import Services
from sampan.components.serving.api.definitions import DEFINITIONS
from sampan.components.serving.api.kinds import CLUSTER_SERVING_RUNTIMES, INFERENCE_SERVICES, KNATIVE_SERVICES
from sampan.components.serving.api.settings import ServingSettings
from sampan.components.serving.controller import parts
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.graphs.reconciler import InferenceGraphReconciler
from sampan.components.serving.controller.inference_services.parts import inference_services
from sampan.kube import meta, pods
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import DEPLOYMENTS, EVENTS, NAMESPACES, PODS, Resource
from sampan.lib.clock import SystemClock, rfc3339
from sampan.reconcile.cache import Cache, Caches
from sampan.reconcile.manager import Manager
from sampan.store.database import Database

_DEADLINE_SECONDS = 60.0
URL = "http://127.0.0.1:8080"
RUNTIME = {
    "apiVersion": CLUSTER_SERVING_RUNTIMES.api_version,
    "kind": CLUSTER_SERVING_RUNTIMES.kind,
    "metadata": {"name": "kserve-sklearnserver"},
    "spec": {
        "annotations": {"prometheus.kserve.io/port": "8080"},
        "supportedModelFormats": [{"name": "sklearn", "version": "1", "autoSelect": True, "priority": 1}],
        "protocolVersions": ["v1", "v2"],
        "containers": [
            {
                "name": "kserve-container",
                "image": "kserve/sklearnserver:v0.20.0",
                "args": ["--model_name={{.Name}}", "--model_dir=/mnt/models", "--http_port=8080"],
                "resources": {"requests": {"cpu": "1000m", "memory": "2Gi"}},
            }
        ],
    },
}


class Serving:
    """What a scenario works with. All is in the namespace `team`."""

    def __init__(self, services: Services) -> None:
        self.client = services.client
        self.clock = SystemClock()
        self._services = services
        self._manager: Manager | None = None
        self.patience = _DEADLINE_SECONDS
        self.does: dict[str, str] = {}
        """What becomes of pods, by a part of their name: `ready` unless told otherwise, `waits`, `crashes`,
        `fetch-fails`, `no-room` or `no-image`."""

    async def start(self, client: Any = None, **services: Any) -> None:
        changed = {**services, **({"client": client} if client is not None else {})}
        around = self.around(**changed)
        graphs = InferenceGraphReconciler(around).controller()
        self._manager = Manager([*inference_services(around), graphs])
        await self._manager.start()

    def around(self, **changed: Any) -> Around:
        return parts.around(replace(self._services, **changed), ServingSettings())

    async def stop(self) -> None:
        if self._manager is not None:
            await self._manager.stop()
            self._manager = None

    # Objects.

    async def make(self, name: str = "iris", *, metadata: Object | None = None, **spec: Any) -> Object:
        """An InferenceService; without a spec one with a model of scikit-learn."""
        wanted = spec or {"predictor": sklearn("file:///models/1")}
        body = {
            "apiVersion": INFERENCE_SERVICES.api_version,
            "kind": INFERENCE_SERVICES.kind,
            "metadata": {"name": name, "namespace": "team", **(metadata or {})},
            "spec": wanted,
        }
        return await self.client.create(INFERENCE_SERVICES, body)

    async def edit(self, name: str = "iris", *, metadata: Object | None = None, **spec: Any) -> Object:
        """By a merge patch."""
        patch = {"metadata": metadata or {}, "spec": spec}
        return await self.client.patch(INFERENCE_SERVICES, name, patch, "team")

    async def edit_by(self, operations: list[Object], name: str = "iris") -> Object:
        """By a JSON patch."""
        return await self.client.patch(
            INFERENCE_SERVICES, name, operations, "team", patch_type=PatchType.JSON
        )

    async def get(self, resource: Resource, name: str) -> Object | None:
        with suppress(NotFoundError):
            return await self.client.get(resource, name, "team")
        return None

    async def one(self, resource: Resource, name: str) -> Object:
        found: Object = await self.until(lambda: self.get(resource, name))
        return found

    async def all(self, resource: Resource, selector: str = "") -> list[Object]:
        return (await self.client.list(resource, "team", ListOptions(label_selector=selector))).items

    async def names(self, resource: Resource) -> list[str]:
        return sorted(meta.name(each) for each in await self.all(resource) if not meta.is_deleting(each))

    async def names_of_pods(self) -> list[str]:
        return await self.names(PODS)

    # Waiting.

    async def until(self, condition: Callable[[], Awaitable[Any]]) -> Any:
        """The first true answer of `condition`."""
        async with asyncio.timeout(self.patience):
            while not (answer := await condition()):
                await asyncio.sleep(0.01)
        return answer

    async def becomes(self, name: str = "iris", status: str = "True", type_: str = "Ready") -> Object:
        """As soon as that condition has that status for the newest spec."""
        found: Object = {}

        async def look() -> Object | None:
            nonlocal found
            found = await self.get(INFERENCE_SERVICES, name) or {}
            said = meta.status(found)
            is_newest = said.get("observedGeneration") == meta.generation(found)
            return found if is_newest and condition(found, type_).get("status") == status else None

        try:
            answer: Object = await self.until(look)
        except TimeoutError:
            raise AssertionError(
                f"{name} never became {type_}={status}: {meta.status(found)} {await self._pods()}"
            ) from None
        return answer

    async def says(self, what: Callable[[Object], Any], name: str = "iris") -> Object:
        """The service, as soon as its status is like that."""
        found: Object = {}

        async def look() -> Object | None:
            nonlocal found
            found = await self.get(INFERENCE_SERVICES, name) or {}
            try:
                return found if what(meta.status(found)) else None
            except (KeyError, IndexError):
                return None

        try:
            answer: Object = await self.until(look)
        except TimeoutError:
            raise AssertionError(f"{name} never was like that: {meta.status(found)}") from None
        return answer

    async def events(self, reason: str, name: str = "iris") -> list[str]:
        """Messages of the Events of that reason, once there is one."""

        async def look() -> list[str]:
            return [
                str(each["message"])
                for each in (await self.client.list(EVENTS, "team")).items
                if each["involvedObject"]["name"] == name and each["reason"] == reason
            ]

        found: list[str] = await self.until(look)
        return found

    async def gone(self, resource: Resource, name: str) -> None:
        async def look() -> bool:
            return await self.get(resource, name) is None

        await self.until(look)

    # What others do.

    async def scale(self, deployment: str, replicas: int) -> None:
        """As the autoscaler."""
        patch = {"spec": {"replicas": replicas}}
        await self.client.patch(DEPLOYMENTS, deployment, patch, "team", subresource="scale")

    async def act(self, pod: Object) -> None:
        """As the kubelet."""
        does = next((what for part, what in self.does.items() if part in meta.name(pod)), "ready")
        with suppress(ApiError):
            await self.client.patch(
                PODS,
                meta.name(pod),
                {"status": _status(pod, does, rfc3339(self.clock.now()))},
                "team",
                subresource="status",
            )

    async def act_again(self, part: str, what: str) -> None:
        """Pods whose names have `part` in them go on to do something else."""
        self.does[part] = what
        for pod in await self.all(PODS):
            if part in meta.name(pod):
                await self.act(pod)

    async def _pods(self) -> list[Any]:
        return [(meta.name(each), meta.status(each).get("phase")) for each in await self.all(PODS)]


def sklearn(uri: str, **more: Any) -> Object:
    return {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": uri}, **more}


def condition(obj: Object, type_: str) -> dict[str, Any]:
    found = meta.status(obj).get("conditions") or ()
    return next((each for each in found if each["type"] == type_), {})


def traffic(obj: Object, component: str = "predictor") -> list[tuple[str, int, bool, str]]:
    """Revision by its number, per cent, whether it is the latest, tag."""
    told = meta.status(obj)["components"][component]["traffic"]
    return [
        (each["revisionName"][-1:], each["percent"], each["latestRevision"], each.get("tag", ""))
        for each in told
    ]


def _status(pod: Object, does: str, now: str) -> Object:
    containers = [each["name"] for each in pod["spec"]["containers"]]
    inits = [each["name"] for each in pod["spec"].get("initContainers") or ()]
    if does == "no-room":
        message = "0/1 nodes are available: 1 Insufficient memory."
        told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        return {"phase": pods.PENDING, "conditions": [told]}
    done = pods.terminated(0, started_at=now, finished_at=now)
    state, ready, phase = pods.running(now), does == "ready", pods.RUNNING
    last: Object = {}
    if does == "crashes":
        state = pods.waiting("CrashLoopBackOff", "back-off 10s restarting failed container")
        ended = pods.terminated(3, started_at=now, finished_at=now)
        ended["terminated"] |= {"reason": "Error", "message": "ValueError: not a model"}
        last = {"lastState": ended}
    if does == "no-image":
        state, phase = pods.waiting("ErrImagePull", "image x is not known"), pods.PENDING
    if does == "waits":
        state, phase = pods.waiting("ContainerCreating", "installing scikit-learn"), pods.PENDING
    init = done
    if does == "fetch-fails":
        init = pods.terminated(1, started_at=now, finished_at=now)
        init["terminated"] |= {"reason": "Error", "message": "no such bucket"}
        state, phase = pods.waiting("PodInitializing"), pods.PENDING
    if does == "fetches":
        init, state, phase = pods.running(now), pods.waiting("PodInitializing"), pods.PENDING
    about = {"image": "", "imageID": "", "restartCount": 0}
    return {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": now}],
        "containerStatuses": [
            {**about, "name": each, "state": copy.deepcopy(state), "ready": ready, **last}
            for each in containers
        ],
        "initContainerStatuses": [{**about, "name": each, "state": init, "ready": True} for each in inits],
    }


Scenario = Callable[[Serving], Awaitable[None]]
Runner = Callable[[Scenario], None]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a cluster in which nothing has happened yet: scenarios begin with copies of it."""
    path = tmp_path_factory.mktemp("prepared") / "sampan.db"
    asyncio.run(_prepare(path))
    return path


@pytest.fixture
def run(tmp_path: Path, prepared: Path) -> Runner:
    """Runs a scenario against a fresh cluster with namespace `team`, then stops everything cleanly."""
    shutil.copy(prepared, tmp_path / "sampan.db")
    return lambda scenario: asyncio.run(_run(tmp_path, scenario))


async def _prepare(path: Path) -> None:
    database, api = _server(path)
    database.create(api.tables)
    await api.start()
    for name in ("team", "kserve"):
        await api.client.create(NAMESPACES, {"metadata": {"name": name}})
    assert not await install(api.client, DEFINITIONS)
    await api.client.create(CLUSTER_SERVING_RUNTIMES, RUNTIME)
    await api.stop()
    await database.close()


def _server(path: Path) -> tuple[Database, ApiServer]:
    database = Database.sqlite(path)
    api = ApiServer(database, SystemClock())
    api.registry.add(KNATIVE_SERVICES)
    return database, api


async def _run(home: Path, scenario: Scenario) -> None:
    database, api = _server(home / "sampan.db")
    await api.start()
    client, clock = api.client, SystemClock()
    workloads = controllers(
        client, clock, api.registry, home / "volumes", Caches(client), Backoff(timedelta())
    )
    manager = Manager(workloads)

    async def served(api_version: str, kind: str) -> Resource | None:
        return api.registry.by_kind(api_version, kind)

    serving = Serving(Services(client, database, clock, home, url=URL, served=served))
    node, pending = Cache(client, PODS), set()

    def on_pod(old: Object | None, new: Object | None) -> None:
        if new is None:
            return
        work = _let_go(client, new) if meta.is_deleting(new) else serving.act(new) if old is None else None
        if work is not None:
            task = asyncio.create_task(work)
            pending.add(task)
            task.add_done_callback(pending.discard)

    node.add_handler(on_pod)
    node.start()
    await manager.start()
    await serving.start()
    try:
        await scenario(serving)
    finally:
        await serving.stop()
        await manager.stop()
        await node.stop()
        await asyncio.gather(*pending)
        await api.stop()
        await database.close()


async def _let_go(client: Client, pod: Object) -> None:
    with suppress(NotFoundError):
        await client.delete(PODS, meta.name(pod), "team", DeleteOptions(grace_period_seconds=0))
