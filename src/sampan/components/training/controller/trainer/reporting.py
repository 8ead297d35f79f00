"""Where the trainers of a namespace tell of their progress, as their pods reach it. For `trainjobs`."""

from __future__ import annotations

from sampan.client.protocol import Client
from sampan.components import PodFiles
from sampan.components.training.engine.trainer.contract import Reporting
from sampan.kube.errors import ApiError
from sampan.kube.kinds import CONFIG_MAPS

_API = "https://kubernetes.default.svc"
"""In the embedded cluster the platform answers there, with TLS."""
_ROOT = "kube-root-ca.crt"


class Reporters:
    def __init__(self, client: Client, pod_files: PodFiles | None) -> None:
        self._client = client
        self._pod_files = pod_files

    async def for_namespace(self, namespace: str) -> Reporting | None:
        """None while nobody has said whom pods there may trust: they train, and tell nothing."""
        url = self._pod_files.url if self._pod_files is not None else _API
        authority = self._pod_files.authority if self._pod_files is not None else ""
        if not authority:
            # Also where the address speaks plain HTTP: clients load the file before they look at the address.
            authority = await self._root(namespace)
        return Reporting(url, authority) if authority else None

    async def _root(self, namespace: str) -> str:
        try:
            found = await self._client.get(CONFIG_MAPS, _ROOT, namespace)
        except ApiError:
            return ""
        return str((found.get("data") or {}).get("ca.crt") or "")
