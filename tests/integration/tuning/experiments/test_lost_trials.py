"""Trials in process that are refused for a while, as by a quota, or deleted by somebody: the experiment goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.api.settings import TuningSettings
from sampan.components.tuning.controller import parts
from sampan.components.tuning.controller.inprocess import drive
from sampan.kube import meta
from sampan.kube.errors import ForbiddenError
from sampan.reconcile.manager import Manager

if TYPE_CHECKING:
    import pytest

    from conftest import Scenario, Tuning

Run = Callable[["Scenario"], None]


class Full:
    """A client of a cluster that takes no Trials while it is full."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.is_full = True
        self.refusals = self.attempts = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def create(self, resource: Any, obj: Any, *more: Any, **options: Any) -> Any:
        if resource == TRIALS and self.is_full:
            self.refusals += 1
            raise ForbiddenError("exceeded quota")
        self.attempts += resource == TRIALS
        return await self._client.create(resource, obj, *more, **options)


async def begun(tuning: Tuning, client: Any) -> Manager:
    """All controllers, and an experiment whose trials wait for workers that never come."""
    await tuning.stop()
    services: Any = replace(tuning.services, client=client)
    around = parts.around(services, TuningSettings(), tuning.algorithm)
    manager = Manager(parts.controllers(around, frozenset()))
    await manager.start()
    spec = tuning.spec()
    (container,) = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"]
    container["command"] = ["python3", "/sampan/code/boot.py", "trial.py", "--x=${trialParameters.number}"]
    await tuning.submit(metadata={"annotations": {"sampan.dev/trials": "in-process"}}, **spec)
    return manager


def xs(trials: Any) -> list[str]:
    return sorted(each["spec"]["parameterAssignments"][0]["value"] for each in trials)


def test_it_goes_on_when_there_is_room(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "_REFUSED_SECONDS", 0.2)

    async def scenario(tuning: Tuning) -> None:
        full = Full(tuning.client)
        manager = await begun(tuning, full)
        try:
            await tuning.says("trials cannot be made: exceeded quota")

            async def was_refused_often() -> bool:
                return full.refusals >= 5

            await tuning.until(was_refused_often)
            assert await tuning.trials() == []
            full.is_full = False
            # What was suggested is what is tried.
            assert xs(await tuning.have(2)) == ["1", "2"]

            async def says_no_more() -> bool:
                return "cannot be made" not in str((await tuning.get())["status"])

            await tuning.until(says_no_more)

            async def counts_both() -> bool:
                return bool((await tuning.get())["status"].get("trials") == 2)

            await tuning.until(counts_both)
            # Each is made once, and called once.
            assert full.attempts == 2
        finally:
            await manager.stop()

    run(scenario)


def test_deleted_trials_are_made_anew(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        manager = await begun(tuning, tuning.client)
        try:
            before = await tuning.have(2)
            for each in before:
                await tuning.client.delete(TRIALS, meta.name(each), "team")
            gone = {meta.uid(each) for each in before}

            async def others() -> Any:
                found = await tuning.trials()
                return found if len(found) == 2 and not gone & {meta.uid(each) for each in found} else None

            after = await tuning.until(others)
            assert xs(after) == xs(before) == ["1", "2"]
            assert {meta.name(each) for each in after} == {meta.name(each) for each in before}
        finally:
            await manager.stop()

    run(scenario)
