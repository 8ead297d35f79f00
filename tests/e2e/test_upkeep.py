"""`sampan cache`, `du` and `gc` at a real server."""

from __future__ import annotations

import os
import subprocess
import sys

from sampan.testing.pipelines import Component, pipeline, shell, task
from sampan.testing.server import ServerProcess


def document():
    make = Component(
        "make",
        shell(
            'set -e; mkdir -p "$(dirname "$0")"; echo content > "$0"', "{{$.outputs.artifacts['data'].path}}"
        ),
        artifact_outputs={"data": "system.Dataset"},
    )
    return pipeline("upkeep", {"make": task("make", cache=True)}, make)


def test_what_is_kept_is_shown_and_deleted(tmp_path):
    home = tmp_path / "home"

    def sampan(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "sampan", *arguments, "--home", str(home)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "COLUMNS": "200"},
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    with ServerProcess(home) as server:
        for _ in range(2):
            run_id = server.submit(document())
            assert server.wait_run(run_id, 60)["state"] == "SUCCEEDED"
        code, text = sampan("cache", "ls")
        assert code == 0
        assert "upkeep" in text
        entry = text.splitlines()[1].split()[0]
        code, text = sampan("cache", "rm", entry)
        assert (code, text) == (0, f"{entry}: forgotten\n")
        assert sampan("cache", "rm", entry)[0] == 1
        assert "No results" in sampan("cache", "ls")[1]
        code, text = sampan("du")
        assert code == 0
        assert "8 B" in text
        assert sampan("gc") == (0, "Nothing deleted.\n")
        assert sampan("gc", "--pin", run_id[:8])[0] == 0
        code, text = sampan("gc", "--dry-run", "--keep-last", "1")
        assert code == 0
        assert "1 run would be deleted" in text
        assert "1 run deleted" in sampan("gc", "--keep-last", "1")[1]
        runs = server.call("GET", "/apis/v2beta1/runs")["runs"]
        assert [run["run_id"] for run in runs] == [run_id]
        code, text = sampan("cache", "clear", "--older-than", "soon")
        assert code == 1
        assert "write it as 12h" in text
