"""Trials in process end only with what they have measured, and with their experiment; a driver that fails ends none."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.api.settings import TuningSettings
from sampan.components.tuning.controller import parts
from sampan.components.tuning.engine.inprocess.workers import SOCKET_VARIABLE, WORKER_LABEL
from sampan.components.tuning.store.observations import Observations
from sampan.kube import meta
from sampan.kube.errors import ApiError
from sampan.kube.kinds import PODS
from sampan.reconcile.manager import Manager
from sampan.testing.connections import close

if TYPE_CHECKING:
    from conftest import Scenario, Tuning

Run = Callable[["Scenario"], None]
Call = Callable[[str], Awaitable[str]]
"""What a trial's function makes of x."""


class Cluster:
    """A client whose workers' pods call `function`; `before_create` is awaited before a Trial is made, `before_end`
    before one has an end."""

    def __init__(self, client: Any, function: Call) -> None:
        self._client, self._function = client, function
        self._tasks: set[asyncio.Task[None]] = set()
        self.before_create: Call | None = None
        self.before_end: Callable[[], Awaitable[None]] | None = None
        self.refused: list[str] = []
        """Trials whose ends could not be written."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def create(self, resource: Any, obj: Any, *more: Any, **options: Any) -> Any:
        if resource == TRIALS and self.before_create is not None:
            await self.before_create(x_of(obj))
        made = await self._client.create(resource, obj, *more, **options)
        if resource == PODS and WORKER_LABEL in meta.labels(obj):
            (container,) = obj["spec"]["containers"]
            (address,) = [each["value"] for each in container["env"] if each["name"] == SOCKET_VARIABLE]
            task = asyncio.create_task(self._work(Path(address)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return made

    async def patch(self, resource: Any, name: str, patch: Any, *more: Any, **options: Any) -> Any:
        if resource != TRIALS or "completionTime" not in patch.get("status", {}):
            return await self._client.patch(resource, name, patch, *more, **options)
        if self.before_end is not None:
            await self.before_end()
        try:
            return await self._client.patch(resource, name, patch, *more, **options)
        except ApiError:
            self.refused.append(name)
            raise

    async def _work(self, address: Path) -> None:
        # By way of an open folder, because a socket's path may have 107 bytes only.
        folder = os.open(address.parent, os.O_PATH)
        try:
            reader, writer = await asyncio.open_unix_connection(f"/proc/self/fd/{folder}/{address.name}")
        finally:
            os.close(folder)
        try:
            writer.write(b'{"ready": true}\n')
            while line := await reader.readline():
                told = json.loads(line)
                value = await self._function(told["parameters"]["x"])
                said = {"id": told["id"], "end": "Succeeded", "metrics": [["loss", value]]}
                writer.write(json.dumps(said).encode() + b"\n")
        except ConnectionError:
            return
        finally:
            await close(writer)

    async def close(self) -> None:
        tasks = list(self._tasks)
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def begun(tuning: Tuning, cluster: Cluster, **spec: Any) -> AsyncIterator[None]:
    """All controllers, and an experiment in process."""
    await tuning.stop()
    services: Any = replace(tuning.services, client=cluster)
    around = parts.around(services, TuningSettings(), tuning.algorithm)
    manager = Manager(parts.controllers(around, frozenset()))
    await manager.start()
    try:
        whole = {**tuning.spec(), **spec}
        (container,) = whole["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"]
        container["command"] = [
            "python3",
            "/sampan/code/boot.py",
            "trial.py",
            "--x=${trialParameters.number}",
        ]
        await tuning.submit(metadata={"annotations": {"sampan.dev/trials": "in-process"}}, **whole)
        yield
    finally:
        await manager.stop()
        await cluster.close()


def x_of(trial: Any) -> str:
    return str(trial["spec"]["parameterAssignments"][0]["value"])


def ends(trials: Any) -> dict[str, str]:
    """By x: the last condition that holds."""
    return {
        x_of(each): [one["type"] for one in each["status"]["conditions"] if one["status"] == "True"][-1]
        for each in trials
    }


async def kept(tuning: Tuning, trials: Any) -> dict[str, tuple[str, ...]]:
    """By x: the values in the log."""
    observations = Observations(tuning.services.database)
    found = {x_of(each): await observations.of("team", meta.name(each)) for each in trials}
    return {x: tuple(log.value for log in logs) for x, logs in found.items()}


async def said(tuning: Tuning, statement: str) -> None:
    """To the database."""
    await tuning.services.database.write(lambda connection: connection.execute(sa.text(statement)))


def test_a_trial_has_no_end_while_its_values_cannot_be_kept(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        may_end = asyncio.Event()

        async def call(x: str) -> str:
            if x == "2":
                # Under way while the driver fails, and begun anew by the next one.
                await may_end.wait()
            return x

        cluster = Cluster(tuning.client, call)
        await said(
            tuning,
            "CREATE TRIGGER no_room BEFORE INSERT ON katib_observations BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        async with begun(tuning, cluster):
            await tuning.says("it is tried again")

            async def was_refused_again() -> bool:
                return len(cluster.refused) >= 2

            await tuning.until(was_refused_again)
            for each in await tuning.trials():
                assert not each.get("status", {}).get("completionTime"), each
            await said(tuning, "DROP TRIGGER no_room")
            may_end.set()
            await tuning.becomes("Succeeded")
            trials = await tuning.trials()
            assert ends(trials) == dict.fromkeys("1234", "Succeeded")
            assert await kept(tuning, trials) == {x: (x,) for x in "1234"}

    run(scenario)


def test_no_values_are_kept_of_a_trial_whose_end_cannot_be(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        async def call(x: str) -> str:
            return x

        cluster = Cluster(tuning.client, call)
        await said(
            tuning,
            "CREATE TRIGGER no_room BEFORE INSERT ON kube_objects WHEN NEW.resource = 'trials.kubeflow.org' AND "
            "CAST(NEW.data AS TEXT) LIKE '%completionTime%' BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        async with begun(tuning, cluster):
            await tuning.says("it is tried again")
            assert set((await kept(tuning, await tuning.trials())).values()) == {()}
            await said(tuning, "DROP TRIGGER no_room")
            await tuning.becomes("Succeeded")
            assert await kept(tuning, await tuning.trials()) == {x: (x,) for x in "1234"}

    run(scenario)


def test_an_experiment_ends_after_its_trials(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        may_keep = asyncio.Event()

        async def call(x: str) -> str:
            return x

        async def before_end() -> None:
            await may_keep.wait()

        cluster = Cluster(tuning.client, call)
        cluster.before_end = before_end
        async with begun(tuning, cluster):
            await tuning.have(4)
            await tuning.settled()
            assert not (await tuning.get())["status"].get("completionTime")
            may_keep.set()
            await tuning.becomes("Succeeded")
            trials = await tuning.trials()
            assert ends(trials) == dict.fromkeys("1234", "Succeeded")
            assert await kept(tuning, trials) == {x: (x,) for x in "1234"}

    run(scenario)


def test_a_trial_that_is_made_while_its_experiment_ends_has_an_end(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        is_making, may_make = asyncio.Event(), asyncio.Event()

        async def call(x: str) -> str:
            await is_making.wait()
            # The goal is one thousandth.
            return "0.0001" if x == "1" else x

        async def before_create(x: str) -> str:
            if x == "2":
                is_making.set()
                await may_make.wait()
            return x

        cluster = Cluster(tuning.client, call)
        cluster.before_create = before_create
        async with begun(tuning, cluster):

            async def has_ended() -> bool:
                return "1" in [x_of(each) for each in await tuning.trials() if "completionTime" in str(each)]

            await tuning.until(has_ended)
            await tuning.settled()
            may_make.set()
            await tuning.becomes("Succeeded")
            assert ends(await tuning.trials()) == {"1": "Succeeded", "2": "Killed"}

    run(scenario)
