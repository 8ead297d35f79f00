"""Pods on the node: how they run, end, restart and are deleted."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from sampan.client.protocol import DeleteOptions
from sampan.kube.errors import BadRequestError
from sampan.kube.kinds import CONFIG_MAPS, NODES, PODS, SECRETS


def conditions(pod: Any) -> dict[str, str]:
    return {each["type"]: each["status"] for each in pod["status"]["conditions"]}


def test_a_command_that_succeeds(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            pod = await node.run("a", ["sh", "-c", "echo out; echo err >&2; printf unfinished"])
            assert pod["status"]["phase"] == "Succeeded"
            end = node_kit.terminated(pod)
            assert (end["exitCode"], end["reason"]) == (0, "Completed")
            assert pod["status"]["podIP"].startswith("127.")
            text = await node.log(pod)
            assert sorted(text.splitlines()) == ["err", "out", "unfinished"]
            assert text.endswith("unfinished")
            await node.reasons("a", "Pulled", "Created", "Started")

    asyncio.run(main())


def test_exit_codes_and_signals(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            failed = await node.run("code", ["sh", "-c", "exit 42"])
            assert failed["status"]["phase"] == "Failed"
            assert node_kit.terminated(failed)["exitCode"] == 42
            assert node_kit.terminated(failed)["reason"] == "Error"
            killed = await node.run("signal", ["sh", "-c", "kill -s KILL $$$$"])
            assert node_kit.terminated(killed)["exitCode"] == 137
            missing = await node.run("missing", ["no-such-command"])
            assert node_kit.terminated(missing)["reason"] == "StartError"
            assert (
                'exec: "no-such-command": executable file not found in $PATH'
                in node_kit.terminated(missing)["message"]
            )

    asyncio.run(main())


def test_nothing_of_the_server_gets_in(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_SECRET", "canary")

    async def main() -> None:
        async with machine.up() as node:
            pod = await node.run(
                "env", ["sh", "-c", "env; tr '\\0' '\\n' < /proc/self/environ; ls /proc/self/fd"]
            )
            text = await node.log(pod)
            assert "canary" not in text
            assert "HOSTNAME=env" in text
            # stdin, stdout, stderr, and the folder that `ls` reads.
            assert [line for line in text.splitlines() if line.isdigit()] == ["0", "1", "2", "3"]

    asyncio.run(main())


def test_variables_from_everywhere(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            metadata = {"name": "settings", "namespace": "default"}
            await node.client.create(CONFIG_MAPS, {"metadata": metadata, "data": {"COLOUR": "blue"}})
            await node.client.create(SECRETS, {"metadata": metadata, "stringData": {"PASSWORD": "s3cret"}})
            env = [
                {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "PASS", "valueFrom": {"secretKeyRef": {"name": "settings", "key": "PASSWORD"}}},
                {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                {"name": "TEXT", "value": "$(NAME)-$(COLOUR)-$$(NAME)-$(NOTHING)"},
            ]
            container = {
                "env": env,
                "envFrom": [{"configMapRef": {"name": "settings"}}],
                "resources": {"limits": {"cpu": "2"}},
                "args": ["$(TEXT)"],
            }
            command = ["sh", "-c", 'echo "$0" $PASS $CPU']
            pod = await node.run("vars", command, container=container)
            assert await node.log(pod) == "vars-blue-$(NAME)-$(NOTHING) s3cret 2\n"

    asyncio.run(main())


def test_a_missing_secret_is_named(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            env = [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "k"}}}]
            await node.create("x", ["true"], container={"env": env})
            pod = await node.until(
                "x", lambda pod: node_kit.waiting_reason(pod) == "CreateContainerConfigError"
            )
            state = pod["status"]["containerStatuses"][0]["state"]
            assert state["waiting"]["message"] == 'secret "absent" not found'
            assert pod["status"]["phase"] == "Pending"

    asyncio.run(main())


def test_an_unknown_image_is_explained(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            await node.create("x", ["true"], container={"image": "example.com/some/thing:1"})
            pod = await node.until("x", lambda pod: node_kit.waiting_reason(pod) == "ErrImagePull")
            message = pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
            assert "example.com/some/thing" in message
            assert "images.toml" in message
            await node.create("y", ["true"], container={"image": "Not An Image"})
            await node.until("y", lambda pod: node_kit.waiting_reason(pod) == "InvalidImageName")

    asyncio.run(main())


def test_init_containers_run_one_after_the_other(machine: Any, node_kit: Any, tmp_path: Path) -> None:
    order = tmp_path / "order"

    async def main() -> None:
        async with machine.up() as node:
            init = [
                {
                    "name": f"init{i}",
                    "image": "busybox",
                    "command": ["sh", "-c", f"sleep 0.1; echo {i} >> {order}"],
                }
                for i in (1, 2)
            ]
            pod = await node.run("a", ["sh", "-c", f"echo main >> {order}"], initContainers=init)
            assert order.read_text().split() == ["1", "2", "main"]
            assert [
                each["state"]["terminated"]["exitCode"] for each in pod["status"]["initContainerStatuses"]
            ] == [0, 0]
            init[0]["command"] = ["false"]
            failed = await node.run("b", ["touch", str(tmp_path / "never")], initContainers=init)
            assert failed["status"]["phase"] == "Failed"
            assert conditions(failed)["Initialized"] == "False"
            assert not (tmp_path / "never").exists()

    asyncio.run(main())


def test_a_sidecar_runs_beside_and_does_not_hold_the_pod(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            sidecar = {
                "name": "side",
                "image": "busybox",
                "restartPolicy": "Always",
                "command": ["sleep", "1000"],
            }
            pod = await node.run(
                "a", ["sleep", "0.2"], initContainers=[sidecar], terminationGracePeriodSeconds=1
            )
            assert pod["status"]["phase"] == "Succeeded"
            assert "terminated" in pod["status"]["initContainerStatuses"][0]["state"]

    asyncio.run(main())


def test_on_failure_restarts_until_it_succeeds(machine: Any, tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    async def main() -> None:
        async with machine.up() as node:
            command = ["sh", "-c", f"echo attempt; test -e {marker} && exit 0; touch {marker}; exit 3"]
            pod = await node.run("a", command, restartPolicy="OnFailure")
            status = pod["status"]["containerStatuses"][0]
            assert pod["status"]["phase"] == "Succeeded"
            assert status["restartCount"] == 1
            assert status["lastState"]["terminated"]["exitCode"] == 3
            assert await node.log(pod, previous=True) == "attempt\n"

    asyncio.run(main())


def test_a_crash_loop_backs_off(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            await node.create("a", ["false"], restartPolicy="Always")
            pod = await node.until("a", lambda pod: node_kit.waiting_reason(pod) == "CrashLoopBackOff")
            status = pod["status"]["containerStatuses"][0]
            assert status["restartCount"] == 1
            assert status["lastState"]["terminated"]["exitCode"] == 1
            assert "back-off 10s restarting failed container=main" in status["state"]["waiting"]["message"]
            assert pod["status"]["phase"] == "Running"
            await node.reasons("a", "BackOff")

    asyncio.run(main())


def test_deletion_gives_the_grace_period(machine: Any, node_kit: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with machine.up() as node:
            script = (
                "import signal, sys, time\n"
                f"signal.signal(signal.SIGTERM, lambda *_: (open('{tmp_path}/bye', 'w').write('bye'), sys.exit(0)))\n"
                "print('up', flush=True)\n"
                "time.sleep(1000)\n"
            )
            pod = await node.create("polite", ["python3", "-c", script])
            await node.until("polite", node_kit.is_running)
            while await node.log(pod) != "up\n":
                await asyncio.sleep(0.02)
            await node.client.delete(PODS, "polite", "default")
            await node.gone("polite")
            assert (tmp_path / "bye").read_text() == "bye"
            assert await node.log(pod) == "up\n"

    asyncio.run(main())


def test_a_pod_that_is_deleted_the_moment_it_ends_is_gone(
    machine: Any, node_kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker is on its way out by then, and has to look once more."""

    async def main() -> None:
        async with machine.up() as node, asyncio.TaskGroup() as deletions:
            patch = node.client.patch

            async def patch_and_delete(kind: Any, name: str, body: Any, *args: Any, **options: Any) -> Any:
                if node_kit.is_over(body):
                    deletions.create_task(node.client.delete(PODS, name, "default", node_kit.grace(30)))
                    await asyncio.sleep(0)
                return await patch(kind, name, body, *args, **options)

            monkeypatch.setattr(node.client, "patch", patch_and_delete)
            names = [f"p{index}" for index in range(20)]
            await asyncio.gather(*(node.create(name, ["true"]) for name in names))
            for name in names:
                await node.gone(name)

    asyncio.run(main())


