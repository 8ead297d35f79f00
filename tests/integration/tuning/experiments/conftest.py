"""The embedded API server with the controllers of experiments and suggestions; trials do what a test tells them."""

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
from sampan.client.protocol import ListOptions, Object
from sampan.cluster.apiserver.server import ApiServer
from sampan.cluster.workloads import controllers
from sampan.cluster.workloads.job.backoff import Backoff
from sampan.components import Services
from sampan.components.tuning.api.definitions import DEFINITIONS
from sampan.components.tuning.api.kinds import EXPERIMENTS, SUGGESTIONS, TRIALS
from sampan.components.tuning.api.settings import TuningSettings
from sampan.components.tuning.api.suggesting import (
    Answer,
    Assignment,
    InvalidSettingsError,
    Problem,
    ReadLog,
    Rule,
    SuggestingError,
    TrialRecord,
)
from sampan.components.tuning.controller import parts
from sampan.components.tuning.controller.admission import HOOKS
from sampan.components.tuning.controller.experiments.reconciler import ExperimentReconciler
from sampan.components.tuning.controller.katib_config import KatibConfigMap
from sampan.components.tuning.controller.suggestions.reconciler import SuggestionReconciler
from sampan.components.tuning.controller.tallies import Tallies
from sampan.components.tuning.store import tables
from sampan.kube import meta
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import NAMESPACES, Resource
from sampan.lib.clock import SystemClock, rfc3339
from sampan.reconcile.cache import Caches
from sampan.reconcile.manager import Manager
from sampan.store.database import Database

_DEADLINE_SECONDS = 60.0


