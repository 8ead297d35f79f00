"""Services lead pods to pods: addresses, names, readiness, with real processes and sockets."""

from __future__ import annotations

import asyncio
import contextlib
import textwrap
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from sampan.client.protocol import ListOptions, PatchType
from sampan.kube.kinds import ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES
from sampan.testing.connections import connected, free_port

from .conftest import SERVE, cluster_at


def test_a_cluster_ip_takes_turns(play: Any) -> None:
    async def scenario(cluster: Any) -> None:
        service = await cluster.service("web")
        address = service["spec"]["clusterIP"]
        for name in ("web-0", "web-1"):
            await cluster.server(name)
        lines = await cluster.run(
            "client",
            """
            until(lambda: len({fetch("web").split()[0] for _ in range(4)}) == 2)
            own = socket.gethostbyname(socket.gethostname())
            found = [fetch("web") for _ in range(10)]
            print(sorted({each.split()[0] for each in found}))
            print([sum(each.startswith(name) for each in found) for name in ("web-0", "web-1")])
            print({each.split()[1] for each in found} == {own})
            print(addresses("web"), addresses("web.default.svc.cluster.local"), addresses("web.default"))
            print(fetch("web", port=81, tries=1))
            """,
        )
        assert lines[:3] == ["['web-0', 'web-1']", "[5, 5]", "True"]
        assert lines[3] == " ".join([f"['{address}']"] * 3)
        assert "Connection refused" in lines[4]

    play(scenario)


def test_a_service_without_endpoints_refuses_at_once(play: Any) -> None:
    async def scenario(cluster: Any) -> None:
        await cluster.service("empty")
        assert "refused" in (await cluster.run("client", "print(fetch('empty', tries=1))"))[0]

    play(scenario)


def test_a_headless_service_names_its_ready_pods(play: Any) -> None:
    """As a StatefulSet, or a training job, finds its members."""

    async def scenario(cluster: Any) -> None:
        await cluster.service("members", clusterIP="None")
        own = [
            await cluster.server(f"node-{at}", hostname=f"node-{at}", subdomain="members") for at in range(2)
        ]
        lines = await cluster.run(
            "asker",
            f"""
            print(until(lambda: addresses("members") == {sorted(own)}))
            print(addresses("node-1.members"), addresses("node-1.members.default.svc.cluster.local"))
            print(fetch("node-0.members", port=8080).split()[0], addresses("node-7.members"))
            """,
        )
        assert lines == ["True", f"['{own[1]}'] ['{own[1]}']", "node-0 []"]

    play(scenario)


def test_who_is_not_ready_is_not_found(play: Any) -> None:
    async def scenario(cluster: Any) -> None:
        await cluster.service("members", clusterIP="None")
        await cluster.service("everyone", clusterIP="None", publishNotReadyAddresses=True)
        await cluster.server("one")
        two = await cluster.server("two")
        patch = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
        await cluster.client.patch(
            PODS, "two", patch, "default", patch_type=PatchType.STRATEGIC, subresource="status"
        )
        lines = await cluster.run(
            "asker",
            f"""
            print(until(lambda: len(addresses("members")) == 1), "{two}" in addresses("members"))
            print(until(lambda: len(addresses("everyone")) == 2))
            """,
        )
        assert lines == ["True False", "True"]
        endpoints = await cluster.client.get(ENDPOINTS, "members", "default")
        assert [each["ip"] for each in endpoints["subsets"][0]["notReadyAddresses"]] == [two]

    play(scenario)


def test_who_is_about_to_start_has_a_name_already(play: Any) -> None:
    """Ranks of a job start together: the first look-up of one may come before endpoints tell of the other."""

    async def scenario(cluster: Any) -> None:
        await cluster.service("everyone", clusterIP="None", publishNotReadyAddresses=True)
        await cluster.service("members", clusterIP="None")
        await cluster.server("seen")  # then the Services are known
        hosts, address = cluster.network.directory.hosts, "127.64.9.9"
        pod = cluster.pod("rank", "", labels={"app": "web"}, hostname="rank", subdomain="everyone")
        pod["metadata"]["uid"] = "rank"
        cluster.network.attach(pod, address, Path("/nonexistent"))
        lines = [
            line.partition("\t")[2].split()[0] for line in hosts("default").splitlines() if address in line
        ]
        assert lines == ["everyone.default.svc.cluster.local", "rank.everyone.default.svc.cluster.local"]
        cluster.network.release("rank")
        async with asyncio.timeout(60):
            while address in hosts("default"):
                await asyncio.sleep(0.01)

    play(scenario)


