"""Rows 7, 12 and 16: the server's secrets stay with the server, the user's where the user put them."""

from __future__ import annotations

import base64
import stat
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from sampan.testing.pipelines import Component, lightweight, pipeline, task

SECRET = "canary-of-the-secret-51c7"


def test_a_step_has_nothing_of_the_servers_environment(target: Any, canary: str) -> None:
    """Neither itself nor the process that started it: what a child prints, logs or uploads cannot hold it."""
    state, said = target.run_step('env; tr "\\0" "\\n" < "/proc/$PPID/environ"')
    assert state == "SUCCEEDED"
    assert "KUBERNETES_SERVICE_PORT=" in said
    assert canary not in said
    assert (target.server.home / "run" / "token").read_text() not in said


def test_a_warm_step_has_nothing_of_it_either(target: Any, canary: str) -> None:
    """Forked from an interpreter that waits: that one had to be started without it too."""
    source = (
        "def show() -> str:\n"
        "    import os\n"
        "    with open(f'/proc/{os.getppid()}/environ') as parent, open('/proc/self/environ') as own:\n"
        "        return repr(dict(os.environ)) + parent.read() + own.read()\n"
    )
    show = Component("show", lightweight("show", source), outputs={"Output": "STRING"})
    run_id = target.server.submit(pipeline("warm", {"show": task("show")}, show))
    assert target.server.wait_run(run_id, timeout=200)["state"] == "SUCCEEDED"
    outputs = str(target.server.tasks(run_id)[-1]["outputs"])
    assert "KUBERNETES_SERVICE_PORT" in outputs
    assert canary not in outputs


def test_what_is_private_is_private(target: Any) -> None:
    """Other users of the machine are kept out. The user's own steps are not: see README.md, row 12."""
    home = target.server.home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for name in ("run/token", "run/server.json", "kubeconfig"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    assert all(stat.S_IMODE(socket.stat().st_mode) & 0o077 == 0 for socket in (home / "run").glob("*.sock"))


def test_a_secret_reaches_its_step_and_nothing_else(target: Any, canary: str) -> None:
    encoded = base64.b64encode(SECRET.encode()).decode()
    secret = {"metadata": {"name": "login"}, "stringData": {"password": SECRET}}
    target.server.call("POST", "/api/v1/namespaces/default/secrets", secret)
    pod = {
        "metadata": {"name": "uses-login"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "main",
                    "image": "busybox",
                    "command": ["sh", "-c", 'echo "${#PASSWORD} characters"; exit 3'],
                    "env": [
                        {
                            "name": "PASSWORD",
                            "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}},
                        }
                    ],
                }
            ],
        },
    }
    target.server.call("POST", "/api/v1/namespaces/default/pods", pod)
    seen = wait_for_end(target, "uses-login")
    assert (
        target.server.text("/api/v1/namespaces/default/pods/uses-login/log") == f"{len(SECRET)} characters\n"
    )
    events = target.server.call("GET", "/api/v1/namespaces/default/events")
    for found in (str(seen), str(events)):
        assert SECRET not in found
        assert encoded not in found
    assert holders(target.server.home, SECRET, encoded) <= {"sampan.db", "sampan.db-wal"}
    assert holders(target.server.home, canary) == set()


def test_the_server_unpickles_nothing(target: Any, unpickled: Path) -> None:
    """Row 7, over everything that the tests before made it do."""
    target.run_step("echo fine")
    assert not unpickled.exists(), unpickled.read_text()


def wait_for_end(target: Any, name: str) -> dict[str, Any]:
    path = f"/api/v1/namespaces/default/pods/{name}"
    for line in _events(
        target,
        f"/api/v1/namespaces/default/pods?watch=1&timeoutSeconds=20&fieldSelector=metadata.name={name}",
    ):
        if '"phase":"Failed"' in line or '"phase":"Succeeded"' in line:
            break
    found: dict[str, Any] = target.server.call("GET", path)
    return found


def _events(target: Any, path: str) -> Any:
    with urlopen(target.server.url + path, timeout=30) as stream:
        for line in stream:
            yield line.decode()


def holders(home: Path, *texts: str) -> set[str]:
    """The files of a home that hold one of the texts."""
    found = set()
    for file in home.rglob("*"):
        # The environments are installed packages.
        if file.is_file() and "envs" not in file.relative_to(home).parts:
            content = file.read_bytes()
            if any(text.encode() in content for text in texts):
                found.add(str(file.relative_to(home)))
    return found