class Algorithm:
    """Suggests x = 1, 2, 3, … by how many were asked for. Implements every seam of `api.suggesting`."""

    def __init__(self) -> None:
        self.suggestions = self
        self.early_stopping = self
        self.asked: list[tuple[int, int, int]] = []
        """Of each question: trials, count, asked."""
        self.most: int | None = None
        """How many it has to give."""
        self.patient = False
        """Whether it waits for all trials to end before it suggests more."""
        self.trouble = ""
        self.refusal = ""
        self.settings: dict[str, str] = {}
        self.stopping: tuple[Rule, ...] = ()

    def knows(self, algorithm: str) -> bool:
        return algorithm in ("random", "pbt", "medianstop")

    async def validate(self, problem: Problem) -> None:
        if self.refusal:
            raise InvalidSettingsError(self.refusal)

    async def suggest(
        self, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        if self.trouble:
            raise SuggestingError(self.trouble)
        if self.patient and any(each.condition in ("", "Created", "Running") for each in trials):
            return Answer(waiting_for="all trials must end first")
        self.asked.append((len(trials), count, asked))
        first = asked - count + 1
        last = asked if self.most is None else min(asked, self.most)
        given = tuple(Assignment({"x": str(number)}) for number in range(first, last + 1))
        return Answer(given, self.settings, exhausted=len(given) < count)

    async def rules(self, problem: Problem, trials: Sequence[TrialRecord], read: ReadLog) -> Sequence[Rule]:
        return self.stopping

    async def close(self) -> None:
        return


class Tuning:
    """What a scenario works with. All is in the namespace `team`."""

    def __init__(self, services: Services, algorithm: Algorithm) -> None:
        self.client = services.client
        self.algorithm = algorithm
        self.clock = SystemClock()
        self.services = services
        self._manager: Manager | None = None

    async def start(self, client: Any = None) -> None:
        """`client`: another than that of the API server."""
        services = replace(self.services, client=client or self.client)
        around = parts.around(services, TuningSettings(), self.algorithm)
        tallies, katib_config = Tallies(around.caches.of(TRIALS)), KatibConfigMap(around.client)
        reconcilers = (
            SuggestionReconciler(around, tallies, katib_config),
            ExperimentReconciler(around, tallies, katib_config),
        )
        self._manager = Manager([each.controller() for each in reconcilers])
        await self._manager.start()

    async def stop(self) -> None:
        if self._manager is not None:
            await self._manager.stop()
            self._manager = None

    async def submit(self, name: str = "search", *, metadata: Object | None = None, **spec: Any) -> Object:
        body = {
            "apiVersion": EXPERIMENTS.api_version,
            "kind": EXPERIMENTS.kind,
            "metadata": {"name": name, "namespace": "team", **(metadata or {})},
            "spec": {**experiment_spec(), **spec},
        }
        return await self.client.create(EXPERIMENTS, body)

    def spec(self) -> Object:
        return experiment_spec()

    async def code_of(self, call: Awaitable[Any]) -> int:
        """Of the error that comes of it; 0 for none."""
        try:
            await call
        except ApiError as error:
            return error.code
        return 0

    async def get(self, resource: Resource = EXPERIMENTS, name: str = "search") -> Object:
        return await self.client.get(resource, name, "team")

    async def suggestion(self, name: str = "search") -> Object:
        return await self.get(SUGGESTIONS, name)

    async def trials(self, experiment: str = "search") -> list[Object]:
        """Of those that stay, by x."""
        selector = ListOptions(label_selector=f"katib.kubeflow.org/experiment={experiment}")
        found = (await self.client.list(TRIALS, "team", selector)).items
        return sorted((each for each in found if not meta.is_deleting(each)), key=x_of)

    async def have(self, count: int, experiment: str = "search") -> list[Object]:
        """The trials, as soon as there are so many."""

        async def look() -> list[Object] | None:
            found = await self.trials(experiment)
            return found if len(found) == count else None

        return await self.until(look)

    async def edit(self, name: str = "search", **spec: Any) -> Object:
        return await self.client.patch(EXPERIMENTS, name, {"spec": spec}, "team")

    async def report(self, trial: Object, condition: str, value: Any = None, message: str = "") -> None:
        """What the trial's controller writes; `value` of the metric `loss`."""
        now = rfc3339(self.clock.now())
        status: Object = {
            "conditions": [
                {
                    "type": "Created",
                    "status": "True",
                    "reason": "TrialCreated",
                    "message": "Trial is created",
                },
                {
                    "type": condition,
                    "status": "True",
                    "reason": f"Trial{condition}",
                    "message": message,
                    "lastTransitionTime": now,
                },
            ]
        }
        if value is not None:
            metric = {"name": "loss", "min": str(value), "max": str(value), "latest": str(value)}
            status["observation"] = {"metrics": [metric]}
        patch = {"status": status}
        await self.client.patch(TRIALS, meta.name(trial), patch, "team", subresource="status")

    async def succeed(self, *values: float) -> None:
        """The first active trials end, each with its value."""
        for trial, value in zip(await self.active(), values, strict=False):
            await self.report(trial, "Succeeded", value)

    async def active(self) -> list[Object]:
        return [each for each in await self.trials() if not _ended(each)]

    async def let_go(self, trial: Object) -> None:
        """What the trial's controller does when it is deleted."""
        await self.client.patch(TRIALS, meta.name(trial), {"metadata": {"finalizers": None}}, "team")

    async def until(self, condition: Callable[[], Awaitable[Any]]) -> Any:
        """The first true answer of `condition`."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while not (answer := await condition()):
                await asyncio.sleep(0.01)
        return answer

    async def becomes(
        self, type_: str, status: str = "True", *, resource: Resource = EXPERIMENTS, name: str = "search"
    ) -> Object:
        """The condition, as soon as it has that status."""

        async def look() -> Object | None:
            with suppress(NotFoundError):
                found = condition(await self.get(resource, name), type_)
                return found if found.get("status") == status else None
            return None

        return await self.until(look)

    async def says(self, text: str, *, alone: bool = False) -> Object:
        """The experiment, as soon as the message of Running contains that; `alone`: and nothing else."""

        async def look() -> Object | None:
            found = await self.get()
            message = condition(found, "Running").get("message", "")
            return found if (message == text if alone else text in message) else None

        return await self.until(look)

    async def counts(self, **wanted: Any) -> Object:
        """The status, as soon as it says so."""

        async def look() -> Object | None:
            status = (await self.get()).get("status", {})
            return status if all(status.get(key) == value for key, value in wanted.items()) else None

        return await self.until(look)

    async def settled(self) -> None:
        """For what must not happen: nothing has been written for a moment."""
        before, quiet = "", 0
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while quiet < 10:
                found = [
                    (await self.client.list(each, "team")) for each in (EXPERIMENTS, SUGGESTIONS, TRIALS)
                ]
                now = "/".join(sorted(meta.resource_version(obj) for each in found for obj in each.items))
                quiet = quiet + 1 if now == before else 0
                before = now
                await asyncio.sleep(0.02)


def condition(obj: Object, type_: str) -> Object:
    found = obj.get("status", {}).get("conditions") or ()
    return next((each for each in found if each["type"] == type_), {})


def x_of(trial: Object) -> int:
    return int(trial["spec"]["parameterAssignments"][0]["value"])


def experiment_spec() -> Object:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "training",
                            "image": "busybox",
                            "command": ["train", "--x=${trialParameters.number}"],
                        }
                    ],
                    "restartPolicy": "Never",
                }
            }
        },
    }
    return {
        "objective": {"type": "minimize", "goal": 0.001, "objectiveMetricName": "loss"},
        "algorithm": {"algorithmName": "random"},
        "parallelTrialCount": 2,
        "maxTrialCount": 4,
        "maxFailedTrialCount": 2,
        "parameters": [
            {"name": "x", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "1000"}},
        ],
        "trialTemplate": {
            "primaryContainerName": "training",
            "trialParameters": [{"name": "number", "reference": "x"}],
            "trialSpec": job,
        },
    }


def _ended(trial: Object) -> bool:
    found = trial.get("status", {}).get("conditions") or ()
    return any(each["type"] not in ("Created", "Running") and each["status"] == "True" for each in found)


Scenario = Callable[[Tuning], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Scenario], None]:
    """Runs a scenario against a fresh cluster with namespace `team`, then stops everything cleanly."""
    return lambda scenario: asyncio.run(_run(tmp_path, scenario))


async def _run(home: Path, scenario: Scenario) -> None:
    database = Database.sqlite(home / "sampan.db")
    clock = SystemClock()
    api = ApiServer(database, clock)
    api.admission.add(HOOKS)
    database.create(api.tables)
    database.create(tables.metadata)
    await api.start()
    labels = {"katib.kubeflow.org/metrics-collector-injection": "enabled"}
    await api.client.create(NAMESPACES, {"metadata": {"name": "team", "labels": labels}})
    assert not await install(api.client, DEFINITIONS)
    caches = Caches(api.client)
    workloads = controllers(api.client, clock, api.registry, home / "volumes", caches, Backoff(timedelta()))
    manager = Manager(workloads)
    tuning = Tuning(Services(api.client, database, clock, home), Algorithm())
    await manager.start()
    await tuning.start()
    try:
        await scenario(tuning)
    finally:
        await tuning.stop()
        await manager.stop()
        await api.stop()
        await database.close()