def test_names_follow_running_pods(play: Any) -> None:
    """A name made while a pod runs is found by it, and one that goes is not any more."""

    async def scenario(cluster: Any) -> None:
        text = """
            print(until(lambda: addresses("late")), flush=True)
            print(until(lambda: not addresses("late")), flush=True)
        """
        await cluster.client.create(PODS, cluster.pod("waiting", text))
        await cluster.until("waiting", lambda pod: pod["status"].get("phase") == "Running")
        await cluster.service("late")
        await cluster.says("waiting", "True")
        await cluster.client.delete(SERVICES, "late", "default")
        await cluster.says("waiting", "True", "True")

    play(scenario)


def test_namespaces_have_their_own_short_names(play: Any) -> None:
    async def scenario(cluster: Any) -> None:
        here = await cluster.service("web")
        there = await cluster.service("web", "other")
        await cluster.knows("web.default.svc.cluster.local", "web.other.svc.cluster.local")
        lines = await cluster.run("asker", "print(addresses('web'), addresses('web.default'))", "other")
        assert lines == [f"['{there['spec']['clusterIP']}'] ['{here['spec']['clusterIP']}']"]

    play(scenario)


def test_an_external_name_of_the_cluster_follows_it(play: Any) -> None:
    async def scenario(cluster: Any) -> None:
        external = {"type": "ExternalName", "selector": None, "ports": None}
        await cluster.service("alias", externalName="web.other.svc.cluster.local", **external)
        await cluster.service("fixed", externalName="127.9.9.9", **external)
        web = await cluster.service("web", "other")
        found = web["spec"]["clusterIP"]
        lines = await cluster.run(
            "asker", f"print(until(lambda: addresses('alias') == ['{found}']), addresses('fixed'))"
        )
        assert lines == ["True ['127.9.9.9']"]

    play(scenario)


def test_without_addresses_of_their_own_pods_still_find_services(tmp_path: Path) -> None:
    """As where the kernel does not let sockets be led: the machine's ports, and the relay."""

    async def main() -> None:
        async with cluster_at(tmp_path, pod_addresses=False) as cluster:
            port = free_port()
            server = SERVE.replace("8080", str(port))
            await cluster.client.create(PODS, cluster.pod("one", server, labels={"app": "web"}))
            pod = await cluster.until("one", lambda pod: pod["status"].get("phase") == "Running")
            assert pod["status"]["podIP"] == "127.0.0.1"
            await cluster.service("web", ports=[{"port": 8000, "targetPort": port}])
            assert await cluster.run("asker", "print(fetch('web', 8000).split()[0])") == ["one"]

    asyncio.run(main())


def test_ports_by_name_and_endpoints_by_hand(play: Any) -> None:
    async def scenario(cluster: Any) -> None:
        ports = {"ports": [{"name": "http", "containerPort": 8080}]}
        address = await cluster.server("named", container=ports)
        await cluster.service("named", ports=[{"port": 80, "targetPort": "http"}])
        await cluster.service("manual", selector=None, ports=[{"port": 80}])
        subsets = [{"addresses": [{"ip": address}], "ports": [{"port": 8080}]}]
        await cluster.client.create(
            ENDPOINTS, {"metadata": {"name": "manual", "namespace": "default"}, "subsets": subsets}
        )
        lines = await cluster.run("asker", "print(fetch('named').split()[0], fetch('manual').split()[0])")
        assert lines == ["named named"]

    play(scenario)


