"""Commands in running containers, and attaching to them, through the node's own seam."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from sampan.client.streams import AttachOptions, ExecOptions, Execution
from sampan.cluster.node.runtimes.process import ProcessRuntime
from sampan.cluster.node.runtimes.protocol import ContainerSpec, ExecSpec, WarmProgram
from sampan.cluster.node.settings import NodeSettings
from sampan.kube import meta
from sampan.kube.errors import InternalError
from sampan.lib.clock import SystemClock

SLEEP = ["sh", "-c", "echo up; exec sleep 1000"]


async def everything(execution: Execution) -> tuple[int, bytes, bytes]:
    async def drain(stream: Any) -> bytes:
        pieces = []
        while data := await execution.read(stream):
            pieces.append(data)
        return b"".join(pieces)

    async with asyncio.timeout(60):
        stdout, stderr = await asyncio.gather(drain("stdout"), drain("stderr"))
        code = await execution.wait()
        await execution.close()
    return code, stdout, stderr


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


def children(text: str) -> list[int]:
    """Processes whose command line holds `text`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if text.encode() in command:
            found.append(int(entry.name))
    return found


def scenario(machine: Any, node_kit: Any, play: Any, **spec: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            await node.create("p", spec.pop("command", SLEEP), **spec)
            pod = await node.until("p", node_kit.is_running)
            async with asyncio.timeout(60):
                await play(node, pod)

    asyncio.run(main())


def execute(node: Any, pod: Any, *command: str, **options: Any) -> Any:
    return node.agent.pod_streams.exec(pod, ExecOptions(command, "main", **options))


def test_a_command_sees_what_the_container_sees(machine: Any, node_kit: Any, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "file").write_text("from the volume")

    async def play(node: Any, pod: Any) -> None:
        script = "pwd; cat /data/file; echo $OWN; echo $HOSTNAME; umask; echo err >&2; exit 7"
        code, stdout, stderr = await everything(await execute(node, pod, "sh", "-c", script))
        assert code == 7
        assert stdout.decode().split("\n") == ["/work/here", "from the volumevalue", "p", "0022", ""]
        assert stderr == b"err\n"

    container = {
        "workingDir": "/work/here",
        "env": [{"name": "OWN", "value": "value"}],
        "volumeMounts": [{"name": "v", "mountPath": "/data"}],
    }
    volumes = [{"name": "v", "hostPath": {"path": str(tmp_path / "given")}}]
    scenario(machine, node_kit, play, container=container, volumes=volumes)


def test_bytes_flow_both_ways_and_wait_for_each_other(machine: Any, node_kit: Any) -> None:
    async def play(node: Any, pod: Any) -> None:
        execution = await execute(node, pod, "cat", stdin=True)
        sent = os.urandom(1 << 20) * 8
        received = bytearray()
        taken = 0

        async def give() -> None:
            nonlocal taken
            for start in range(0, len(sent), 50_000):
                await execution.write(sent[start : start + 50_000])
                taken = start
            await execution.close_stdin()

        async def take() -> None:
            await asyncio.sleep(0.3)
            # Three pipes lie between, of 64 KiB each: nothing else keeps what is not read.
            assert taken < 1_000_000
            while data := await execution.read("stdout"):
                received.extend(data)

        await asyncio.gather(give(), take())
        assert await execution.wait() == 0
        await execution.close()
        assert bytes(received) == sent

    scenario(machine, node_kit, play)


def test_a_terminal(machine: Any, node_kit: Any) -> None:
    async def play(node: Any, pod: Any) -> None:
        execution = await execute(node, pod, "sh", stdin=True, tty=True)
        execution.resize(91, 33)
        await execution.write(b"tty; stty size; echo $TERM; exit 3\n")
        code, stdout, stderr = await everything(execution)
        assert code == 3
        assert b"/dev/pts/" in stdout
        assert b"33 91\r\n" in stdout
        assert b"xterm\r\n" in stdout
        assert stderr == b""

    scenario(machine, node_kit, play)


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        ("no-such-command", 127, b'exec: "no-such-command": executable file not found in $PATH'),
        ("/no/such", 127, b'exec: "/no/such": stat /no/such: no such file or directory'),
        ("/etc/passwd", 126, b'exec: "/etc/passwd": permission denied'),
    ],
)
def test_a_command_that_cannot_run(machine: Any, node_kit: Any, command: str, code: int, text: bytes) -> None:
    async def play(node: Any, pod: Any) -> None:
        ended, stdout, stderr = await everything(await execute(node, pod, command))
        assert (ended, stdout) == (code, b"")
        assert text in stderr

    scenario(machine, node_kit, play)


