"""A Suggestion of the experiment's name that is somebody else's: the experiment says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sampan.components.tuning.api.kinds import EXPERIMENTS, SUGGESTIONS, TRIALS
from sampan.components.tuning.api.settings import TuningSettings
from sampan.components.tuning.controller import parts
from sampan.reconcile.manager import Manager

if TYPE_CHECKING:
    from conftest import Scenario, Tuning

Run = Callable[["Scenario"], None]
SOMEBODYS = {
    "apiVersion": SUGGESTIONS.api_version,
    "kind": "Suggestion",
    "metadata": {"name": "search", "namespace": "team"},
    "spec": {"algorithm": {"algorithmName": "random"}},
}
SAYS = "the Suggestion search is there, which is not of this experiment"


def test_a_suggestion_of_somebody_else_is_named(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.client.create(SUGGESTIONS, SOMEBODYS)
        await tuning.submit()
        await tuning.says("a Suggestion of the name search is there, which is not of this experiment")
        assert not (await tuning.client.list(TRIALS, "team")).items

    run(scenario)


def test_a_suggestion_without_an_experiment_says_so(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.client.create(SUGGESTIONS, SOMEBODYS)

        async def conditions() -> Any:
            found = await tuning.client.get(SUGGESTIONS, "search", "team")
            return [
                (each["type"], each["status"], each["message"])
                for each in (found.get("status") or {}).get("conditions") or ()
            ]

        created, running = await tuning.until(conditions)
        assert created == ("Created", "True", "Suggestion is created")
        assert running[:2] == ("Running", "False")
        assert "it belongs to no Experiment" in running[2]

    run(scenario)


def in_process(spec: dict[str, Any]) -> dict[str, Any]:
    (container,) = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"]
    container["command"] = ["python3", "/sampan/code/boot.py", "trial.py", "--x=${trialParameters.number}"]
    return spec


def test_an_experiment_in_process_that_cannot_be_driven_says_why(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.stop()
        around = parts.around(tuning.services, TuningSettings(), tuning.algorithm)
        manager = Manager(parts.controllers(around, frozenset()))
        await manager.start()
        await tuning.client.create(SUGGESTIONS, SOMEBODYS)
        annotations = {"sampan.dev/trials": "in-process"}
        await tuning.submit(metadata={"annotations": annotations}, **in_process(tuning.spec()))
        await tuning.says(SAYS)
        await tuning.client.delete(SUGGESTIONS, "search", "team")

        async def goes_on() -> Any:
            found = await tuning.client.get(EXPERIMENTS, "search", "team")
            return SAYS not in str(found["status"])

        await tuning.until(goes_on)
        await manager.stop()

    run(scenario)
