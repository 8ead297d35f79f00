"""The platform on a real cluster, before it starts: what it asks of the cluster, and where it listens for pods."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from sampan.app.listening import StartError
from sampan.app.remote import reach, transfers_address
from sampan.app.settings import ClusterSettings
from sampan.client.kubeconfig import Connection
from sampan.client.protocol import ObjectList
from sampan.kube.errors import ForbiddenError, NotFoundError, ServiceUnavailableError

CONNECTION = Connection("https://there", namespace="ns")


@dataclass
class Cluster:
    """What the platform asks at its start."""

    refused: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ("ns",)
    nodes: tuple[str, ...] = ("127.0.0.1",)
    answers: bool = True

    async def version(self) -> tuple[int, int]:
        if not self.answers:
            raise ServiceUnavailableError("nobody there")
        return 1, 20

    async def get(self, _resource: Any, name: str) -> dict[str, Any]:
        if name not in self.namespaces:
            raise NotFoundError("no")
        return {}

    async def create(self, _resource: Any, review: dict[str, Any]) -> dict[str, Any]:
        asked = review["spec"]["resourceAttributes"]
        what = f"{asked['verb']} {asked['resource']}"
        return {"status": {"allowed": what not in self.refused}}

    async def list(self, *_: Any) -> ObjectList:
        if not self.nodes:
            raise ForbiddenError("not for you")
        items = [{"status": {"addresses": [{"type": "InternalIP", "address": each}]}} for each in self.nodes]
        return ObjectList(items, "1")


@pytest.mark.parametrize(
    ("cluster", "why"),
    [
        (Cluster(answers=False), "the cluster at https://there cannot be used: nobody there"),
        (Cluster(namespaces=()), "no namespace 'ns': make it, or name another as cluster.namespace"),
        (Cluster(refused=("watch pods", "create tokenreviews")), ": watch pods, create tokenreviews$"),
    ],
)
def test_a_cluster_that_will_not_do_is_told_at_once(cluster: Any, why: str) -> None:
    with pytest.raises(StartError, match=why):
        asyncio.run(reach(cluster, CONNECTION))


def test_a_cluster_that_will_do() -> None:
    cluster: Any = Cluster()
    found = asyncio.run(reach(cluster, CONNECTION))
    assert (found.version, found.namespace) == ((1, 20), "ns")


def test_pods_call_the_address_that_nodes_are_reached_from() -> None:
    cluster: Any = Cluster()
    url, listener = asyncio.run(transfers_address(cluster, ClusterSettings(callback_port=0)))
    with listener:
        assert url == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_address_that_is_forwarded_here() -> None:
    settings = ClusterSettings(callback_url="https://far/x/", callback_host="127.0.0.1", callback_port=0)
    cluster: Any = Cluster()
    url, listener = asyncio.run(transfers_address(cluster, settings))
    with listener:
        assert url == "https://far/x"
        assert listener.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("nodes", [(), ("not-an-address",)])
def test_where_no_address_is_found_one_must_be_named(nodes: tuple[str, ...]) -> None:
    cluster: Any = Cluster(nodes=nodes)
    with pytest.raises(StartError, match=r"set cluster\.callback_url"):
        asyncio.run(transfers_address(cluster, ClusterSettings()))
