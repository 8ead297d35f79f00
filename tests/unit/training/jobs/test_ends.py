"""How a job of each kind goes on or ends, by its pods. After upstream's own tables (training-operator v1.9.0)."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.training.engine.jobs import status
from sampan.components.training.engine.jobs.conditions import holds
from sampan.components.training.engine.jobs.plan import observe, plan

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
PHASES = {"R": "Running", "S": "Succeeded", "F": "Failed", "P": "Pending"}


@pytest.fixture
def end(framework, read, pod):
    """The types of the conditions that hold, in order.

    `pods`: a letter for each pod of a role, `S0` for one whose container has exited with 0, `F137` likewise.
    """

    def ending(kind: str, pods: dict[str, str], policy: str = "", **spec: Any) -> list[str]:
        lists = {role: letters.split() for role, letters in pods.items()}
        fields = {
            role: {"replicas": len(letters), **({"restartPolicy": policy} if policy else {})}
            for role, letters in lists.items()
        }
        job = read(kind, fields, **spec)
        found = [
            pod(kind, role, index, PHASES[each[0]], **({"code": int(each[1:])} if each[1:] else {}))
            for role, letters in lists.items()
            for index, each in enumerate(letters)
        ]
        world = observe(job, found, [])
        outcome = status.begin(job.object, kind, NOW)
        planned = plan(job, world, framework(kind).shape.container)
        status.advance(outcome, framework(kind), job, world, planned, NOW)
        types = ("Created", "Running", "Restarting", "Succeeded", "Failed")
        return [each for each in types if holds(outcome.status, each)]

    return ending


@pytest.mark.parametrize(
    ("pods", "spec", "expected"),
    [
        ({"Chief": "S", "Worker": "S"}, {}, "Succeeded"),
        ({"Chief": "R", "Worker": "P"}, {}, "Running"),
        ({"Chief": "F", "Worker": "P"}, {}, "Failed"),
        ({"Worker": "F"}, {}, "Failed"),
        ({"Worker": "S0"}, {}, "Succeeded"),
        ({"Worker": "R"}, {}, "Running"),
        ({"Worker": "P P"}, {}, ""),
        ({"Worker": "S S R R", "PS": "R R"}, {}, "Running"),
        ({"Worker": "R R F F", "PS": "R R"}, {}, "Failed"),
        ({"Worker": "S S F F", "PS": "R R"}, {}, "Failed"),
        ({"Worker": "S0 R R R", "PS": "R R"}, {}, "Succeeded"),
        ({"Worker": "S0 R R R"}, {"successPolicy": "AllWorkers"}, "Running"),
        ({"Worker": "S0 S S S"}, {"successPolicy": "AllWorkers"}, "Succeeded"),
        ({"Worker": "S0 R R F"}, {"successPolicy": "AllWorkers"}, "Failed"),
        ({"Chief": "R", "Worker": "F F F F", "PS": "R R"}, {}, "Failed"),
        ({"Chief": "R", "Worker": "S S S S", "PS": "R R"}, {}, "Running"),
        ({"Chief": "R", "Worker": "S S S S", "PS": "R F"}, {}, "Failed"),
        ({"Chief": "F", "Worker": "S S S S", "PS": "R R"}, {}, "Failed"),
        ({"Chief": "S", "Worker": "F F F F", "PS": "R R"}, {}, "Succeeded"),
        ({"Master": "S", "Worker": "R"}, {}, "Succeeded"),
        ({"Worker": "R", "Evaluator": "F"}, {}, "Failed"),
        ({"PS": "R", "Worker": "R F"}, {"enableDynamicWorker": True}, "Running"),
        ({"PS": "F", "Worker": "R R"}, {"enableDynamicWorker": True}, "Failed"),
    ],
)
def test_tensorflow(end, pods, spec, expected):
    found = end("TFJob", pods, **spec)
    assert found == ["Created", *([expected] if expected else [])]


@pytest.mark.parametrize(
    ("kind", "pods", "policy", "spec", "expected"),
    [
        ("PyTorchJob", {"Master": "R", "Worker": "P"}, "", {}, "Running"),
        ("PyTorchJob", {"Master": "P", "Worker": "R"}, "", {}, ""),
        ("PyTorchJob", {"Master": "S", "Worker": "R R"}, "", {}, "Succeeded"),
        ("PyTorchJob", {"Master": "S", "Worker": "F"}, "Never", {}, "Succeeded"),
        ("PyTorchJob", {"Master": "R", "Worker": "F"}, "Never", {}, "Failed"),
        ("PyTorchJob", {"Master": "R", "Worker": "F"}, "OnFailure", {}, "Restarting"),
        ("PyTorchJob", {"Worker": "S S"}, "", {}, "Succeeded"),
        ("PyTorchJob", {"Worker": "S R"}, "", {}, "Running"),
        ("PyTorchJob", {"Worker": "S R"}, "", {"elasticPolicy": {"minReplicas": 1}}, "Succeeded"),
        ("PyTorchJob", {"Worker": "S F"}, "", {"elasticPolicy": {"minReplicas": 1}}, "Succeeded"),
        ("PyTorchJob", {"Worker": "R F"}, "OnFailure", {"elasticPolicy": {}}, "Restarting"),
        ("JAXJob", {"Worker": "R P"}, "", {}, "Running"),
        ("JAXJob", {"Worker": "S S"}, "", {}, "Succeeded"),
        ("JAXJob", {"Worker": "R F"}, "", {}, "Failed"),
        ("JAXJob", {"Worker": "R F"}, "OnFailure", {}, "Restarting"),
        ("PaddleJob", {"Master": "S", "Worker": "R"}, "", {}, "Succeeded"),
        ("PaddleJob", {"Master": "R", "Worker": "S"}, "", {}, "Running"),
        ("PaddleJob", {"Worker": "S S"}, "", {}, "Succeeded"),
        ("PaddleJob", {"Worker": "R F"}, "Never", {}, "Failed"),
        ("XGBoostJob", {"Master": "R", "Worker": "S"}, "", {}, "Running"),
        ("XGBoostJob", {"Master": "S", "Worker": "R"}, "", {}, "Succeeded"),
        ("XGBoostJob", {"Master": "R", "Worker": "F"}, "Never", {}, "Failed"),
        ("XGBoostJob", {"Master": "R", "Worker": "F"}, "OnFailure", {}, "Restarting"),
        ("XGBoostJob", {"Master": "R", "Worker": "F137"}, "ExitCode", {}, "Restarting"),
        *(
            (kind, {"Worker": "F1 R", **more}, "ExitCode", {}, "Failed")
            for kind, more in (
                ("TFJob", {}),
                ("PyTorchJob", {}),
                ("XGBoostJob", {"Master": "R"}),
                ("JAXJob", {}),
                ("PaddleJob", {}),
            )
        ),
        *(
            (kind, {"Worker": "F130 R", **more}, "ExitCode", {}, "Restarting")
            for kind, more in (
                ("TFJob", {}),
                ("PyTorchJob", {}),
                ("XGBoostJob", {"Master": "R"}),
                ("JAXJob", {}),
                ("PaddleJob", {}),
            )
        ),
    ],
)
def test_the_others(end, kind, pods, policy, spec, expected):
    found = end(kind, pods, policy, **spec)
    assert found == ["Created", *([expected] if expected else [])]


@pytest.mark.parametrize("code", [1, 127])
def test_a_permanent_exit_code_ends_the_job_though_others_may_restart(end, code):
    assert end("TFJob", {"Worker": f"F{code} F137"}, "ExitCode") == ["Created", "Failed"]


@pytest.mark.parametrize(
    ("kind", "roles", "policy", "expected"),
    [
        *(
            (kind, roles, policy, "Failed" if policy == "Never" else "Restarting")
            for kind, roles in (
                ("TFJob", {"Worker": 2}),
                ("PyTorchJob", {"Master": 1, "Worker": 2}),
                ("XGBoostJob", {"Master": 1, "Worker": 2}),
                ("JAXJob", {"Worker": 2}),
                ("PaddleJob", {"Worker": 2}),
            )
            for policy in ("Never", "OnFailure", "ExitCode")
        ),
    ],
)
def test_a_running_pod_that_somebody_deletes(framework, read, pod, kind, roles, policy, expected):
    job = read(kind, {role: {"replicas": n, "restartPolicy": policy} for role, n in roles.items()})
    found = [
        pod(kind, role, index, deleting=(role, index) == ("Worker", 1))
        for role, number in roles.items()
        for index in range(number)
    ]
    world = observe(job, found, [])
    outcome = status.begin(job.object, kind, NOW)
    planned = plan(job, world, framework(kind).shape.container)
    assert planned.delete_pods == planned.make_pods == []
    status.advance(outcome, framework(kind), job, world, planned, NOW)
    assert holds(outcome.status, expected)


def test_a_pod_without_an_exit_code_may_try_again(end):
    assert end("JAXJob", {"Worker": "F R"}, "ExitCode") == ["Created", "Restarting"]
