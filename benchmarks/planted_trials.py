"""An experiment with as many finished trials as wanted, and nobody who acts on it: for pages that list them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from harness import server

from sampan.testing.server import ServerProcess

ROOT = "/apis/kubeflow.org/v1beta1/namespaces/default"
_KIND = {"apiVersion": "kubeflow.org/v1beta1"}
_OBJECTIVE = {"type": "minimize", "objectiveMetricName": "loss", "additionalMetricNames": ["accuracy"]}
_ENDED = {"startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:01:00Z"}


@contextmanager
def planted(count: int) -> Iterator[ServerProcess]:
    """The experiment is named `large`."""
    with server(SAMPAN_TUNING_CONTROLLERS="off") as it:
        it.call("POST", f"{ROOT}/experiments", _experiment(count))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(_plant, itertools.repeat(it), range(count)))
        made = it.call("GET", f"{ROOT}/experiments/large")
        status = {"conditions": [_condition("Running")], "trials": count, "trialsSucceeded": count, **_ENDED}
        it.call("PUT", f"{ROOT}/experiments/large/status", {**made, "status": status})
        yield it


def _experiment(count: int) -> dict[str, Any]:
    parameters = [
        {"name": f"p{each}", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}
        for each in range(5)
    ]
    run = {"apiVersion": "batch/v1", "kind": "Job", "spec": _pods()}
    template = {
        "primaryContainerName": "train",
        "trialParameters": [{"name": each["name"], "reference": each["name"]} for each in parameters],
        "trialSpec": run,
    }
    spec = {
        "objective": _OBJECTIVE,
        "algorithm": {"algorithmName": "random"},
        "parallelTrialCount": 3,
        "maxTrialCount": count,
        "parameters": parameters,
        "trialTemplate": template,
    }
    return {**_KIND, "kind": "Experiment", "metadata": {"name": "large"}, "spec": spec}


def _pods() -> dict[str, Any]:
    words = [f"--p{each}=${{trialParameters.p{each}}}" for each in range(5)]
    container = {"name": "train", "image": "python:3.11", "command": ["python", "train.py", *words]}
    return {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}


def _plant(it: ServerProcess, number: int) -> None:
    chance = random.Random(number)
    given = [{"name": f"p{each}", "value": str(chance.random())} for each in range(5)]
    spec = {
        "objective": _OBJECTIVE,
        "parameterAssignments": given,
        "runSpec": {"apiVersion": "batch/v1", "kind": "Job", "spec": _pods()},
        "primaryContainerName": "train",
    }
    metadata = {"name": f"large-{number:08x}", "labels": {"katib.kubeflow.org/experiment": "large"}}
    made = it.call("POST", f"{ROOT}/trials", {**_KIND, "kind": "Trial", "metadata": metadata, "spec": spec})
    loss = sum(float(each["value"]) for each in given)
    metrics = [
        {"name": "loss", "min": f"{loss:.6f}", "max": f"{2 * loss:.6f}", "latest": f"{loss:.6f}"},
        {"name": "accuracy", "min": "0", "max": f"{1 / (1 + loss):.6f}", "latest": "0"},
    ]
    conditions = [_condition("Created"), _condition("Succeeded")]
    status = {"conditions": conditions, "observation": {"metrics": metrics}, **_ENDED}
    it.call("PUT", f"{ROOT}/trials/{metadata['name']}/status", {**made, "status": status})


def _condition(type_: str) -> dict[str, str]:
    return {"type": type_, "status": "True", "reason": type_, "message": ""}
