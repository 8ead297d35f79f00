"""The examples, run as their READMEs say, and what a user sees of them afterwards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import ServerProcess

EXAMPLES = Path(__file__).parents[2] / "examples"


def sampan(server: ServerProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sampan", *arguments, "--home", str(server.home)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with ServerProcess(home_with_frameworks(tmp_path_factory.mktemp("examples") / "home")) as running:
        yield running


@pytest.mark.timeout(300)
def test_the_first_pipeline_keeps_the_best_model(server: ServerProcess) -> None:
    file = str(EXAMPLES / "01-first-pipeline" / "pipeline.py")
    done = sampan(server, "run", file, "--name", "digits")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "succeeded after" in done.stdout
    assert len(re.findall(r"✓ candidates\[\d\] / train  succeeded", done.stdout)) == 3
    assert re.search(r"winner +parameter +support-vectors", done.stdout)
    assert "confusion matrix" in done.stdout
    model = re.search(r"publish\n  model +model +(\S+)", done.stdout)
    assert model is not None
    assert Path(model.group(1)).stat().st_size > 10_000

    run_id = server.call("GET", "/apis/v2beta1/runs")["runs"][0]["run_id"]
    tasks = {task["name"]: task for task in server.tasks(run_id)}
    assert "reject" not in tasks
    published = tasks["publish"]["outputs"]["artifacts"][0]["artifacts"][0]
    assert published["type"] == "Model"
    assert published["metadata"]["published_as"] == "digits"

    listed = sampan(server, "runs").stdout
    assert re.search(rf"{run_id[:8]} +digits +succeeded", listed)
    said = sampan(server, "logs", "digits", "train").stdout
    assert "candidates[2] / train  support-vectors: 0.9" in said
    whole = sampan(server, "logs", run_id[:8]).stdout
    assert re.search(r"^prepare  1347 images to learn from, 450 to be judged by$", whole, re.MULTILINE)

    again = sampan(server, "run", file)
    assert again.returncode == 0
    assert again.stdout.count("from cache") == 6


@pytest.mark.timeout(300)
def test_nothing_is_published_that_is_not_good_enough(server: ServerProcess) -> None:
    file = str(EXAMPLES / "01-first-pipeline" / "pipeline.py")
    done = sampan(server, "run", file, "--param", "wanted_accuracy=0.9999")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "publish" not in done.stdout
    assert re.search(r"Output +parameter +the best model reached 9\d\.\d\d%, wanted are 99\.99%", done.stdout)


def test_distributed_training_has_the_same_figures_on_one_node_and_on_two(server: ServerProcess) -> None:
    script = str(EXAMPLES / "02-distributed-training" / "train.py")

    def losses(nodes: str) -> list[str]:
        # Options stand before the script.
        command = [*("train", "-n", nodes, "--home", str(server.home)), script, "--steps", "5"]
        done = subprocess.run(
            [sys.executable, "-m", "sampan", *command],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return re.findall(r"step=\d loss=(\S+) accuracy=(\S+)", done.stdout)

    one = losses("1")
    assert len(one) == 5
    assert losses("2") == one


def test_distributed_training_is_a_step_of_a_pipeline(server: ServerProcess) -> None:
    file = str(EXAMPLES / "02-distributed-training" / "pipeline.py")
    done = sampan(server, "run", file, "--name", "distributed", "--param", "steps=12")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "good enough" in done.stdout
    assert re.search(r"metrics +metrics +accuracy = 0\.9\d+, loss = 0\.3\d", done.stdout)
    runs = server.call("GET", "/apis/v2beta1/runs")["runs"]
    (run_id,) = (each["run_id"] for each in runs if each["display_name"] == "distributed")
    task = next(task for task in server.tasks(run_id) if task["name"] == "train")
    (model,) = (
        each["artifacts"][0] for each in task["outputs"]["artifacts"] if each["artifact_key"] == "model"
    )
    assert model["type"] == "Model"
    assert model["metadata"]["job_kind"] == "TrainJob"
    assert (Path(model["uri"]) / "weights.json").exists()
    # The job stays, and says of which run it is.
    job = server.call(
        "GET",
        f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/default/trainjobs/{model['metadata']['job_name']}",
    )
    assert job["metadata"]["labels"]["pipelines.kubeflow.org/run-id"] == run_id
    assert "ownerReferences" not in job["metadata"]


@pytest.mark.slow
def test_functions_run_side_by_side(server: ServerProcess) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "02-distributed-training" / "remote_function.py")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "SAMPAN_HOME": str(server.home)},
    )
    assert done.returncode == 0, done.stderr
    assert re.findall(r"it takes (\d+) steps", done.stdout) == ["342", "31", "8"]


@pytest.mark.timeout(300)
def test_a_script_a_function_and_an_experiment_are_tuned(server: ServerProcess) -> None:
    folder = EXAMPLES / "03-tuning"
    space = ("--param", "lr=log:1e-3..1", "--param", "degree=1..7", "--param", "momentum=0..0.95")
    objective = ("--objective", "loss", "--minimize", "--max", "6", "--seed", "1", "--name", "curve")
    script = (str(folder / "train.py"), "--epochs", "5")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "sampan",
            "tune",
            "run",
            "--home",
            str(server.home),
            *space,
            *objective,
            *script,
        ],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"best  loss=0\.\d+  lr=", done.stdout)
    best = sampan(server, "tune", "best", "curve", "--as", "env").stdout
    assert re.match(r"lr=[\d.e-]+\ndegree=\d\nmomentum=[\d.e-]+\n", best)
    # Five epochs of the best trial.
    assert "5 values" in sampan(server, "tune", "curve", "curve").stdout

    environ = {**os.environ, "SAMPAN_HOME": str(server.home)}
    function = [sys.executable, str(folder / "tune_function.py")]
    tuned = subprocess.run(function, capture_output=True, text=True, timeout=240, env=environ)
    assert tuned.returncode == 0, tuned.stdout + tuned.stderr
    assert re.search(r"best: \{'k': \d+, 'power': [\d.]+, 'weights': '\w+'\} error: 0\.0\d+", tuned.stdout)

    written = sampan(server, "tune", "create", "-f", str(folder / "experiment.yaml"), "--watch")
    assert written.returncode == 0, written.stdout + written.stderr
    assert written.stdout.count("✓ by-hand-") == 4


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_pipeline_deploys_what_it_has_trained(server: ServerProcess) -> None:
    folder = EXAMPLES / "05-serving"
    done = sampan(server, "run", str(folder / "pipeline.py"), "--param", "depth=2", "--name", "digits")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"digits are read at http://digits-default\.localhost", done.stdout)
    said = sampan(server, "predict", "digits", "-d", f"@{folder / 'digits.csv'}")
    assert re.match(r"\d\n", said.stdout), said.stdout + said.stderr
    lineage = sampan(server, "endpoints", "lineage", "digits").stdout
    assert re.search(r"step +train, image kserve/sklearnserver", lineage)
    assert re.search(r"from +data \(Dataset\)", lineage)
    own = subprocess.run(
        [sys.executable, str(folder / "own_model.py")],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "SAMPAN_HOME": str(server.home)},
    )
    assert "'a great day': +2" in own.stdout, own.stdout + own.stderr
