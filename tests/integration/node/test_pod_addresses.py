"""Pods with addresses of their own: real processes, real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import textwrap
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sampan.client.streams import ExecOptions
from sampan.cluster.node.runtimes.process import ProcessRuntime
from sampan.testing.connections import listening

PYTHON = sys.executable

SERVE = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.environ['POD']} {self.client_address[0]}".encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""

FETCH = """
import time, urllib.request
def fetch(host, port=8080, tries=200):
    for attempt in range(tries):
        try:
            return urllib.request.urlopen(f"http://{host}:{port}/", timeout=5).read().decode()
        except OSError as error:
            failure = error
            time.sleep(0.05)
    return repr(failure)
"""


def program(text: str, before: str = "") -> list[str]:
    return [PYTHON, "-c", textwrap.dedent(before) + textwrap.dedent(text)]


def named(name: str) -> dict[str, Any]:
    return {"env": [{"name": "POD", "value": name}]}


def play(machine: Any, scenario: Callable[[Any], Awaitable[None]]) -> None:
    """Runs it on a node; skipped where the kernel does not let sockets be led."""

    async def main() -> None:
        async with machine.up() as node:
            if not node.agent.has_pod_addresses:
                pytest.skip("this kernel does not let sockets be led")
            await scenario(node)

    asyncio.run(main())


def test_a_pod_comes_from_its_address_to_itself_too(machine: Any, node_kit: Any) -> None:
    """XGBoost's tracker tells the others where it saw the first rank come from, which is in its own pod."""
    script = """
    import socket
    own = socket.gethostbyname(socket.gethostname())
    server = socket.create_server(("", 9999))
    for host in (own, socket.gethostname(), "localhost"):
        with socket.create_connection((host, 9999)):
            print(server.accept()[1][0] == own)
    """

    async def scenario(node: Any) -> None:
        pod = await node.run("a", program(script))
        assert (await node.log(pod)).split() == ["True", "True", "False"]

    play(machine, scenario)


def test_two_pods_listen_on_one_port(machine: Any, node_kit: Any) -> None:
    async def scenario(node: Any) -> None:
        addresses = []
        for name in ("one", "two"):
            await node.create(name, program(SERVE), container=named(name))
            addresses.append((await node.until(name, node_kit.is_running))["status"]["podIP"])
        assert len({*addresses}) == 2
        pod = await node.run("client", program(f"for each in {addresses}: print(fetch(each))", FETCH))
        own = pod["status"]["podIP"]
        assert (await node.log(pod)).splitlines() == [f"one {own}", f"two {own}"]

    play(machine, scenario)


def test_a_port_that_the_kernel_chooses_is_one_pods(machine: Any, node_kit: Any) -> None:
    """Programs tell each other the machine's address and such a port, as Open MPI does: they must lead to one pod."""
    take = """
        import socket, time
        held = [socket.socket() for _ in range(700)]
        for each in held:
            each.bind(("", 0)); each.listen()
        print(*sorted(each.getsockname()[1] for each in held), flush=True)
        time.sleep(600)
    """

    async def scenario(node: Any) -> None:
        ports: list[set[str]] = []
        for name in ("one", "two"):
            await node.create(name, program(take))
            pod = await node.until(name, node_kit.is_running)
            while not (text := await node.log(pod)):
                await asyncio.sleep(0.05)
            ports.append(set(text.split()))
        # By chance some twenty would be the same.
        assert len(ports[0]) == len(ports[1]) == 700
        assert not ports[0] & ports[1]

    play(machine, scenario)


def test_localhost_is_shared_by_the_containers_of_a_pod_only(machine: Any, node_kit: Any) -> None:
    async def scenario(node: Any) -> None:
        await node.create("other", program(SERVE), container=named("other"))
        await node.until("other", node_kit.is_running)
        server = {"name": "server", "image": "busybox", "command": program(SERVE), **named("own")}
        client = {
            "name": "main",
            "image": "busybox",
            "command": program("print(fetch('localhost')); print(fetch('127.0.0.1'))", FETCH),
        }
        await node.create("pair", [], containers=[client, server])
        pod = await node.until("pair", lambda pod: node_kit.has_ended(pod, "main"))
        assert (await node.log(pod)).splitlines() == ["own 127.0.0.1"] * 2
        alone = await node.run("alone", program("print(fetch('localhost', tries=1))", FETCH))
        assert "refused" in await node.log(alone)

    play(machine, scenario)


