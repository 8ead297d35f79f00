"""Training jobs launched by steps of pipelines: by `sampan.sdk.training`, and by the official SDKs as they are."""

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
TRAINJOBS = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/default/trainjobs"
PYTORCHJOBS = "/apis/kubeflow.org/v1/namespaces/default/pytorchjobs"

WORDS = """
import sys
from kfp import compiler, dsl
from sampan.sdk import training

@dsl.component(base_image="python:3.11")
def prepare(data: dsl.Output[dsl.Dataset]) -> str:
    open(data.path, "w").write("some rows")
    return 'a "quoted" \\\\ word'

@dsl.component(base_image="python:3.11")
def look(model: dsl.Input[dsl.Model]) -> str:
    return open(model.path + "/seen").read()

@dsl.pipeline(name="words")
def words(count: int = 3):
    before = prepare()
    trained = training.script(
        sys.argv[2], "--count", count, before.outputs["Output"], before.outputs["data"], "$HOME {x}", kind="PyTorchJob"
    )
    look(model=trained.outputs["model"])

compiler.Compiler().compile(words, sys.argv[1])
"""
SEEN = """
import json, os, sys
print("rows:", open(sys.argv[4]).read())
json.dump(sys.argv[1:4] + sys.argv[5:], open(os.environ["SAMPAN_OUTPUT"] + "/seen", "w"))
"""
ENDLESS = """
from kfp import compiler, dsl
from sampan.sdk import training
import sys

@dsl.pipeline(name="endless")
def endless():
    training.script(sys.argv[2], nodes=2)

compiler.Compiler().compile(endless, sys.argv[1])
"""
OFFICIAL = """
from kfp import compiler, dsl
import sys

@dsl.component(base_image="python:3.11", packages_to_install=["kubeflow==0.5.0"])
def trainer() -> str:
    from kubeflow.trainer import CustomTrainer, TrainerClient

    def train():
        print("from the trainer")

    client = TrainerClient()
    name = client.train(
        trainer=CustomTrainer(func=train, num_nodes=1, image="python:3.11"),
        runtime=client.get_runtime("xgboost-distributed"),
    )
    client.wait_for_job_status(name, timeout=120, polling_interval=1)
    return " ".join(client.get_job_logs(name))

@dsl.component(base_image="python:3.11", packages_to_install=["kubeflow-training==1.9.4"])
def operator() -> str:
    from kubeflow.training import TrainingClient

    pod = {"containers": [{"name": "pytorch", "image": "python:3.11", "command": ["python", "-c", "print('hi')"]}]}
    job = {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": {"name": "official"},
           "spec": {"runPolicy": {"cleanPodPolicy": "None"},
                    "pytorchReplicaSpecs": {"Master": {"replicas": 1, "template": {"spec": pod}}}}}
    client = TrainingClient(job_kind="PyTorchJob")
    client.custom_api.create_namespaced_custom_object("kubeflow.org", "v1", "default", "pytorchjobs", job)
    client.wait_for_job_conditions("official", namespace="default", polling_interval=1, wait_timeout=120)
    logs, _ = client.get_job_logs("official", namespace="default")
    return str(list(logs.values())[0])

@dsl.pipeline(name="official")
def official():
    trainer()
    operator()

compiler.Compiler().compile(official, sys.argv[1])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("steps") / "home") as server:
        yield server


def started(server: ServerProcess, tmp_path: Path, program: str, script: str = "") -> str:
    """The id of a run of what `program` compiles."""
    (tmp_path / "compile.py").write_text(program)
    (tmp_path / "script.py").write_text(script)
    out = tmp_path / "pipeline.json"
    python = interpreter_with("kfp==2.17.0", "pandas==2.3.3", "httpx==0.28.1", "msgspec==0.20.0")
    done = subprocess.run(
        [python, "-W", "ignore", tmp_path / "compile.py", out.with_suffix(".yaml"), tmp_path / "script.py"],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    spec = next(yaml.safe_load_all(out.with_suffix(".yaml").read_text()))
    return server.submit(spec)


def outputs(server: ServerProcess, run_id: str, step: str) -> dict[str, Any]:
    task = next(task for task in server.tasks(run_id) if task["name"] == step)
    return {each["parameter_key"]: each["value"] for each in task["outputs"]["parameters"]}


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


@pytest.mark.slow
def test_arguments_may_be_anything_and_come_as_they_are(server: ServerProcess, tmp_path: Path) -> None:
    run_id = started(server, tmp_path, WORDS, SEEN)
    assert server.wait_run(run_id, 100)["state"] == "SUCCEEDED", server.tasks(run_id)
    seen = json.loads(outputs(server, run_id, "look")["Output"])
    assert seen == ["--count", "3", 'a "quoted" \\ word', "$HOME {x}"]


@pytest.mark.slow
def test_stopping_the_run_deletes_the_job(server: ServerProcess, tmp_path: Path) -> None:
    run_id = started(server, tmp_path, ENDLESS, "import time\nwhile True: time.sleep(1)\n")
    jobs = lambda: server.call("GET", TRAINJOBS)["items"]  # noqa: E731
    (job,) = until(jobs)
    assert job["metadata"]["labels"]["pipelines.kubeflow.org/run-id"] == run_id
    assert job["metadata"]["ownerReferences"][0]["kind"] == "Pod"
    server.call("POST", f"/apis/v2beta1/runs/{run_id}:terminate")
    until(lambda: not jobs())
    assert server.wait_run(run_id, 60)["state"] == "CANCELED"


@pytest.mark.slow
def test_a_job_that_fails_fails_its_step(server: ServerProcess, tmp_path: Path) -> None:
    run_id = started(server, tmp_path, ENDLESS, "raise SystemExit('not today')\n")
    assert server.wait_run(run_id, 100)["state"] == "FAILED"
    pod = next(task for task in server.tasks(run_id) if task["name"] == "train")["pods"][0]["name"]
    log = server.text(f"/apis/v2beta1/runs/{run_id}/nodes/{pod}/log")
    assert "not today" in log
    assert "failed: " in log


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_official_clients_in_a_step_act_as_its_account(server: ServerProcess, tmp_path: Path) -> None:
    run_id = started(server, tmp_path, OFFICIAL)
    assert server.wait_run(run_id, 350)["state"] == "SUCCEEDED", server.tasks(run_id)
    assert "from the trainer" in outputs(server, run_id, "trainer")["Output"]
    assert "hi" in outputs(server, run_id, "operator")["Output"]
