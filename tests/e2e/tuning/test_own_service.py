"""A suggestion service of a user: its image, katib-config, its Deployment, the trials that it asks for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import HttpError, ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
PROGRAM = Path(__file__).with_name("own_service.py")
KATIB = "/apis/kubeflow.org/v1beta1/namespaces/default"
IMAGE = f"""
[[image]]
match = "registry.example/team/halving"
requirements = ["kubeflow-katib==0.19.0", "grpcio-health-checking"]
entrypoint = ["python", "-W", "ignore", "/app/own_service.py"]
files = {{ "/app/own_service.py" = "{PROGRAM}" }}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home = home_with_frameworks(tmp_path_factory.mktemp("own") / "home")
    (home / "images.toml").write_text(IMAGE)
    with ServerProcess(home) as server:
        suggestion = {"algorithmName": "halving", "image": "registry.example/team/halving:1"}
        # With upstream's limit of 100Mi it is killed: the client that its messages come with wants more.
        suggestions = [{**suggestion, "resources": {"limits": {"memory": "1Gi"}}}]
        config = {"kind": "KatibConfig", "runtime": {"suggestions": suggestions}}
        found = {"metadata": {"name": "katib-config"}, "data": {"katib-config.yaml": json.dumps(config)}}
        server.call("POST", "/api/v1/namespaces/kubeflow/configmaps", found)
        yield server


def test_trials_are_what_ones_own_service_asks_for(server: ServerProcess) -> None:
    server.call("POST", f"{KATIB}/experiments", experiment("own", first="0.8"))
    deployment = until(lambda: get(server, "/apis/apps/v1/namespaces/default/deployments/own-halving"))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example/team/halving:1"
    status = until(lambda: ended(server, "own"))
    assert status["conditions"][-1]["type"] == "Succeeded", status
    rates = sorted(
        float(each["spec"]["parameterAssignments"][0]["value"])
        for each in server.call("GET", f"{KATIB}/trials")["items"]
    )
    assert rates == [0.2, 0.4, 0.8]
    assert status["currentOptimalTrial"]["parameterAssignments"] == [{"name": "lr", "value": "0.2"}]
    # Nothing of it is left: the policy is Never.
    until(lambda: not get(server, "/apis/apps/v1/namespaces/default/deployments/own-halving"))
    until(lambda: not get(server, "/api/v1/namespaces/default/services/own-halving"))


def test_settings_that_it_does_not_have_are_told(server: ServerProcess) -> None:
    server.call("POST", f"{KATIB}/experiments", experiment("refused", wrong="1"))
    status = until(lambda: ended(server, "refused"))
    assert status["conditions"][-1]["type"] == "Failed", status
    assert "halving has no setting wrong" in status["conditions"][-1]["message"]


def ended(server: ServerProcess, name: str) -> Any:
    status = server.call("GET", f"{KATIB}/experiments/{name}").get("status", {})
    last = (status.get("conditions") or [{}])[-1]
    return status if last.get("type") in ("Succeeded", "Failed") and last["status"] == "True" else None


def get(server: ServerProcess, path: str) -> Any:
    try:
        return server.call("GET", path)
    except HttpError:
        return None


def until(found: Any, seconds: float = 240) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return value


def experiment(name: str, **settings: str) -> dict[str, Any]:
    program = "print('loss=${trialParameters.lr}')"
    container = {"name": "main", "image": "python:3.11", "command": ["python", "-c", program]}
    pod = {"containers": [container], "restartPolicy": "Never"}
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 0, "template": {"spec": pod}}}
    given = [{"name": key, "value": value} for key, value in settings.items()]
    space = {"min": "0.0001", "max": "1"}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "halving", "algorithmSettings": given},
            "parallelTrialCount": 1,
            "maxTrialCount": 3,
            "maxFailedTrialCount": 0,
            "parameters": [{"name": "lr", "parameterType": "double", "feasibleSpace": space}],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "lr", "reference": "lr"}],
                "trialSpec": job,
            },
        },
    }
