"""Searches of whole experiments on a real server: a population that goes on from checkpoints, budgets, architectures.

Each experiment is shaped as upstream's example of it is (kubeflow/katib 0.19 examples/v1beta1); how it must end is what
upstream's e2e verifies (test/e2e/v1beta1/scripts/gh-actions/verify.py).
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sampan.components.tuning.engine.nas_graph import cell_graph, layers_graph
from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import HttpError, ServerProcess

NAMESPACE = "/apis/kubeflow.org/v1beta1/namespaces/default"
GENERATION, PARENT = (f"pbt.suggestion.katib.kubeflow.org/{name}" for name in ("generation", "parent"))
BRACKET, RUNG = (f"hyperband.suggestion.katib.kubeflow.org/{name}" for name in ("bracket", "rung"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(home_with_frameworks(tmp_path_factory.mktemp("searches") / "home")) as server:
        yield server


def submit(
    server: ServerProcess,
    name: str,
    image: str,
    command: list[str],
    references: Mapping[str, str],
    **spec: Any,
) -> None:
    container = {"name": "training-container", "image": image, "command": command}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}},
    }
    template = {
        "primaryContainerName": "training-container",
        "trialParameters": [{"name": key, "reference": value} for key, value in references.items()],
        "trialSpec": job,
    }
    body = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {"trialTemplate": template, **spec},
    }
    server.call("POST", f"{NAMESPACE}/experiments", body)


def algorithm(name: str, **settings: Any) -> dict[str, Any]:
    given = [{"name": key, "value": str(value)} for key, value in settings.items()]
    return {"algorithmName": name, "algorithmSettings": given}


def number(name: str, kind: str, low: str, high: str, step: str = "") -> dict[str, Any]:
    space = {"min": low, "max": high} | ({"step": step} if step else {})
    return {"name": name, "parameterType": kind, "feasibleSpace": space}


def succeeded(server: ServerProcess, name: str, seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    found: Any = {}
    while time.monotonic() < deadline:
        found = server.call("GET", f"{NAMESPACE}/experiments/{name}")
        true = {
            each["type"]: each
            for each in found.get("status", {}).get("conditions", ())
            if each["status"] == "True"
        }
        if "Succeeded" in true:
            return found
        assert "Failed" not in true, (true["Failed"], trials(server, name))
        time.sleep(0.2)
    raise AssertionError(found.get("status"))


def trials(server: ServerProcess, experiment: str) -> list[Any]:
    path = f"{NAMESPACE}/trials?labelSelector=katib.kubeflow.org%2Fexperiment%3D{experiment}"
    found: list[Any] = server.call("GET", path)["items"]
    return sorted(found, key=lambda each: each["metadata"]["creationTimestamp"])


def verify(server: ServerProcess, experiment: Any) -> None:
    """As upstream's verify.py does."""
    name, spec, status = experiment["metadata"]["name"], experiment["spec"], experiment["status"]
    metric = spec["objective"]["objectiveMetricName"]
    best = {each["name"]: each for each in status["currentOptimalTrial"]["observation"]["metrics"]}
    assert metric in best
    (reason,) = (each["reason"] for each in status["conditions"] if each["type"] == "Succeeded")
    if reason == "ExperimentMaxTrialsReached":
        assert status["trialsSucceeded"] + status.get("trialsEarlyStopped", 0) == spec["maxTrialCount"]
    deadline = time.monotonic() + 60
    while "Running" in (true := _true(server.call("GET", f"{NAMESPACE}/suggestions/{name}"))):
        # It ends after the experiment.
        assert time.monotonic() < deadline, true
        time.sleep(0.1)
    if spec["resumePolicy"] == "FromVolume":
        claim = f"{name}-{spec['algorithm']['algorithmName']}"
        server.call("GET", f"/api/v1/namespaces/default/persistentvolumeclaims/{claim}")


def _true(found: Any) -> set[str]:
    return {each["type"] for each in found["status"]["conditions"] if each["status"] == "True"}


