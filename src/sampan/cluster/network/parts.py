"""What runs of the network beside the node, in the order in which to start it."""

from __future__ import annotations

from pathlib import Path

from sampan.client.protocol import Client
from sampan.cluster.network.controller import EndpointsReconciler
from sampan.cluster.network.directory import ServiceDirectory
from sampan.cluster.network.pods import PodNetwork
from sampan.cluster.network.relay import Relay
from sampan.cluster.network.routes import RouteFiles
from sampan.reconcile.cache import Caches
from sampan.reconcile.manager import Runnable


def network_parts(client: Client, caches: Caches, network: PodNetwork, routes: Path) -> list[Runnable]:
    """`routes` is the folder that the node tells its launchers; `caches` may be shared with others."""
    directory = ServiceDirectory(caches, network, RouteFiles(routes))
    return [EndpointsReconciler(client, caches).controller(), directory, Relay(caches, directory)]