def test_who_does_not_listen_is_killed_with_all_that_it_started(
    machine: Any, node_kit: Any, tmp_path: Path
) -> None:
    async def main() -> None:
        async with machine.up() as node:
            script = f"trap '' TERM; setsid sleep 1000 & echo $! > {tmp_path}/pid; sleep 1000 & echo up; wait; wait"
            pod = await node.create("stubborn", ["sh", "-c", script])
            await node.until("stubborn", node_kit.is_running)
            while "up" not in await node.log(pod):
                await asyncio.sleep(0.02)
            await node.client.delete(PODS, "stubborn", "default", DeleteOptions(grace_period_seconds=1))
            await node.gone("stubborn")
            daemon = int((tmp_path / "pid").read_text())
            async with asyncio.timeout(60):
                while _is_alive(daemon):
                    await asyncio.sleep(0.02)

    asyncio.run(main())


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_the_deadline_ends_a_pod(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            pod = await node.run(
                "slow", ["sleep", "1000"], activeDeadlineSeconds=1, terminationGracePeriodSeconds=1
            )
            assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "DeadlineExceeded")

    asyncio.run(main())


def test_a_container_that_takes_too_much_memory(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            container = {"resources": {"limits": {"memory": "64Mi"}}}
            grow = ["python3", "-c", "x = []\nwhile True: x.append(bytearray(1 << 20))"]
            pod = await node.run("greedy", grow, container=container)
            assert node_kit.terminated(pod)["reason"] == "OOMKilled"
            assert node_kit.terminated(pod)["exitCode"] == 137

    asyncio.run(main())


def test_logs_as_asked_for(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            pod = await node.run("a", ["sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done"])
            assert await node.log(pod, tail_lines=2) == "line 4\nline 5\n"
            assert await node.log(pod, tail_lines=0) == ""
            assert await node.log(pod, limit_bytes=8) == "line 1\nl"
            assert (await node.log(pod, timestamps=True)).splitlines()[0].endswith("Z line 1")
            assert await node.log(pod, since_seconds=0) == ""
            with pytest.raises(BadRequestError, match="previous terminated container"):
                await node.log(pod, previous=True)
            with pytest.raises(BadRequestError):
                await node.log(node.pod("never", ["true"]))

    asyncio.run(main())


def test_following_a_log_sees_all_of_it(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            script = "i=0; while [ $i -lt 200 ]; do echo $i; i=$((i+1)); [ $((i % 50)) = 0 ] && sleep 0.1; done; exit 0"
            pod = await node.create("a", ["sh", "-c", script])
            await node.until("a", lambda pod: pod["status"].get("phase") in ("Running", "Succeeded"))
            assert (await node.log(pod, follow=True)).split() == [str(i) for i in range(200)]

    asyncio.run(main())


def test_the_machine_is_a_node(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            found = await node.client.get(NODES, node.agent.node_name)
            assert found["metadata"]["labels"]["kubernetes.io/os"] == "linux"
            assert int(found["status"]["allocatable"]["cpu"]) >= 1
            assert {"type": "Ready", "status": "True"}.items() <= found["status"]["conditions"][-1].items()

    asyncio.run(main())


def test_fifty_at_once(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            pods = await asyncio.gather(
                *(node.run(f"p{i}", ["sh", "-c", f"echo {i}; sleep 0.5"]) for i in range(50))
            )
            assert [pod["status"]["phase"] for pod in pods] == ["Succeeded"] * 50
            assert [await node.log(pod) for pod in pods] == [f"{i}\n" for i in range(50)]

    asyncio.run(main())
