"""The embedded API server with tuning's controllers, and a kubelet that does what a test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sampan.app.definitions import install
from sampan.client.protocol import Client, DeleteOptions, Object
from sampan.cluster.apiserver.server import ApiServer
from sampan.cluster.workloads import controllers
from sampan.cluster.workloads.job.backoff import Backoff
from sampan.components import Services
from sampan.components.tuning.api.definitions import DEFINITIONS
from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.api.settings import TuningSettings
from sampan.components.tuning.controller import parts
from sampan.components.tuning.controller.collecting.admission import HOOKS as POD_HOOKS
from sampan.components.tuning.store import tables
from sampan.components.tuning.store.observations import Observations
from sampan.kube import meta, pods
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import EVENTS, NAMESPACES, PODS, Resource
from sampan.lib.clock import SystemClock, rfc3339
from sampan.reconcile.cache import Cache, Caches
from sampan.reconcile.manager import Manager
from sampan.store.database import Database

_DEADLINE_SECONDS = 60.0
COMPLETE = 'status.conditions.#(type=="Complete")#|#(status=="True")#'
FAILED = 'status.conditions.#(type=="Failed")#|#(status=="True")#'


class Tuning:
    """What a scenario works with. All is in the namespace `team`."""

    def __init__(self, services: Services) -> None:
        self.client = services.client
        self.clock = SystemClock()
        self.observations = Observations(services.database)
        self.home = services.home
        self._services = services
        self._manager: Manager | None = None

    async def start(self, observations: Any = None, **services: Any) -> None:
        around = parts.around(replace(self._services, **services), TuningSettings())
        around = replace(around, observations=observations or around.observations)
        self._manager = Manager(parts.controllers(around, frozenset()))
        await self._manager.start()

    async def stop(self) -> None:
        if self._manager is not None:
            await self._manager.stop()
            self._manager = None

    async def trial(self, name: str, **spec: Any) -> Object:
        """Of a Job with a container `main`; fields of the spec are taken as they are."""
        container = {"name": "main", "image": "busybox", "command": ["true"]}
        run = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {
                "backoffLimit": 0,
                "template": {"spec": {"containers": [container], "restartPolicy": "Never"}},
            },
        }
        body = {
            "apiVersion": TRIALS.api_version,
            "kind": TRIALS.kind,
            "metadata": {"name": name, "namespace": "team"},
            "spec": {
                "objective": {"type": "maximize", "objectiveMetricName": "accuracy"},
                "runSpec": run,
                "primaryContainerName": "main",
                "successCondition": COMPLETE,
                "failureCondition": FAILED,
                **spec,
            },
        }
        return await self.client.create(TRIALS, body)

    async def get(self, resource: Resource, name: str) -> Object | None:
        with suppress(NotFoundError):
            return await self.client.get(resource, name, "team")
        return None

    async def all(self, resource: Resource) -> list[Object]:
        return (await self.client.list(resource, "team")).items

    async def until(self, condition: Callable[[], Awaitable[Any]]) -> Any:
        """The first true answer of `condition`."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while not (answer := await condition()):
                await asyncio.sleep(0.01)
        return answer

    async def becomes(
        self, name: str, type_: str, status: str = "True", resource: Resource = TRIALS
    ) -> Object:
        """The object, as soon as that condition has that status."""
        found: Object | None = None

        async def look() -> Object | None:
            nonlocal found
            found = await self.get(resource, name)
            return found if found is not None and condition(found, type_).get("status") == status else None

        try:
            answer: Object = await self.until(look)
        except TimeoutError:
            raise AssertionError(
                f"{name} never became {type_}={status}: {(found or {}).get('status')}"
            ) from None
        return answer

    async def pod_of(self, name: str, number: int = 0) -> Object:
        """The pod of a trial's Job."""

        async def look() -> Object | None:
            found = [each for each in await self.all(PODS) if meta.name(each).startswith(f"{name}-")]
            found.sort(key=lambda pod: int(meta.resource_version(pod)))
            return found[number] if len(found) > number else None

        pod: Object = await self.until(look)
        return pod

    def prints(self, pod: Object, *lines: str, container: str = "main", run: int = 0) -> None:
        """What a container of the pod prints, appended to its log."""
        file = self.home / "logs" / "team" / meta.uid(pod) / f"{container}.{run}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        now = rfc3339(self.clock.now(), micro=True).removesuffix("Z") + "000Z"
        with file.open("a", encoding="utf-8") as out:
            out.writelines(f"{now} stdout F {line}\n" for line in lines)

    async def phase(
        self, pod: Object, phase: str, code: int | None = None, restarts: int = 0, **more: Any
    ) -> None:
        """What the kubelet says of a pod; `code` of its containers."""
        now = rfc3339(self.clock.now())
        state = pods.running(now)
        if phase == pods.PENDING:
            state = pods.waiting("ContainerCreating")
        if code is not None:
            state = pods.terminated(code, started_at=now, finished_at=now)
        statuses = [
            {
                "name": each["name"],
                "state": state,
                "ready": False,
                "restartCount": restarts,
                "image": "",
                "imageID": "",
            }
            for each in pod["spec"]["containers"]
        ]
        status = {"phase": phase, "startTime": now, "containerStatuses": statuses, **more}
        await self.client.patch(PODS, meta.name(pod), {"status": status}, "team", subresource="status")

    async def runs(self, name: str, *lines: str, code: int = 0, number: int = 0) -> Object:
        """A trial's pod from its start to its end, with what it prints."""
        pod = await self.pod_of(name, number)
        await self.phase(pod, pods.RUNNING)
        self.prints(pod, *lines)
        await self.phase(pod, pods.FAILED if code else pods.SUCCEEDED, code)
        return pod

    async def events(self, name: str, count: int = 1) -> list[tuple[str, str]]:
        """Reasons and messages of the Events about the trial of that name, once there are so many."""

        async def look() -> list[tuple[str, str]] | None:
            found = [
                (each["reason"], each["message"])
                for each in (await self.client.list(EVENTS, "team")).items
                if each["involvedObject"]["name"] == name and each["involvedObject"]["kind"] == "Trial"
            ]
            return found if len(found) >= count else None

        found: list[tuple[str, str]] = await self.until(look)
        return found

    async def gone(self, resource: Resource, name: str) -> None:
        async def look() -> bool:
            return await self.get(resource, name) is None

        await self.until(look)


