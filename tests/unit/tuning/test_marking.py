"""What pod templates of run objects are given where no hook sees the pods."""

from __future__ import annotations

import pytest

from sampan.components.tuning.engine.trial.marking import mark
from sampan.components.tuning.engine.trial.running import ImpossibleError, run_object


def trial(run, collector="StdOut", container="main"):
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Trial",
        "metadata": {"name": "one", "namespace": "team", "uid": "u", "labels": {"mine": "yes"}},
        "spec": {
            "runSpec": run,
            "primaryContainerName": container,
            "metricsCollector": {"collector": {"kind": collector}},
        },
    }


def template(*names):
    return {"spec": {"containers": [{"name": name, "image": "x"} for name in names]}}


LABELS = {"mine": "yes", "katib.kubeflow.org/trial": "one"}


@pytest.mark.parametrize(
    ("run", "found"),
    [
        ({"kind": "Job", "spec": {"template": template("main")}}, lambda spec: [spec["template"]]),
        (
            {
                "kind": "PyTorchJob",
                "spec": {
                    "pytorchReplicaSpecs": {
                        "Master": {"template": template("main")},
                        "Worker": {"template": template("main")},
                    }
                },
            },
            lambda spec: [each["template"] for each in spec["pytorchReplicaSpecs"].values()],
        ),
        (
            {
                "kind": "JobSet",
                "spec": {"replicatedJobs": [{"template": {"spec": {"template": template("main")}}}]},
            },
            lambda spec: [spec["replicatedJobs"][0]["template"]["spec"]["template"]],
        ),
    ],
)
def test_templates_are_found_in_any_kind(run, found):
    owner = trial({"apiVersion": "example.com/v1", **run})
    made = run_object(owner)
    mark(made, owner)
    for each in found(made["spec"]):
        assert each["metadata"]["labels"] == LABELS
        assert [one["name"] for one in each["spec"]["containers"][0]["env"]] == ["KATIB_TRIAL_NAME"]
    # What the trial says stays what it was.
    assert "metadata" not in found(owner["spec"]["runSpec"]["spec"])[0]


def test_a_bare_pod_and_a_workflow():
    owner = trial({"apiVersion": "v1", "kind": "Pod", **template("other", "main")})
    made = run_object(owner)
    mark(made, owner)
    assert made["metadata"]["labels"] == LABELS
    assert ["env" in each for each in made["spec"]["containers"]] == [False, True]
    owner = trial({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": {"entrypoint": "a"}})
    made = run_object(owner)
    mark(made, owner)
    assert made["spec"]["podMetadata"]["labels"] == LABELS


@pytest.mark.parametrize("kind", ["File", "TensorFlowEvent"])
def test_files_elsewhere_cannot_be_read(kind):
    owner = trial({"apiVersion": "batch/v1", "kind": "Job", "spec": {}}, kind)
    with pytest.raises(ImpossibleError, match="cannot be read"):
        mark(run_object(owner), owner)
