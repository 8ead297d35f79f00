"""Finds the server that a command talks to, or starts one for as long as the command runs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sampan.app import machine
from sampan.app.home import ServerInfo, find_server
from sampan.cli.options import home_folder, load_settings
from sampan.client import kubeconfig

_START_TIMEOUT_SECONDS = 60
_IN_CLUSTER = "in-cluster"


@dataclass(frozen=True, slots=True)
class Connection:
    """A server to talk to. `own` says that it ends with the command."""

    url: str
    home: Path
    own: bool


class LocalPlatform:
    """Handed to the components' commands, which know nothing of processes, homes and interpreters."""

    def kubernetes(self, home: Path | None) -> kubeconfig.Connection:
        """Where the pods are: the embedded API server, or the cluster that is set. Raises RuntimeError."""
        settings = load_settings(home, None)
        cluster = settings.cluster
        try:
            if cluster.kubeconfig == _IN_CLUSTER:
                return kubeconfig.in_cluster()
            if cluster.kubeconfig:
                return kubeconfig.load(Path(cluster.kubeconfig).expanduser(), cluster.context)
            return kubeconfig.load(settings.home / "kubeconfig")
        except kubeconfig.KubeconfigError as error:
            raise RuntimeError(str(error)) from error

    def kfp_python(self, home: Path | None) -> Path:
        """An interpreter with the kfp SDK, built if need be. Raises RuntimeError."""
        try:
            return machine.kfp_python(load_settings(home, None))
        except machine.MachineError as error:
            raise RuntimeError(str(error)) from error

    def running_url(self, home: Path | None) -> str:
        """Of the server that is running; empty when there is none."""
        info = find_server(home_folder(home))
        return info.url if info is not None else ""

    @contextmanager
    def connect(self, home: Path | None) -> Iterator[Connection]:
        """Raises RuntimeError with what the server said, if it cannot be started."""
        home = home_folder(home)
        if info := find_server(home):
            yield Connection(info.url, home, own=False)
            return
        process = subprocess.Popen(
            [sys.executable, "-m", "sampan", "up", "--home", str(home), "--port", "0", "--quiet"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            # Ctrl-C in this terminal is ours to handle: the server must outlive the command's last words.
            start_new_session=True,
        )
        try:
            info = _wait_ready(process, home)
            yield Connection(info.url, home, own=True)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _wait_ready(process: subprocess.Popen[str], home: Path) -> ServerInfo:
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            assert process.stderr is not None
            said = process.stderr.read().strip().removeprefix("error: ")
            raise RuntimeError(said or f"the server ended at once with exit code {process.returncode}")
        if info := find_server(home):
            return info
        time.sleep(0.02)
    process.kill()
    raise RuntimeError(
        f"the server was not ready after {_START_TIMEOUT_SECONDS} s; see {home}/logs/server.log"
    )
