"""Probes, lifecycle hooks and termination messages with real processes."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sampan.client.protocol import DeleteOptions
from sampan.kube.kinds import EVENTS, PODS
from sampan.testing.quiet import until_quiet

HERE = "127.0.0.1"
"""Where the servers of these tests listen: in no pod."""
QUICK = {"periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 5}


class _Web(http.server.ThreadingHTTPServer):
    """A server of the test's: what a container would serve."""

    healthy = True
    seen: list[str]


@contextmanager
def web() -> Iterator[_Web]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.seen.append(self.path + " " + str(self.headers.get("X-Probe")))
            self.send_response(200 if server.healthy else 503)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = _Web(("127.0.0.1", 0), Handler)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def status(pod: Any) -> dict[str, Any]:
    found: dict[str, Any] = (pod["status"].get("containerStatuses") or [{}])[0]
    return found


async def messages(node: Any, reason: str) -> list[str]:
    """Of the Events of that reason, once there are any and nothing more is written."""
    async with asyncio.timeout(60):
        while True:
            await until_quiet(node.client)
            events = (await node.client.list(EVENTS, "default")).items
            if found := [event["message"] for event in events if event["reason"] == reason]:
                return found


def test_readiness_follows_the_container(machine: Any) -> None:
    async def main() -> None:
        with web() as server:
            async with machine.up() as node:
                get = {
                    "port": "web",
                    "host": HERE,
                    "path": "/ready",
                    "httpHeaders": [{"name": "X-Probe", "value": "yes"}],
                }
                container = {
                    "ports": [{"name": "web", "containerPort": server.server_port}],
                    "readinessProbe": {"httpGet": get, **QUICK},
                }
                server.healthy = False
                await node.create("web", ["sleep", "100"], container=container)
                pod = await node.until("web", lambda pod: status(pod).get("started"))
                assert status(pod)["ready"] is False
                server.healthy = True
                await node.until("web", lambda pod: status(pod)["ready"])
                assert "/ready yes" in server.seen
                server.healthy = False
                pod = await node.until("web", lambda pod: not status(pod)["ready"])
                ready = next(each for each in pod["status"]["conditions"] if each["type"] == "Ready")
                assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
                assert status(pod)["restartCount"] == 0
                assert "Readiness probe failed: HTTP probe failed with statuscode: 503" in await messages(
                    node, "Unhealthy"
                )

    asyncio.run(main())


def test_a_container_that_has_just_started_is_asked_before_its_period_is_over(machine: Any) -> None:
    async def main() -> None:
        with web() as server:
            async with machine.up() as node:
                server.healthy = False
                get = {"port": server.server_port, "host": HERE, "path": "/ready"}
                probe = {"readinessProbe": {"httpGet": get, "periodSeconds": 600, "timeoutSeconds": 5}}
                await node.create("web", ["sleep", "100"], container=probe)
                asked = {"exec": {"command": ["sh", "-c", "echo x >> asked; false"]}, "periodSeconds": 600}
                await node.create("command", ["sleep", "100"], container={"readinessProbe": asked})
                while len(server.seen) < 4:
                    await asyncio.sleep(0.01)
                assert (
                    status(await node.until("web", lambda pod: status(pod).get("started")))["ready"] is False
                )
                server.healthy = True
                await node.until("web", lambda pod: status(pod)["ready"])
                for name in ("web", "command"):
                    await node.reasons(name, "Unhealthy")
                events = [
                    each
                    for each in (await node.client.list(EVENTS, "default")).items
                    if each["reason"] == "Unhealthy"
                ]
                # Failures before the period is over say nothing, and commands, which may do something, are not run.
                assert [each.get("count", 1) for each in events] == [1, 1]

    asyncio.run(main())


