"""Pods in containers of podman, with an image made from this machine's own files. Skipped where podman is missing.

The whole path is walked: pod, node agent, podman, OCI runtime. What podman is told in which case is in
tests/unit/node/test_podman_command.py, which needs no podman.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.client.streams import AttachOptions, ExecOptions
from sampan.cluster.node.runtimes.podman_command import home_of
from sampan.kube.kinds import SECRETS
from sampan.testing.connections import connected

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed"),
]

IMAGE = "localhost/sampan-test:1"
"""What the fixture `podman_image` makes."""


def in_a_loop(scenario: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(scenario)
    def run(**fixtures: Any) -> None:
        asyncio.run(scenario(**fixtures))

    return run


def in_image(**more: Any) -> dict[str, Any]:
    return {"image": IMAGE, "imagePullPolicy": "IfNotPresent", **more}


@pytest.fixture
def podman_left(machine: Any) -> Iterator[Callable[[], list[str]]]:
    """The names of containers of ours that podman still knows; none may be left at the end."""

    def left() -> list[str]:
        label = f"label=sampan.home={home_of(machine.home / 'run/podman')}"
        command = ["podman", "ps", "--all", "--filter", label, "--format", "{{.Names}}"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()

    yield left
    assert left() == []


@in_a_loop
async def test_a_pod_runs_in_the_files_of_its_image(
    machine: Any, podman_image: str, node_kit: Any, podman_left: Any
) -> None:
    async with machine.up(runtime="podman") as node:
        script = "cat /only-in-the-image; echo $FROM_IMAGE; pwd; hostname; echo oops >&2; ls /home 2>/dev/null; exit 3"
        pod = await node.run("p", ["sh", "-c", script], container=in_image())
        end = node_kit.terminated(pod)
        assert end["exitCode"] == 3, await node.log(pod)
        assert end["reason"] == "Error"
        log = await node.log(pod)
        assert sorted(log.split()) == sorted(["here", "yes", "/etc", "p", "oops"])
        status = pod["status"]["containerStatuses"][0]
        assert status["imageID"].startswith(("sha256:", "localhost/"))
        assert sorted(await node.reasons("p", "Started")) == ["Created", "Pulled", "Started"]


@in_a_loop
async def test_entry_point_and_arguments_of_the_image(
    machine: Any, podman_image: str, podman_left: Any
) -> None:
    async with machine.up(runtime="auto") as node:
        cases = {
            "neither": ({}, "entry of the image\n"),
            "args": ({"args": ["mine"]}, "entry mine\n"),
            "command": ({"command": ["/bin/echo", "only"]}, "only\n"),
            "both": (
                {"command": ["/bin/echo"], "args": ["a $(WHO)"], "env": [{"name": "WHO", "value": "b"}]},
                "a b\n",
            ),
        }
        for name, (more, _) in cases.items():
            container = {**in_image(), **more}
            pod = node.pod(name, ["x"], container=container)
            if "command" not in more:
                del pod["spec"]["containers"][0]["command"]
            await node.client.create(node.pods_kind, pod)
        for name, (_, expected) in cases.items():
            pod = await node.until(name, lambda each: each["status"].get("phase") in ("Succeeded", "Failed"))
            assert await node.log(pod) == expected, name


@in_a_loop
async def test_what_cannot_be_executed(
    machine: Any, podman_image: str, node_kit: Any, podman_left: Any
) -> None:
    async with machine.up(runtime="podman") as node:
        pod = await node.run("p", ["/nope"], container=in_image())
        end = node_kit.terminated(pod)
        assert end["reason"] == "StartError"
        assert end["exitCode"] in (127, 128)
        assert "/nope" in end["message"]


@in_a_loop
async def test_images_that_cannot_be_had(
    machine: Any, podman_image: str, node_kit: Any, podman_left: Any
) -> None:
    async with machine.up(runtime="podman") as node:
        wanted = {
            "pull": (in_image(image="localhost:1/none/such:1"), "ErrImagePull", "localhost:1"),
            "never": (
                in_image(image="localhost/none:1", imagePullPolicy="Never"),
                "ErrImageNeverPull",
                "Never",
            ),
            "name": (in_image(image="Not/An:Image:Name"), "InvalidImageName", "Not/An"),
        }
        for name, (container, reason, words) in wanted.items():
            await node.create(name, ["true"], container=container)
            pod = await node.until(
                name, lambda each: node_kit.waiting_reason(each) not in ("", "ContainerCreating")
            )
            state = pod["status"]["containerStatuses"][0]["state"]["waiting"]
            assert state["reason"] == reason
            assert words in state["message"]


class _Registry(http.server.BaseHTTPRequestHandler):
    """As much of a registry as a pull needs; who comes without the password is refused."""

    folder: Path

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(b"me:secret").decode():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
            self.end_headers()
            return
        kind, name = self.path.split("/")[-2:]
        if self.path == "/v2/":
            body = b"{}"
        else:
            body = (
                self.folder / ("manifest.json" if kind == "manifests" else name.split(":")[1])
            ).read_bytes()
        self.send_response(200)
        if kind == "manifests":
            self.send_header("Content-Type", json.loads(body)["mediaType"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def registry(podman_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of one that holds the image as `team/pulled:1`."""
    folder = tmp_path / "registry"
    push = ["podman", "push", "--quiet", "--format", "v2s2", podman_image, f"dir:{folder}"]
    subprocess.run(push, capture_output=True, check=True)
    handler = type("Handler", (_Registry,), {"folder": folder})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        address = f"127.0.0.1:{server.server_port}"
        (tmp_path / "registries.conf").write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
        monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "registries.conf"))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield address
        server.shutdown()
    subprocess.run(["podman", "rmi", "--force", f"{address}/team/pulled:1"], capture_output=True, check=False)


