"""Trials on a cluster that is not ours: what pods print is read through its API."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sampan.components.tuning.api.kinds import TRIALS
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import JOBS

from .conftest import Cluster, platform

COMPLETE = 'status.conditions.#(type=="Complete")#|#(status=="True")#'
PRINTS = "import time\nfor n in range(1, 6): print(f'accuracy=0.{n}', flush=True); time.sleep(0.3)"
WORSE = "import time\nfor n in range(600): print(f'accuracy=0.{100 + n}', flush=True); time.sleep(0.2)"


def start(cluster: Cluster, name: str, program: str, **spec: Any) -> None:
    container = {
        "name": "main",
        "image": "python:3.11",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", program],
    }
    template = {
        "spec": {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 2}
    }
    body = {
        "apiVersion": TRIALS.api_version,
        "kind": TRIALS.kind,
        "metadata": {"name": name, "namespace": cluster.namespace},
        "spec": {
            "objective": {"type": "maximize", "objectiveMetricName": "accuracy"},
            "runSpec": {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "spec": {"backoffLimit": 0, "template": template},
            },
            "primaryContainerName": "main",
            "successCondition": COMPLETE,
            "failureCondition": COMPLETE.replace("Complete", "Failed"),
            **spec,
        },
    }
    cluster.ask(lambda client: client.create(TRIALS, body))


def ended(cluster: Cluster, name: str, type_: str) -> Any:
    deadline = time.monotonic() + 150
    trial: Any = {}
    while time.monotonic() < deadline:
        trial = cluster.ask(lambda client: client.get(TRIALS, name, cluster.namespace))
        last = ((trial.get("status") or {}).get("conditions") or [{}])[-1]
        if last.get("type") == type_ and last.get("status") == "True":
            return trial
        time.sleep(0.5)
    raise AssertionError(trial.get("status"))


def test_trials_are_measured_stopped_early_and_refused_with_a_word(tmp_path: Path, cluster: Cluster) -> None:
    with platform(tmp_path / "home", cluster):
        start(cluster, "good", PRINTS)
        rule = {"name": "accuracy", "value": "0.5", "comparison": "less", "startStep": 2}
        start(cluster, "bad", WORSE, earlyStoppingRules=[rule])
        start(cluster, "file", PRINTS, metricsCollector={"collector": {"kind": "File"}})
        (metric,) = ended(cluster, "good", "Succeeded")["status"]["observation"]["metrics"]
        assert metric == {"name": "accuracy", "min": "0.1", "max": "0.5", "latest": "0.5"}
        trial = ended(cluster, "bad", "EarlyStopped")
        assert "is less than 0.5" in trial["status"]["conditions"][-1]["message"]
        trial = ended(cluster, "file", "Failed")
        assert (
            "files in pods of another cluster cannot be read" in trial["status"]["conditions"][-1]["message"]
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                cluster.ask(lambda client: client.get(JOBS, "bad", cluster.namespace))
            except NotFoundError:
                break
            time.sleep(0.5)
        else:
            raise AssertionError("the Job of a trial that was stopped is still there")
