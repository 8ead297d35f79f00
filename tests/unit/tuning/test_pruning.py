"""`controller.collecting.pruning`: what has changed is read, and decided as if everything had been."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.api.suggesting import Curve
from sampan.components.tuning.controller.collecting.pruning import Pruning
from sampan.components.tuning.engine.early_stopping.service import pruner, why_stop
from sampan.components.tuning.engine.experiment.tally import Tally

_OBJECTIVE = {"type": "minimize", "objectiveMetricName": "loss"}


class _World:
    """An experiment, its trials and what they have reported, as the caches and the store have them."""

    def __init__(self, algorithm: str) -> None:
        self.tally, self.values = Tally(), dict[str, list[float]]()
        self.reads = list[str]()
        self.experiment = {
            "metadata": {"uid": "uid", "name": "study", "namespace": "ns", "generation": 1},
            "spec": {"objective": _OBJECTIVE, "earlyStopping": {"algorithmName": algorithm}},
        }

    def get(self, _namespace: str, _name: str) -> Any:
        return self.experiment

    def of(self, _experiment: Any) -> Tally:
        return self.tally

    async def read(self, _namespace: str, trial: str, _metric: str) -> list[MetricLog]:
        self.reads.append(trial)
        await asyncio.sleep(0)
        return [MetricLog("2026-01-01T00:00:00Z", "loss", str(each)) for each in self.values.get(trial, ())]

    def put(self, name: str, condition: str) -> None:
        status = {"conditions": [{"type": condition, "status": "True"}]}
        metadata = {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"}
        self.tally.put({"metadata": metadata, "spec": {"objective": _OBJECTIVE}, "status": status})


@pytest.mark.parametrize("algorithm", ["median", "successivehalving", "hyperband", "wilcoxon"])
def test_it_decides_as_by_all_curves(algorithm: str) -> None:
    asyncio.run(_decides(algorithm))


async def _decides(algorithm: str) -> None:
    world, chance, stops = _World(algorithm), random.Random(algorithm), 0
    caches: Any = world
    pruning = Pruning(caches, caches, world.read)
    names, conditions, decided = dict[int, str](), dict[str, str](), dict[str, int]()
    for turn in range(1200):
        slot = chance.randrange(25)
        name = names.get(slot, "")
        if not name or chance.random() < 0.02:
            # Gone, and another in its place.
            world.tally.remove(name)
            name = names[slot] = f"t{turn:04}"
            conditions[name] = "Running"
        elif chance.random() < 0.1:
            conditions[name] = chance.choice(["Succeeded", "EarlyStopped", "Failed"])
        world.put(name, conditions[name])
        if conditions[name] != "Running":
            continue
        world.values.setdefault(name, []).extend(chance.choice([0.0, 0.5, 1.0, 2.0]) for _ in range(2))
        problem: Any = pruning._of(world.experiment).problem  # type: ignore[union-attr]
        decider: Any = pruner(problem)
        curves = [
            Curve(each.name, tuple(world.values.get(each.name, ())), each.condition)
            for each in world.tally.records()
        ]
        own = next(each for each in curves if each.trial == name)
        others = [each for each in curves if each.trial != name]
        expected = why_stop(decider, problem, own, others, decided.get(name, 0))
        decided[name] = len(own.values)
        assert await pruning.why_stop("ns", "study", name) == expected
        stops += bool(expected)
    assert stops


def test_trials_that_have_ended_are_read_once() -> None:
    async def run() -> list[str]:
        world = _World("median")
        caches: Any = world
        pruning = Pruning(caches, caches, world.read)
        for number in range(6):
            world.values[f"t{number}"] = [1.0]
            world.put(f"t{number}", "Succeeded")
        world.put("own", "Running")
        for count in range(1, 4):
            world.values["own"] = [0.5] * count
            await pruning.why_stop("ns", "study", "own")
        return world.reads

    reads = asyncio.run(run())
    assert sorted(reads) == [*["own"] * 3, *(f"t{number}" for number in range(6))]