@in_a_loop
async def test_an_image_is_pulled_with_the_pods_secret(
    machine: Any, registry: str, node_kit: Any, podman_left: Any
) -> None:
    auths = {"auths": {registry: {"username": "me", "password": "secret"}}}
    data = {".dockerconfigjson": base64.b64encode(json.dumps(auths).encode()).decode()}
    secret = {"type": "kubernetes.io/dockerconfigjson", "data": data}
    async with machine.up(runtime="podman") as node:
        container = in_image(image=f"{registry}/team/pulled:1", imagePullPolicy="IfNotPresent")
        await node.create("without", ["true"], container=container)
        pod = await node.until("without", lambda each: node_kit.waiting_reason(each) == "ErrImagePull")
        message = pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
        assert f'failed to pull image "{registry}/team/pulled:1"' in message
        assert "unauthorized" in message or "authentication" in message
        await node.client.create(SECRETS, {**secret, "metadata": {"name": "key", "namespace": "default"}})
        secrets = [{"name": "missing"}, {"name": "key"}]
        pod = await node.run(
            "with", ["cat", "/only-in-the-image"], container=container, imagePullSecrets=secrets
        )
        assert await node.log(pod) == "here\n"
        assert sorted(await node.reasons("with", "Started")) == ["Created", "Pulled", "Pulling", "Started"]
        await node.run("again", ["true"], container=container)
        assert "Pulling" not in await node.reasons("again", "Started")
        assert list((machine.home / "run/podman").glob("auth-*")) == []


@in_a_loop
async def test_rights(machine: Any, podman_image: str, node_kit: Any, podman_left: Any) -> None:
    async with machine.up(runtime="podman") as node:
        context = {"runAsUser": 1234, "runAsGroup": 77, "readOnlyRootFilesystem": True}
        pod = await node.run(
            "p", ["sh", "-c", "id; touch /x || echo refused"],
            container=in_image(securityContext=context), securityContext={"supplementalGroups": [88]},
        )  # fmt: skip
        log = await node.log(pod)
        for words in ("uid=1234", "gid=77", "88", "refused"):
            assert words in log
        await node.create("root", ["id"], container=in_image(securityContext={"runAsNonRoot": True}))
        await node.until("root", lambda each: node_kit.waiting_reason(each) == "CreateContainerConfigError")
        await node.create("mighty", ["id"], container=in_image(securityContext={"privileged": True}))
        await node.until("mighty", lambda each: node_kit.waiting_reason(each) == "CreateContainerError")


