"""The object that a trial runs."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sampan.components.tuning.engine.trial.running import run_object


def trial(kind: str, spec: Any, **more: Any) -> Any:
    run = {"apiVersion": "x/v1", "kind": kind, "spec": spec}
    metadata = {"name": "t", "namespace": "ns", "uid": "1"}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Trial",
        "metadata": metadata,
        "spec": {"runSpec": run, **more},
    }


@pytest.mark.parametrize(
    ("kind", "spec", "left"),
    [
        ("Job", {"ttlSecondsAfterFinished": 0, "backoffLimit": 1}, {"backoffLimit": 1}),
        (
            "TFJob",
            {"runPolicy": {"ttlSecondsAfterFinished": 5, "cleanPodPolicy": "All"}},
            {"runPolicy": {"cleanPodPolicy": "All"}},
        ),
        ("Workflow", {"ttlStrategy": {"secondsAfterCompletion": 1}}, {}),
        ("Other", {"ttlStrategy": 1}, {"ttlStrategy": 1}),
        ("Other", "a text", "a text"),
        ("Other", {"runPolicy": "a text"}, {"runPolicy": "a text"}),
    ],
)
def test_it_stays_until_the_trial_takes_it_away(kind: str, spec: Any, left: Any) -> None:
    given = trial(kind, spec)
    before = copy.deepcopy(given)
    assert run_object(given)["spec"] == left
    assert given == before
    # Whoever wants it kept says for how long.
    assert run_object(trial(kind, spec, retainRun=True))["spec"] == spec
