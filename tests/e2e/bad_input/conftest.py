"""Bad input as a user meets it: through the command line, through REST, and in the states of runs and tasks.

The servers are shared by a module's tests: after each piece of bad input the next one finds the server unharmed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.server import HttpError, ServerProcess


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one message on standard error; none of our own tracebacks may be in it."""
        assert self.code == 1, self
        assert self.err.count("error:") == 1, self.err
        assert "Traceback" not in self.err, self.err
        return self.err.removeprefix("error: ").strip()


def sampan(*arguments: object) -> Said:
    done = subprocess.run(
        [sys.executable, "-m", "sampan", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        stdin=subprocess.DEVNULL,
    )
    return Said(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Desk:
    """A user before a server that runs."""

    server: ServerProcess
    folder: Path

    def run_file(
        self, content: dict[str, Any] | str | bytes, *options: str, name: str = "pipeline.yaml"
    ) -> Said:
        """`sampan run` of a file."""
        file = self.folder / name
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text(content if isinstance(content, str) else json.dumps(content))
        return sampan("run", file, "--home", self.server.home, *options)

    def refusal(self, spec: object, **parameters: object) -> str:
        """The message with which REST refuses a run, as a google.rpc status. Nothing may be kept."""
        before = self._count()
        body = {
            "display_name": "bad",
            "pipeline_spec": spec,
            "runtime_config": {"parameters": parameters},
        }
        with pytest.raises(HttpError) as caught:
            self.server.call("POST", "/apis/v2beta1/runs", body)
        status = caught.value.body
        assert caught.value.code == 400
        assert status["code"] == 3
        assert status["details"] == []
        assert self._count() == before
        return str(status["message"])

    def failure(self, spec: dict[str, Any], task: str = "step") -> str:
        """The message with which a run's task fails; the run and its root carry it too."""
        run_id = self.server.submit(spec, "bad")
        run = self.server.wait_run(run_id, timeout=200)
        assert run["state"] == "FAILED"
        tasks = {found["name"]: found for found in self.server.tasks(run_id)}
        message = str(tasks[task]["status_metadata"]["message"])
        assert tasks[task]["state"] == tasks["root"]["state"] == "FAILED"
        assert run["error"]["message"] == tasks["root"]["status_metadata"]["message"] == f"{task}: {message}"
        return message

    def _count(self) -> int:
        return int(self.server.call("GET", "/apis/v2beta1/runs").get("total_size", 0))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    with ServerProcess(folder / "home") as server:
        yield Desk(server, folder)


@pytest.fixture(scope="session")
def command() -> Any:
    """`sampan` with arguments."""
    return sampan
