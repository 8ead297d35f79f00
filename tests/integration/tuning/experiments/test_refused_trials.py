"""Trials in process that the API server refuses for a while, as a quota does: the experiment says so, and goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.api.settings import TuningSettings
from sampan.components.tuning.controller import parts
from sampan.components.tuning.controller.inprocess import drive
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
        self.refusals = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def create(self, resource: Any, obj: Any, *more: Any, **options: Any) -> Any:
        if resource == TRIALS and self.is_full:
            self.refusals += 1
            raise ForbiddenError("exceeded quota")
        return await self._client.create(resource, obj, *more, **options)


def test_it_goes_on_when_there_is_room(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "_REFUSED_SECONDS", 0.2)

    async def scenario(tuning: Tuning) -> None:
        await tuning.stop()
        full = Full(tuning.client)
        services: Any = replace(tuning.services, client=full)
        around = parts.around(services, TuningSettings(), tuning.algorithm)
        manager = Manager(parts.controllers(around, frozenset()))
        await manager.start()
        try:
            spec = tuning.spec()
            (container,) = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"]
            container["command"] = [
                "python3",
                "/sampan/code/boot.py",
                "trial.py",
                "--x=${trialParameters.number}",
            ]
            await tuning.submit(metadata={"annotations": {"sampan.dev/trials": "in-process"}}, **spec)
            await tuning.says("trials cannot be made: exceeded quota")

            async def was_refused_often() -> bool:
                return full.refusals >= 5

            await tuning.until(was_refused_often)
            assert await tuning.trials() == []
            full.is_full = False
            assert [each["spec"]["parameterAssignments"] for each in await tuning.have(2)]

            async def says_no_more() -> bool:
                return "cannot be made" not in str((await tuning.get())["status"])

            await tuning.until(says_no_more)
            # What was suggested is what is tried.
            xs = sorted(each["spec"]["parameterAssignments"][0]["value"] for each in await tuning.have(2))
            assert xs == ["1", "2"]
        finally:
            await manager.stop()

    run(scenario)
