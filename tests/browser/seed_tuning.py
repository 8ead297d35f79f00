"""Tuning experiments of every state for `seed`, made of plain Python.

| experiments | |
|---|---|
| `landscape` | twelve trials found a low point |
| `searching` | runs for half an hour, two trials at a time |
| `hopeless` | failed: its trials end with an error |
| `too-large` | its trials ask for more processors than there are |
| `network` | two trials of a search for an architecture |

and the ConfigMap `trial-templates` with a template `quick.yaml`.
"""

from __future__ import annotations

import time
from typing import Any

from sampan.testing.server import ServerProcess

EXPERIMENTS = "/apis/kubeflow.org/v1beta1/namespaces/default/experiments"
TRIALS = "/apis/kubeflow.org/v1beta1/namespaces/default/trials"
PROGRAM = """import sys, time
x, kind, steps, pause, code = float(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
for step in range(1, steps + 1):
    time.sleep(pause)
    print(f"step={step} height={(x - 2) ** 2 + (kind == 'steep') + 1 / step:.4f} slope={abs(x - 2):.3f}", flush=True)
print("done", kind)
sys.exit(code)
"""
TEMPLATE = """apiVersion: batch/v1
kind: Job
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: training-container
          image: python:3.11
          command: [python, -c, "print('height=' + '${trialParameters.x}')"]
"""


def seed_tuning(server: ServerProcess) -> None:
    """Starts all of them, once for a server."""
    if server.call("GET", f"{EXPERIMENTS}?fieldSelector=metadata.name%3Dlandscape")["items"]:
        return
    server.call("POST", EXPERIMENTS, experiment("landscape", ["4", "0.02", "0"]))
    server.call("POST", EXPERIMENTS, experiment("searching", ["1800", "1", "0"], trials=20, parallel=2))
    server.call("POST", EXPERIMENTS, experiment("hopeless", ["1", "0", "3"], most_failed=1))
    server.call("POST", EXPERIMENTS, experiment("too-large", ["1", "0", "0"], cpu="4000"))
    server.call("POST", EXPERIMENTS, architecture_search("network"))
    body = {
        "metadata": {
            "name": "trial-templates",
            "labels": {"katib.kubeflow.org/component": "trial-templates"},
        },
        "data": {"quick.yaml": TEMPLATE},
    }
    server.call("POST", "/api/v1/namespaces/default/configmaps", body)


def wait_for_tuning(server: ServerProcess) -> None:
    """Until those that end have ended, and a trial of the one that runs has reported."""
    for name, type_ in (
        ("landscape", "Succeeded"),
        ("network", "Succeeded"),
        ("hopeless", "Failed"),
        ("searching", "Running"),
    ):
        deadline = time.monotonic() + 90
        while not holds(server.call("GET", f"{EXPERIMENTS}/{name}"), type_):
            status = server.call("GET", f"{EXPERIMENTS}/{name}").get("status")
            assert time.monotonic() < deadline, f"{name} is not {type_}: {status}"
            time.sleep(0.2)
    deadline = time.monotonic() + 60
    while not trials_of(server, "searching"):
        assert time.monotonic() < deadline, "searching has no trial"
        time.sleep(0.2)


def trials_of(server: ServerProcess, name: str) -> list[str]:
    """Names, as they came."""
    found = server.call("GET", f"{TRIALS}?labelSelector=katib.kubeflow.org%2Fexperiment%3D{name}")["items"]
    found.sort(key=lambda each: (each["metadata"]["creationTimestamp"], each["metadata"]["name"]))
    return [each["metadata"]["name"] for each in found]


def holds(obj: Any, type_: str) -> bool:
    told = (obj.get("status") or {}).get("conditions") or ()
    return any(each["type"] == type_ and each["status"] == "True" for each in told)


def experiment(
    name: str,
    arguments: list[str],
    *,
    trials: int = 12,
    parallel: int = 3,
    most_failed: int = 3,
    cpu: str = "10m",
) -> dict[str, Any]:
    """`arguments` are steps, the pause between them, and the exit code."""
    container = {
        "name": "training-container",
        "image": "python:3.11",
        "command": ["python", "-c", PROGRAM, "${trialParameters.x}", "${trialParameters.kind}", *arguments],
        "resources": {"requests": {"cpu": cpu}},
    }
    pods = {"containers": [container], "restartPolicy": "Never"}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {
            "objective": {
                "type": "minimize",
                "objectiveMetricName": "height",
                "additionalMetricNames": ["slope"],
            },
            "algorithm": {
                "algorithmName": "random",
                "algorithmSettings": [{"name": "random_state", "value": "3"}],
            },
            "parallelTrialCount": parallel,
            "maxTrialCount": trials,
            "maxFailedTrialCount": most_failed,
            "parameters": [
                {"name": "x", "parameterType": "double", "feasibleSpace": {"min": "-5", "max": "5"}},
                {
                    "name": "kind",
                    "parameterType": "categorical",
                    "feasibleSpace": {"list": ["flat", "steep"]},
                },
            ],
            "trialTemplate": {
                "primaryContainerName": "training-container",
                "trialParameters": [{"name": each, "reference": each} for each in ("x", "kind")],
                "trialSpec": {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "spec": {"backoffLimit": 0, "template": {"spec": pods}},
                },
            },
        },
    }


def architecture_search(name: str) -> dict[str, Any]:
    """By ENAS, of four layers: its trials take whatever they are given."""
    made = experiment(name, ["1", "0", "0"], trials=2, parallel=1, most_failed=1)
    spec = made["spec"]
    del spec["parameters"]
    kernel = {"name": "filter_size", "parameterType": "categorical", "feasibleSpace": {"list": ["3", "5"]}}
    filters = {"name": "num_filter", "parameterType": "categorical", "feasibleSpace": {"list": ["32", "48"]}}
    spec["nasConfig"] = {
        "graphConfig": {"numLayers": 4, "inputSizes": [32, 32, 3], "outputSizes": [10]},
        "operations": [{"operationType": "convolution", "parameters": [kernel, filters]}],
    }
    spec["algorithm"] = {"algorithmName": "enas"}
    spec["objective"] = {"type": "maximize", "objectiveMetricName": "accuracy"}
    names = ("architecture", "nn_config")
    template = spec["trialTemplate"]
    template["trialParameters"] = [{"name": each, "reference": each} for each in names]
    container = template["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
    program = "import sys; print(f'accuracy={len(sys.argv[1]) % 50 / 100}')"
    container["command"] = ["python", "-c", program, *(f"${{trialParameters.{each}}}" for each in names)]
    return made
