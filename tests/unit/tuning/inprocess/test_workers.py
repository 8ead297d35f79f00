"""Which experiments have trials in-process, and the pods that take them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sampan.components.tuning.engine.inprocess.workers import (
    end_of_worker,
    is_in_process,
    runs_in_process,
    time_limit_seconds,
    worker_pod,
)

_EXPERIMENT: dict[str, Any] = {
    "apiVersion": "kubeflow.org/v1beta1",
    "kind": "Experiment",
    "metadata": {
        "name": "find",
        "namespace": "team",
        "uid": "u1",
        "annotations": {"sampan.dev/trials": "in-process"},
    },
    "spec": {
        "trialTemplate": {
            "primaryContainerName": "main",
            "trialSpec": {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "spec": {
                    "activeDeadlineSeconds": 9,
                    "template": {
                        "metadata": {"labels": {"a": "b"}},
                        "spec": {
                            "restartPolicy": "OnFailure",
                            "serviceAccountName": "builder",
                            "activeDeadlineSeconds": 7,
                            "containers": [
                                {
                                    "name": "main",
                                    "image": "python:3.11",
                                    "command": [
                                        "python3",
                                        "/sampan/code/boot.py",
                                        "python",
                                        "trial.py",
                                        "--x=${x}",
                                    ],
                                    "env": [{"name": "A", "value": "1"}],
                                    "resources": {"limits": {"memory": "1Gi"}},
                                },
                                {"name": "beside", "image": "busybox"},
                            ],
                        },
                    },
                },
            },
        }
    },
}


def _changed(change: Any) -> dict[str, Any]:
    made = copy.deepcopy(_EXPERIMENT)
    change(made)
    return made


def _job(experiment: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = experiment["spec"]["trialTemplate"]["trialSpec"]
    return found


def test_a_function_that_asks_for_it() -> None:
    assert runs_in_process(_EXPERIMENT)


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it["metadata"].pop("annotations"),
        lambda it: it["metadata"]["annotations"].update({"sampan.dev/trials": "pods"}),
        lambda it: _job(it).update(kind="PyTorchJob"),
        lambda it: _job(it)["spec"]["template"]["spec"]["containers"][0].update(
            command=["python3", "train.py"]
        ),
        lambda it: it["spec"]["trialTemplate"].update(primaryContainerName="beside"),
        lambda it: it["spec"]["trialTemplate"].update(trialSpec=None),
        lambda it: it["spec"].update(trialTemplate={"configMap": {"configMapName": "x"}}),
        lambda it: _job(it)["spec"].update(template=None),
    ],
)
def test_whatever_else_is_written_runs_as_jobs(change: Any) -> None:
    assert not runs_in_process(_changed(change))


def test_a_trial_is_known_by_its_own_run() -> None:
    trial = {
        "metadata": {"annotations": {"sampan.dev/trials": "in-process"}},
        "spec": {"runSpec": _job(_EXPERIMENT), "primaryContainerName": "main"},
    }
    assert is_in_process(trial)
    assert not is_in_process({**trial, "metadata": {}})


def test_a_workers_pod_is_that_of_the_job_save_for_what_it_is_told() -> None:
    pod = worker_pod(_EXPERIMENT, "find-worker-1", "/home/x/find", "/home/x/find/worker-1")
    assert pod["metadata"]["labels"] == {"a": "b", "sampan.dev/trial-worker": "find"}
    assert pod["metadata"]["ownerReferences"][0]["uid"] == "u1"
    spec = pod["spec"]
    assert (spec["serviceAccountName"], spec["restartPolicy"]) == ("builder", "Never")
    assert "activeDeadlineSeconds" not in spec
    main, beside = spec["containers"]
    assert main["env"] == [
        {"name": "A", "value": "1"},
        {"name": "SAMPAN_TRIALS", "value": "/home/x/find/worker-1"},
    ]
    assert main["resources"] == {"limits": {"memory": "1Gi"}}
    assert main["volumeMounts"] == [{"name": "sampan-trials", "mountPath": "/home/x/find"}]
    assert "env" not in beside
    # What it is made of stays as it was.
    assert "volumes" not in _job(_EXPERIMENT)["spec"]["template"]["spec"]


def test_the_time_limit_is_the_jobs_and_the_shorter_one() -> None:
    assert time_limit_seconds(_EXPERIMENT) == 7
    assert time_limit_seconds(_changed(lambda it: _job(it)["spec"].update(template={}))) == 9
    assert time_limit_seconds({"spec": {}}) is None


def test_how_a_worker_ended_is_said() -> None:
    def pod(**ended: Any) -> dict[str, Any]:
        return {"status": {"containerStatuses": [{"name": "main", "state": {"terminated": ended}}]}}

    assert end_of_worker(pod(exitCode=137, reason="OOMKilled")).endswith("(OOMKilled, exit code 137)")
    assert end_of_worker(pod(exitCode=3, reason="Error")).endswith("(exit code 3)")
    assert "Evicted: no room" in end_of_worker({"status": {"reason": "Evicted", "message": "no room"}})
    assert end_of_worker({}) == "the process of the trial was lost"
