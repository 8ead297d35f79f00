"""The embedded S3 of `sampan up --s3`, and what makes programs find it where Kubeflow's MinIO would be.

Loaded only where it is asked for. Source of names and ports: manifests/kustomize/third-party/{minio,seaweedfs},
kubeflow/pipelines 2.17.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from sampan.client.protocol import Client
from sampan.kube.errors import AlreadyExistsError, ApiError
from sampan.kube.kinds import ENDPOINT_SLICES, ENDPOINTS, SECRETS, SERVICES, Resource
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.store.artifacts.objects import Bucket, ObjectStore
from sampan.store.artifacts.protocol import StoreError
from sampan.store.artifacts.seaweedfs import SeaweedFS

log = get_logger(__name__)

_NAMESPACE, _SERVICE, _PORT = "kubeflow", "minio-service", 9000
_SECRET = "mlpipeline-minio-artifact"  # noqa: S105  a name
_BUCKETS = ("mlpipeline", "default")
"""Which programs expect to be there; others come with their first object."""


class EmbeddedS3:
    """For one event loop. Buckets may be asked for before it serves: whoever uses them waits."""

    def __init__(self, home: Path) -> None:
        self._server = SeaweedFS(home / "s3")
        self._tasks = TaskSet("embedded S3")

    def bucket(self, name: str) -> Bucket:
        return self._server.bucket(name)

    async def start(self, client: Client, namespace: str) -> None:
        """Raises StoreUnusableError where SeaweedFS is not installed, ApiError, OSError."""
        await self._server.start()
        for where in {_NAMESPACE, namespace}:
            await _ensure(client, SECRETS, self._secret(where))
        await _ensure_service(client, self._server.port)
        self._tasks.spawn(self._make_buckets(), name="buckets")

    async def stop(self) -> None:
        await self._tasks.close()
        await self._server.stop()

    def _secret(self, namespace: str) -> dict[str, Any]:
        keys = self._server.keys
        return {
            "metadata": {"name": _SECRET, "namespace": namespace},
            "type": "Opaque",
            "stringData": {"accesskey": keys.access_key, "secretkey": keys.secret_key},
        }

    async def _make_buckets(self) -> None:
        await self._server.ready()
        for name in _BUCKETS:
            try:
                await asyncio.to_thread(_make_bucket, self.bucket(name))
            except StoreError as error:
                log.warning("a bucket could not be made", bucket=name, error=error.message)


def _make_bucket(bucket: Bucket) -> None:
    store = ObjectStore(bucket)
    with contextlib.suppress(StoreError):
        next(store.list(""), None)
        return
    file = Path("/dev/null")
    store.upload(file, ".bucket")
    store.delete([".bucket"])


async def _ensure_service(client: Client, port: int) -> None:
    metadata = {"name": _SERVICE, "namespace": _NAMESPACE}
    ports = [{"name": "http", "port": _PORT, "protocol": "TCP", "targetPort": port}]
    await _ensure(client, SERVICES, {"metadata": metadata, "spec": {"ports": ports, "type": "ClusterIP"}})
    served = [{"name": "http", "port": port, "protocol": "TCP"}]
    skip = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    subsets = [{"addresses": [{"ip": "127.0.0.1"}], "ports": served}]
    await _ensure(client, ENDPOINTS, {"metadata": {**metadata, "labels": skip}, "subsets": subsets})
    slice_ = {
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": _SERVICE}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": served,
    }
    await _ensure(client, ENDPOINT_SLICES, slice_)


async def _ensure(client: Client, resource: Resource, wanted: dict[str, Any]) -> None:
    name, namespace = wanted["metadata"]["name"], wanted["metadata"]["namespace"]
    try:
        await client.create(resource, wanted)
    except AlreadyExistsError:
        try:
            await client.patch(resource, name, wanted, namespace)
        except ApiError as error:
            # Somebody has put a thing of their own there, which cannot become ours.
            log.warning("an object of the embedded S3 is left as it is", name=name, error=error.message)
