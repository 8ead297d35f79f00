"""Whether an earlier result may be used again: a cache entry dies with its artifacts (pipelines#7939).

An artifact that was deleted is noticed at once. One whose size or time of change differs from what was recorded is read
again, in a thread, while the step waits: content that is the same is still good.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sampan.client.protocol import Client
from sampan.components.pipelines.api.ir_model import Value
from sampan.components.pipelines.engine.context import CachedResult
from sampan.components.pipelines.engine.step_files import StepFiles
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.lib.threads import Threads


@dataclass(frozen=True, slots=True)
class Choice:
    """The newest result that is certainly good; without one, those that take a closer look, newest first."""

    sure: CachedResult | None = None
    unsure: tuple[CachedResult, ...] = ()


def choose(files: StepFiles, results: Iterable[CachedResult]) -> Choice:
    """Cheap: for the event loop."""
    unsure: list[CachedResult] = []
    for result in results:
        looks = [files.glance(artifact) for artifact in _stored(result)]
        if all(looks):
            return Choice(sure=result)
        if False not in looks:
            unsure.append(result)
    return Choice(unsure=tuple(unsure))


def sound(files: StepFiles, results: Iterable[CachedResult]) -> CachedResult | None:
    """The first result that a closer look finds good. Blocks."""
    for result in results:
        if all(files.glance(artifact) or files.inspect(artifact) for artifact in _stored(result)):
            return result
    return None


class Inspection:
    """The closer look as an act of the driver's: `turn.Operation`."""

    name = "cache inspection"

    def __init__(self, task_id: str, files: StepFiles, results: Iterable[CachedResult]) -> None:
        self.task_id = task_id
        self._files = files
        self._results = tuple(results)
        self.sound: CachedResult | None = None
        """What was found good, once it is over."""

    async def perform(self, client: Client, namespace: str, asking: Threads) -> dict[str, Value]:
        self.sound = await asking.run(sound, self._files, self._results)
        return {}


def _stored(result: CachedResult) -> list[ArtifactRow]:
    return [item for found in result.outputs.artifacts.values() for item in found if item.stored]
