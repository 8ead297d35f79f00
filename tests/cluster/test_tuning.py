"""Experiments on a Kubernetes that others run: their Jobs are its pods, measured by what these print."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sampan.client.protocol import ListOptions
from sampan.components.tuning.api.kinds import EXPERIMENTS, SUGGESTIONS, TRIALS
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import JOBS
from sampan.kube.meta import Object
from sampan.testing.server import ServerProcess

from .conftest import Cluster, platform

PRINTS = "import sys\nx = float(sys.argv[1])\nprint(f'score={1 - (x - 3) ** 2 / 100}', flush=True)"
WORSE = (
    "import time\n"
    "for step in range(60):\n"
    "    print(f'score={-time.time()}', flush=True)\n"
    "    time.sleep(0.3)\n"
)
"""Each is worse than those before it, in whatever order they are tried."""
NOT_AT_ALL = "import sys\nsys.exit('no data at /data')"


@pytest.fixture(scope="module")
def server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with platform(tmp_path_factory.mktemp("tuning") / "home", cluster) as running:
        yield running


def start(cluster: Cluster, name: str, program: str, values: list[str], **spec: Any) -> None:
    container = {
        "name": "main",
        "image": "python:3.11",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", program, "${trialParameters.x}"],
        "resources": {"requests": {"cpu": "10m", "memory": "20Mi"}},
    }
    pod = {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 2}
    job = {"backoffLimit": 0, "template": {"spec": pod}}
    body = {
        "apiVersion": EXPERIMENTS.api_version,
        "kind": EXPERIMENTS.kind,
        "metadata": {"name": name, "namespace": cluster.namespace},
        "spec": {
            "objective": {"type": "maximize", "objectiveMetricName": "score"},
            "algorithm": {"algorithmName": "grid"},
            "parameters": [{"name": "x", "parameterType": "categorical", "feasibleSpace": {"list": values}}],
            "parallelTrialCount": 1,
            "maxTrialCount": len(values),
            "maxFailedTrialCount": 0,
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "x", "reference": "x"}],
                "trialSpec": {"apiVersion": "batch/v1", "kind": "Job", "spec": job},
            },
            **spec,
        },
    }
    cluster.ask(lambda client: client.create(EXPERIMENTS, body))


def until(cluster: Cluster, name: str, holds: Callable[[Object], Any], seconds: float = 240) -> Object:
    deadline, found = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        found = cluster.ask(lambda client: client.get(EXPERIMENTS, name, cluster.namespace))
        if holds(found):
            return found
        time.sleep(0.5)
    raise AssertionError(f"{name} never was like that: {json.dumps((found or {}).get('status'))}")


def has(type_: str) -> Callable[[Object], bool]:
    return lambda obj: any(each["type"] == type_ and each["status"] == "True" for each in conditions_of(obj))


def conditions_of(obj: Object) -> list[Object]:
    found: list[Object] = (obj.get("status") or {}).get("conditions") or []
    return found


def trials(cluster: Cluster, name: str) -> list[Object]:
    chosen = ListOptions(label_selector=f"katib.kubeflow.org/experiment={name}")
    return cluster.ask(lambda client: client.list(TRIALS, cluster.namespace, chosen)).items


def test_jobs_are_tried_and_more_of_them_when_the_budget_grows(
    cluster: Cluster, server: ServerProcess
) -> None:
    values = ["1", "2", "3", "4"]
    start(cluster, "grid", PRINTS, values, maxTrialCount=2, resumePolicy="LongRunning")
    found = until(cluster, "grid", has("Succeeded"))
    status = found["status"]
    assert status["trialsSucceeded"] == 2
    assert conditions_of(found)[-1]["reason"] == "ExperimentMaxTrialsReached"
    change = {"spec": {"maxTrialCount": 4}}
    cluster.ask(lambda client: client.patch(EXPERIMENTS, "grid", change, cluster.namespace))
    found = until(
        cluster, "grid", lambda obj: obj["status"]["trialsSucceeded"] == 4 and has("Succeeded")(obj)
    )
    best = found["status"]["currentOptimalTrial"]
    assert best["parameterAssignments"] == [{"name": "x", "value": "3"}]
    assert best["observation"]["metrics"] == [{"name": "score", "latest": "1.0", "max": "1.0", "min": "1.0"}]
    tried = {each["spec"]["parameterAssignments"][0]["value"] for each in trials(cluster, "grid")}
    assert tried == set(values)
    suggestion = cluster.ask(lambda client: client.get(SUGGESTIONS, "grid", cluster.namespace))
    assert suggestion["status"]["suggestionCount"] == 4
    assert server.url


def test_a_trial_that_falls_behind_is_stopped_and_its_job_goes(
    cluster: Cluster, server: ServerProcess
) -> None:
    settings = [{"name": "min_trials_required", "value": "1"}, {"name": "start_step", "value": "3"}]
    early = {"algorithmName": "medianstop", "algorithmSettings": settings}
    start(cluster, "early", WORSE, ["1", "2"], earlyStopping=early)
    found = until(cluster, "early", has("Succeeded"))
    assert found["status"]["trialsEarlyStopped"] == 1
    assert found["status"]["trialsSucceeded"] == 1
    (stopped,) = found["status"]["earlyStoppedTrialList"]
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            cluster.ask(lambda client: client.get(JOBS, stopped, cluster.namespace))
        except NotFoundError:
            break
        time.sleep(0.5)
    else:
        raise AssertionError("the Job of a trial that was stopped is still there")
    assert server.url


def test_a_trial_that_fails_ends_the_experiment(cluster: Cluster, server: ServerProcess) -> None:
    start(cluster, "failing", NOT_AT_ALL, ["1", "2"])
    found = until(cluster, "failing", has("Failed"))
    assert conditions_of(found)[-1]["reason"] == "ExperimentFailed"
    (trial,) = trials(cluster, "failing")
    assert conditions_of(trial)[-1]["message"].startswith("Trial has failed. Job message: Job has reached")
    assert server.url
