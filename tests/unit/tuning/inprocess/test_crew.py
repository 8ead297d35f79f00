"""Workers that others write, and workers that cannot be had."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.api.reading import problem_of
from sampan.components.tuning.controller.experiments.specs import Known
from sampan.components.tuning.controller.inprocess import trying
from sampan.components.tuning.controller.inprocess.crew import Crew, Task
from sampan.components.tuning.controller.inprocess.suggestions import Suggestions
from sampan.components.tuning.controller.inprocess.trying import Trying
from sampan.components.tuning.engine.experiment.tally import Tally
from sampan.components.tuning.engine.inprocess.measuring import Curves
from sampan.components.tuning.engine.template.generator import Template
from sampan.kube.errors import ForbiddenError, NotFoundError
from sampan.lib.clock import SystemClock
from sampan.lib.tasks import TaskSet
from sampan.testing.connections import close

EXPERIMENT = {
    "apiVersion": "kubeflow.org/v1beta1",
    "kind": "Experiment",
    "metadata": {"name": "e", "namespace": "team", "uid": "u"},
    "spec": {
        "objective": {"type": "minimize", "objectiveMetricName": "loss"},
        "algorithm": {"algorithmName": "random"},
    },
}
TRIAL = {"metadata": {"name": "t", "namespace": "team"}, "spec": EXPERIMENT["spec"]}


class Cluster:
    """Workers connect and say these lines; without any they are refused."""

    def __init__(self, *said: Mapping[str, Any], most: int = 100) -> None:
        self.said, self.most = said, most
        self.tasks: list[asyncio.Task[None]] = []

    async def create(self, _resource: Any, pod: Any) -> Any:
        if len(self.tasks) >= self.most:
            raise ForbiddenError("exceeded quota")
        self.tasks.append(asyncio.create_task(self._work(pod["address"])))
        return pod

    async def _work(self, address: str) -> None:
        reader, writer = await asyncio.open_unix_connection(address)
        writer.write(b'{"ready": true}\n')
        await reader.readline()
        for each in self.said:
            writer.write(json.dumps(each).encode() + b"\n")
        await reader.read()
        await close(writer)

    async def delete(self, *_arguments: Any) -> None:
        raise NotFoundError("gone")

    async def get(self, *_arguments: Any) -> Any:
        raise NotFoundError("gone")

    async def patch(self, _resource: Any, _name: str, patch: Any, *_rest: Any, **_more: Any) -> Any:
        return {**TRIAL, "status": patch["status"]}


class Kept:
    async def report(self, _namespace: str, _trial: str, _logs: Sequence[MetricLog]) -> None:
        return


def crew_of(cluster: Cluster, folder: Path) -> Crew:
    def pod(number: str, address: str) -> Any:
        return {"metadata": {"name": f"w-{number}"}, "address": address}

    return Crew(cast(Any, cluster), SystemClock(), "team", folder, pod)


def test_words_that_are_no_unicode_do_not_reach_what_cannot_hold_them(tmp_path: Path) -> None:
    reported: list[MetricLog] = []

    async def on_report(logs: Sequence[MetricLog]) -> str:
        reported.extend(logs)
        return ""

    async def main() -> None:
        said = (
            {"id": 1, "report": [["lo\0ss", "0.5\udce9"]]},
            {"id": 1, "end": "Failed", "message": "no file \udce9.csv", "where": "a\0b"},
        )
        crew = crew_of(Cluster(*said), tmp_path)
        end = await crew.call(Task("t", {}), 10.0, on_report)
        await crew.close()
        for text in (end.message, reported[0].name, reported[0].value):
            assert text.encode()
            assert "\0" not in text
        assert end.message.startswith("no file ")

    asyncio.run(main())


def test_a_trial_begins_once_and_does_not_wait_for_a_worker_to_be_hired(tmp_path: Path) -> None:
    async def on_report(_logs: Sequence[MetricLog]) -> str:
        return ""

    async def main() -> None:
        cluster = Cluster({"id": 1, "end": "Succeeded"}, {"id": 2, "end": "Succeeded"})
        crew = crew_of(cluster, tmp_path)
        began: list[int] = []
        """How many workers there were."""

        def on_begin() -> None:
            began.append(len(cluster.tasks))

        for _ in range(2):
            assert (await crew.call(Task("t", {}), 10.0, on_report, on_begin)).state == "Succeeded"
        await crew.close()
        assert began == [0, 1]

    asyncio.run(main())


def ground(cluster: Any, **more: Any) -> Any:
    clock = SystemClock()
    return SimpleNamespace(
        client=cluster, clock=clock, observations=Kept(), now=lambda: "2026-11-26T10:00:00Z", **more
    )


def known() -> Known:
    return Known(EXPERIMENT, problem_of(EXPERIMENT), Template({}, ()), None)


def test_trials_that_find_no_room_wait_while_others_run(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(trying, "_PAUSE_SECONDS", 0.01)

    async def main() -> None:
        cluster = Cluster(most=1)
        crew = crew_of(cluster, tmp_path)
        curves = Curves(problem_of(EXPERIMENT).objective, None)
        made = Trying(ground(cluster), crew, curves, Tally(), lambda _trial, *, has_ended: None)
        made.begin(known(), {**TRIAL, "metadata": {"name": "first", "namespace": "team"}})
        async with asyncio.timeout(60):
            while not crew.works:
                await asyncio.sleep(0.01)
            for _ in range(5):
                made.begin(known(), TRIAL)
                while made.has("t"):
                    await asyncio.sleep(0.01)
        assert made.failure == ""
        assert "exceeded quota" in made.waiting_for
        # Where nothing runs, it ends with that word; not because three asked at once.
        made.cancel("first")
        while crew.works:
            await asyncio.sleep(0.01)
        for at in range(3):
            made.begin(known(), {**TRIAL, "metadata": {"name": f"n{at}", "namespace": "team"}})
        while made.count:
            await asyncio.sleep(0.01)
        assert made.failure == ""
        for _ in range(4):
            made.begin(known(), TRIAL)
            while made.has("t"):
                await asyncio.sleep(0.01)
        assert "exceeded quota" in made.failure
        await made.close()

    asyncio.run(main())


def test_a_cluster_that_refuses_what_an_algorithm_needs_is_not_asked_without_a_pause() -> None:
    async def main() -> None:
        asked = 0

        async def services(_suggestion: Any) -> Any:
            nonlocal asked
            asked += 1
            raise ForbiddenError("exceeded quota")

        tasks, is_over = TaskSet("test"), False

        def news() -> None:
            if not is_over:
                suggestions.want(known(), 2)

        suggestions = Suggestions(ground(None, asked=services), Tally(), tasks, news)
        suggestions.want(known(), 2)
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert asked == 1
        assert "exceeded quota" in suggestions.said.waiting_for
        is_over = True
        await tasks.close()

    asyncio.run(main())