def test_the_machines_localhost_is_reached_where_the_pod_has_nothing(machine: Any) -> None:
    async def scenario(node: Any) -> None:
        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"the machine")

        async with listening(greet) as there:
            call = f"socket.create_connection(('localhost', {there.port}))"
            pod = await node.run("guest", program(f"import socket; print({call}.recv(99).decode())"))
            assert await node.log(pod) == "the machine\n"

    play(machine, scenario)


def test_what_programs_bind_to(machine: Any) -> None:
    async def scenario(node: Any) -> None:
        text = """
            import asyncio, json, socket
            def bound(address, family=socket.AF_INET, kind=socket.SOCK_STREAM, only6=None):
                with socket.socket(family, kind) as sock:
                    if only6 is not None:
                        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only6)
                    sock.bind(address)
                    return sock.getsockname()[:2]
            async def both():
                server = await asyncio.start_server(lambda *_: None, None, 9001)
                return sorted(sock.getsockname()[0] for sock in server.sockets)
            six = socket.AF_INET6
            print(json.dumps([
                bound(("", 9000)), bound(("127.0.0.1", 9000)), bound(("::", 9000), six, only6=0),
                bound(("::1", 9000), six, only6=0), bound(("127.0.0.9", 9000)),
                bound(("", 9000), kind=socket.SOCK_DGRAM), bound(("", 0), kind=socket.SOCK_DGRAM)[0],
                asyncio.run(both()),
            ]))
        """
        pod = await node.run("binder", program(text))
        own = pod["status"]["podIP"]
        assert json.loads(await node.log(pod)) == [
            *([own, 9000], [own, 9000], [f"::ffff:{own}", 9000], [f"::ffff:{own}", 9000]),
            *(["127.0.0.9", 9000], [own, 9000], "0.0.0.0", sorted([own, "::1"])),
        ]

    play(machine, scenario)


def test_threads_and_sockets_that_do_not_wait(machine: Any) -> None:
    async def scenario(node: Any) -> None:
        text = """
            import concurrent.futures, errno, select, socket, threading
            server = socket.create_server(("", 8000), backlog=200)
            def call(at):
                with socket.create_connection(("localhost", 8000)) as sock:
                    return sock.getpeername()[0]
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                print(set(pool.map(call, range(100))) == {server.getsockname()[0]})
            eager = socket.socket(); eager.setblocking(False)
            print(eager.connect_ex(("localhost", 8000)) in (0, errno.EINPROGRESS))
            select.select([], [eager], [], 5)
            print(eager.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), eager.getblocking())
            patient = socket.create_connection(("localhost", 8000)); print(patient.getblocking())
            try:
                patient.connect(("localhost", 8000))
            except OSError as error:
                print(error.errno == errno.EISCONN)
            server.close()
            print(socket.socket().connect_ex(("localhost", 8000)) == errno.ECONNREFUSED)
        """
        pod = await node.run("threads", program(text))
        assert (await node.log(pod)).split() == ["True", "True", "0", "False", "True", "True", "True"]

    play(machine, scenario)


