"""What tests on a real cluster work with: a platform of their own, and a namespace that goes with them.

`SAMPAN_TEST_KUBECONFIG` names the cluster. Steps use the image `python:3.11`, as users' do; where nodes cannot reach
the internet, an image of that name with the packages in it must have been put there.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from sampan.client import kubeconfig
from sampan.client.remote import RemoteClient
from sampan.kube.kinds import NAMESPACES
from sampan.lib.ids import random_suffix
from sampan.testing.clients import interpreter_with
from sampan.testing.connections import free_port
from sampan.testing.server import ServerProcess

CLUSTER = os.environ.get("SAMPAN_TEST_KUBECONFIG", "")
T = TypeVar("T")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.timeout(300))
            if not CLUSTER:
                item.add_marker(pytest.mark.skip(reason="SAMPAN_TEST_KUBECONFIG names no cluster"))


@dataclass(frozen=True)
class Cluster:
    """The real one, as an administrator sees it."""

    namespace: str

    def ask(self, question: Callable[[RemoteClient], Awaitable[T]]) -> T:
        async def main() -> T:
            client = RemoteClient(kubeconfig.load(Path(CLUSTER)))
            try:
                return await question(client)
            finally:
                await client.close()

        return asyncio.run(main())


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    found = Cluster(f"sampan-test-{random_suffix(8)}")
    found.ask(lambda client: client.create(NAMESPACES, {"metadata": {"name": found.namespace}}))
    yield found
    found.ask(lambda client: client.delete(NAMESPACES, found.namespace))


def platform(home: Path, cluster: Cluster, **environ: str) -> ServerProcess:
    """Pods find it again after a restart, for its port is chosen beforehand."""
    return ServerProcess(
        home,
        options=("--port", "0", "--kubeconfig", CLUSTER),
        environ={
            "SAMPAN_CLUSTER_NAMESPACE": cluster.namespace,
            "SAMPAN_CLUSTER_CALLBACK_PORT": str(free_port()),
            "SAMPAN_CLUSTER_MOVER_IMAGE": "python:3.11",
            **environ,
        },
    )


@pytest.fixture(scope="module")
def server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with platform(tmp_path_factory.mktemp("cluster") / "home", cluster) as running:
        yield running


@pytest.fixture(scope="session")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """`everything.py`, compiled by the official SDK."""
    folder = tmp_path_factory.mktemp("compiled")
    python = interpreter_with("kfp==2.17.0")
    program = Path(__file__).with_name("everything.py")
    subprocess.run([python, "-W", "ignore", program, folder], check=True)
    return {file.stem: yaml.safe_load(file.read_text()) for file in folder.iterdir()}
