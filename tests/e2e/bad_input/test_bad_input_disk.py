"""A full disk: refused with one sentence, nothing half-written, and everything goes on once there is space."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.pipelines import Component, pipeline, shell, task
from sampan.testing.server import HttpError, ServerProcess

FULL = "the disk that holds the database is full"


@dataclass(frozen=True)
class Disk:
    """A small file system of its own."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @contextmanager
    def full(self) -> Iterator[None]:
        """Until the end of the block, not a byte is left."""
        ballast = self.folder / "ballast"
        with ballast.open("wb", buffering=0) as file:
            for size in (2**16, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"x" * size)
        try:
            yield
        finally:
            ballast.unlink()


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a file system here")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def server(disk: Disk) -> Iterator[ServerProcess]:
    with ServerProcess(disk.home) as server:
        yield server


def script(text: str) -> dict[str, Any]:
    return pipeline("disk", {"step": task("step")}, Component("step", shell(text)))


def test_up_on_a_full_disk(disk: Disk, command: Any) -> None:
    with disk.full():
        said = command("up", "--home", disk.folder / "another", "--port", "0").error
    assert str(disk.folder) in said
    assert "No space left on device; free space, or choose another" in said


def test_requests_are_refused_and_answered_again_later(
    disk: Disk, server: ServerProcess, command: Any, tmp_path: Path
) -> None:
    kept = server.submit(script("echo one"))
    server.wait_run(kept)
    large = script("echo " + "x" * 200_000)
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(large))
    data = {"metadata": {"name": "large"}, "data": {"x": "y" * 500_000}}

    with disk.full():
        with pytest.raises(HttpError) as caught:
            server.submit(large)
        assert caught.value.code == 507
        assert caught.value.body["code"] == 8
        assert caught.value.body["message"].startswith(FULL)
        assert "free space" in caught.value.body["message"]

        with pytest.raises(HttpError) as caught:
            server.call("POST", "/api/v1/namespaces/default/configmaps", data)
        assert caught.value.body["kind"] == "Status"
        assert caught.value.body["message"].startswith(FULL)

        assert command("run", file, "--home", disk.home).error.startswith(FULL)
        # Reading goes on.
        assert [run["run_id"] for run in server.call("GET", "/apis/v2beta1/runs")["runs"]] == [kept]

    assert server.wait_run(server.submit(script("echo two")))["state"] == "SUCCEEDED"
    assert len(server.call("GET", "/apis/v2beta1/runs")["runs"]) == 2


def said(server: ServerProcess, log: str) -> str:
    try:
        return server.text(log)
    except HttpError:  # its container has not started yet
        return ""


def test_a_run_under_way_goes_on_when_there_is_space(disk: Disk, server: ServerProcess) -> None:
    gate = disk.home / "gate"
    run_id = server.submit(script(f"echo before; until [ -e {gate} ]; do sleep 0.1; done; echo after"))
    while not (pods := server.tasks(run_id)[-1].get("pods")):
        time.sleep(0.05)
    log = f"/api/v1/namespaces/default/pods/{pods[0]['name']}/log"
    while said(server, log) != "before\n":
        time.sleep(0.05)
    with disk.full():
        gate.touch()
        time.sleep(1)
    assert server.wait_run(run_id, timeout=200)["state"] == "SUCCEEDED"
    # What a step prints while nothing can be written may be lost; what it printed before is not.
    assert server.text(log).startswith("before\n")


def test_a_step_that_fills_the_disk_with_its_own_files_fails_alone(server: ServerProcess) -> None:
    run = server.wait_run(server.submit(script('cat /dev/zero > "$TMPDIR/large"')), timeout=200)
    assert run["state"] == "FAILED"
    assert run["error"]["message"].startswith("step: exit code 1")
    assert server.wait_run(server.submit(script("echo fine")))["state"] == "SUCCEEDED"


def test_up_again_on_a_disk_that_became_full(disk: Disk, server: ServerProcess, command: Any) -> None:
    count = len(server.call("GET", "/apis/v2beta1/runs")["runs"])
    with disk.full():
        assert server.stop() == 0
        assert "free space" in command("up", "--home", disk.home, "--port", "0").error
    server.start()
    assert len(server.call("GET", "/apis/v2beta1/runs")["runs"]) == count