def test_endpoints_wait_for_their_service_and_go_with_it(play: Any) -> None:
    async def scenario(cluster: Any) -> None:
        early = {"metadata": {"name": "early", "namespace": "default"}, "subsets": []}
        made = await cluster.client.create(ENDPOINTS, early)
        await cluster.server("web")
        found = await cluster.client.get(ENDPOINTS, "early", "default")
        assert found["metadata"]["uid"] == made["metadata"]["uid"]
        await cluster.service("early", selector=None, ports=[{"port": 80}])
        await cluster.client.delete(SERVICES, "early", "default")
        by_name = ListOptions(field_selector="metadata.name=early")
        while (await cluster.client.list(ENDPOINTS, "default", by_name)).items:
            await asyncio.sleep(0.05)

    play(scenario)


def test_a_client_stays_where_affinity_says_so(play: Any) -> None:
    async def scenario(cluster: Any) -> None:
        await cluster.service("web", sessionAffinity="ClientIP")
        for name in ("web-0", "web-1"):
            await cluster.server(name)
        lines = await cluster.run(
            "asker", "fetch('web'); print(len({fetch('web').split()[0] for _ in range(8)}))"
        )
        assert lines == ["1"]

    play(scenario)


def test_the_machine_reaches_node_ports_and_cluster_ips(play: Any) -> None:
    async def scenario(cluster: Any) -> None:
        service = await cluster.service("web", type="NodePort", ports=[{"port": 8000, "targetPort": 8080}])
        await cluster.server("web-0", container={"ports": [{"containerPort": 8080, "hostPort": 0}]})
        node_port = service["spec"]["ports"][0]["nodePort"]
        for host, port in (("127.0.0.1", node_port), (service["spec"]["clusterIP"], 8000)):
            assert (await asyncio.to_thread(_get, host, port)).split()[0] == "web-0"

    play(scenario)


def _get(host: str, port: int) -> str:
    failure: OSError | None = None
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://{host}:{port}/", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError as error:
            failure = error
            time.sleep(0.05)
    return repr(failure)


def test_a_rendezvous_by_hostname(play: Any) -> None:
    """As torchrun and gloo: each rank says where it listens, by its own name's address, and all meet."""
    rank = """
        import json, os
        rank, size = int(os.environ["RANK"]), 3
        own = socket.create_server((socket.gethostbyname(socket.gethostname()), 0))
        me = own.getsockname()
        if rank == 0:
            store, known, callers = socket.create_server(("", 29500)), {0: me}, []
            while len(known) < size:
                caller, _ = store.accept()
                other, address = json.loads(caller.makefile().readline())
                known[other] = address; callers.append(caller)
            for caller in callers:
                caller.sendall(json.dumps(known).encode() + b"\\n")
            known = json.loads(json.dumps(known))
        else:
            def call():
                global store
                try:
                    store = socket.create_connection((os.environ["MASTER_ADDR"], 29500), timeout=10)
                    return True
                except OSError:
                    return False
            assert until(call, 20)
            store.sendall(json.dumps([rank, me]).encode() + b"\\n")
            known = json.loads(store.makefile().readline())
        peers = [socket.create_connection(tuple(at)) for other, at in known.items() if int(other) > rank]
        met = [own.accept()[1][0] for _ in range(rank)]
        print(len(peers) + len(met), len({at[0] for at in known.values()}))
    """

    async def scenario(cluster: Any) -> None:
        await cluster.service("job", clusterIP="None", publishNotReadyAddresses=True)
        await cluster.service("job-master-0", clusterIP="None", selector={"rank": "0"})
        ranks = [
            cluster.run(
                f"job-{at}",
                rank,
                labels={"app": "web", "rank": str(at)},
                hostname=f"job-{at}",
                subdomain="job",
                container={
                    "env": [
                        {"name": "RANK", "value": str(at)},
                        {"name": "MASTER_ADDR", "value": "job-master-0"},
                    ]
                },
            )
            for at in range(3)
        ]
        assert await asyncio.gather(*ranks) == [["2 3"]] * 3

    play(scenario)


