"""The examples, run as their READMEs say, and what a user sees of them afterwards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
    with ServerProcess(tmp_path_factory.mktemp("examples") / "home") as running:
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