@in_a_loop
async def test_volumes_variables_and_the_last_words(
    machine: Any, podman_image: str, node_kit: Any, podman_left: Any, tmp_path: Path
) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given/file").write_text("from the machine\n")
    async with machine.up(runtime="podman") as node:
        script = (
            "cat /in/file; echo out > /out/file; touch /in/x 2>/dev/null || echo read-only; "
            'echo "$SECRET_ONE"; echo $PATH_LIKE; echo $HTTP_PROXY; echo last > /dev/termination-log; cat /sub '
            f"{tmp_path}/given/file"
        )
        container = in_image(
            env=[
                {"name": "SECRET_ONE", "value": "two\nlines"},
                {"name": "PATH_LIKE", "value": "a b"},
                {"name": "HTTP_PROXY", "value": "p"},
            ],
            volumeMounts=[
                {"name": "in", "mountPath": "/in", "readOnly": True},
                {"name": "shared", "mountPath": "/out"},
                {"name": "in", "mountPath": str(tmp_path / "given")},
                {"name": "in", "mountPath": "/sub", "subPath": "file"},
            ],
        )
        first = {"name": "init", **in_image(), "command": ["sh", "-c", "echo before > /out/before"]}
        first["volumeMounts"] = [{"name": "shared", "mountPath": "/out"}]
        pod = await node.run(
            "p", ["sh", "-c", script], container=container, initContainers=[first],
            volumes=[{"name": "in", "hostPath": {"path": str(tmp_path / "given")}}, {"name": "shared", "emptyDir": {}}],
        )  # fmt: skip
        assert await node.log(pod) == (
            "from the machine\nread-only\ntwo\nlines\na b\np\nfrom the machine\nfrom the machine\n"
        )
        assert node_kit.terminated(pod)["message"] == "last\n"


@in_a_loop
async def test_two_pods_on_one_port_and_localhost_within_a_pod(
    machine: Any, podman_image: str, node_kit: Any, podman_left: Any
) -> None:
    async with machine.up(runtime="podman") as node:
        if not node.agent.has_pod_addresses:
            pytest.skip("pods have no addresses of their own here")
        for name in ("a", "b"):
            server = {"name": "web", **in_image(), "command": ["httpd", "-f", "-p", "8099", "-h", "/www"]}
            server["volumeMounts"] = [{"name": "www", "mountPath": "/www"}]
            server["readinessProbe"] = {"httpGet": {"path": "/name", "port": 8099}, "periodSeconds": 1}
            ask = "until wget -q -O- http://localhost:8099/name 2>/dev/null; do sleep 0.1; done"
            script = f"echo {name} > /www/name; {ask}; sleep 60"
            await node.create(
                name, ["sh", "-c", script], containers=[
                    {"name": "main", **in_image(), "command": ["sh", "-c", script],
                     "volumeMounts": [{"name": "www", "mountPath": "/www"}]},
                    server,
                ], volumes=[{"name": "www", "emptyDir": {}}],
            )  # fmt: skip
        addresses = {}
        for name in ("a", "b"):
            pod = await node.until(
                name,
                lambda each: all(s.get("ready") for s in each["status"].get("containerStatuses") or [{}]),
            )
            addresses[name] = pod["status"]["podIP"]
            async with asyncio.timeout(60):
                while not (log := await node.log(pod)):
                    await asyncio.sleep(0.1)
            assert log.strip() == name
        assert addresses["a"] != addresses["b"]
        for name, address in addresses.items():
            async with connected(address, 8099) as (reader, writer):
                writer.write(b"GET /name HTTP/1.0\r\n\r\n")
                assert (await reader.read()).endswith(f"{name}\n".encode())
            await node.client.delete(node.pods_kind, name, "default", node_kit.at_once)
            await node.gone(name)


@in_a_loop
async def test_a_container_outlives_the_server(
    machine: Any, podman_image: str, node_kit: Any, podman_left: Any
) -> None:
    async with machine.up(runtime="podman", crash=True) as node:
        await node.create("long", ["sh", "-c", "echo one; sleep 2; echo two; exit 7"], container=in_image())
        await node.create("short", ["sh", "-c", "sleep 0.5; exit 5"], container=in_image())
        for name in ("long", "short"):
            await node.until(name, node_kit.is_running)
    await asyncio.sleep(1.0)
    async with machine.up(runtime="podman") as node:
        pod = await node.until("long", node_kit.is_over)
        assert node_kit.terminated(pod)["exitCode"] == 7
        assert await node.log(pod) == "one\ntwo\n"
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
        assert node_kit.terminated(await node.until("short", node_kit.is_over))["exitCode"] == 5


