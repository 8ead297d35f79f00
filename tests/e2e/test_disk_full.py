"""The disk fills up while a run is under way, and is freed: the run says why it waits, and ends as it would have."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.testing.pipelines import Component, output, pipeline, shell, task
from sampan.testing.server import FINAL_STATES, HttpError, ServerProcess

# A program that cannot write is another matter: it fails, as everywhere. This one tries until it can.
_COUNT = """
sleep 0.3
until mkdir -p "$(dirname "$1")" && printf "%s" "$(($0 + 1))" > "$1"; do sleep 0.1; done
"""
STEPS = 8


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs to be root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> Path:
    """Takes every byte that is left."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return ballast


@pytest.mark.slow
def test_a_run_waits_for_space_and_says_so(small_disk: Path) -> None:
    step = Component(
        "count",
        shell(_COUNT, "{{$.inputs.parameters['n']}}", "{{$.outputs.parameters['sum'].output_file}}"),
        {"n": "NUMBER_INTEGER"},
        {"sum": "NUMBER_INTEGER"},
    )
    tasks = {
        f"s{index}": task("count", n=output(f"s{index - 1}", "sum") if index else 0) for index in range(STEPS)
    }
    with ServerProcess(small_disk / "home") as server:
        run_id = server.submit(pipeline("full", tasks, step))
        while len(server.tasks(run_id)) < 4:
            time.sleep(0.05)
        ballast = fill(small_disk)
        with pytest.raises(HttpError) as refused:
            server.submit(pipeline("another", {"s0": task("count", n=1)}, step))
        assert refused.value.code == 507
        said = ""
        deadline = time.monotonic() + 60
        while "space" not in said and time.monotonic() < deadline:
            run = server.call("GET", f"/apis/v2beta1/runs/{run_id}")
            assert run["state"] not in FINAL_STATES, run
            said = run.get("error", {}).get("message", "")
            listed = server.call("GET", "/apis/v2beta1/runs")["runs"][0]
            assert listed.get("error", {}).get("message", "") in ("", said) or not said
            time.sleep(0.2)
        assert "space" in said, "the run never says why it waits"
        os.unlink(ballast)
        run = server.wait_run(run_id, timeout=200)
        assert run["state"] == "SUCCEEDED", run["error"]
        assert "error" not in run
        found = {each["name"]: each for each in server.tasks(run_id)}
        assert found[f"s{STEPS - 1}"]["outputs"]["parameters"][0]["value"] == STEPS