def test_a_pod_knows_its_own_name(machine: Any) -> None:
    async def scenario(node: Any) -> None:
        text = """
            import json, os, socket
            print(json.dumps([
                socket.gethostname(), socket.gethostbyname(socket.gethostname()), os.environ["IP"], socket.getfqdn(),
                open("/etc/hostname").read(), socket.gethostbyname("db.example"), os.environ["HOSTNAME"],
            ]))
        """
        own_ip = {"env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]}
        pod = await node.run(
            "who",
            program(text),
            container=own_ip,
            hostname="master-0",
            subdomain="job",
            hostAliases=[{"ip": "127.9.9.9", "hostnames": ["db.example"]}],
        )
        if not node.agent.can_mount:
            pytest.skip("no mount namespaces here")
        own = pod["status"]["podIP"]
        full = "master-0.job.default.svc.cluster.local"
        assert json.loads(await node.log(pod)) == [
            *("master-0", own, own, full, "master-0\n", "127.9.9.9", "master-0")
        ]

    play(machine, scenario)


def test_pods_of_the_host_network_share_the_machines_ports(machine: Any) -> None:
    async def scenario(node: Any) -> None:
        text = "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[0])"
        pod = await node.run("host", program(text), hostNetwork=True)
        assert pod["status"]["podIP"] == "127.0.0.1"
        assert await node.log(pod) == "127.0.0.1\n"

    play(machine, scenario)


def test_addresses_and_sockets_outlive_the_server(machine: Any, node_kit: Any) -> None:
    async def main() -> None:
        async with machine.up(keep_pods=True) as node:
            if not node.agent.has_pod_addresses:
                pytest.skip("this kernel does not let sockets be led")
            await node.create("kept", program(SERVE), container=named("kept"))
            before = (await node.until("kept", node_kit.is_running))["status"]["podIP"]
        async with machine.up() as node:
            later = await node.run("later", program(f"print(fetch({before!r}))", FETCH))
            kept = await node.until("kept", node_kit.is_running)
            assert kept["status"]["podIP"] == before != later["status"]["podIP"]
            assert (await node.log(later)).split()[0] == "kept"

    asyncio.run(main())


def test_forked_programs_have_the_pods_address_too(machine: Any) -> None:
    """A `python -c` that is recognised is forked from a warm interpreter."""

    async def scenario(node: Any) -> None:
        code = "import socket\ns = socket.create_server(('', 8000))\nprint(s.getsockname()[0])\n"
        shell = 'printf "%s" "$0" > /tmp/p.py && python3 /tmp/p.py'
        pod = await node.run("shell", ["sh", "-c", shell, code])
        assert (await node.log(pod)).strip() == pod["status"]["podIP"]

    play(machine, scenario)


def test_a_command_in_a_container_is_at_the_same_place(machine: Any, node_kit: Any) -> None:
    """What `kubectl exec` starts: localhost is the pod's, and so is its name."""

    async def scenario(node: Any) -> None:
        await node.create("own", program(SERVE), container=named("own"))
        pod = await node.until("own", node_kit.is_running)
        command = (*program("print(fetch('localhost')); import socket; print(socket.gethostname())", FETCH),)
        execution = await node.agent.pod_streams.exec(pod, ExecOptions(command, "main", stdout=True))
        output = b""
        while data := await execution.read("stdout"):
            output += data
        assert await execution.wait() == 0
        await execution.close()
        assert output.decode().splitlines() == ["own 127.0.0.1", "own"]

    play(machine, scenario)


def test_who_tells_the_machines_address_is_found_too(machine: Any, node_kit: Any) -> None:
    """Dask, Ray and Open MPI listen at every address and tell their peers that of an interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no other address")
        interface = probe.getsockname()[0]

    async def scenario(node: Any) -> None:
        await node.create("server", program(SERVE.replace("8080", "18931")), container=named("server"))
        server = (await node.until("server", node_kit.is_running))["status"]["podIP"]
        pod = await node.run(
            "client", program(f"print(fetch({interface!r}, 18931)); print({server!r})", FETCH)
        )
        assert (await node.log(pod)).splitlines() == [f"server {pod['status']['podIP']}", server]
        closed = await node.run("closed", program(f"print(fetch({interface!r}, 18932, tries=1))", FETCH))
        assert "refused" in await node.log(closed)

    play(machine, scenario)


def test_a_pod_is_told_where_ports_are_shared(
    machine: Any, node_kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProcessRuntime, "can_network", False)

    async def main() -> None:
        async with machine.up() as node:
            ports = {"ports": [{"containerPort": 8080}]}
            pod = await node.run("a", ["true"], container=ports)
            assert pod["status"]["podIP"] == "127.0.0.1"
            await node.reasons("a", "SharedPorts")
            await node.run("b", ["true"])
            assert "SharedPorts" not in await node.reasons("b")

    asyncio.run(main())