def condition(obj: Object, type_: str) -> dict[str, Any]:
    found = (obj.get("status") or {}).get("conditions") or ()
    return next((each for each in found if each["type"] == type_), {})


def metric(trial: Object, name: str = "accuracy") -> tuple[str, str, str]:
    """Its least, greatest and latest value."""
    found: Sequence[dict[str, str]] = trial["status"]["observation"]["metrics"]
    own = next(each for each in found if each["name"] == name)
    return own["min"], own["max"], own["latest"]


Scenario = Callable[[Tuning], Awaitable[None]]
Runner = Callable[[Scenario], None]


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    """Runs a scenario against a fresh cluster with namespace `team`, then stops everything cleanly."""
    return lambda scenario: asyncio.run(_run(tmp_path, scenario))


async def _run(home: Path, scenario: Scenario) -> None:
    database = Database.sqlite(home / "sampan.db")
    clock = SystemClock()
    api = ApiServer(database, clock)
    for each in (api.tables, tables.metadata):
        database.create(each)
    api.admission.add(POD_HOOKS)
    await api.start()
    client = api.client
    with suppress(ApiError):
        await client.create(NAMESPACES, {"metadata": {"name": "team"}})
    assert not await install(client, DEFINITIONS)
    workloads = controllers(
        client, clock, api.registry, home / "volumes", Caches(client), Backoff(timedelta())
    )
    manager = Manager(workloads)

    async def served(api_version: str, kind: str) -> Resource | None:
        return api.registry.by_kind(api_version, kind)

    tuning = Tuning(Services(client, database, clock, home, served=served))
    node, pending = Cache(client, PODS), set()

    def on_pod(_old: Object | None, new: Object | None) -> None:
        if new is not None and meta.is_deleting(new):
            task = asyncio.create_task(_let_go(client, new))
            pending.add(task)
            task.add_done_callback(pending.discard)

    node.add_handler(on_pod)
    node.start()
    await manager.start()
    await tuning.start()
    try:
        await scenario(tuning)
    finally:
        await tuning.stop()
        await manager.stop()
        await node.stop()
        await asyncio.gather(*pending)
        await api.stop()
        await database.close()


async def _let_go(client: Client, pod: Object) -> None:
    with suppress(NotFoundError):
        await client.delete(PODS, meta.name(pod), "team", DeleteOptions(grace_period_seconds=0))
