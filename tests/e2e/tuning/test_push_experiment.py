"""An experiment whose trials push what they measure by upstream's client, as the web API then tells of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.clients import KATIBS_CLIENT_IMPORTS, interpreter_with
from sampan.testing.server import ServerProcess

pytestmark = pytest.mark.skipif(
    not KATIBS_CLIENT_IMPORTS, reason="kubeflow-katib cannot be imported by this Python"
)
EXPERIMENTS = "/apis/kubeflow.org/v1beta1/namespaces/default/experiments"
OURS = "/tuning/v1/namespaces/default"
PROGRAM = """
import sys
import kubeflow.katib as katib
lr = float(sys.argv[1])
for step in (2, 1, 0):
    katib.report_metrics({"loss": (lr - 0.5) ** 2 + step, "lr_seen": lr})
print("trained with", lr)
"""


ENDLESS = """
import time
import kubeflow.katib as katib
katib.report_metrics({"loss": 0.5})
time.sleep(300)
"""
STOP = """
import sys, grpc
import kubeflow.katib.katib_api_pb2 as api
import kubeflow.katib.katib_api_pb2_grpc as services
stopping = services.EarlyStoppingStub(grpc.insecure_channel(sys.argv[1]))
stopping.SetTrialStatus(api.SetTrialStatusRequest(trial_name=sys.argv[2]), timeout=20)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture(scope="module")
def python() -> Path:
    return interpreter_with("kubeflow-katib==0.19.0", "kubernetes==35.0.0")


def test_pushed_metrics_make_the_best_trial(server: ServerProcess, python: Path) -> None:
    server.call("POST", EXPERIMENTS, experiment("pushed", PROGRAM, 3, python.parent.parent))
    found = ended(server, "pushed")
    assert found["status"]["conditions"][-1]["type"] == "Succeeded", found["status"]
    best = found["status"]["currentOptimalTrial"]
    assert best["bestTrialName"]

    trials = server.call("GET", f"{OURS}/experiments/pushed/trials")
    assert trials["columns"]["state"] == ["Succeeded"] * 3
    assert trials["best"] == best["bestTrialName"]
    losses = trials["metrics"]["loss"]
    assert min(losses) == losses[trials["columns"]["name"].index(trials["best"])]
    for lr, loss, seen in zip(trials["parameters"]["lr"], losses, trials["metrics"]["lr_seen"], strict=True):
        assert (loss, seen) == (pytest.approx((float(lr) - 0.5) ** 2), pytest.approx(float(lr)))
    curves = server.call("GET", f"{OURS}/experiments/pushed/curves")["trials"]
    assert all(each["loss"]["of"] == 3 for each in curves.values())

    for name in trials["columns"]["name"]:
        assert server.text(f"{OURS}/trials/{name}/log").startswith("trained with 0.")
    (listed,) = server.call("GET", f"{OURS}/experiments")["items"]
    assert (listed["state"], listed["counts"]["succeeded"], listed["best"]["trial"]) == (
        "Succeeded",
        3,
        trials["best"],
    )
    table = server.call("GET", "/katib/fetch_hp_job_info/?experimentName=pushed&namespace=default").split(
        "\n"
    )
    assert (table[0], len(table)) == ("Status,trialName,loss,lr_seen,lr", 4)
    run = server.call("GET", f"{OURS}/experiments/pushed/best?as=run&format=json")
    assert run["metadata"]["name"] == "pushed-best"
    # It can be created as it is.
    server.call("POST", "/apis/batch/v1/namespaces/default/jobs", run)


def test_a_trial_that_is_told_to_stop_early_ends(server: ServerProcess, python: Path) -> None:
    server.call("POST", EXPERIMENTS, experiment("endless", ENDLESS, 1, python.parent.parent))
    for _ in range(600):
        curves = server.call("GET", f"{OURS}/experiments/endless/curves")["trials"]
        if curves:
            break
        time.sleep(0.1)
    (name,) = curves
    address = f"127.0.0.1:{(server.home / 'run' / 'grpc-port').read_text()}"
    subprocess.run([python, "-W", "ignore", "-c", STOP, address, name], check=True, timeout=200)
    status = ended(server, "endless")["status"]
    assert (status["earlyStoppedTrialList"], status["trialsEarlyStopped"]) == ([name], 1)
    assert server.call("GET", f"{OURS}/experiments/endless/trials")["metrics"]["loss"] == [0.5]
    for _ in range(600):
        if all(
            each["phase"] != "Running" for each in server.call("GET", f"{OURS}/trials/{name}/pods")["pods"]
        ):
            return
        time.sleep(0.1)
    raise AssertionError("its pod goes on")


def ended(server: ServerProcess, name: str) -> Any:
    for _ in range(600):
        found = server.call("GET", f"{EXPERIMENTS}/{name}")
        conditions = found.get("status", {}).get("conditions") or [{}]
        if conditions[-1].get("type") in ("Succeeded", "Failed") and conditions[-1]["status"] == "True":
            return found
        time.sleep(0.1)
    raise AssertionError(found.get("status"))


def experiment(name: str, program: str, trials: int, client: Path) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "python:3.11",
        # A pod has a /tmp of its own, and where the client is installed may be below the machine's.
        "command": ["/client/bin/python", "-W", "ignore", "-c", program, "${trialParameters.lr}"],
        "volumeMounts": [{"name": "client", "mountPath": "/client"}],
    }
    pod = {
        "containers": [container],
        "restartPolicy": "Never",
        "volumes": [{"name": "client", "hostPath": {"path": str(client)}}],
    }
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 0, "template": {"spec": pod}}}
    space = {"min": "0.0", "max": "0.9999"}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {
            "objective": {
                "type": "minimize",
                "objectiveMetricName": "loss",
                "additionalMetricNames": ["lr_seen"],
            },
            "algorithm": {"algorithmName": "random"},
            "metricsCollectorSpec": {"collector": {"kind": "Push"}},
            "parallelTrialCount": trials,
            "maxTrialCount": trials,
            "maxFailedTrialCount": 0,
            "parameters": [{"name": "lr", "parameterType": "double", "feasibleSpace": space}],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "lr", "reference": "lr"}],
                "trialSpec": job,
            },
        },
    }
