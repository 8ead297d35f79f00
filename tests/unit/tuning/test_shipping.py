"""`sampan.components.tuning.controller.shipping`: what it brings along is what experiments can use."""

from __future__ import annotations

import re

import pytest
import yaml

from sampan.components.tuning.controller.shipping import TEMPLATES

_WANTED = {
    "defaultTrialTemplate.yaml": ("Job", {"learningRate", "momentum"}),
    "enasCPUTemplate": ("Job", {"neuralNetworkArchitecture", "neuralNetworkConfig"}),
    "pytorchJobTemplate": ("PyTorchJob", {"learningRate", "momentum"}),
}


def test_they_have_upstream_s_names() -> None:
    assert set(TEMPLATES["data"]) == set(_WANTED)
    assert TEMPLATES["metadata"]["labels"] == {"katib.kubeflow.org/component": "trial-templates"}


@pytest.mark.parametrize("name", _WANTED)
def test_each_is_an_object_with_upstream_s_parameters(name: str) -> None:
    text = TEMPLATES["data"][name]
    kind, parameters = _WANTED[name]
    assert yaml.safe_load(text)["kind"] == kind
    assert set(re.findall(r"\$\{trialParameters\.(\w+)\}", text)) == parameters


def test_every_pod_of_the_training_job_runs_the_same() -> None:
    specs = yaml.safe_load(TEMPLATES["data"]["pytorchJobTemplate"])["spec"]["pytorchReplicaSpecs"]
    assert (specs["Master"]["replicas"], specs["Worker"]["replicas"]) == (1, 2)
    assert specs["Master"]["template"] == specs["Worker"]["template"]
    assert specs["Master"]["template"]["spec"]["containers"][0]["name"] == "pytorch"
