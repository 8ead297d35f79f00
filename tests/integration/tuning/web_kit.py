"""The web API of tuning over a real socket, on an embedded API server without controllers: objects are the test's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from sampan.app.definitions import install
from sampan.client.protocol import Client
from sampan.components import Services
from sampan.components.tuning.api.definitions import DEFINITIONS
from sampan.components.tuning.api.kinds import EXPERIMENTS, TRIALS
from sampan.components.tuning.api.suggesting import SuggestingError
from sampan.components.tuning.rest.sources import Sources, sources_of
from sampan.components.tuning.store import tables
from sampan.kube.kinds import NAMESPACES
from sampan.lib.clock import SystemClock
from sampan.store.database import Database
from sampan.testing.apiserver import embedded, loopback
from sampan.web.guards import User

ADMIN = User("admin", ("system:masters", "system:authenticated"))
ALICE = User("alice@example.com", ("system:authenticated",))
Routes = Callable[[Sources], list[BaseRoute]]


class NoAlgorithms:
    async def importances(self, problem: Any, trials: Any, metric: str) -> Any:
        raise SuggestingError("there are no algorithms here")


@dataclass
class Kit:
    client: Client
    sources: Sources
    home: Path
    url: str
    http: httpx.AsyncClient | None = None
    users: list[User | None] = field(default_factory=lambda: [ADMIN])
    """The last one sends the requests."""

    async def ask(self, path: str, method: str = "GET", **how: Any) -> httpx.Response:
        assert self.http is not None
        return await self.http.request(method, path, timeout=60, **how)

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.ask(path, params=query or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def experiment(self, name: str = "random", namespace: str = "default", **spec: Any) -> Any:
        found = experiment(name, namespace)
        found["spec"].update(spec)
        return await self.client.create(EXPERIMENTS, found)

    async def trial(self, name: str, state: str = "Succeeded", *, experiment: str = "random",
                    namespace: str = "default", parameters: Any = None, metrics: Any = None) -> Any:  # fmt: skip
        await self.client.create(TRIALS, trial(name, experiment, namespace, parameters or {"lr": "0.1"}))
        return await self.put(name, state, namespace=namespace, metrics=metrics)

    async def put(self, name: str, state: str, *, namespace: str = "default", metrics: Any = None) -> Any:
        values = [
            {"name": key, "min": low, "max": high, "latest": last}
            for key, (low, high, last) in (metrics or {}).items()
        ]
        condition = {
            "type": state,
            "status": "True",
            "reason": f"Trial{state}",
            "message": f"Trial is {state}",
        }
        status: dict[str, Any] = {"conditions": [condition], "startTime": "2026-11-26T10:00:01Z"}
        if state != "Running":
            status |= {"completionTime": "2026-11-26T10:00:09Z", "observation": {"metrics": values}}
        return await self.client.patch(TRIALS, name, {"status": status}, namespace, subresource="status")

    async def best(self, name: str, experiment: str = "random", namespace: str = "default") -> None:
        best = {
            "bestTrialName": name,
            "parameterAssignments": [{"name": "lr", "value": "0.1"}],
            "observation": {"metrics": [{"name": "loss", "min": "0.1", "max": "0.5", "latest": "0.2"}]},
        }
        status = {"status": {"currentOptimalTrial": best, "trials": 3, "trialsSucceeded": 2}}
        await self.client.patch(EXPERIMENTS, experiment, status, namespace, subresource="status")


@asynccontextmanager
async def kit(folder: Path, routes: Routes, algorithms: Any = None) -> AsyncIterator[Kit]:
    async with embedded(folder) as api:
        await install(api.client, DEFINITIONS)
        await api.client.create(NAMESPACES, {"metadata": {"name": "team-b"}})
        database = Database.at("", folder / "tuning.db")
        database.create(tables.metadata)
        sources = sources_of(
            Services(api.client, database, SystemClock(), folder), lambda: algorithms or NoAlgorithms()
        )
        app = Starlette(routes=routes(sources))
        app.router.redirect_slashes = False
        made = Kit(api.client, sources, folder, "")

        async def with_user(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("state", {})["user"] = made.users[-1]
            await app(scope, receive, send)

        async with loopback(with_user) as url:
            made.url = url
            # One for all: each would read the machine's certificates.
            async with httpx.AsyncClient(base_url=url, trust_env=False) as made.http:
                try:
                    yield made
                finally:
                    await database.close()


def experiment(name: str, namespace: str = "default") -> dict[str, Any]:
    template = {
        "trialParameters": [{"name": "lr", "reference": "lr"}],
        "primaryContainerName": "main",
        "trialSpec": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "python:3.11"}]}}},
        },
    }
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "objective": {
                "type": "minimize",
                "objectiveMetricName": "loss",
                "additionalMetricNames": ["accuracy"],
            },
            "algorithm": {"algorithmName": "random"},
            "parallelTrialCount": 2,
            "maxTrialCount": 5,
            "maxFailedTrialCount": 1,
            "parameters": [
                {"name": "lr", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}},
                {"name": "layers", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "9"}},
                {"name": "kind", "parameterType": "categorical", "feasibleSpace": {"list": ["1", "b"]}},
            ],
            "trialTemplate": template,
        },
    }


def trial(name: str, experiment: str, namespace: str, parameters: dict[str, str]) -> dict[str, Any]:
    strategies = [{"name": "loss", "value": "min"}, {"name": "accuracy", "value": "max"}]
    container = {
        "name": "main",
        "image": "python:3.11",
        "args": [f"--{k}={v}" for k, v in parameters.items()],
    }
    owner = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Trial", "name": name, "uid": "u"}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Trial",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"katib.kubeflow.org/experiment": experiment},
        },
        "spec": {
            "objective": {
                "type": "minimize",
                "objectiveMetricName": "loss",
                "additionalMetricNames": ["accuracy"],
                "metricStrategies": strategies,
            },
            "parameterAssignments": [{"name": key, "value": value} for key, value in parameters.items()],
            "metricsCollector": {"collector": {"kind": "StdOut"}},
            "primaryContainerName": "main",
            "primaryPodLabels": {"role": "main"},
            "successCondition": "x",
            "failureCondition": "x",
            "runSpec": {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "labels": {"katib.kubeflow.org/trial": name, "own": "kept"},
                    "ownerReferences": [owner],
                },
                "spec": {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}},
            },
        },
    }
