"""The controllers are killed after each of their writes, or before it reaches the API: who goes on ends the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sampan.components.tuning.api.kinds import SUGGESTIONS, TRIALS
from sampan.kube import meta
from sampan.kube.kinds import EVENTS

if TYPE_CHECKING:
    from conftest import Scenario, Tuning

Run = Callable[["Scenario"], None]
_WRITES = ("create", "patch", "replace", "delete")
_ALL = range(1, 21)
_USUALLY = (2, 5, 9)


class Deadly:
    """A client whose user is dead after the given write, or instead of it."""

    def __init__(self, client: Any, writes: int, *, reached: bool) -> None:
        self._client = client
        self._left = writes
        self._reached = reached
        self.is_dead = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name not in _WRITES:
            return real

        async def write(resource: Any, *args: Any, **more: Any) -> Any:
            if resource == EVENTS:
                return await real(resource, *args, **more)
            self._left -= 1
            if self._left < 0 or (self._left == 0 and not self._reached):
                self.is_dead.set()
                await asyncio.Event().wait()
            answer = await real(resource, *args, **more)
            if self._left == 0:
                self.is_dead.set()
                await asyncio.Event().wait()
            return answer

        return write


async def play(tuning: Tuning) -> None:
    """Trials run, and end with what x tells; one fails."""
    while True:
        for trial in await tuning.active():
            x = trial["spec"]["parameterAssignments"][0]["value"]
            await tuning.report(trial, *(("Failed",) if x == "3" else ("Succeeded", f"0.{x}")))
        await asyncio.sleep(0.005)


async def ended(tuning: Tuning) -> dict[str, Any]:
    """What is left of the experiment in the end, but for names and times."""
    await tuning.becomes("Succeeded")
    await tuning.becomes("Succeeded", resource=SUGGESTIONS)
    experiment, suggestion = await tuning.get(), await tuning.suggestion()
    trials = {meta.name(each): each["spec"]["parameterAssignments"] for each in await tuning.trials()}
    suggested = {each["name"]: each["parameterAssignments"] for each in suggestion["status"]["suggestions"]}
    assert suggested == trials
    status = experiment["status"]
    listed = [name for key, names in status.items() if key.endswith("List") for name in names]
    assert sorted(listed) == sorted(trials)
    return {
        "tried": sorted(each[0]["value"] for each in trials.values()),
        "counts": {key: value for key, value in status.items() if isinstance(value, int)},
        "best": status["currentOptimalTrial"]["parameterAssignments"],
        "conditions": [(each["type"], each["status"], each["reason"]) for each in status["conditions"]],
        "requests": suggestion["spec"]["requests"],
        "suggestionCount": suggestion["status"]["suggestionCount"],
        "suggestion": [(each["type"], each["status"]) for each in suggestion["status"]["conditions"]],
    }


UNDISTURBED = {
    "tried": ["1", "2", "3", "4", "5"],
    "counts": {"trials": 5, "trialsSucceeded": 4, "trialsFailed": 1},
    "best": [{"name": "x", "value": "1"}],
    "conditions": [
        ("Created", "True", "ExperimentCreated"),
        ("Running", "False", "ExperimentRunning"),
        ("Succeeded", "True", "ExperimentMaxTrialsReached"),
    ],
    "requests": 5,
    "suggestionCount": 5,
    "suggestion": [
        ("Created", "True"),
        ("Running", "False"),
        ("DeploymentReady", "False"),
        ("Succeeded", "True"),
    ],
}


@pytest.mark.parametrize("reached", [True, False])
@pytest.mark.parametrize(
    "writes", [pytest.param(n, marks=() if n in _USUALLY else pytest.mark.slow) for n in _ALL]
)
def test_a_crash_at_any_write_is_harmless(
    run: Run, monkeypatch: pytest.MonkeyPatch, writes: int, reached: bool
) -> None:
    monkeypatch.setattr("sampan.reconcile.controller._STOP_GRACE_SECONDS", 0.0)

    async def scenario(tuning: Tuning) -> None:
        await tuning.stop()
        deadly = Deadly(tuning.client, writes, reached=reached)
        await tuning.start(deadly)
        playing = asyncio.create_task(play(tuning))
        dying = asyncio.create_task(deadly.is_dead.wait())
        await tuning.submit(maxTrialCount=5)
        over = asyncio.create_task(tuning.becomes("Succeeded", resource=SUGGESTIONS))
        await asyncio.wait([dying, over], return_when=asyncio.FIRST_COMPLETED)
        await tuning.stop()
        await tuning.start()
        assert await ended(tuning) == UNDISTURBED
        for task in (playing, dying, over):
            task.cancel()
        await asyncio.gather(playing, dying, over, return_exceptions=True)

    run(scenario)


def test_a_crash_while_surplus_trials_go_is_harmless(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sampan.reconcile.controller._STOP_GRACE_SECONDS", 0.0)

    async def scenario(tuning: Tuning) -> None:
        await tuning.submit(parallelTrialCount=3, maxTrialCount=8)
        await tuning.have(3)
        for writes in (1, 2, 3):
            await tuning.stop()
            await tuning.edit(parallelTrialCount=1)
            deadly = Deadly(tuning.client, writes, reached=True)
            await tuning.start(deadly)
            await deadly.is_dead.wait()
            await tuning.stop()
            await tuning.start()
            (left,) = await tuning.have(1)
            for trial in (await tuning.client.list(TRIALS, "team")).items:
                if meta.is_deleting(trial):
                    await tuning.let_go(trial)

            async def given_back(name: str = meta.name(left)) -> bool:
                status = (await tuning.suggestion())["status"]
                return status["suggestionCount"] == 1 and [
                    each["name"] for each in status["suggestions"]
                ] == [name]

            await tuning.until(given_back)
            await tuning.edit(parallelTrialCount=3)
            await tuning.have(3)

    run(scenario)