def test_slices_say_what_endpoints_say(play: Any) -> None:
    async def scenario(cluster: Any) -> None:
        await cluster.service("web")
        address = await cluster.server("web-0")
        async with asyncio.timeout(60):
            while True:
                slices = (await cluster.client.list(ENDPOINT_SLICES, "default")).items
                if slices and slices[0]["endpoints"] and slices[0]["endpoints"][0]["conditions"]["ready"]:
                    break
                await asyncio.sleep(0.02)
        assert slices[0]["metadata"]["labels"]["kubernetes.io/service-name"] == "web"
        assert slices[0]["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
        endpoint = slices[0]["endpoints"][0]
        assert (endpoint["addresses"], endpoint["targetRef"]["name"]) == ([address], "web-0")
        await cluster.client.delete(PODS, "web-0", "default")
        async with asyncio.timeout(60):
            while (await cluster.client.get(ENDPOINTS, "web", "default")).get("subsets"):
                await asyncio.sleep(0.02)

    play(scenario)


def test_variables_tell_of_services(play: Any) -> None:
    async def scenario(cluster: Any) -> None:
        service = await cluster.service("my-db")
        await cluster.knows("my-db.default.svc.cluster.local")
        text = "import os; print(os.environ.get('MY_DB_SERVICE_HOST'), os.environ.get('MY_DB_PORT_80_TCP'))"
        address = service["spec"]["clusterIP"]
        assert await cluster.run("told", text) == [f"{address} tcp://{address}:80"]
        assert await cluster.run("untold", text, enableServiceLinks=False) == ["None None"]

    play(scenario)


def test_all_goes_on_while_the_server_restarts(tmp_path: Path) -> None:
    """Who runs keeps address, names and routes with no server, and is told of changes by the next one."""
    text = """
        print(until(lambda: fetch("web", tries=1).startswith("web-0")), flush=True)
        print(until(lambda: not os.path.exists("RUNNING")), fetch("web", tries=1).split()[0], flush=True)
        print(until(lambda: addresses("late")), flush=True)
    """.replace("RUNNING", str(tmp_path / "RUNNING"))

    async def main() -> None:
        (tmp_path / "RUNNING").touch()
        async with cluster_at(tmp_path, keep_pods=True) as cluster:
            if not cluster.agent.has_pod_addresses:
                pytest.skip("this kernel does not let sockets be led")
            service = await cluster.service("web")
            address = await cluster.server("web-0")
            await cluster.client.create(PODS, cluster.pod("asker", "import os\n" + textwrap.dedent(text)))
            await cluster.says("asker", "True")
        (tmp_path / "RUNNING").unlink()
        await asyncio.sleep(1)
        async with cluster_at(tmp_path) as cluster:
            again = await cluster.until("web-0", lambda pod: pod["status"].get("podIP"))
            assert again["status"]["podIP"] == address
            assert (await cluster.client.get(SERVICES, "web", "default"))["spec"] == service["spec"]
            await cluster.service("late")
            pod = await cluster.until("asker", lambda pod: pod["status"].get("phase") == "Succeeded")
            assert await cluster.log(pod) == ["True", "True web-0", "True"]

    asyncio.run(main())


def test_a_relay_passes_on_what_comes_and_each_end(play: Any) -> None:
    """Megabytes, both ways at once, and one direction that ends before the other."""

    async def scenario(cluster: Any) -> None:
        server = """
            listener = socket.create_server(("", 8080))
            while True:
                caller, _ = listener.accept()
                data = caller.makefile("rb").read()
                caller.sendall(data[::-1]); caller.close()
        """
        pod = cluster.pod("echo", server, labels={"app": "web"})
        await cluster.client.create(PODS, pod)
        service = await cluster.service("web", type="NodePort")
        port = service["spec"]["ports"][0]["nodePort"]
        sent = bytes(range(256)) * 16384
        received = b""
        async with asyncio.timeout(60):
            # Until the relay listens and the server behind it does, there is no answer.
            while not received:
                with contextlib.suppress(OSError):
                    async with connected("127.0.0.1", port) as (reader, writer):
                        writer.write(sent)
                        writer.write_eof()
                        received = await reader.read()
                await asyncio.sleep(0.05)
        assert received == sent[::-1]

    play(scenario)