def test_a_killed_command_and_what_runs_in_the_background(machine: Any, node_kit: Any) -> None:
    async def play(node: Any, pod: Any) -> None:
        assert (await everything(await execute(node, pod, "sh", "-c", "kill -9 $$")))[0] == 137
        # What a command leaves behind keeps its output open, and lives on in the container until that ends.
        code, stdout, _ = await everything(await execute(node, pod, "sh", "-c", "sleep 4711 & echo left"))
        assert (code, stdout) == (0, b"left\n")
        assert children("sleep\x004711")
        await node.client.delete(node_kit.pods, "p", "default", node_kit.at_once)
        await until(lambda: not children("sleep\x004711"))

    scenario(machine, node_kit, play)


def test_who_lets_go_ends_the_command(machine: Any, node_kit: Any) -> None:
    async def play(node: Any, pod: Any) -> None:
        for tty in (False, True):
            execution = await execute(node, pod, "sh", "-c", "trap '' HUP; sleep 4712; true", tty=tty)
            await until(lambda: children("sleep\x004712"))
            await execution.close()
            await until(lambda: not children("sleep\x004712"))

    scenario(machine, node_kit, play)


def test_the_end_of_the_container_ends_its_commands(machine: Any, node_kit: Any) -> None:
    async def play(node: Any, pod: Any) -> None:
        execution = await execute(node, pod, "sh", "-c", "sleep 4713; true")
        await until(lambda: children("sleep\x004713"))
        await node.client.delete(node_kit.pods, "p", "default", node_kit.at_once)
        assert (await everything(execution))[0] == 137
        await until(lambda: not children("sleep\x004713"))
        with pytest.raises(InternalError, match="container not found"):
            await execute(node, pod, "true")

    scenario(machine, node_kit, play)


def test_a_server_that_dies_takes_its_commands_along_but_no_container(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up(crash=True) as node:
            await node.create("p", SLEEP)
            pod = await node.until("p", node_kit.is_running)
            execution = await execute(node, pod, "sh", "-c", "sleep 4714; true")
            await until(lambda: children("sleep\x004714"))
            execution._line.close()
            await until(lambda: not children("sleep\x004714"))
        async with machine.up() as node:
            pod = await node.until("p", node_kit.is_running)
            assert (await everything(await execute(node, pod, "echo", "adopted")))[1] == b"adopted\n"

    asyncio.run(main())


@pytest.mark.parametrize("warm", [True, False])
def test_what_a_command_writes_into_an_environment_is_the_containers_own(tmp_path: Path, warm: bool) -> None:
    """Of a forked program, too, whose own view of it begins with the first process beside it."""
    (tmp_path / "code").mkdir()
    program = """
        import os, subprocess, sys, time
        while not os.path.exists(sys.argv[1] + "/go"): time.sleep(0.02)
        subprocess.run(["touch", sys.argv[1] + "/program"], check=True)
        print(sorted(os.listdir(sys.argv[1])))
    """
    (tmp_path / "code" / "hold.py").write_text(textwrap.dedent(program))
    shared = tmp_path / "shared env"
    shared.mkdir()
    (shared / "given").touch()
    argv = (str(shared),)
    spec = ContainerSpec(
        id="a/b/0",
        folder=tmp_path / "a",
        log=tmp_path / "a.log",
        argv=(sys.executable, "-m", "hold", *argv),
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path / "code"), "OWN": "value"},
        cwd=str(tmp_path),
        scratch=tmp_path / "scratch",
        overlay=shared,
        program=WarmProgram("test", Path(sys.executable), (), "hold", argv) if warm else None,
    )

    async def main() -> None:
        runtime = ProcessRuntime(tmp_path / "run", SystemClock(), NodeSettings())
        await runtime.open()
        try:
            if not runtime.can_overlay:
                pytest.skip("no overlays here")
            await runtime.start(spec)
            script = 'echo $OWN; pwd; touch "$0/command"; ls "$0"; touch "$0/go"'
            started = await runtime.exec("a/b/0", ExecSpec(("sh", "-c", script, str(shared))))
            code, stdout, stderr = await everything(started)
            assert (code, stderr) == (0, b"")
            assert stdout.decode().split() == ["value", str(tmp_path), "command", "given"]
            end = await runtime.wait("a/b/0")
            assert end.exit_code == 0
            assert b"['command', 'given', 'go', 'program']" in spec.log.read_bytes()
            assert [path.name for path in shared.iterdir()] == ["given"]
        finally:
            await runtime.close()

    asyncio.run(main())


