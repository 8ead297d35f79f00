"""`sampan train`: a script becomes a job of two nodes, is followed, looked at, and deleted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from sampan.cli.main import build
from sampan.testing.server import ServerProcess

SCRIPT = """
import os, sys
from parts.words import word
print(word, sys.argv[1:], "rank", os.environ["RANK"], "of", os.environ["WORLD_SIZE"])
for step in range(3):
    print(f"step={step} loss={1 / (step + 1):.2f}")
open("written-in-the-working-folder", "w").close()
if "fail" in sys.argv:
    raise SystemExit("this cannot work")
if out := os.environ.get("SAMPAN_OUTPUT"):
    open(f"{out}/model-{os.environ['RANK']}", "w").close()
"""
LONG = """
import time
while True:
    print("still here")
    time.sleep(0.2)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("train") / "home") as server:
        yield server


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "words.py").write_text("word = 'hello'\n")
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "long.py").write_text(LONG)
    return tmp_path / "train.py"


def command(server: ServerProcess, *arguments: str) -> list[str]:
    # Options come before the script: what stands behind it is the script's.
    where = ["--home", str(server.home)]
    names = {"list", "get", "logs", "events", "delete", "suspend", "resume", "scale", "runtimes", "top"}
    first = [arguments[0], *where, *arguments[1:]] if arguments[0] in names else [*where, *arguments]
    return [sys.executable, "-m", "sampan", "train", *first]


def sampan(server: ServerProcess, *arguments: str, code: int = 0) -> str:
    """In this process, for starting one costs more than most commands."""
    app = build("train")
    done = CliRunner().invoke(app, command(server, *arguments)[3:], env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


def until(condition: Any, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_a_script_with_what_it_imports_runs_on_two_nodes(
    server: ServerProcess, script: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    said = sampan(server, "--name", "both", "-n", "2", "--output", str(out), str(script), "--epochs", "3")
    assert "both  TrainJob, 2 nodes, torch-distributed: the script imports no framework" in said
    for rank in (0, 1):
        assert f"node-{rank}   hello ['--epochs', '3'] rank {rank} of 2" in said
        assert f"node-{rank}   step=2 loss=0.33" in said
    assert "succeeded after" in said
    assert sorted(each.name for each in out.iterdir()) == ["model-0", "model-1"]

    assert "both  TrainJob  succeeded  2      torch-distributed" in sampan(server, "list")
    assert sampan(server, "list", "--state", "running", "-o", "name") == ""
    shown = sampan(server, "get", "both")
    assert "train.py --epochs 3" in shown
    assert "node-1  both-node-0-1-" in shown
    assert len(sampan(server, "logs", "both", "--tail", "3").splitlines()) == 3
    one = sampan(server, "logs", "both", "--rank", "node-1").splitlines()
    assert [line.partition("  ")[0] for line in one] == ["node-1"] * 4
    place = "/training/v1/namespaces/default/trainjobs/both/metrics"
    # One request reads for a moment only.
    found = until(lambda: (answer := server.call("GET", place))["complete"] and answer)
    assert [(each["name"], each["rank"], each["count"]) for each in found["metrics"]] == [
        ("loss", "node-0", 3),
        ("loss", "node-1", 3),
    ]
    # The code goes with the job, what it said stays.
    assert "TrainJob both deleted" in sampan(server, "delete", "both")
    until(lambda: not server.call("GET", "/api/v1/namespaces/default/pods")["items"])

    def code() -> list[str]:
        kept = server.call("GET", "/api/v1/namespaces/default/configmaps")["items"]
        return [each["metadata"]["name"] for each in kept if each["metadata"]["name"].startswith("both")]

    until(lambda: not code())
    assert "hello" in sampan(server, "logs", "both")


def test_a_script_that_fails_ends_its_job_at_once(server: ServerProcess, script: Path) -> None:
    for kind in ("trainjob", "pytorchjob"):
        said = sampan(
            server, "--kind", kind, "--name", f"fails-{kind}", str(script), "fail", "--nodes=2", code=1
        )
        assert "--nodes=2 behind the script is the script's" in said
        assert "this cannot work" in said
        assert "failed after" in said
        assert said.count("this cannot work") == 1


@pytest.mark.slow
def test_a_detached_job_is_found_again_and_stopped(server: ServerProcess, script: Path) -> None:
    long = str(script.with_name("long.py"))
    said = sampan(server, "--detach", "--name", "long", "--kind", "pytorchjob", "-n", "2", long)
    assert "sampan train logs long -f" in said
    until(lambda: "worker-0  still here" in sampan(server, "logs", "long"))
    assert "running" in sampan(server, "get", "long")
    assert "master-0  Running" in sampan(server, "top", "long", "--once")
    assert "Pod" in sampan(server, "events", "long")
    sampan(server, "suspend", "long")
    until(lambda: "suspended" in sampan(server, "get", "long"))
    sampan(server, "resume", "long")
    until(lambda: "running" in sampan(server, "get", "long"))

    # Ctrl-C leaves the job alone.
    following = subprocess.Popen(
        command(server, "logs", "long", "-f"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert following.stdout is not None
    assert "still here" in following.stdout.readline()
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=60)
    assert following.returncode == 130
    assert "running" in sampan(server, "get", "long")
    sampan(server, "delete", "long")
    assert "no training job" in sampan(server, "get", "long", code=1)


def test_what_would_be_created_is_shown(server: ServerProcess, script: Path) -> None:
    said = sampan(server, "--dry-run", "--elastic", "1:2", "-e", "A=b", str(script))
    code, job = yaml.safe_load_all(said)
    assert (code["kind"], job["kind"]) == ("ConfigMap", "PyTorchJob")
    assert job["spec"]["elasticPolicy"]["maxReplicas"] == 2
    as_json = json.loads(sampan(server, "--dry-run", "-o", "json", str(script)))
    assert [each["kind"] for each in as_json] == ["TrainingRuntime", "ConfigMap", "TrainJob"]
    for arguments, words in (
        (("--kind", "nonsense", str(script)), "--kind 'nonsense': it is one of"),
        ((str(script) + ".none",), "is no file"),
        (("--mount", "/usr", str(script)), "does not lie in it"),
        (("--runtime", "none", str(script)), "there is no runtime 'none'; there are: deepspeed-distributed"),
    ):
        assert words in sampan(server, *arguments, code=1)


@pytest.mark.slow
def test_a_folder_is_worked_in_when_it_is_asked_for(server: ServerProcess, script: Path) -> None:
    sampan(server, "--mount", str(script.parent), str(script))
    assert (script.parent / "written-in-the-working-folder").exists()


@pytest.mark.slow
def test_without_a_server_one_is_started_for_the_job(script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sampan", "train", "--home", str(tmp_path / "home"), str(script)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "this one ends with the job" in done.stdout
    assert "step=2 loss=0.33" in done.stdout