@in_a_loop
async def test_stopping_and_memory(machine: Any, podman_image: str, node_kit: Any, podman_left: Any) -> None:
    async with machine.up(runtime="podman") as node:
        trap = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done"
        await node.create("kind", ["sh", "-c", trap], container=in_image())
        deaf = "trap '' TERM; echo up; while :; do sleep 1; done"
        await node.create("deaf", ["sh", "-c", deaf], container=in_image())
        for name in ("deaf", "kind"):
            pod = await node.until(name, node_kit.is_running)
            while await node.log(pod) != "up\n":
                await asyncio.sleep(0.05)
        options = node_kit.grace(5)
        await node.client.delete(node.pods_kind, "kind", "default", options)
        await node.client.delete(node.pods_kind, "deaf", "default", node_kit.grace(1))
        await node.gone("kind")
        await node.gone("deaf")
        assert await node.log(pod) == "up\nbye\n"
        limits = {"limits": {"memory": "32Mi"}}
        pod = await node.run("greedy", ["tail", "/dev/zero"], container=in_image(resources=limits))
        end = node_kit.terminated(pod)
        assert (end["exitCode"], end["reason"]) == (137, "OOMKilled")


@in_a_loop
async def test_a_pod_may_choose_its_runtime(machine: Any, podman_image: str, podman_left: Any) -> None:
    async with machine.up() as node:
        pod = await node.run(
            "class", ["cat", "/only-in-the-image"], container=in_image(), runtimeClassName="podman"
        )
        assert await node.log(pod) == "here\n"
    async with machine.up(runtime="podman") as node:
        pod = await node.run("not", ["sh", "-c", "ls /only-in-the-image || true"], runtimeClassName="process")
        assert "No such file" in await node.log(pod)


async def _everything(execution: Any) -> tuple[int, bytes, bytes]:
    async def drain(stream: str) -> bytes:
        pieces = []
        while data := await execution.read(stream):
            pieces.append(data)
        return b"".join(pieces)

    async with asyncio.timeout(60):
        stdout, stderr = await asyncio.gather(drain("stdout"), drain("stderr"))
        code = await execution.wait()
        await execution.close()
    return code, stdout, stderr


@in_a_loop
async def test_commands_and_attaching(
    machine: Any, podman_image: str, node_kit: Any, podman_left: Any
) -> None:
    async with machine.up(runtime="podman") as node:
        container = in_image(env=[{"name": "A", "value": "b"}], stdin=True, workingDir="/bin")
        await node.create("p", ["sh", "-c", "echo up; exec cat"], container=container)
        pod = await node.until("p", node_kit.is_running)
        streams = node.agent.pod_streams

        def command(*argv: str, **options: Any) -> Any:
            return streams.exec(pod, ExecOptions(container="main", command=argv, **options))

        script = "cat; echo $A >&2; pwd; cat /only-in-the-image; exit 4"
        execution = await command("sh", "-c", script, stdin=True)
        await execution.write(b"typed\n")
        await execution.close_stdin()
        assert await _everything(execution) == (4, b"typed\n/bin\nhere\n", b"b\n")
        code, stdout, stderr = await _everything(await command("/nope"))
        assert code == 127
        assert b"/nope" in stdout + stderr
        execution = await command("sh", "-c", "stty size 2>/dev/null; tty; id -u", stdin=True, tty=True)
        code, stdout, _ = await _everything(execution)
        assert code == 0
        assert b"/dev/pts/" in stdout
        long = await command("sh", "-c", "echo on; exec sleep 12345")
        assert await long.read("stdout") == b"on\n"
        await long.close()
        code, stdout, _ = await _everything(await command("sh", "-c", "cat /proc/[0-9]*/cmdline"))
        assert b"12345" not in stdout.replace(b"cat /proc", b"")
        attached = await streams.attach(pod, AttachOptions(container="main", stdin=True))
        await attached.write(b"through\n")
        assert await attached.read("stdout") == b"through\n"
        await attached.close()
        assert await node.log(pod) == "up\nthrough\n"