def test_attaching_to_a_container(machine: Any, node_kit: Any) -> None:
    script = "echo before; while read line; do echo got $line; echo also $line >&2; done; echo end; exit 5"

    async def play(node: Any, pod: Any) -> None:
        first = await node.agent.pod_streams.attach(pod, AttachOptions("main"))
        second = await node.agent.pod_streams.attach(pod, AttachOptions("main", stdin=True))
        await second.write(b"one\ntwo\n")
        await second.close_stdin()
        seen = await asyncio.gather(everything(first), everything(second))
        assert seen[0] == seen[1] == (5, b"got one\ngot two\nend\n", b"also one\nalso two\n")
        ended = await node.until("p", node_kit.is_over)
        assert (await node.log(ended)).startswith("before\n")
        assert "also two" in await node.log(ended)

    container = {"stdin": True, "stdinOnce": True}
    scenario(machine, node_kit, play, command=["sh", "-c", script], container=container)


def test_stdin_without_once_stays_open(machine: Any, node_kit: Any) -> None:
    async def play(node: Any, pod: Any) -> None:
        for word in (b"one", b"two"):
            execution = await node.agent.pod_streams.attach(pod, AttachOptions("main", stdin=True))
            await execution.write(word + b"\n")
            assert await execution.read("stdout") == b"got " + word + b"\n"
            await execution.close_stdin()
            await execution.close()
        assert meta.uid(await node.until("p", node_kit.is_running))

    script = "while read line; do echo got $line; done"
    scenario(machine, node_kit, play, command=["sh", "-c", script], container={"stdin": True})


def test_attaching_to_a_terminal(machine: Any, node_kit: Any) -> None:
    async def play(node: Any, pod: Any) -> None:
        execution = await node.agent.pod_streams.attach(pod, AttachOptions("main", stdin=True, tty=True))
        execution.resize(77, 11)
        await execution.write(b"stty size; exit 4\n")
        code, stdout, _ = await everything(execution)
        assert code == 4
        assert b"11 77\r\n" in stdout

    scenario(machine, node_kit, play, command=["sh"], container={"stdin": True, "tty": True})


def test_who_listens_slowly_loses_nothing_and_holds_back_the_container(machine: Any, node_kit: Any) -> None:
    async def play(node: Any, pod: Any) -> None:
        execution = await node.agent.pod_streams.attach(pod, AttachOptions("main", stdin=True))
        await execution.write(b"go\n")
        await asyncio.sleep(0.5)
        size = len(await node.log(pod))
        assert size < 1_000_000
        code, stdout, _ = await everything(execution)
        assert (code, len(stdout), set(stdout)) == (0, 5_000_000, {ord("x"), 10})

    script = "read line; yes xxxxxxxxx | head -c 5000000"
    scenario(machine, node_kit, play, command=["sh", "-c", script], container={"stdin": True})


def test_a_listener_that_died_holds_back_nobody(machine: Any, node_kit: Any) -> None:
    async def play(node: Any, pod: Any) -> None:
        execution = await node.agent.pod_streams.attach(pod, AttachOptions("main", stdin=True))
        await execution.write(b"go\n")
        await asyncio.sleep(0.3)
        await execution.close()
        ended = await node.until("p", node_kit.is_over)
        assert node_kit.terminated(ended)["exitCode"] == 0

    script = "read line; yes xxxxxxxxx | head -c 3000000"
    scenario(machine, node_kit, play, command=["sh", "-c", script], container={"stdin": True})


def test_signals_are_those_of_a_fresh_program(machine: Any, node_kit: Any) -> None:
    async def play(node: Any, pod: Any) -> None:
        _, stdout, _ = await everything(await execute(node, pod, "grep", "SigIgn", "/proc/self/status"))
        ignored = int(stdout.split()[1], 16)
        assert not ignored & (1 << (signal.SIGPIPE - 1))
        assert not ignored & (1 << (signal.SIGHUP - 1))

    scenario(machine, node_kit, play)
