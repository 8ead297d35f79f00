"""A pipeline whose steps run in containers: their parameters and artifacts pass through the machine's folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sampan.testing.pipelines import Component, artifact, output, pipeline, shell, task
from sampan.testing.server import ServerProcess

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed"),
]

_PARAMETER, _FILE = "{{$.outputs.parameters['word'].output_file}}", "{{$.outputs.artifacts['data'].path}}"
_MAKE = 'cat /only-in-the-image > "$0"; mkdir -p "${1%/*}"; printf word > "$1"'
_USE = 'cat "$0"; echo "$1"'


def test_files_pass_between_steps(podman_image: str, tmp_path: Path) -> None:
    make = Component(
        "make", shell(_MAKE, _FILE, _PARAMETER, image=podman_image),
        outputs={"word": "STRING"}, artifact_outputs={"data": "system.Dataset"},
    )  # fmt: skip
    use = Component(
        "use",
        shell(_USE, "{{$.inputs.artifacts['data'].path}}", "{{$.inputs.parameters['w']}}", image=podman_image),
        inputs={"w": "STRING"}, artifact_inputs={"data": "system.Dataset"},
    )  # fmt: skip
    tasks = {
        "make": task("make"),
        "use": task("use", w=output("make", "word"), data=artifact("make", "data")),
    }
    with ServerProcess(tmp_path / "home", environ={"SAMPAN_NODE_RUNTIME": "auto"}) as server:
        run = server.submit(pipeline("p", tasks, make, use))
        assert server.wait_run(run, timeout=120)["state"] == "SUCCEEDED"
        pods = server.call("GET", "/api/v1/pods")["items"]
        logs = {
            pod["metadata"]["name"].split("-")[0]: server.text(
                f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/log"
            )
            for pod in pods
        }
        assert logs["use"] == "here\nword\n"
        assert all(podman_image in pod["status"]["containerStatuses"][0]["image"] for pod in pods)