def value(trial: Any, metric: str) -> float:
    (found,) = (each["max"] for each in trial["status"]["observation"]["metrics"] if each["name"] == metric)
    return float(found)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_population_goes_on_from_checkpoints(server: ServerProcess) -> None:
    submit(
        server,
        "simple-pbt",
        "ghcr.io/kubeflow/katib/simple-pbt:v0.19.0",
        [
            *("python3", "/opt/pbt/pbt_test.py", "--epochs=20"),
            *("--lr=${trialParameters.learningRate}", "--checkpoint=/var/log/katib/checkpoints/"),
        ],
        {"learningRate": "lr"},
        maxTrialCount=24,
        parallelTrialCount=4,
        maxFailedTrialCount=3,
        resumePolicy="FromVolume",
        objective={"type": "maximize", "goal": 0.999, "objectiveMetricName": "Validation-accuracy"},
        algorithm=algorithm(
            "pbt",
            suggestion_trial_dir="/var/log/katib/checkpoints/",
            n_population=6,
            truncation_threshold=0.3,
        ),
        parameters=[number("lr", "double", "0.0001", "0.02", "0.0001")],
    )
    experiment = succeeded(server, "simple-pbt", 300)
    verify(server, experiment)
    found = {each["metadata"]["name"]: each for each in trials(server, "simple-pbt")}
    labels = {name: each["spec"]["labels"] for name, each in found.items()}
    generations = Counter(int(each[GENERATION]) for each in labels.values())
    assert max(generations) >= 2
    for name, each in labels.items():
        parent = each.get(PARENT)
        assert (parent is None) == (each[GENERATION] == "0")
        if parent is not None:
            assert int(labels[parent][GENERATION]) == int(each[GENERATION]) - 1
            # It has gone on from where its parent was: see its folder, which holds how often it stepped.
            folder = next(iter(server.home.glob(f"volumes/**/simple-pbt/{name}/training.json")))
            steps = json.loads(folder.read_text())["step"]
            assert steps == 1 + 20 * (int(each[GENERATION]) + 1)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_budgets_go_to_the_best(server: ServerProcess) -> None:
    program = "import sys; lr, n = map(float, sys.argv[1:]); print(f'loss={(lr - 0.3) ** 2 + 1 / n}')"
    submit(
        server,
        "hyperband",
        "python:3.11",
        ["python", "-c", program, "${trialParameters.lr}", "${trialParameters.epochs}"],
        {"lr": "lr", "epochs": "num-epochs"},
        parallelTrialCount=4,
        maxFailedTrialCount=2,
        objective={"type": "minimize", "goal": 0.001, "objectiveMetricName": "loss"},
        algorithm=algorithm("hyperband", resource_name="num-epochs", eta=2, r_l=4),
        parameters=[number("lr", "double", "0.01", "0.99"), number("num-epochs", "int", "1", "1")],
    )
    experiment = succeeded(server, "hyperband", 300)
    verify(server, experiment)
    (reason,) = (each["reason"] for each in experiment["status"]["conditions"] if each["type"] == "Succeeded")
    assert reason == "ExperimentSuggestionEndReached"
    found = trials(server, "hyperband")
    counted = Counter(
        (
            each["spec"]["labels"][BRACKET],
            each["spec"]["labels"][RUNG],
            {one["name"]: one["value"] for one in each["spec"]["parameterAssignments"]}["num-epochs"],
        )
        for each in found
    )
    # R = 4, eta = 2: brackets of 4, 3 and 3.
    assert counted == {
        ("2", "0", "1"): 4,
        ("2", "1", "2"): 2,
        ("2", "2", "4"): 1,
        ("1", "0", "2"): 3,
        ("1", "1", "4"): 2,
        ("0", "0", "4"): 3,
    }


