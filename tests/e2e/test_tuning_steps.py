"""Experiments made by steps of pipelines: by `sampan.sdk.tuning`, and by upstream's launcher component."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sampan.testing.clients import interpreter_with
from sampan.testing.server import ServerProcess

SOURCE = Path(__file__).parents[2] / "src"
EXPERIMENTS = "/apis/kubeflow.org/v1beta1/namespaces/default/experiments"

TUNED = """
import os, sys
from kfp import compiler, dsl
from sampan.sdk import search, tuning

def train(x: float, depth: int, shape) -> float:
    return (x - float(os.environ["AIM"])) ** 2 + depth + (shape != [1, 2])

@dsl.component(base_image="python:3.11")
def aim() -> str:
    return "0.5"

@dsl.component(base_image="python:3.11")
def use(parameters: dict, loss: float, experiment: str, metrics: dsl.Input[dsl.Metrics]) -> dict:
    return {"parameters": parameters, "loss": loss, "experiment": experiment, "metrics": metrics.metadata}

@dsl.pipeline(name="tuned")
def tuned():
    space = {"x": search.uniform(0, 1), "depth": search.int(1, 3), "shape": search.choice([[1, 2], [3]])}
    best = tuning.function(
        train, space, objective="loss", direction="minimize", trials=6, seed=1, env={"AIM": aim().output}
    )
    use(
        parameters=best.outputs["best_parameters"],
        loss=best.outputs["best_metric"],
        experiment=best.outputs["experiment_name"],
        metrics=best.outputs["metrics"],
    )

compiler.Compiler().compile(tuned, sys.argv[1])
"""
WRITTEN = """
import sys
from kfp import compiler, dsl
from sampan.sdk import tuning

PROGRAM, X = "{program}", "${{trialParameters.x}}"
pod = {{"containers": [{{"name": "main", "image": "python:3.11", "command": ["python", "-c", PROGRAM, X]}}],
       "restartPolicy": "Never"}}
job = {{"backoffLimit": 0, "template": {{"spec": pod}}}}

@dsl.pipeline(name="written")
def written(trials: int = 4):
    tuning.manifest({{"metadata": {{"name": "by-hand"}}, "spec": {{
        "objective": {{"type": "maximize", "objectiveMetricName": "y"}},
        "algorithm": {{"algorithmName": "random"}},
        "parallelTrialCount": 1, "maxTrialCount": trials, "maxFailedTrialCount": 0,
        "parameters": [{{"name": "x", "parameterType": "double", "feasibleSpace": {{"min": "0", "max": "1"}}}}],
        "trialTemplate": {{
            "primaryContainerName": "main",
            "trialParameters": [{{"name": "x", "reference": "x"}}],
            "trialSpec": {{"apiVersion": "batch/v1", "kind": "Job", "spec": job}},
        }},
    }}}})

compiler.Compiler().compile(written, sys.argv[1])
"""
LAUNCHED = """
import sys
from kfp import compiler, components, dsl

COMPONENT = '''
name: Katib - Launch Experiment
inputs:
- {name: Experiment Name, type: String, default: ''}
- {name: Experiment Namespace, type: String, default: anonymous}
- {name: Experiment Spec, type: JsonObject, default: '{}'}
- {name: Experiment Timeout Minutes, type: Integer, default: 1440}
- {name: Delete Finished Experiment, type: Bool, default: 'True'}
outputs:
- {name: Best Parameter Set, type: JsonObject}
implementation:
  container:
    image: docker.io/kubeflowkatib/kubeflow-pipelines-launcher
    command: [python, src/launch_experiment.py]
    args: [--experiment-name, {inputValue: Experiment Name}, --experiment-namespace, {inputValue: Experiment Namespace},
           --experiment-spec, {inputValue: Experiment Spec},
           --experiment-timeout-minutes, {inputValue: Experiment Timeout Minutes},
           --delete-after-done, {inputValue: Delete Finished Experiment},
           --output-file, {outputPath: Best Parameter Set}]
'''
launch = components.load_component_from_text(COMPONENT)
pod = {"containers": [{"name": "main", "image": "python:3.11", "command":
       ["python", "-c", "print('y=${trialParameters.x}')"]}], "restartPolicy": "Never"}
spec = {
    "max_trial_count": 2, "max_failed_trial_count": 1, "parallel_trial_count": 1,
    "objective": {"type": "maximize", "objective_metric_name": "y"},
    "algorithm": {"algorithm_name": "random", "algorithm_settings": [{"name": "random_state", "value": "1"}]},
    "parameters": [{"name": "x", "parameter_type": "double", "feasible_space": {"min": "0", "max": "1"}}],
    "trial_template": {
        "primary_container_name": "main", "trial_parameters": [{"name": "x", "reference": "x"}],
        "trial_spec": {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": pod}}},
    },
}

@dsl.component(base_image="python:3.11")
def use(best: dict) -> dict:
    return best

@dsl.pipeline(name="launched")
def launched():
    task = launch(
        experiment_name="launched", experiment_namespace="default", experiment_spec=spec,
        experiment_timeout_minutes=5, delete_finished_experiment=False,
    )
    use(best=task.output)

compiler.Compiler().compile(launched, sys.argv[1])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("steps") / "home") as server:
        yield server