def test_a_server_in_a_pod_is_asked_at_the_pod_s_address(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            probe = {"httpGet": {"port": 8123, "path": "/ready"}, "periodSeconds": 1, "timeoutSeconds": 5}
            script = "(sleep 1; touch ready) & exec python3 -m http.server 8123"
            await node.create("a", ["sh", "-c", script], container={"readinessProbe": probe})
            pod = await node.until("a", lambda pod: status(pod).get("started"))
            assert status(pod)["ready"] is False
            await node.until("a", lambda pod: status(pod)["ready"])

    asyncio.run(main())


def test_a_container_that_is_not_alive_is_restarted(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            # Nothing listens on this port.
            with web() as server:
                port = server.server_port
            probe = {"tcpSocket": {"host": HERE, "port": port}, **QUICK, "terminationGracePeriodSeconds": 1}
            await node.create(
                "dead", ["sleep", "100"], container={"livenessProbe": probe}, restartPolicy="Always"
            )
            pod = await node.until("dead", lambda pod: status(pod).get("restartCount"))
            assert status(pod)["lastState"]["terminated"]["exitCode"] == 143
            failed = f"Liveness probe failed: dial tcp 127.0.0.1:{port}: connect: connection refused"
            assert failed in await messages(node, "Unhealthy")
            assert "Container main failed liveness probe, will be restarted" in await messages(
                node, "Killing"
            )

    asyncio.run(main())


def test_the_others_wait_for_the_startup_probe(machine: Any) -> None:
    async def main() -> None:
        with web() as server:
            async with machine.up() as node:
                server.healthy = False
                get = {"httpGet": {"host": HERE, "port": server.server_port, "path": "/"}}
                sidecar = {
                    "name": "side",
                    "image": "busybox",
                    "command": ["sleep", "100"],
                    "restartPolicy": "Always",
                    "startupProbe": {**get, "periodSeconds": 1, "failureThreshold": 100},
                }
                await node.create("late", ["sleep", "100"], initContainers=[sidecar])

                def side(pod: Any) -> Any:
                    return (pod["status"].get("initContainerStatuses") or [{}])[0]

                pod = await node.until("late", lambda pod: "running" in (side(pod).get("state") or {}))
                assert side(pod)["started"] is False
                assert "waiting" in status(pod)["state"]
                server.healthy = True
                pod = await node.until("late", lambda pod: "running" in status(pod)["state"])
                assert side(pod)["started"] is True

    asyncio.run(main())


def test_a_restarted_server_goes_on_asking(machine: Any) -> None:
    async def main() -> None:
        with web() as server:
            get = {"httpGet": {"host": HERE, "port": server.server_port, "path": "/"}}
            container = {"livenessProbe": {**get, **QUICK}, "readinessProbe": {**get, **QUICK}}
            async with machine.up(crash=True) as node:
                await node.create("a", ["sleep", "100"], container=container, restartPolicy="Always")
                await node.until("a", lambda pod: status(pod).get("ready"))
            async with machine.up() as node:
                pod = await node.client.get(PODS, "a", "default")
                assert status(pod)["ready"] is True
                server.healthy = False
                pod = await node.until("a", lambda pod: status(pod)["restartCount"] == 1)

    asyncio.run(main())


def test_readiness_gates_of_others(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            gates = [{"conditionType": "example.com/open"}]
            await node.create("gated", ["sleep", "100"], readinessGates=gates)

            def ready(pod: Any) -> Any:
                found = [each for each in pod["status"].get("conditions") or () if each["type"] == "Ready"]
                return found[0] if found else {}

            pod = await node.until("gated", lambda pod: ready(pod).get("reason") == "ReadinessGatesNotReady")
            assert 'readiness gate "example.com/open" does not exist' in ready(pod)["message"]
            condition = {"type": "example.com/open", "status": "True"}
            patch = {"status": {"conditions": [*pod["status"]["conditions"], condition]}}
            await node.client.patch(PODS, "gated", patch, "default", subresource="status")
            pod = await node.until("gated", lambda pod: ready(pod)["status"] == "True")
            assert any(each["type"] == "example.com/open" for each in pod["status"]["conditions"])

    asyncio.run(main())


def test_hooks_that_reach_their_server(machine: Any) -> None:
    async def main() -> None:
        with web() as server:
            async with machine.up() as node:
                # What it answers is not looked at, as upstream.
                server.healthy = False
                lifecycle = {
                    "postStart": {"httpGet": {"host": HERE, "port": server.server_port, "path": "/began"}},
                    "preStop": {"httpGet": {"host": HERE, "port": server.server_port, "path": "/ends"}},
                }
                await node.create("hooked", ["sleep", "100"], container={"lifecycle": lifecycle})
                await node.until("hooked", lambda pod: "running" in (status(pod).get("state") or {}))
                assert server.seen == ["/began None"]
                await node.client.delete(PODS, "hooked", "default")
                await node.gone("hooked")
                assert server.seen == ["/began None", "/ends None"]

    asyncio.run(main())


def test_a_post_start_hook_that_fails_ends_the_container(machine: Any) -> None:
    async def main() -> None:
        with web() as server:
            port = server.server_port
        async with machine.up() as node:
            lifecycle = {"postStart": {"httpGet": {"host": HERE, "port": port, "path": "/"}}}
            pod = await node.run("hooked", ["sleep", "100"], container={"lifecycle": lifecycle})
            assert pod["status"]["phase"] == "Failed"
            await node.reasons("hooked", "FailedPostStartHook", "Killing")

    asyncio.run(main())


def test_a_pre_stop_hook_has_the_grace_period_at_most(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            lifecycle = {"preStop": {"sleep": {"seconds": 100}}}
            await node.create("slow", ["sleep", "100"], container={"lifecycle": lifecycle})
            await node.until("slow", lambda pod: pod["status"].get("phase") == "Running")
            await node.client.delete(PODS, "slow", "default", DeleteOptions(grace_period_seconds=1))
            await node.gone("slow")

    asyncio.run(main())


def test_a_pod_is_asked_to_end_when_it_has_done_what_it_does_for_others(machine: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with machine.up() as node:
            may_end, asked = asyncio.Event(), []

            async def answered() -> None:
                await may_end.wait()

            def busy(pod: Any) -> Any:
                asked.append(pod["metadata"]["name"])
                return answered() if pod["metadata"]["name"] == "busy" else None

            def broken(pod: Any) -> Any:
                raise KeyError(pod["metadata"]["name"])

            node.agent.draining.register(broken)
            leave = node.agent.draining.register(busy)
            script = "trap 'echo asked; exit 0' TERM; touch $1; while :; do sleep 0.05; done"
            for name in ("idle", "busy"):
                await node.create(name, ["sh", "-c", script, "sh", str(tmp_path / name)])
            busy_pod = await node.until("busy", lambda pod: "running" in (status(pod).get("state") or {}))
            await node.until("idle", lambda pod: "running" in (status(pod).get("state") or {}))
            for name in ("busy", "idle"):
                while not (tmp_path / name).exists():  # it listens by then
                    await asyncio.sleep(0.01)
                await node.client.delete(PODS, name, "default")
            await node.gone("idle")
            assert sorted(asked) == ["busy", "idle"]
            assert await node.log(busy_pod) == ""
            may_end.set()
            await node.gone("busy")
            assert await node.log(busy_pod) == "asked\n"
            # No longer than the pod has to end, and nobody is asked who has left.
            may_end.clear()
            await node.create("busy", ["sleep", "100"])
            await node.until("busy", lambda pod: "running" in (status(pod).get("state") or {}))
            await node.client.delete(PODS, "busy", "default", DeleteOptions(grace_period_seconds=1))
            await node.gone("busy")
            leave()
            await node.create("busy", ["sleep", "100"])
            await node.until("busy", lambda pod: "running" in (status(pod).get("state") or {}))
            await node.client.delete(PODS, "busy", "default")
            await node.gone("busy")
            assert len(asked) == 3

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/dev/termination-log", "/opt/last/words"])
def test_last_words(machine: Any, node_kit: Any, path: str) -> None:
    async def main() -> None:
        async with machine.up() as node:
            if not node.agent.can_mount:
                pytest.skip("no mount namespaces here")
            container = {"terminationMessagePath": path}
            script = f"printf 'it was the disk' > {path}; ls -l /dev/null /dev/fd/ >/dev/null; exit 3"
            pod = await node.run("words", ["sh", "-c", script], container=container)
            assert node_kit.terminated(pod)["message"] == "it was the disk"
            assert node_kit.terminated(pod)["exitCode"] == 3

    asyncio.run(main())


def test_last_words_from_the_log(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            container = {"terminationMessagePolicy": "FallbackToLogsOnError"}
            script = "for i in $(seq 100); do echo line $i; done; exit "
            failed = await node.run("failed", ["sh", "-c", script + "1"], container=container)
            lines = node_kit.terminated(failed)["message"].splitlines()
            assert (lines[0], lines[-1]) == ("line 21", "line 100")
            fine = await node.run("fine", ["sh", "-c", script + "0"], container=container)
            assert "message" not in node_kit.terminated(fine)

    asyncio.run(main())


def test_last_words_survive_a_crash_of_the_server(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up(crash=True) as node:
            if not node.agent.can_mount:
                pytest.skip("no mount namespaces here")
            script = "sleep 1; echo gone > /dev/termination-log"
            await node.create("words", ["sh", "-c", script])
            await node.until("words", node_kit.is_running)
        await asyncio.sleep(1.5)
        async with machine.up() as node:
            pod = await node.until("words", node_kit.is_over)
            assert node_kit.terminated(pod)["message"] == "gone\n"

    asyncio.run(main())


def test_commands_as_probes_and_hooks(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            container = {
                "lifecycle": {
                    "postStart": {"exec": {"command": ["sh", "-c", "echo began > $HOME/story"]}},
                    "preStop": {"exec": {"command": ["sh", "-c", "echo ends >> $HOME/story"]}},
                },
                "readinessProbe": {"exec": {"command": ["sh", "-c", "echo no; exit 1"]}, **QUICK},
            }
            script = "trap 'cat $HOME/story; exit 0' TERM; while :; do sleep 0.05; done"
            await node.create("told", ["sh", "-c", script], container=container)
            pod = await node.until("told", lambda pod: "running" in (status(pod).get("state") or {}))
            assert await messages(node, "Unhealthy") == ["Readiness probe failed: no\n"]
            assert status(pod)["ready"] is False
            await node.client.delete(PODS, "told", "default")
            await node.gone("told")
            assert (await node.log(pod)).splitlines() == ["began", "ends"]

    asyncio.run(main())


def test_a_command_that_takes_too_long_fails_its_probe(machine: Any) -> None:
    async def main() -> None:
        async with machine.up() as node:
            probe = {"exec": {"command": ["sleep", "100"]}, **QUICK, "timeoutSeconds": 1}
            await node.create(
                "slow", ["sleep", "100"], container={"livenessProbe": probe}, restartPolicy="Never"
            )
            pod = await node.until("slow", lambda pod: pod["status"].get("phase") == "Failed")
            assert status(pod)["restartCount"] == 0
            assert "Container main failed liveness probe" in await messages(node, "Killing")
            assert 'command "sleep 100" timed out after 1s' in (await messages(node, "Unhealthy"))[0]

    asyncio.run(main())
