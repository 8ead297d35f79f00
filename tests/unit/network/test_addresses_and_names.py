"""Addresses, lines of hosts files, variables, routes: pure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from sampan.cluster.network import addresses, links, names, routes
from sampan.cluster.network.addresses import POD_NETWORK, SERVICE_NETWORK, PodAddresses
from sampan.cluster.network.directory import View
from sampan.cluster.network.pods import PodNetwork
from sampan.cluster.network.relay import host_ports, places_of, wanted_places
from sampan.cluster.node.runtimes.launcher import sockets


def pod(name: str = "a", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ns", "uid": f"uid-{name}"}, "spec": spec, "status": {}}


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ns"}, "spec": spec}


def test_addresses_are_not_given_twice_and_come_back_late() -> None:
    pool = PodAddresses(0)
    first, second = pool.acquire("a"), pool.acquire("b")
    assert (first, second) == ("127.64.0.1", "127.64.0.2")
    assert pool.acquire("a") == first
    pool.release("a")
    assert pool.acquire("c") == "127.64.0.3"
    assert pool.acquire("d", first) == first
    assert pool.acquire("e", second) not in (first, second)
    assert pool.acquire("f", "10.0.0.1").startswith("127.64.")


def test_a_block_is_gone_round() -> None:
    last = POD_NETWORK.num_addresses - 2
    assert addresses.first_free(POD_NETWORK, last, lambda _: False) == ("127.95.255.254", last + 1)
    assert addresses.first_free(POD_NETWORK, last + 1, lambda _: False) == ("127.64.0.1", 2)
    assert addresses.first_free(SERVICE_NETWORK, 254, {"127.96.0.254"}.__contains__) == ("127.96.1.1", 258)


def test_the_launcher_knows_the_same_blocks() -> None:
    for network, block in ((POD_NETWORK, sockets.POD_BLOCK), (SERVICE_NETWORK, sockets.SERVICE_BLOCK)):
        assert {int(str(network[at]).split(".")[1]) for at in (0, -1)} == {block.start, block.stop - 1}
        assert network.num_addresses == len(block) * 65536


def test_homes_begin_at_different_places() -> None:
    starts = {addresses.slot(Path(f"/home/{at}")) for at in range(20)}
    assert len(starts) > 15
    assert all(0 <= start < POD_NETWORK.num_addresses for start in starts)


@pytest.mark.parametrize(
    ("address", "port", "lowest", "real"),
    [
        ("127.64.0.1", 80, 1024, 64592),
        ("127.64.0.1", 80, 0, 80),
        ("127.64.0.1", 8080, 1024, 8080),
        ("127.0.0.1", 80, 1024, 80),
        ("example", 80, 1024, 80),
    ],
)
def test_privileged_ports_are_moved(address: str, port: int, lowest: int, real: int) -> None:
    assert addresses.real_port(address, port, lowest) == real


@pytest.mark.parametrize(
    ("spec", "hostname", "line"),
    [
        ({}, "a", "127.64.0.1\ta"),
        ({"hostname": "h"}, "h", "127.64.0.1\th"),
        ({"hostname": "h", "subdomain": "s"}, "h", "127.64.0.1\th.s.ns.svc.cluster.local\th"),
        (
            {"hostname": "h", "subdomain": "s", "setHostnameAsFQDN": True},
            "h.s.ns.svc.cluster.local",
            "127.64.0.1\th.s.ns.svc.cluster.local\th",
        ),
    ],
)
def test_who_a_pod_is(spec: dict[str, Any], hostname: str, line: str) -> None:
    assert names.hostname(pod(**spec)) == hostname
    lines = names.own_lines(pod(**spec), "127.64.0.1").splitlines()
    assert lines[1] == "127.0.0.1\tlocalhost"
    assert lines[-1] == line


def test_a_long_name_makes_a_short_hostname() -> None:
    assert names.hostname(pod("x" * 62 + "-" + "y" * 40)) == "x" * 62


def test_lines_of_services() -> None:
    full, inside = (
        "web.ns.svc.cluster.local web.ns.svc web.ns",
        "web.ns.svc.cluster.local web.ns.svc web.ns web",
    )
    assert names.service_lines(service(), "127.96.0.1", [], local=False) == [f"127.96.0.1\t{full}"]
    assert names.service_lines(service(), "127.96.0.1", [], local=True) == [f"127.96.0.1\t{inside}"]
    headless = names.service_lines(service(), "", [("127.64.0.1", "m-0"), ("127.64.0.2", "")], local=True)
    assert headless == [
        f"127.64.0.1\t{inside}",
        "127.64.0.1\tm-0.web.ns.svc.cluster.local m-0.web.ns.svc m-0.web.ns m-0.web",
        f"127.64.0.2\t{inside}",
    ]
    assert names.service_lines(service(), "", [], local=True) == []


def test_resolv_conf_only_where_it_is_asked_for() -> None:
    machine = "nameserver 1.1.1.1\nsearch home\noptions ndots:2\n"
    assert names.resolv_conf(pod(), lambda: machine) == ""
    own = {"nameservers": ["9.9.9.9"], "searches": ["x.y"], "options": [{"name": "ndots", "value": "5"}]}
    assert names.resolv_conf(pod(dnsPolicy="None", dnsConfig=own), lambda: machine) == (
        "nameserver 9.9.9.9\nsearch x.y\noptions ndots:5\n"
    )
    assert names.resolv_conf(pod(dnsConfig={"searches": ["x.y"]}), lambda: machine) == (
        "nameserver 1.1.1.1\nsearch home x.y\noptions ndots:2\n"
    )


def test_variables_of_a_service() -> None:
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    found = links.variables(service("my-db", ports=ports), "127.96.0.1")
    assert found["MY_DB_SERVICE_HOST"] == "127.96.0.1"
    assert found["MY_DB_SERVICE_PORT"] == found["MY_DB_SERVICE_PORT_HTTP"] == "80"
    assert found["MY_DB_PORT"] == found["MY_DB_PORT_80_TCP"] == "tcp://127.96.0.1:80"
    assert found["MY_DB_PORT_53_UDP"] == "udp://127.96.0.1:53"
    assert found["MY_DB_PORT_53_UDP_PROTO"] == "udp"
    assert links.variables(service(), "127.96.0.1") == {}


def endpoint(address: str, *, ready: bool = True, serving: bool = True) -> dict[str, Any]:
    return {"addresses": [address], "conditions": {"ready": ready, "serving": serving}}


def test_routes_go_to_who_is_ready() -> None:
    web = service(ports=[{"name": "http", "port": 80, "protocol": "TCP"}])
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]

    def route(*endpoints: dict[str, Any]) -> list[str]:
        slice_ = {"addressType": "IPv4", "endpoints": list(endpoints), "ports": ports}
        return routes.ports(web, [slice_])["TCP/80"]

    one, two = endpoint("127.64.0.1"), endpoint("127.64.0.2", ready=False)
    assert route(one, two) == ["127.64.0.1:8080"]
    # Those that end still serve, where nobody else does.
    assert route(two) == ["127.64.0.2:8080"]
    assert route(endpoint("127.64.0.3", ready=False, serving=False)) == []
    assert routes.ports(web, []) == {"TCP/80": []}


def test_files_of_pods_are_rewritten_in_place(tmp_path: Path) -> None:
    class Directory:
        text = "127.96.0.1\tone\n" * 50

        def hosts(self, namespace: str) -> str:
            return self.text

        def links(self, namespace: str, *, all_services: bool) -> dict[str, str]:
            return {}

        def came(self, pod: dict[str, Any], address: str) -> None:
            pass

        def went(self, uid: str) -> None:
            pass

    network = PodNetwork(tmp_path)
    network.directory = directory = Directory()
    network.attach(pod(), "127.64.0.1", tmp_path)
    network.refresh()
    assert not (tmp_path / "hosts").exists()
    path = network.files(pod(), tmp_path)["/etc/hosts"]
    inode = path.stat().st_ino
    directory.text = "127.96.0.2\ttwo\n"
    network.refresh()
    assert path.read_text().endswith("127.64.0.1\ta\n127.96.0.2\ttwo\n")
    assert path.stat().st_ino == inode
    network.release("uid-a")
    directory.text = ""
    network.refresh()
    assert "two" in path.read_text()


def test_ports_that_the_machine_opens() -> None:
    ports = [{"port": 80, "nodePort": 30080, "protocol": "TCP"}]
    balanced = View(service(type="LoadBalancer", ports=ports), "127.96.0.1", {"TCP/80": ["127.64.0.1:8080"]})
    places = places_of(balanced)
    assert places is not None
    assert wanted_places([places]) == {
        place: ["127.64.0.1:8080"] for place in (("127.96.0.1", 80), ("127.0.0.1", 30080), ("127.0.0.1", 80))
    }
    own = {"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": {"ports": ports}}
    assert places_of(View(own, "127.96.0.1", {"TCP/80": ["127.0.0.1:8080"]})) is None
    containers = [{"name": "a", "ports": [{"containerPort": 80, "hostPort": 8000}, {"containerPort": 81}]}]
    running = {**pod(containers=containers), "status": {"podIP": "127.64.0.1"}}
    assert host_ports(running) == {("127.0.0.1", 8000): ["127.64.0.1:80"]}
    assert host_ports({**running, "status": {"podIP": "127.0.0.1"}}) == {}
    assert host_ports({**running, "status": {"podIP": "127.64.0.1", "phase": "Failed"}}) == {}


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x02\x00\x1f\x90\x7f\x00\x00\x01" + b"\0" * 8, (2, "127.0.0.1", 8080)),
        (b"\x0a\x00\x1f\x90" + b"\0" * 4 + b"\0" * 15 + b"\x01" + b"\0" * 4, (10, "::1", 8080)),
        (
            b"\x0a\x00\x1f\x90" + b"\0" * 4 + b"\0" * 10 + b"\xff\xff\x7f\x40\x00\x07" + b"\0" * 4,
            (10, "127.64.0.7", 8080),
        ),
        (b"\x01\x00/tmp/socket", None),
        (b"\x02\x00", None),
    ],
)
def test_addresses_as_system_calls_have_them(data: bytes, found: tuple[int, str, int] | None) -> None:
    assert sockets.parse(data) == found


@pytest.mark.skipif(sys.byteorder != "little", reason="the table is in the machine's order")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0700407F", "127.64.0.7"),
        ("00000000", "0.0.0.0"),
        ("0" * 32, "0.0.0.0"),
        ("0000000000000000FFFF00000700407F", "127.64.0.7"),
        ("00000000000000000000000001000000", ""),
    ],
)
def test_addresses_as_the_kernels_table_has_them(text: str, found: str) -> None:
    assert sockets._from_table(text) == found


def test_names_are_found_in_the_domains_that_a_pod_asks_for() -> None:
    searched = names.searches(pod(dnsConfig={"searches": ["job.ns.svc.cluster.local.", ""]}))
    assert searched == ("job.ns.svc.cluster.local",)
    hosts = (
        "127.64.0.1\tpi.job.ns.svc.cluster.local pi.job.ns.svc\n"
        "127.64.0.2\tpi.other.ns.svc.cluster.local\n"
        "127.64.0.3\tjob.ns.svc.cluster.local\n"
    )
    assert names.searched_lines(hosts, searched) == "127.64.0.1\tpi\n"
    assert names.searches(pod()) == ()