def started(server: ServerProcess, tmp_path: Path, program: str) -> str:
    """The id of a run of what `program` compiles."""
    (tmp_path / "compile.py").write_text(program)
    out = tmp_path / "pipeline.yaml"
    ours = ("httpx==0.28.1", "msgspec==0.20.0", "cloudpickle==3.1.3")
    python = interpreter_with("kfp==2.17.0", *ours)
    done = subprocess.run(
        [python, "-W", "ignore", tmp_path / "compile.py", out],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return server.submit(next(yaml.safe_load_all(out.read_text())))


def task(server: ServerProcess, run_id: str, name: str) -> dict[str, Any]:
    return next(each for each in server.tasks(run_id) if each["name"] == name)


def outcome(server: ServerProcess, run_id: str) -> Any:
    """What the step `use` was given."""
    assert server.wait_run(run_id, 150)["state"] == "SUCCEEDED", server.tasks(run_id)
    found = task(server, run_id, "use")["outputs"]["parameters"]
    value = next(each["value"] for each in found if each["parameter_key"] == "Output")
    return json.loads(value) if isinstance(value, str) else value


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


@pytest.mark.slow
def test_a_step_hands_on_the_best_of_a_function(server: ServerProcess, tmp_path: Path) -> None:
    run_id = started(server, tmp_path, TUNED)
    given = outcome(server, run_id)
    experiment = server.call("GET", f"{EXPERIMENTS}/{given['experiment']}")
    status = experiment["status"]
    assert status["trialsSucceeded"] == 6
    assert experiment["metadata"]["labels"]["pipelines.kubeflow.org/run-id"] == run_id
    best = {each["name"]: each["value"] for each in status["currentOptimalTrial"]["parameterAssignments"]}
    x, depth, shape = (given["parameters"][name] for name in ("x", "depth", "shape"))
    assert (repr(x), str(depth), json.dumps(shape)) == (best["x"], best["depth"], best["shape"])
    # By the value that another step gave: so the trials had it.
    assert given["loss"] == pytest.approx((x - 0.5) ** 2 + depth + (shape != [1, 2]))
    metrics = given["metrics"]
    assert metrics["loss"] == given["loss"]
    assert metrics["experiment_uid"] == experiment["metadata"]["uid"]
    assert metrics["best_trial"] == status["currentOptimalTrial"]["bestTrialName"]


@pytest.mark.slow
def test_an_experiment_that_fails_fails_its_step_with_its_words(
    server: ServerProcess, tmp_path: Path
) -> None:
    run_id = started(server, tmp_path, WRITTEN.format(program="raise SystemExit('not today')"))
    assert server.wait_run(run_id, 150)["state"] == "FAILED"
    pod = task(server, run_id, "tune")["pods"][0]["name"]
    log = server.text(f"/apis/v2beta1/runs/{run_id}/nodes/{pod}/log")
    assert " launched\n" in log, log
    (experiment,) = (
        each
        for each in server.call("GET", EXPERIMENTS)["items"]
        if each["metadata"]["labels"].get("pipelines.kubeflow.org/run-id") == run_id
    )
    # The pipeline's parameter, as the number that it is.
    assert experiment["spec"]["maxTrialCount"] == 4
    assert (
        f"{experiment['metadata']['name']} failed: {experiment['status']['conditions'][-1]['message']}" in log
    )


@pytest.mark.slow
def test_stopping_the_run_ends_the_experiment(server: ServerProcess, tmp_path: Path) -> None:
    run_id = started(server, tmp_path, WRITTEN.format(program="import time; print('y=1'); time.sleep(600)"))

    def ours() -> Any:
        found = server.call("GET", EXPERIMENTS)["items"]
        return [
            each
            for each in found
            if each["metadata"]["labels"].get("pipelines.kubeflow.org/run-id") == run_id
            and each.get("status", {}).get("trialsRunning")
        ]

    (running,) = until(ours)
    server.call("POST", f"/apis/v2beta1/runs/{run_id}:terminate")
    until(lambda: not ours())
    assert server.wait_run(run_id, 60)["state"] == "CANCELED"
    ended = server.call("GET", f"{EXPERIMENTS}/{running['metadata']['name']}")
    assert ended["metadata"]["annotations"]["sampan.dev/stop"] == "true"
    until(
        lambda: server.call("GET", f"{EXPERIMENTS}/{running['metadata']['name']}")["status"].get(
            "completionTime"
        )
    )


@pytest.mark.slow
def test_upstreams_launcher_component_writes_the_best_trial(server: ServerProcess, tmp_path: Path) -> None:
    best = outcome(server, started(server, tmp_path, LAUNCHED))["currentOptimalTrial"]
    status = server.call("GET", f"{EXPERIMENTS}/launched")["status"]
    assert best == status["currentOptimalTrial"]
    (metric,) = best["observation"]["metrics"]
    assert float(metric["max"]) == float(best["parameterAssignments"][0]["value"])