def _listed(name: str, *values: str) -> dict[str, Any]:
    return {"name": name, "parameterType": "categorical", "feasibleSpace": {"list": list(values)}}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_architectures_are_written_and_trained(server: ServerProcess) -> None:
    convolution = [_listed("filter_size", "3", "5"), _listed("num_filter", "8", "16"), _listed("stride", "1")]
    pool = number("pool_size", "int", "2", "3", "1")
    submit(
        server,
        "enas-cpu",
        "ghcr.io/kubeflow/katib/enas-cnn-cifar10-cpu:v0.19.0",
        [
            *("python3", "-u", "RunTrial.py", "--num_epochs=1"),
            '--architecture="${trialParameters.architecture}"',
            '--nn_config="${trialParameters.config}"',
        ],
        {"architecture": "architecture", "config": "nn_config"},
        parallelTrialCount=1,
        maxTrialCount=2,
        maxFailedTrialCount=0,
        objective={"type": "maximize", "goal": 0.99, "objectiveMetricName": "Validation-Accuracy"},
        algorithm=algorithm("enas", controller_train_steps=5),
        nasConfig={
            "graphConfig": {"numLayers": 2, "inputSizes": [8, 8, 1], "outputSizes": [10]},
            "operations": [
                {"operationType": "convolution", "parameters": convolution},
                {"operationType": "reduction", "parameters": [pool]},
            ],
        },
    )
    verify(server, succeeded(server, "enas-cpu", 1100))
    for each in trials(server, "enas-cpu"):
        assert 0 < value(each, "Validation-Accuracy") <= 1
        assert {one["name"] for one in each["spec"]["parameterAssignments"]} == {"architecture", "nn_config"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_cell_is_found_by_gradients(server: ServerProcess) -> None:
    collector = {
        "collector": {"kind": "StdOut"},
        "source": {"filter": {"metricsFormat": [r"([\w-]+)=(Genotype.*)"]}},
    }
    submit(
        server,
        "darts-cpu",
        "ghcr.io/kubeflow/katib/darts-cnn-cifar10-cpu:v0.19.0",
        [
            *("python3", "run_trial.py"),
            '--algorithm-settings="${trialParameters.settings}"',
            '--search-space="${trialParameters.space}"',
            '--num-layers="${trialParameters.layers}"',
        ],
        {"settings": "algorithm-settings", "space": "search-space", "layers": "num-layers"},
        parallelTrialCount=1,
        maxTrialCount=1,
        maxFailedTrialCount=1,
        objective={"type": "maximize", "objectiveMetricName": "Best-Genotype"},
        metricsCollectorSpec=collector,
        algorithm=algorithm("darts", num_epochs=1, num_nodes=1, init_channels=1, stem_multiplier=1),
        nasConfig={
            "graphConfig": {"numLayers": 1},
            "operations": [{"operationType": "max_pooling", "parameters": [_listed("filter_size", "3")]}],
        },
    )
    experiment = succeeded(server, "darts-cpu", 1100)
    verify(server, experiment)
    (found,) = experiment["status"]["currentOptimalTrial"]["observation"]["metrics"]
    assert re.match(r"Genotype\(normal=\[\[\('max_pooling_3x3',[01]\)", found["latest"])


def test_what_cannot_be_searched_is_refused_at_once(server: ServerProcess) -> None:
    with pytest.raises(HttpError, match="parallelTrialCount must be not less than 9"):
        submit(
            server,
            "refused",
            "python:3.11",
            ["echo", "${trialParameters.lr}"],
            {"lr": "lr"},
            parallelTrialCount=3,
            objective={"type": "minimize", "objectiveMetricName": "loss"},
            algorithm=algorithm("hyperband", resource_name="lr", r_l=9),
            parameters=[number("lr", "int", "1", "9")],
        )


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", ["enas", "darts"])
def test_the_example_ends(server: ServerProcess, name: str) -> None:
    file = Path(__file__).parents[3] / "examples" / "04-architecture-search" / f"{name}.yaml"
    body = yaml.safe_load(file.read_text())
    # What the controller learns follows from which trial has ended first.
    body["spec"]["parallelTrialCount"] = 1
    server.call("POST", f"{NAMESPACE}/experiments", body)
    experiment = succeeded(server, f"digits-{name}", 1100)
    verify(server, experiment)
    best = experiment["status"]["currentOptimalTrial"]
    assigned = {each["name"]: each["value"] for each in best["parameterAssignments"]}
    if name == "enas":
        assert max(value(each, "Validation-Accuracy") for each in trials(server, "digits-enas")) > 0.75
        assert len(layers_graph(assigned["architecture"], assigned["nn_config"]).nodes) == 4 + 4
    else:
        assert len(cell_graph(best["observation"]["metrics"][0]["latest"]).nodes) == 2 + 2 + 1
