"""`sampan up`: ready, findable, one at a time, and gone without a trace when told to stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sampan.testing.pipelines import Component, pipeline, shell, task
from sampan.testing.server import ServerProcess

# What may be loaded when the server says that it is ready: a new name here is paid for at every start.
ALLOWED_PACKAGES = {
    "anyio", "certifi", "click", "dotenv", "greenlet", "h11", "httptools", "idna", "msgspec",
    "psutil", "python_multipart", "shellingham", "sqlalchemy", "starlette", "typer",
    "typing_extensions", "uv", "uvicorn", "uvloop", "yaml",
    "annotated_doc", "cython_runtime",
    "sitecustomize",  # of distributions
}  # fmt: skip

# What a server that is idle has no use for: each was once a megabyte to nine of its memory, loaded by what it does use.
UNUSED = {
    "aiohttp", "cel", "cryptography", "requests", "rich", "sqlalchemy.dialects.postgresql", "watchfiles", "websocket",
}  # fmt: skip


def sampan(*arguments: str, timeout: float = 200) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sampan", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "home")
    yield process.start()
    process.stop()


def of_home(home: Path) -> list[psutil.Process]:
    """Everything that runs because of a home: servers, launchers, containers."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        texts = [*(process.info["cmdline"] or ()), *(process.info["environ"] or {}).values()]
        if process.pid != os.getpid() and any(str(home) in text for text in texts):
            found.append(process)
    return found


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline, f"nothing was written to {file}"
        time.sleep(0.05)


def test_everything_is_where_it_says(server: ServerProcess) -> None:
    assert server.call("GET", "/apis/v2beta1/healthz")["multi_user"] is False
    assert "<title>Home · Sampan</title>" in server.text("/")
    config = json.loads((server.home / "kubeconfig").read_text())
    assert config["clusters"][0]["cluster"]["server"] == server.url
    assert (server.home / "kubeconfig").stat().st_mode & 0o077 == 0
    names = {item["metadata"]["name"] for item in server.call("GET", "/api/v1/namespaces")["items"]}
    assert {"default", "kube-system", "kubeflow"} <= names
    assert (server.home / "sampan.db").exists()


def test_a_second_up_says_that_one_is_running_and_where(server: ServerProcess) -> None:
    again = sampan("up", "--home", str(server.home), "--port", "0")
    assert again.returncode == 1
    assert f"already running at {server.url}" in again.stderr
    assert "Traceback" not in again.stderr


def test_a_port_in_use_is_named(server: ServerProcess, tmp_path: Path) -> None:
    port = server.url.rpartition(":")[2]
    other = sampan("up", "--home", str(tmp_path / "other"), "--port", port)
    assert other.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: another program uses it" in other.stderr


def test_an_address_that_others_reach_is_refused(tmp_path: Path) -> None:
    done = sampan("up", "--home", str(tmp_path / "home"), "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 1
    assert "refusing to listen on 0.0.0.0" in done.stderr


def test_ctrl_c_ends_running_steps_and_the_next_up_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "work"
    folder.mkdir(parents=True)
    # The first time it would never end by itself.
    script = '[ -e "$0/ran" ] || first=1; echo started >> "$0/ran"; [ -z "$first" ] || sleep 600; echo done >> "$0/ran"'
    step = Component("step", shell(script, str(folder)))
    server = ServerProcess(tmp_path / "home").start()
    run_id = server.submit(pipeline("slow", {"step": task("step")}, step))
    wait_for(folder / "ran")
    assert server.stop() == 0
    assert of_home(server.home) == []

    with server:
        assert server.wait_run(run_id)["state"] == "SUCCEEDED"
        # The step was interrupted once, and ran once to its end.
        assert (folder / "ran").read_text().split() == ["started", "started", "done"]


def test_a_second_ctrl_c_ends_at_once_and_the_step_is_adopted(tmp_path: Path) -> None:
    script = 'trap "" TERM; echo started >> "$0/ran"; while [ ! -e "$0/go" ]; do sleep 0.1; done; echo done >> "$0/ran"'
    folder = tmp_path / "home" / "work"
    folder.mkdir(parents=True)
    stubborn = Component("step", shell(script, str(folder)))
    server = ServerProcess(tmp_path / "home").start()
    run_id = server.submit(pipeline("stubborn", {"step": task("step")}, stubborn))
    wait_for(folder / "ran")
    assert server.process is not None
    server.process.send_signal(signal.SIGINT)
    assert server.process.stdout is not None
    assert any(b"Stopping" in line for line in server.process.stdout)
    server.process.send_signal(signal.SIGINT)
    assert server.wait(timeout=200) != 0

    (folder / "go").touch()
    with server:
        assert server.wait_run(run_id, timeout=200)["state"] == "SUCCEEDED"
        assert (folder / "ran").read_text().split() == ["started", "done"]


def up_by(program: str, folder: Path) -> str:
    """What a program beside this file says that runs `sampan up` and looks at its process."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(program)), "up", "--home", str(folder / "home"), "--port", "0"],
        capture_output=True, text=True, timeout=200, check=True,
    )  # fmt: skip
    return done.stdout


def test_only_what_is_needed_is_loaded_when_ready(tmp_path: Path) -> None:
    said = up_by("loaded_modules.py", tmp_path)
    packages = set(next(line for line in said.splitlines() if line.startswith("PACKAGES")).split()[1:])
    assert packages - ALLOWED_PACKAGES == set()
    assert "ENGINE False" in said
    assert "ENDPOINTS False" in said
    assert "OTHER DIALECTS False" in said


def test_an_idle_server_holds_no_library_that_it_does_not_use(tmp_path: Path) -> None:
    said = up_by("idle_modules.py", tmp_path)
    modules = set(next(line for line in said.splitlines() if line.startswith("MODULES")).split()[1:])
    assert "PAGE True" in said
    assert {"nicegui", "socketio", "sqlalchemy.dialects.sqlite"} <= modules
    assert modules & UNUSED == set()
